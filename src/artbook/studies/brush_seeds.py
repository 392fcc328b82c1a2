"""The adversarial brush, trained anew with several seeds (chapter ``adversarial-brush``).

Each brush writes five samples of 350 characters, which are judged against the chapter's held-out ones: by the
validation characters, which the settings were chosen by, and by the test characters.
"""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook import judge
from artbook.data import kanji
from artbook.images.adversarial import Game, stroke_critic, stroke_generator
from artbook.images.strokes import fit_code, pictures

SEEDS = (0, 1, 2)
MOST, SIZE, HELD_OUT, SAMPLES = 12, 32, 350, 5
NOISE, WIDTH, BATCH = 64, 256, 64

Figures = dict[str, float]


def measure(seed: int, steps: int) -> Figures:
    """Train one brush: the mean accuracy and diversity of its samples.

    Args:
        seed: of the weights, the noise and the order of the characters.
        steps: of the game, at least 1.

    Returns:
        ``valid`` and ``test``, the accuracies, from one half; ``made`` and ``real``, the two halves of the latter;
        ``diversity``.
    """
    strokes = [s for c, s in kanji.load().items() if "\u4e00" <= c <= "\u9fff" and len(s) <= MOST]
    order = np.random.default_rng(0).permutation(len(strokes))
    valid, test, training = ([strokes[n] for n in part] for part in np.split(order, [HELD_OUT, 2 * HELD_OUT]))
    code = fit_code(training, MOST, components=8)
    codes, counts = code.encode(training), np.array([len(each) for each in training])
    keras.utils.set_random_seed(seed)
    generator = stroke_generator(MOST, codes.shape[2], NOISE, WIDTH)
    critic = stroke_critic(MOST, codes.shape[2], WIDTH)
    losses = (lambda real, made: ops.softplus(real - made), lambda real, made: ops.softplus(made - real))
    game = Game(generator, critic, losses, penalty=0.3, nudge=0.05, seed=seed)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    game.compile(keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99), jit_compile=True)
    chosen = np.random.default_rng(seed).integers(len(codes), size=steps * BATCH)
    game.fit([codes[chosen], _mask(counts[chosen])], codes[chosen], batch_size=BATCH, shuffle=False, verbose=0)
    rng, found = np.random.default_rng(2000 + seed), []
    for _ in range(SAMPLES):
        wanted = rng.choice(counts, HELD_OUT)
        noise = rng.normal(size=(HELD_OUT, NOISE)).astype("float32")
        made = _rows(code.decode(ops.convert_to_numpy(generator([noise, _mask(wanted)])), wanted))
        by = [judge.nearest_neighbour_two_sample(made, _rows(part), np.random.default_rng(0)) for part in (valid, test)]
        found.append((by[0].accuracy, by[1].accuracy, by[1].x, by[1].y, judge.mean_distance(made) / SIZE))
    return dict(zip(("valid", "test", "made", "real", "diversity"), np.mean(found, axis=0).tolist(), strict=True))


def _mask(counts: npt.NDArray) -> npt.NDArray[np.float32]:
    return (np.arange(MOST) < counts[:, np.newaxis]).astype("float32")


def _rows(characters: list) -> npt.NDArray[np.float32]:
    return pictures(characters, SIZE).reshape(len(characters), -1)


CASES: dict[str, Callable[[int], Figures]] = {"brush": partial(measure, steps=9999)}
