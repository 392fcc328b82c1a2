"""Four networks of the chapter ``sequence-models``, trained as the chapter trains its one, alone and mixed.

Scored on validation and test chorales, in nats per frame.
"""

from collections.abc import Callable

import numpy as np

from artbook.data import chorales
from artbook.music.composer import Sizes, after, build, listing_cost, read, train, with_copies
from artbook.music.memories import Memory

SEEDS = (0,)
BATCHES = 2400
NETWORKS = 4
SIZES = Sizes(slots=4)

Figures = dict[str, float]


def mixture(seed: int) -> Figures:
    """Four networks, each alone (the mean of their costs) and mixed: the mean of the probabilities that they give."""
    parts = chorales.load().benchmark()
    rolls, owners, weights = with_copies(parts["train"], chorales.load().off_beats())
    memory = Memory.of(parts["train"])
    lessons = read(rolls, SIZES, memory, owners)
    held_out = {part: read(parts[part], SIZES, memory) for part in ("valid", "test")}
    costs: dict[str, list] = {part: [] for part in held_out}
    for number in range(NETWORKS):
        network = build(SIZES, NETWORKS * seed + number)
        train(network, lessons, weights, after(BATCHES), NETWORKS * seed + number)
        for part, features in held_out.items():
            costs[part].append(listing_cost(network, features))
    figures: Figures = {}
    for part, each in costs.items():
        figures |= {f"{part}_{number}": float(cost.mean()) for number, cost in enumerate(each)}
        figures[f"{part}_mixed"] = float(-(np.logaddexp.reduce(-np.stack(each)) - np.log(NETWORKS)).mean())
    return figures


CASES: dict[str, Callable[[int], Figures]] = {"four-networks": mixture}
