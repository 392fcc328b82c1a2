"""Networks with a memory that give the keys of the next frame independent probabilities.

The chapter ``sequence-models`` compares four memories: a simple recurrent network (Elman 1990), an LSTM (Hochreiter
and Schmidhuber 1997), dilated causal convolutions (the TCN of Bai, Kolter and Koltun 2018) and causal attention
(Vaswani et al. 2017). All read the frames so far and end in one logit a key, so that only the memory differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.keyboard import KEYS, is_whole
from artbook.music.likelihood import frame_pairs, negative_log_likelihood
from artbook.nn.transformer import TransformerBlock

MEMORIES = ("rnn", "lstm", "tcn", "attention")
HEADS = 4
# About four of the 88 keys sound at a time: with these log odds to begin with, training need not first learn silence.
KEY_BIAS = -3.0
# Pieces are padded to a multiple of this many frames, so that few shapes are compiled.
PADDING = 64

Tensor = Any
Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def frame_network(memory: str, width: int = 256, depth: int = 1, dropout: float = 0.3) -> keras.Model:
    """A network that reads the frames so far and gives the logits of the next one, its keys independent.

    Args:
        memory: how it remembers: ``rnn``, ``lstm``, ``tcn`` or ``attention``.
        width: the hidden units of a layer, at least 1; for attention a multiple of 4, its number of heads.
        depth: how many layers or blocks, at least 1.
        dropout: the share that is silenced in a training step, of the keys that are read and of each layer's
            output, from 0 to below 1.

    Returns:
        The network, with new random weights: from the previous frames, zeros and ones ``(batch, time, 88)``, to
        the logits of the frames, of the same shape.

    Raises:
        ValueError: an argument is not as above.
    """
    if memory not in MEMORIES:
        raise ValueError(f"a memory among {', '.join(MEMORIES)} was wanted; {memory!r} was given")
    if not is_whole(width, 1, 10**5) or not is_whole(depth, 1, 100) or (memory == "attention" and width % HEADS):
        raise ValueError(
            f"width and depth from 1, for attention a width that {HEADS} divides, were wanted; "
            f"{width!r} and {depth!r} were given"
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"a dropout from 0 to below 1 was wanted; {dropout} was given")
    previous = keras.Input((None, KEYS))
    x = keras.layers.Dropout(dropout)(previous)
    if memory in ("tcn", "attention"):
        x = keras.layers.Dense(width)(x)
    if memory == "attention":
        x = Positions()(x)
    for layer in range(depth):
        x = _layer(memory, x, width, layer, dropout)
    logits = keras.layers.Dense(KEYS, bias_initializer=keras.initializers.Constant(KEY_BIAS))(x)
    return keras.Model(previous, logits, name=memory)


def _layer(memory: str, x: Tensor, width: int, number: int, dropout: float) -> Tensor:
    if memory == "attention":
        return TransformerBlock(HEADS, 4 * width, causal=True, dropout=dropout)(x)
    if memory == "tcn":
        return _convolutions(x, width, 2**number, dropout)
    kind = keras.layers.LSTM if memory == "lstm" else keras.layers.SimpleRNN
    return keras.layers.Dropout(dropout)(kind(width, return_sequences=True)(x))


def _convolutions(x: Tensor, width: int, dilation: int, dropout: float) -> Tensor:
    """Two causal convolutions over three frames each, ``dilation`` frames apart, added to what came in."""
    hidden = x
    for _ in range(2):
        convolution = keras.layers.Conv1D(width, 3, padding="causal", dilation_rate=dilation, activation="relu")
        hidden = keras.layers.Dropout(dropout)(convolution(hidden))
    return keras.layers.add([x, hidden])


@keras.saving.register_keras_serializable("artbook")
class Positions(keras.layers.Layer):
    """Adds sines and cosines of the place in the sequence (Vaswani et al. 2017), for sequences of any length."""

    def call(self, x: Tensor) -> Tensor:
        """Add them.

        Args:
            x: (batch, time, width), the width even.

        Returns:
            Of the same shape.
        """
        time, width = ops.shape(x)[1], x.shape[-1]
        rates = 10000.0 ** (-2 * np.arange(width // 2) / width)
        angles = ops.cast(ops.arange(time), x.dtype)[:, None] * ops.convert_to_tensor(rates, x.dtype)
        return x + ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


@keras.saving.register_keras_serializable("artbook")
class KeyCrossEntropy(keras.losses.Loss):
    """The cost of a frame whose keys are independent: the binary cross-entropy, summed over the keys.

    In a batch it is the mean over the frames, weighted by ``sample_weight`` (batch, time): frames of weight zero
    cost nothing.
    """

    def __init__(
        self, name: str = "nats_per_frame", reduction: str = "mean_with_sample_weight", **options: Any
    ) -> None:
        super().__init__(name=name, reduction=reduction, **options)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """What each frame costs.

        Args:
            y_true: the frames, zeros and ones (batch, time, 88).
            y_pred: their logits, of the same shape.

        Returns:
            Nats, (batch, time).
        """
        return ops.sum(ops.binary_crossentropy(y_true, y_pred, from_logits=True), axis=-1)


@dataclass(frozen=True)
class Batch:
    """Pieces of similar length, padded to one.

    Attributes:
        previous: float32 ``(pieces, time, 88)``: the frame before; silence where a piece begins.
        frames: float32 ``(pieces, time, 88)``: the frames that are to be predicted.
        mask: float32 ``(pieces, time)``: 1 where there is a frame, 0 for padding.
        pieces: the numbers of the pieces; fewer than rows when the batch is padded with empty ones.
    """

    previous: npt.NDArray[np.float32]
    frames: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    pieces: npt.NDArray[np.int64]


def padded_batches(rolls: Sequence[Frames], size: int, rng: np.random.Generator | None = None) -> Iterator[Batch]:
    """Lay out pieces in batches of few shapes: ``size`` rows, a multiple of 64 frames.

    Args:
        rolls: one bool ``(T, 88)`` a piece; at least one, none empty.
        size: the rows of a batch, at least 1; the last batch of each length is filled with empty rows.
        rng: shuffles the pieces and the batches; left out, they keep their order.

    Yields:
        Batches that hold each piece once.

    Raises:
        ValueError: there is no piece, one is no such roll, or the size is no whole number from 1.
    """
    if not is_whole(size, 1, 10**6):
        raise ValueError(f"a size of at least 1 piece was wanted; {size!r} was given")
    pairs = frame_pairs(rolls)
    starts = np.concatenate([[0], np.cumsum([len(roll) for roll in rolls])])
    padded = -(-np.diff(starts) // PADDING) * PADDING
    order = np.arange(len(rolls)) if rng is None else rng.permutation(len(rolls))
    groups = []
    for time in np.unique(padded):
        same = order[padded[order] == time]
        groups += [same[start : start + size] for start in range(0, len(same), size)]
    for group in groups if rng is None else [groups[number] for number in rng.permutation(len(groups))]:
        shape = (size, int(padded[group[0]]), KEYS)
        previous, frames, mask = np.zeros(shape, "float32"), np.zeros(shape, "float32"), np.zeros(shape[:2], "float32")
        for row, piece in enumerate(group):
            here = slice(starts[piece], starts[piece + 1])
            length = len(rolls[piece])
            previous[row, :length], frames[row, :length] = pairs.previous[here], pairs.frames[here]
            mask[row, :length] = 1
        yield Batch(previous, frames, mask, group)


def frame_costs(network: keras.Model, rolls: Sequence[Frames], size: int = 16) -> list[Floats]:
    """What each frame of some pieces costs, the first frame of each piece too.

    Args:
        network: as ``frame_network`` makes it.
        rolls: one bool ``(T, 88)`` a piece; at least one, none empty.
        size: how many pieces are read at once, at least 1.

    Returns:
        For each piece nats, float64 ``(T,)``.

    Raises:
        ValueError: as in ``padded_batches``.
    """
    costs: dict[int, Floats] = {}
    for batch in padded_batches(rolls, size):
        logits = np.asarray(network.predict_on_batch(batch.previous))
        for row, piece in enumerate(batch.pieces):
            length = len(rolls[piece])
            costs[int(piece)] = negative_log_likelihood(logits[row, :length], rolls[piece])
    return [costs[piece] for piece in range(len(rolls))]


def nats_per_frame(costs: Sequence[Floats], score_first: bool = True) -> float:
    """The mean over all frames of all pieces.

    Args:
        costs: for each piece nats ``(T,)``.
        score_first: whether the first frame of each piece counts: it does in Boulanger-Lewandowski et al. (2012)
            and in this book, not in Bai et al. (2018).
    """
    return float(np.concatenate([piece if score_first else piece[1:] for piece in costs]).mean())


def train(
    network: keras.Model,
    rolls: Sequence[Frames],
    held_out: Sequence[Frames],
    epochs: int,
    learning_rate: float = 5e-3,
    size: int = 8,
    seed: int = 0,
) -> list[float]:
    """Train by teacher forcing with Adam and a cosine decay, and keep the weights that are best on held-out pieces.

    Args:
        network: as ``frame_network`` makes it; it is left with the weights of its best epoch.
        rolls: the pieces to learn from, one bool ``(T, 88)`` each.
        held_out: the pieces to choose the epoch by.
        epochs: how often every piece is seen, at least 1.
        learning_rate: that of the first step, above 0; it falls to zero.
        size: how many pieces make a step, at least 1.
        seed: of the order of the pieces.

    Returns:
        Nats per frame on the held-out pieces, after each epoch.

    Raises:
        ValueError: the epochs are no whole number from 1, or as in ``padded_batches``.
    """
    if not is_whole(epochs, 1, 10**6):
        raise ValueError(f"at least 1 epoch was wanted; {epochs!r} was given")
    steps = epochs * sum(1 for _ in padded_batches(rolls, size))
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    network.compile(keras.optimizers.Adam(rate, clipnorm=1.0), KeyCrossEntropy())
    rng = np.random.default_rng(seed)
    history: list[float] = []
    best: list[npt.NDArray[np.float32]] = []
    for _ in range(epochs):
        for batch in padded_batches(rolls, size, rng):
            network.train_on_batch(batch.previous, batch.frames, batch.mask)
        history.append(nats_per_frame(frame_costs(network, held_out, size)))
        if history[-1] == min(history):
            best = network.get_weights()
    network.set_weights(best)
    return history
