"""What each idea of the chapter ``sequence-models`` is worth, in nats per frame of the validation chorales.

Each case trains for 400 batches, a sixth of the chapter's training, so that the ideas are compared at equal work.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from artbook.data import chorales
from artbook.music.composer import Frames, Sizes, after, build, listing_cost, read, train, with_copies
from artbook.music.memories import Memory

SEEDS = (0, 1, 2)
BATCHES = 400

Figures = dict[str, float]

WHOLE = Sizes(slots=4)
ALONE = replace(WHOLE, window=1, placed=False, copies=None, memories=())
WINDOW = replace(ALONE, window=WHOLE.window)
PLACED = replace(WINDOW, placed=True)
COPYING = replace(PLACED, copies=WHOLE.copies)


def transposed(rolls: list[Frames], seed: int) -> list[Frames]:
    """A copy of each piece, moved by one to six semitones up or down."""
    rng = np.random.default_rng(seed)
    return [np.roll(roll, rng.choice([-1, 1]) * rng.integers(1, 7), axis=1) for roll in rolls]


def case(
    sizes: Sizes, *, off_beats: bool = False, moved: bool = False, own_keys: bool = False
) -> Callable[[int], Figures]:
    """A case: the validation cost, in nats per frame, of a network of some sizes, trained on some pieces."""

    def measure(seed: int) -> Figures:
        parts = chorales.load().benchmark(original_keys=own_keys)
        copies = chorales.load().off_beats() if off_beats else []
        copies += transposed(parts["train"], seed) if moved else []
        rolls, owners, weights = with_copies(parts["train"], copies)
        memory = Memory.of(parts["train"]) if sizes.memories else None
        network = build(sizes, seed)
        train(network, read(rolls, sizes, memory, owners), weights, after(BATCHES), seed)
        return {"valid": float(listing_cost(network, read(parts["valid"], sizes, memory)).mean())}

    return measure


CASES: dict[str, Callable[[int], Figures]] = {
    "one-frame": case(ALONE),
    "eight-frames": case(WINDOW),
    "place": case(PLACED),
    "copies-of-itself": case(COPYING),
    "memory-of-others": case(WHOLE),
    "off-beat-copies": case(WHOLE, off_beats=True),
    "no-dropout": case(replace(WHOLE, dropout=0.0, input_dropout=0.0), off_beats=True),
    "all-in-c-transposed": case(COPYING, moved=True),
    "own-keys": case(COPYING, own_keys=True),
    "own-keys-transposed": case(COPYING, moved=True, own_keys=True),
}
