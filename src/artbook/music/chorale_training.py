"""How the model of the chorales is trained, kept, and held against what it has not seen (chapter ``composing``)."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from artbook.data import chorales
from artbook.data.store import Arrays, cache_folder, cached_arrays
from artbook.music import chorale_model, chorale_tokens, hymn_tunes
from artbook.music.chorale_model import ChoraleModel
from artbook.music.chorale_tokens import BEAT, GOAL, VOCABULARY, Piece, Rows, Whole, rows
from artbook.music.hymn_tunes import HymnTunes

# Rows that the model judges at once, and the beats to which their length is rounded up: few shapes are compiled.
_ROWS, _BEATS = 8, 32
# In so many beats a training step looks at the sixteenths that lie between the eighths.
_BETWEEN = 0.25
# The share of rows that are not told where their lines go.
_UNTOLD = 0.25


@dataclass(frozen=True)
class Recipe:
    """What decides a training, beside the pieces and the seed.

    Attributes:
        steps: of the optimiser.
        memory: the trunk's units.
        hidden: the units of the network that writes the voices.
        dropout: the share that is silenced.
        batch: rows in a step.
        beats: in a row.
        learning_rate: at the beginning; it falls to zero along a cosine.
        pieces: how many of the training pieces are used; None means all.
    """

    steps: int
    memory: int = 192
    hidden: int = 320
    dropout: float = 0.6
    batch: int = 8
    beats: int = 64
    learning_rate: float = 3e-3
    pieces: int | None = None


# What the chapters ``composing`` and ``judging-music`` train, once between them.
RECIPES = {
    "smoke": Recipe(steps=12, memory=32, hidden=32, beats=32, pieces=16),
    "cpu": Recipe(steps=3200),
    "gpu": Recipe(steps=6000, memory=384, hidden=640, dropout=0.65, batch=32),
}


@dataclass(frozen=True)
class Trained:
    """A trained model and how it came about.

    Attributes:
        model: built.
        losses: the mean cost of a token in each step's batch, in nats, with dropout, (steps,).
        cpu_seconds: what the training took, compiling included.
    """

    model: ChoraleModel
    losses: npt.NDArray[np.float64]
    cpu_seconds: float


def pieces() -> dict[str, list[Piece]]:
    """The chorales of the benchmark's three parts in their own keys, repeats written out, a frame a sixteenth."""
    return {part: [Piece.of(chorale) for chorale in each] for part, each in chorales.load().split().items()}


def build(music: Sequence[Piece], recipe: Recipe, seed: int) -> ChoraleModel:
    """The model of a recipe, with new weights.

    Args:
        music: the training pieces, whose tunes it knows.
        recipe: its sizes.
        seed: of the weights and of the dropout, zero or more.
    """
    keras.utils.set_random_seed(seed)
    model = ChoraleModel(HymnTunes.of(music[: recipe.pieces]), recipe.memory, recipe.hidden, dropout=recipe.dropout)
    model.build()
    return model


def train(music: Sequence[Piece], recipe: Recipe, seed: int = 0) -> Trained:
    """Train a new model: AdamW, a cosine schedule, gradients clipped to length 1.

    Args:
        music: the training pieces.
        recipe: sizes and steps.
        seed: of the weights, the dropout and the order of the rows, zero or more.

    Returns:
        The model as it is after the last step.

    Raises:
        ValueError: there are fewer rows than a batch has.
    """
    started = time.process_time()
    model = build(music, recipe, seed)
    # A piece may not remember itself.
    votes = [model.tunes.votes(piece, owner) for owner, piece in enumerate(music[: recipe.pieces])]
    laid_out = rows(music[: recipe.pieces], votes, recipe.beats)
    count = len(laid_out.tokens)
    if count < recipe.batch:
        raise ValueError(f"at least {recipe.batch} rows of {recipe.beats} beats were wanted; there are {count}")
    schedule = keras.optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.steps)
    model.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=5e-2, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng = np.random.default_rng(seed)
    per_epoch = count // recipe.batch
    losses = []
    for step in range(recipe.steps):
        if step % per_epoch == 0:
            order = rng.permutation(count)
        chosen = order[step % per_epoch * recipe.batch :][: recipe.batch]
        frames, counts = _frames(rng, (recipe.batch, recipe.beats))
        tokens = np.take_along_axis(laid_out.tokens[chosen], frames[..., None], axis=2)
        weights = np.take_along_axis(laid_out.weights[chosen], frames, axis=2) * counts
        weights = np.repeat(weights[..., None], 4, axis=-1)
        # Keras takes the mean over all places, those of weight 0 too.
        weights /= weights.mean()
        inputs = laid_out.inputs(chosen)
        inputs[0] = _untold(_transposed(inputs[0], rng), rng)
        losses.append(float(model.train_on_batch([*inputs, frames], tokens, weights)))
    return Trained(model, np.array(losses), time.process_time() - started)


def _frames(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Whole, npt.NDArray[np.float32]]:
    """Two frames of each beat, (*shape, 2), and what they count, (*shape, 1), so that all frames count alike.

    In the second and the fourth sixteenth of a beat hardly anything begins; they are looked at more rarely.
    """
    between = rng.random((*shape, 1)) < _BETWEEN
    frames = np.where(between, [1, 3], [0, 2]).astype(np.int32)
    return frames, np.where(between, 1 / _BETWEEN, 1 / (1 - _BETWEEN)).astype(np.float32)


def _transposed(plan: Whole, rng: np.random.Generator) -> Whole:
    """The plans of rows that are moved by up to three semitones. The model reads all in C: only the key is another.

    No row is moved past the place where the way to C would turn from down to up, from 6 to 7.
    """
    key = plan[..., -1]
    place = (key - 7) % 12
    moved = np.clip(place + rng.integers(-3, 4, size=(len(plan), 1, 1), dtype=np.int32), 0, 11)
    return np.concatenate([plan[..., :-1], (key - key % 12 + (moved + 7) % 12)[..., None]], axis=-1)


def _untold(plan: Whole, rng: np.random.Generator) -> Whole:
    """The plans of rows of which some no longer tell where their lines go, so that the model can do without."""
    told = rng.random(len(plan)) >= _UNTOLD
    goals = np.arange(plan.shape[-1]) == GOAL
    return np.where(goals & ~told[:, None, None, None], 0, plan)


def trained(recipe: Recipe, seed: int = 0) -> Trained:
    """As ``train`` on the training chorales, but done once: the weights are kept in the user's cache.

    A second program that asks meanwhile waits until the first has finished.

    Args:
        recipe: sizes and steps.
        seed: zero or more.

    Returns:
        The trained model; losses and time are those of the training, whenever that was.

    Raises:
        ValueError: as in ``train``.
        OSError: the cache cannot be written.
    """
    name = f"chorale-model-{_digest(recipe, seed)}"
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / f"{name}.lock"):
        stored = cached_arrays(name, lambda: _packed(train(pieces()["train"], recipe, seed)))
    model = build(pieces()["train"], recipe, seed)
    model.set_weights([stored[f"weight_{number}"] for number in range(len(model.weights))])
    return Trained(model, stored["losses"], float(stored["cpu_seconds"]))


def _packed(result: Trained) -> Arrays:
    weights = {f"weight_{number}": weight for number, weight in enumerate(result.model.get_weights())}
    return {**weights, "losses": result.losses, "cpu_seconds": np.array(result.cpu_seconds)}


def _digest(recipe: Recipe, seed: int) -> str:
    """Twenty letters that stand for all that decides the weights: recipe, seed, backend and the sources."""
    sources = [Path(str(module.__file__)) for module in (chorales, chorale_tokens, chorale_model, hymn_tunes)]
    content = b"".join(path.read_bytes() for path in (*sources, Path(__file__)))
    decided = f"{astuple(recipe)} {seed} {keras.backend.backend()} {keras.__version__}".encode()
    return hashlib.sha256(content + decided).hexdigest()[:20]


def token_costs(model: ChoraleModel, music: Sequence[Piece]) -> list[npt.NDArray[np.float64]]:
    """What each token of each piece costs, given the plan and all tokens before it.

    Args:
        model: built.
        music: at least one piece.

    Returns:
        For each piece nats, float64 (T, 4).

    Raises:
        ValueError: there is no piece.
    """
    beats = max((-(-piece.plan.length // chorale_tokens.BEAT) for piece in music), default=0)
    laid_out = rows(music, [model.tunes.votes(piece) for piece in music], -(-beats // _BEATS) * _BEATS)
    found = []
    for start in range(0, len(music), _ROWS):
        # The last rows stand there twice, so that all calls have one shape.
        chosen = np.minimum(np.arange(start, start + _ROWS), len(music) - 1)
        costs = _row_costs(model, laid_out, chosen)
        for row, piece in zip(costs, music[start : start + _ROWS], strict=False):
            found.append(row.reshape(-1, 4)[: piece.plan.length])
    return found


def _row_costs(model: ChoraleModel, laid_out: Rows, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    frames = np.tile(np.arange(BEAT, dtype=np.int32), (*laid_out.weights[chosen].shape[:2], 1))
    logits = keras.ops.convert_to_numpy(model.predict_on_batch([*laid_out.inputs(chosen), frames])).astype(np.float64)
    tokens = laid_out.tokens[chosen][..., None]
    assert logits.shape[-1] == VOCABULARY
    return np.logaddexp.reduce(logits, axis=-1) - np.take_along_axis(logits, tokens, axis=-1)[..., 0]
