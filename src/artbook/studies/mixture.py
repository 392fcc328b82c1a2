"""Four networks instead of one, each alone and mixed: of the chapters ``sequence-models`` and ``composing``.

Of each four the first is the chapter's own. All are trained as the chapter trains its one, and scored on the
validation and the test chorales, in nats per frame or per voice's token. In a last case one has less time.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from artbook.data import chorales
from artbook.music import chorale_training
from artbook.music.chorale_training import RECIPES, Recipe, token_costs
from artbook.music.composer import Sizes, after, build, listing_cost, read, train, with_copies
from artbook.music.memories import Memory, Witness

SEEDS = (0,)
NETWORKS = 4
BATCHES = 2400
WHOLE = Sizes(slots=4)
# The others have two or three witnesses of other pieces, each time with another idea of what is alike.
UNLIKE = (
    WHOLE,
    replace(WHOLE, memories=(Witness(0.5, 2, 64, 0.2), Witness(0.85, 4, 32, 0.1))),
    replace(WHOLE, memories=(Witness(0.2, 2, 128, 0.2), Witness(0.6, 4, 64, 0.1), Witness(0.9, 2, 32, 0.2))),
    replace(WHOLE, memories=(Witness(0.4, 4, 128, 0.2), Witness(0.8, 2, 64, 0.2), Witness(0.95, 4, 16, 0.1))),
)
# Narrower, silenced less in training, and trained half as long.
SHORTER = replace(RECIPES["cpu"], steps=1600, hidden=160, dropout=0.25, learning_rate=2e-3)

Figures = dict[str, list[float]]
Costs = dict[str, list[np.ndarray]]


def frames(seed: int) -> Figures:
    """What ``figures`` says of networks of the sizes ``UNLIKE``, in nats per frame."""
    parts = chorales.load().benchmark()
    rolls, owners, weights = with_copies(parts["train"], chorales.load().off_beats())
    memory = Memory.of(parts["train"])
    costs: Costs = {"valid": [], "test": []}
    for number, sizes in enumerate(UNLIKE):
        own_seed = NETWORKS * seed + number
        network = build(sizes, own_seed)
        train(network, read(rolls, sizes, memory, owners), weights, after(BATCHES), own_seed)
        for part, each in costs.items():
            each.append(listing_cost(network, read(parts[part], sizes, memory)))
    return figures(costs)


def voices(recipe: Recipe, networks: int) -> Callable[[int], Figures]:
    """A case: what ``figures`` says of networks that differ in their seeds alone, in nats per token.

    Args:
        recipe: of each.
        networks: how many.
    """

    def measure(seed: int) -> Figures:
        music = chorale_training.pieces()
        costs: Costs = {"valid": [], "test": []}
        for number in range(networks):
            model = chorale_training.train(music["train"], recipe, networks * seed + number).model
            for part, each in costs.items():
                each.append(np.concatenate(token_costs(model, music[part])))
        return figures(costs)

    return measure


def figures(costs: Costs) -> Figures:
    """What some networks cost on average.

    Returns:
        For ``valid`` and ``test`` the costs of mixtures of the first one, two, ... networks; for ``valid_alone`` and
        ``test_alone`` those of each network.
    """
    found: Figures = {}
    for part, each in costs.items():
        found[f"{part}_alone"] = [float(cost.mean()) for cost in each]
        found[part] = [mixed(each[:count]) for count in range(1, len(each) + 1)]
    return found


def mixed(costs: list[np.ndarray]) -> float:
    """The mean cost under the mean of the probabilities that some networks give to each frame, or token."""
    return float(-(np.logaddexp.reduce(-np.stack(costs)) - np.log(len(costs))).mean())


CASES: dict[str, Callable[[int], Figures]] = {
    "frames": frames,
    "voices": voices(RECIPES["cpu"], NETWORKS),
    "voices-shorter": voices(SHORTER, 1),
}
