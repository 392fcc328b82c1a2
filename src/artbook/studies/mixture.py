"""Four networks of the chapter ``sequence-models``, trained as the chapter trains its one: each alone, and mixed.

All are scored on the validation and the test chorales, in nats per frame.
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

Figures = dict[str, list[float]]


def mixture(seed: int) -> Figures:
    """What each part costs under the networks with the seeds from ``NETWORKS`` times ``seed`` on.

    Returns:
        For ``valid`` and ``test`` the costs of mixtures of one, two, ... networks, in the order of their seeds; for
        ``valid_alone`` and ``test_alone`` those of each network.
    """
    parts = chorales.load().benchmark()
    rolls, owners, weights = with_copies(parts["train"], chorales.load().off_beats())
    memory = Memory.of(parts["train"])
    lessons = read(rolls, SIZES, memory, owners)
    held_out = {part: read(parts[part], SIZES, memory) for part in ("valid", "test")}
    costs: dict[str, list] = {part: [] for part in held_out}
    for number in range(NETWORKS * seed, NETWORKS * (seed + 1)):
        network = build(SIZES, number)
        train(network, lessons, weights, after(BATCHES), number)
        for part, features in held_out.items():
            costs[part].append(listing_cost(network, features))
    figures: Figures = {}
    for part, each in costs.items():
        figures[f"{part}_alone"] = [float(cost.mean()) for cost in each]
        figures[part] = [mixed(each[:count]) for count in range(1, NETWORKS + 1)]
    return figures


def mixed(costs: list) -> float:
    """The mean cost of a frame under the mean of the probabilities that some networks give it."""
    return float(-(np.logaddexp.reduce(-np.stack(costs)) - np.log(len(costs))).mean())


CASES: dict[str, Callable[[int], Figures]] = {"four-networks": mixture}
