"""Which step comes next in a tune: examples of one size from tunes of all lengths, the same in every key.

The task of the chapter ``training-costs``: small enough that many networks can be trained on it in one sitting.
Only the pitches are told, no lengths and no bar lines.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.music.next_note import before_each

# How many notes before the last one are told, each by its distance from the last.
CONTEXT = 16
# Distances beyond two octaves, and steps beyond one, count as just beyond.
REACH, LEAP = 24, 13
BEFORE = 2 * REACH + 1
SYMBOLS, STEPS = BEFORE + 1, 2 * LEAP + 1


class Examples(NamedTuple):
    """What is known and what comes.

    Attributes:
        contexts: uint8 ``(n, CONTEXT)``: the notes before the last, the oldest first, as their distance from the
            last in semitones plus ``REACH``; ``BEFORE`` where the tune had not begun.
        steps: uint8 ``(n,)``: from the last note to the next in semitones, plus ``LEAP``.
    """

    contexts: npt.NDArray[np.uint8]
    steps: npt.NDArray[np.uint8]


def examples(tunes: Sequence[npt.ArrayLike]) -> Examples:
    """An example for each note after the first of each tune, in order.

    Args:
        tunes: of each the pitches, MIDI numbers ``(T,)``, without rests; at least one has two notes.

    Raises:
        ValueError: there is none with two notes, or a pitch is not from 0 to 127.
    """
    contexts, steps = [], []
    for tune in tunes:
        pitches = np.asarray(tune)
        if pitches.ndim != 1 or pitches.dtype.kind not in "iu" or (pitches < 0).any() or (pitches > 127).any():
            raise ValueError(f"pitches (T,) from 0 to 127 were wanted; {pitches.dtype} {pitches.shape} was given")
        if len(pitches) < 2:
            continue
        pitches = pitches.astype(np.int64)
        known = before_each(pitches, CONTEXT + 1, -1)[1:]
        distances = np.clip(known[:, :-1] - known[:, -1:], -REACH, REACH) + REACH
        contexts.append(np.where(known[:, :-1] < 0, BEFORE, distances))
        steps.append(np.clip(np.diff(pitches), -LEAP, LEAP) + LEAP)
    if not steps:
        raise ValueError("at least one tune of two notes was wanted; none was given")
    return Examples(np.concatenate(contexts).astype(np.uint8), np.concatenate(steps).astype(np.uint8))
