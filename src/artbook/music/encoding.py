"""A frame as the list of its keys from the top down: the form in which a model can write it key by key.

With the keys in a fixed order every set of keys has exactly one list, so the probabilities of the lists are those of
the frames (the idea of NADE, Larochelle and Murray 2011; chapter ``sequence-models``). A list is closed by ``END``,
unless it is full.
"""

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from artbook.data.keyboard import KEYS, check_frames, is_whole

END = KEYS
NOTES = KEYS + 1

Frames = npt.NDArray[np.bool_]
Lists = npt.NDArray[np.int32]


def note_lists(frames: Frames, slots: int) -> Lists:
    """List the keys of each frame from the top down, as far as there are slots.

    Args:
        frames: bool ``(frames, 88)``.
        slots: places in a list, 1 to 88.

    Returns:
        Keys from 0 to 87, then ``END`` in each place that is left, int32 ``(frames, slots)``.

    Raises:
        ValueError: ``frames`` is no such array, or ``slots`` is out of range.
    """
    roll = check_frames(frames)
    if not is_whole(slots, 1, KEYS):
        raise ValueError(f"1 to {KEYS} slots were wanted; {slots!r} was given")
    # A stable sort of "silent" puts the sounding keys first and keeps their order.
    keys = KEYS - 1 - np.argsort(~roll[:, ::-1], axis=1, kind="stable")[:, :slots]
    return np.where(np.arange(slots) < roll.sum(axis=1)[:, np.newaxis], keys, END).astype(np.int32)


def listed_frames(lists: Lists) -> Frames:
    """The frames of some lists.

    Args:
        lists: whole, ``(frames, slots)``: keys from 0 to 87, or ``END``.

    Returns:
        bool ``(frames, 88)``.

    Raises:
        ValueError: another shape, or other numbers.
    """
    given = np.asarray(lists)
    if given.ndim != 2 or given.dtype.kind not in "iu" or np.any((given < 0) | (given > END)):
        raise ValueError(f"whole numbers (frames, slots) from 0 to {END} were wanted; {given.dtype} {given.shape}")
    frames = np.zeros((len(given), NOTES), dtype=bool)
    np.put_along_axis(frames, given, True, axis=1)
    return frames[:, :KEYS]


def overflow_cost(frames: Frames, slots: int, seen: int) -> npt.NDArray[np.float64]:
    """What it costs to say whether a full list goes on beyond its slots, and with which keys.

    No training frame has more keys than there are slots, so the rule of succession gives the next one that fills them
    the probability 1 / (seen + 2) of going on. How many keys follow, and which of those below, is then uniform.

    Args:
        frames: bool ``(frames, 88)``.
        slots: places in a list, 1 to 88.
        seen: training frames in which no list went on, zero or more.

    Returns:
        Nats, zero where a list is not full, ``(frames,)``.

    Raises:
        ValueError: ``frames`` is no such array, or a number is out of range.
    """
    roll = check_frames(frames)
    last = note_lists(roll, slots)[:, -1]
    if not is_whole(seen, 0, 10**12):
        raise ValueError(f"zero or more training frames were wanted; {seen!r} was given")
    more = roll.sum(axis=1) - slots
    # With no key left below the last one, the list cannot go on.
    below = np.where(last == END, 0, last)
    sets = gammaln(below + 1) - gammaln(np.maximum(more, 0) + 1) - gammaln(np.maximum(below - more, 0) + 1)
    goes_on = np.log(seen + 2.0) + np.log(np.maximum(below, 1)) + sets
    return np.where(more > 0, goes_on, np.where(below > 0, -np.log1p(-1 / (seen + 2)), 0.0))
