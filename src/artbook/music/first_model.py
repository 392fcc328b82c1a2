"""The first article's network, how it plays, and what it can do once its keys know of each other.

The chapter ``first-model`` trains it on the Bach chorales.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import KEYS, check_frames, is_whole
from artbook.music.baselines import KeyRates, packed
from artbook.music.likelihood import FramePairs, log_odds, negative_log_likelihood

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Choose = Callable[[Floats], Frames]


def build_network(dropout: float = 0.0) -> keras.Sequential:
    """The article's layers, 88-256-256-256-88: one frame in, the logits of the next frame out.

    The article ends in a sigmoid; here it belongs to the loss (``from_logits=True``), which is the same
    network and does not lose the probabilities that round to 0 or 1.

    Args:
        dropout: the share of hidden units that is silenced in each training step, from 0 to below 1.

    Returns:
        The network, with new random weights.

    Raises:
        ValueError: the dropout is outside that range.
    """
    if not 0 <= dropout < 1:
        raise ValueError(f"a dropout from 0 to below 1 was wanted; {dropout} was given")
    hidden = [layer for _ in range(3) for layer in (keras.layers.Dense(256, "relu"), keras.layers.Dropout(dropout))]
    return keras.Sequential([keras.Input((KEYS,)), *hidden, keras.layers.Dense(KEYS)])


def logits_after(network: keras.Model, previous: Frames) -> Floats:
    """The network's logits for the frames that follow ``previous``.

    Args:
        network: from frames ``(frames, 88)`` to logits of the same shape.
        previous: bool ``(frames, 88)``.

    Returns:
        float64 ``(frames, 88)``.

    Raises:
        ValueError: another shape, or not bool.
    """
    frames = check_frames(previous).astype("float32")
    logits = network(keras.ops.convert_to_tensor(frames), training=False)
    return keras.ops.convert_to_numpy(logits).astype(np.float64)


def play(network: keras.Model, openings: Frames, length: int, choose: Choose) -> Frames:
    """Let the network go on from one frame, many times at once, each new frame being its next input.

    Args:
        network: as in ``logits_after``.
        openings: the frame to go on from, bool ``(pieces, 88)``; an empty one is silence.
        length: how many frames to play.
        choose: makes frames of logits, ``(pieces, 88)`` both.

    Returns:
        What follows the openings, bool ``(pieces, length, 88)``.

    Raises:
        ValueError: ``openings`` is no such array, or the length is no whole number from 1.
    """
    if not is_whole(length, 1, 10**6):
        raise ValueError(f"a length of at least 1 frame was wanted; {length!r} was given")
    played = [openings]
    for _ in range(length):
        played.append(choose(logits_after(network, played[-1])))
    return np.stack(played[1:], axis=1)


def draw_keys(rng: np.random.Generator) -> Choose:
    """A way to choose: every key sounds with its own probability, independently of the others."""
    # A uniform u is below sigmoid(z) exactly when the logistic variable log(u / (1 - u)) is below z.
    return lambda logits: rng.logistic(size=logits.shape) < logits


def likeliest(count: int) -> Choose:
    """A way to choose: the ``count`` likeliest keys, whatever their probability.

    Raises:
        ValueError: the count is no whole number from 1 to 88.
    """
    if not is_whole(count, 1, KEYS):
        raise ValueError(f"a count from 1 to {KEYS} was wanted; {count!r} was given")

    def choose(logits: Floats) -> Frames:
        frames = np.zeros(logits.shape, dtype=bool)
        np.put_along_axis(frames, np.argsort(logits, axis=1)[:, -count:], True, axis=1)
        return frames

    return choose


@dataclass(frozen=True)
class ChordPrior:
    """The network's odds laid over a list of whole chords, so that the keys of a frame belong together.

    A chord of the list has the weight ``n exp(trust * (z - z0) . chord)``: ``n`` is how often it stands in
    the training pieces, ``z`` the network's logits and ``z0`` those of the keys' mean rates. At trust 0 the
    network has no say. With the probability ``outside`` a frame is drawn key by key instead, for the
    frames that are not on the list.

    Attributes:
        chords: bool ``(chords, 88)``, no two alike.
        counts: ``n``, ``(chords,)``.
        base: ``z0``, ``(88,)``.
        trust: how much the network's odds count, zero or more.
        outside: above 0 and below 1.
    """

    chords: Frames
    counts: npt.NDArray[np.int64]
    base: Floats
    trust: float
    outside: float

    @classmethod
    def fit(cls, pairs: FramePairs, trust: float, outside: float) -> "ChordPrior":
        """List the chords of the training pieces.

        Raises:
            ValueError: ``trust`` is below 0, or ``outside`` not above 0 and below 1.
        """
        if not (np.isfinite(trust) and trust >= 0 and 0 < outside < 1):
            raise ValueError(f"trust from 0 and outside between 0 and 1 were wanted; {trust} and {outside} were given")
        chords, counts = np.unique(pairs.frames, axis=0, return_counts=True)
        return cls(chords, counts, log_odds(KeyRates.fit(pairs, strength=1.0).rates), trust, outside)

    def chord_log_probabilities(self, logits: Floats) -> Floats:
        """The log probability of each chord of the list, given that the frame is on it, ``(frames, chords)``."""
        scores = self.trust * (logits - self.base) @ self.chords.T.astype(np.float64) + np.log(self.counts)
        return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)

    def cost(self, logits: Floats, frames: Frames) -> Floats:
        """What each frame costs, in nats, ``(frames,)``, given the network's logits for it.

        Raises:
            ValueError: as in ``negative_log_likelihood``.
        """
        alone = np.log(self.outside) - negative_log_likelihood(logits, frames)
        number = {chord: index for index, chord in enumerate(packed(self.chords))}
        found = np.array([number.get(frame, -1) for frame in packed(frames)])
        together = np.log1p(-self.outside) + np.take_along_axis(
            self.chord_log_probabilities(logits), found[:, np.newaxis], axis=1
        )
        return -np.where(found >= 0, np.logaddexp(alone, together[:, 0]), alone)

    def draw(self, rng: np.random.Generator) -> Choose:
        """A way to choose: a whole chord of the list."""

        def choose(logits: Floats) -> Frames:
            # The largest of log probabilities plus Gumbel noise is a draw from those probabilities.
            noisy = self.chord_log_probabilities(logits) + rng.gumbel(size=(len(logits), len(self.chords)))
            return self.chords[noisy.argmax(axis=1)]

        return choose
