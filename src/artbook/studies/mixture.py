"""Networks of the chapter ``sequence-models`` that remember other pieces differently: each alone, and mixed.

The first is the chapter's own. All are trained as the chapter trains its one, and scored on the validation and the
test chorales, in nats per frame.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from artbook.data import chorales
from artbook.music.composer import Sizes, after, build, listing_cost, read, train, with_copies
from artbook.music.memories import Memory, Witness

SEEDS = (0,)
BATCHES = 2400
WHOLE = Sizes(slots=4)
# The others have two or three witnesses of other pieces, each time with another idea of what is alike.
UNLIKE = (
    WHOLE,
    replace(WHOLE, memories=(Witness(0.5, 2, 64, 0.2), Witness(0.85, 4, 32, 0.1))),
    replace(WHOLE, memories=(Witness(0.2, 2, 128, 0.2), Witness(0.6, 4, 64, 0.1), Witness(0.9, 2, 32, 0.2))),
    replace(WHOLE, memories=(Witness(0.4, 4, 128, 0.2), Witness(0.8, 2, 64, 0.2), Witness(0.95, 4, 16, 0.1))),
)

Figures = dict[str, list[float]]


def mixture(seed: int) -> Figures:
    """What each part costs under networks of the sizes ``UNLIKE``.

    Returns:
        For ``valid`` and ``test`` the costs of mixtures of the first one, two, ... networks; for ``valid_alone`` and
        ``test_alone`` those of each network.
    """
    parts = chorales.load().benchmark()
    rolls, owners, weights = with_copies(parts["train"], chorales.load().off_beats())
    memory = Memory.of(parts["train"])
    costs: dict[str, list] = {"valid": [], "test": []}
    for number, sizes in enumerate(UNLIKE):
        own_seed = len(UNLIKE) * seed + number
        network = build(sizes, own_seed)
        train(network, read(rolls, sizes, memory, owners), weights, after(BATCHES), own_seed)
        for part, each in costs.items():
            each.append(listing_cost(network, read(parts[part], sizes, memory)))
    figures: Figures = {}
    for part, each in costs.items():
        figures[f"{part}_alone"] = [float(cost.mean()) for cost in each]
        figures[part] = [mixed(each[:count]) for count in range(1, len(each) + 1)]
    return figures


def mixed(costs: list) -> float:
    """The mean cost of a frame under the mean of the probabilities that some networks give it."""
    return float(-(np.logaddexp.reduce(-np.stack(costs)) - np.log(len(costs))).mean())


CASES: dict[str, Callable[[int], Figures]] = {"four-networks": mixture}
