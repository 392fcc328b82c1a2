"""Models of the next frame that are counted, not trained: what a network has to beat (chapter ``first-model``).

Each is fitted to ``FramePairs`` and gives every frame a probability; those of all possible frames sum
to 1. ``strength`` is the number of imagined frames that back up the counts, so that nothing is
impossible: choose it on validation pieces.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.music.likelihood import FramePairs, log_odds, negative_log_likelihood

Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KeyRates:
    """Each key sounds independently at a rate of its own, whatever came before.

    Attributes:
        rates: the probability that each key sounds, ``(88,)``.
    """

    rates: Probabilities

    @classmethod
    def fit(cls, pairs: FramePairs, strength: float) -> "KeyRates":
        """Count how often each key sounds.

        Args:
            pairs: the training pieces.
            strength: imagined frames at the rate of all keys together, added to each key's own; above 0.

        Raises:
            ValueError: the strength is not a finite number above 0, or there is nothing to count.
        """
        return cls(_rates(pairs.frames, np.ones_like(pairs.frames), strength))

    def cost(self, pairs: FramePairs) -> Probabilities:
        """What each frame costs, in nats, ``(frames,)``."""
        return negative_log_likelihood(np.broadcast_to(log_odds(self.rates), pairs.frames.shape), pairs.frames)


@dataclass(frozen=True)
class RepeatLast:
    """Each key goes on as in the frame before or changes, independently, at two rates of its own.

    Attributes:
        stays: the probability that a key sounds after it sounded, ``(88,)``.
        enters: the probability that it sounds after it was silent, ``(88,)``.
    """

    stays: Probabilities
    enters: Probabilities

    @classmethod
    def fit(cls, pairs: FramePairs, strength: float) -> "RepeatLast":
        """Count how often each key sounds after it sounded, and after it was silent.

        Args:
            pairs: the training pieces.
            strength: imagined frames at the rate of all keys together, added to each key's own; above 0.

        Raises:
            ValueError: the strength is not a finite number above 0, or there is nothing to count.
        """
        return cls(*(_rates(pairs.frames, where, strength) for where in (pairs.previous, ~pairs.previous)))

    def cost(self, pairs: FramePairs) -> Probabilities:
        """What each frame costs, in nats, ``(frames,)``."""
        probabilities = np.where(pairs.previous, self.stays, self.enters)
        return negative_log_likelihood(log_odds(probabilities), pairs.frames)


@dataclass(frozen=True)
class ChordCounts:
    """A frame is drawn whole from a bag of frames, whatever came before: its keys belong together.

    A frame that stands ``n`` times among ``N`` has the probability ``(n + strength q) / (N + strength)``,
    where ``q`` is its probability under ``KeyRates``.

    Attributes:
        counts: how often each frame stands in the bag, by its packed bits.
        strength: the weight of ``unseen``, in frames.
        unseen: what gives a frame that is not in the bag its probability.
    """

    counts: Mapping[bytes, int]
    strength: float
    unseen: KeyRates

    @classmethod
    def fit(cls, pairs: FramePairs, strength: float) -> "ChordCounts":
        """Put the training frames into the bag.

        Args:
            pairs: the training pieces.
            strength: imagined frames from ``KeyRates``; above 0.

        Raises:
            ValueError: the strength is not a finite number above 0, or there is nothing to count.
        """
        _check_strength(strength)
        return cls(Counter(packed(pairs.frames)), strength, KeyRates.fit(pairs, strength=1.0))

    def cost(self, pairs: FramePairs) -> Probabilities:
        """What each frame costs, in nats, ``(frames,)``."""
        counts = np.array([self.counts.get(frame, 0) for frame in packed(pairs.frames)])
        total = sum(self.counts.values()) + self.strength
        return np.log(total) - np.log(counts + self.strength * np.exp(-self.unseen.cost(pairs)))


@dataclass(frozen=True)
class ChordBigrams:
    """A frame is drawn whole from those that followed the same frame before: a Markov chain of chords.

    A frame that followed another ``n`` of the ``N`` times that this one came before has the probability
    ``(n + strength q) / (N + strength)`` after it, where ``q`` is its probability in the bag.

    Attributes:
        followed: how often each frame followed each, by the packed bits of the earlier and the later one.
        before: how often each frame came before another, by its packed bits.
        strength: the weight of the bag, in frames.
        bag: what is drawn from where there is little to count.
    """

    followed: Mapping[tuple[bytes, bytes], int]
    before: Mapping[bytes, int]
    strength: float
    bag: ChordCounts

    @classmethod
    def fit(cls, pairs: FramePairs, strength: float, bag: ChordCounts) -> "ChordBigrams":
        """Count which frame followed which.

        Args:
            pairs: the training pieces.
            strength: imagined frames from the bag; above 0.
            bag: fitted to the same pieces.

        Raises:
            ValueError: the strength is not a finite number above 0.
        """
        _check_strength(strength)
        previous = packed(pairs.previous)
        return cls(Counter(zip(previous, packed(pairs.frames), strict=True)), Counter(previous), strength, bag)

    def cost(self, pairs: FramePairs) -> Probabilities:
        """What each frame costs, in nats, ``(frames,)``."""
        previous = packed(pairs.previous)
        both = np.array([self.followed.get(pair, 0) for pair in zip(previous, packed(pairs.frames), strict=True)])
        before = np.array([self.before.get(frame, 0) for frame in previous])
        return np.log(before + self.strength) - np.log(both + self.strength * np.exp(-self.bag.cost(pairs)))


def packed(frames: npt.NDArray[np.bool_]) -> list[bytes]:
    """Each frame as a few bytes, to look it up by; equal frames have equal bytes.

    Args:
        frames: bool ``(frames, keys)``.

    Raises:
        ValueError: another shape, or not bool.
    """
    if frames.ndim != 2 or frames.dtype != bool:
        raise ValueError(f"bool of shape (frames, keys) was wanted; {frames.dtype} {frames.shape} was given")
    return [row.tobytes() for row in np.packbits(frames, axis=1)]


def _rates(frames: npt.NDArray[np.bool_], where: npt.NDArray[np.bool_], strength: float) -> Probabilities:
    """How often each key sounds in the frames where ``where`` holds, drawn towards the rate of all keys."""
    _check_strength(strength)
    sounding, counted = np.count_nonzero(frames & where), np.count_nonzero(where)
    if not 0 < sounding < counted:
        raise ValueError(
            "pairs in which some keys sound and some do not were wanted;"
            f" of the {counted} that are counted {sounding} sound"
        )
    overall = sounding / counted
    return ((frames & where).sum(axis=0) + strength * overall) / (where.sum(axis=0) + strength)


def _check_strength(strength: float) -> None:
    if not (np.isfinite(strength) and strength > 0):
        raise ValueError(f"a finite strength above 0 was wanted; {strength} was given")
