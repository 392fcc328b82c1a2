"""The 88 keys of the piano, and voices on a grid of time."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

LOWEST = 21
KEYS = 88


def is_whole(value: object, lowest: int, highest: int) -> bool:
    """Whether a value is a whole number, of Python or NumPy, from ``lowest`` to ``highest``; a bool is none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and lowest <= int(value) <= highest


def check_grid(steps_per_quarter: int) -> None:
    """Refuse a grid that is none.

    Args:
        steps_per_quarter: how many steps make a quarter note, 1 to 960.

    Raises:
        ValueError: it is no whole number in that range.
    """
    if not is_whole(steps_per_quarter, 1, 960):
        raise ValueError(f"1 to 960 steps a quarter note were wanted; {steps_per_quarter!r} was given")


def check_frames(frames: npt.ArrayLike, what: str = "frames") -> npt.NDArray[np.bool_]:
    """Refuse what is no piano roll.

    Args:
        frames: bool ``(T, 88)``.
        what: what to call it in the error.

    Returns:
        The same as an array.

    Raises:
        ValueError: another shape, or not bool.
    """
    roll = np.asarray(frames)
    if roll.ndim != 2 or roll.shape[1] != KEYS or roll.dtype != bool:
        raise ValueError(f"{what}: bool of shape (T, {KEYS}) was wanted; {roll.dtype} {roll.shape} was given")
    return roll


def to_roll(pitches: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """The piano roll of voices: which of the 88 keys sound in each step (book chapter ``notes-as-numbers``).

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, a column a voice; a negative number is a rest.

    Returns:
        bool ``(T, 88)``; column 0 is MIDI 21, the lowest key. Two voices on one key are one key.

    Raises:
        ValueError: another shape, numbers that are not whole, or a note outside the 88 keys.
    """
    voices = np.asarray(pitches)
    if voices.ndim != 2:
        raise ValueError(f"pitches of shape (T, V) were wanted; the shape {voices.shape} was given")
    if voices.dtype.kind not in "iu":
        raise ValueError(f"whole MIDI numbers were wanted; numbers of type {voices.dtype} were given")
    steps, columns = np.nonzero(voices >= 0)
    keys = voices[steps, columns].astype(int) - LOWEST
    outside = (keys < 0) | (keys >= KEYS)
    if outside.any():
        given = int(keys[outside][0]) + LOWEST
        raise ValueError(f"MIDI {given} is no key of the piano, which has {LOWEST} to {LOWEST + KEYS - 1}")
    roll = np.zeros((len(voices), KEYS), dtype=bool)
    roll[steps, keys] = True
    return roll


def roll_runs(roll: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The runs of steps in which a key sounds, key by key from the lowest, each key's from the first.

    Args:
        roll: bool, or zeros and ones, ``(T, 88)``.

    Returns:
        A row a run, ``(n, 3)``: first step, step after the last, MIDI number, as ``voice_runs`` has them.
    """
    changes = np.diff(np.pad(np.asarray(roll, dtype=np.int8), ((1, 1), (0, 0))), axis=0).T
    # Key by key, and so the n-th end belongs to the n-th beginning.
    keys, begins = np.nonzero(changes == 1)
    ends = np.nonzero(changes == -1)[1]
    return np.stack([begins, ends, LOWEST + keys], axis=1)


def voice_runs(pitches: npt.ArrayLike, onsets: npt.ArrayLike | None = None) -> list[list[tuple[int, int, int]]]:
    """The notes and rests of voices on a grid: where each begins and ends.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, a column a voice; a negative number is a rest.
        onsets: where a note begins, bool ``(T, V)``; left out, a note begins where the pitch changes.

    Returns:
        For each voice its notes and rests in order: first step, step after the last, MIDI number or -1.

    Raises:
        ValueError: wrong shapes or types, or a number above 127.
    """
    voices = np.asarray(pitches)
    if voices.ndim != 2 or voices.dtype.kind not in "iu":
        raise ValueError(f"whole numbers of shape (T, V) were wanted; {voices.dtype} of {voices.shape} was given")
    if voices.size and voices.max() > 127:
        raise ValueError(f"MIDI numbers up to 127 were wanted; {voices.max()} was given")
    begins = np.zeros(voices.shape, dtype=bool) if onsets is None else np.asarray(onsets)
    if begins.shape != voices.shape or begins.dtype != bool:
        raise ValueError(f"onsets: bool of shape {voices.shape} was wanted; {begins.dtype} of {begins.shape} was given")
    sounding = np.maximum(voices.astype(int), -1)
    cut = np.ones(voices.shape, dtype=bool)
    cut[1:] = (sounding[1:] != sounding[:-1]) | (begins[1:] & (sounding[1:] >= 0))
    runs = []
    for column, cuts in zip(sounding.T.tolist(), cut.T, strict=True):
        edges = [*np.flatnonzero(cuts).tolist(), len(column)]
        runs.append([(begin, end, column[begin]) for begin, end in pairwise(edges)])
    return runs
