"""How well a model predicts piano rolls: the cost of each frame in nats.

A frame is the set of keys that sound in one step: 88 zeros and ones. A model gives every possible
frame a probability; what a frame costs is minus the natural logarithm of its own. The chapter
``first-model`` derives it; the measure is that of Boulanger-Lewandowski et al. (2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import KEYS, check_frames


@dataclass(frozen=True)
class FramePairs:
    """Every frame of some pieces, beside the frame before it.

    Attributes:
        previous: bool ``(frames, 88)``: the frame before; empty where a piece begins.
        frames: bool ``(frames, 88)``: the frame that is to be predicted.
        pieces: int ``(frames,)``: the number of its piece, from 0.

    Raises:
        ValueError: these are not bool, bool and whole numbers of one length.
    """

    previous: npt.NDArray[np.bool_]
    frames: npt.NDArray[np.bool_]
    pieces: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        kinds = self.previous.dtype.kind + self.frames.dtype.kind + self.pieces.dtype.kind
        same = self.previous.shape == self.frames.shape and self.frames.shape[:1] == self.pieces.shape
        if kinds != "bbi" or self.frames.ndim != 2 or not same:
            raise ValueError(
                "bool and bool of one shape (frames, keys) and whole numbers (frames,) were wanted;"
                f" {self.previous.shape}, {self.frames.shape} and {self.pieces.shape} of the kinds {kinds} were given"
            )

    @property
    def begins(self) -> npt.NDArray[np.bool_]:
        """Whether a frame is the first of its piece, bool ``(frames,)``."""
        return np.diff(self.pieces, prepend=-1) > 0


def frame_pairs(rolls: Sequence[npt.NDArray[np.bool_]]) -> FramePairs:
    """Lay out piano rolls as pairs of one frame and the next.

    Args:
        rolls: one bool ``(T, 88)`` a piece; at least one, none empty.

    Returns:
        One pair for every frame of every piece, in order.

    Raises:
        ValueError: there is no piece, or one is not such a roll.
    """
    if not rolls:
        raise ValueError("at least one piece was wanted; none was given")
    for number, roll in enumerate(rolls):
        check_frames(roll, f"piece {number}")
        if not len(roll):
            raise ValueError(f"piece {number}: at least one frame was wanted; it is empty")
    silence = np.zeros((1, KEYS), dtype=bool)
    previous = np.concatenate([part for roll in rolls for part in (silence, roll[:-1])])
    pieces = np.repeat(np.arange(len(rolls)), [len(roll) for roll in rolls])
    return FramePairs(previous, np.concatenate(rolls), pieces)


def negative_log_likelihood(logits: npt.NDArray[np.floating], frames: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """What frames cost when their keys are independent: the binary cross-entropy, summed over the keys.

    A key with the logit ``z``, the log odds that it sounds, costs ``ln(1 + exp(-z))`` if it sounds and
    ``ln(1 + exp(z))`` if not; neither overflows, and no probability is clipped.

    Args:
        logits: finite, ``(frames, keys)``.
        frames: which keys sound, bool ``(frames, keys)``.

    Returns:
        Nats, zero or more, ``(frames,)``.

    Raises:
        ValueError: the shapes differ, a logit is not finite, or ``frames`` is not bool.
    """
    odds, frames = np.asarray(logits, dtype=np.float64), np.asarray(frames)
    if odds.ndim != 2 or odds.shape != frames.shape or frames.dtype != bool:
        raise ValueError(
            f"logits and bool frames of one shape (frames, keys) were wanted;"
            f" {odds.shape} and {frames.dtype} {frames.shape} were given"
        )
    if not np.isfinite(odds).all():
        raise ValueError(f"finite logits were wanted; {np.count_nonzero(~np.isfinite(odds))} are not")
    return np.logaddexp(0.0, np.where(frames, -odds, odds)).sum(axis=1)


def log_odds(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The logits of probabilities.

    Args:
        probabilities: above 0 and below 1, any shape.

    Raises:
        ValueError: one is 0, 1, outside, or NaN.
    """
    given = np.asarray(probabilities, dtype=np.float64)
    wrong = ~((given > 0) & (given < 1))
    if wrong.any():
        raise ValueError(f"probabilities above 0 and below 1 were wanted; {given[wrong][0]} was given")
    return np.log(given) - np.log1p(-given)
