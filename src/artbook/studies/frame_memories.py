"""Four memories over frames whose keys are independent (chapter ``sequence-models``), in nats per frame.

The epoch is chosen on the validation chorales, which are the figures; the test chorales are not looked at.
"""

from collections.abc import Callable

import keras

from artbook.data import chorales
from artbook.music.frame_networks import frame_network, train

SEEDS = (0, 1)
EPOCHS = 25

Figures = dict[str, float]


def case(memory: str, width: int, depth: int, dropout: float) -> Callable[[int], Figures]:
    """A case: the validation cost of the best epoch."""

    def measure(seed: int) -> Figures:
        keras.utils.set_random_seed(seed)
        parts = chorales.load().benchmark()
        network = frame_network(memory, width, depth, dropout)
        history = train(network, parts["train"], parts["valid"], EPOCHS, seed=seed)
        return {"valid": min(history), "parameters": network.count_params()}

    return measure


CASES: dict[str, Callable[[int], Figures]] = {
    "rnn": case("rnn", 128, 1, 0.2),
    "lstm": case("lstm", 128, 1, 0.2),
    "tcn": case("tcn", 128, 2, 0.3),
    "attention": case("attention", 128, 2, 0.3),
}
