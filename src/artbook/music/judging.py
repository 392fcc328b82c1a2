"""What can be counted in music that a model played, and in the music that it learned from (chapter ``first-model``)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import KEYS, LOWEST, check_frames, check_grid, is_whole
from artbook.music.baselines import packed

Frames = npt.NDArray[np.bool_]


def pitch_classes(frames: Frames) -> Frames:
    """Which of the twelve pitch classes sound, whatever the octave.

    Args:
        frames: bool ``(frames, 88)``.

    Returns:
        bool ``(frames, 12)``, from C.

    Raises:
        ValueError: another shape, or not bool.
    """
    roll = check_frames(frames)
    classes = np.zeros((len(roll), 12), dtype=bool)
    for key in range(KEYS):
        classes[:, (key + LOWEST) % 12] |= roll[:, key]
    return classes


def semitone_clashes(frames: Frames) -> npt.NDArray[np.int64]:
    """How many pairs of neighbouring pitch classes, such as E and F, sound at once in each frame.

    Args:
        frames: bool ``(frames, 88)``.

    Returns:
        0 to 12, ``(frames,)``.

    Raises:
        ValueError: another shape, or not bool.
    """
    classes = pitch_classes(frames)
    return (classes & np.roll(classes, 1, axis=1)).sum(axis=1)


def known_chords(frames: Frames, reference: Frames) -> Frames:
    """Whether the pitch classes of each frame are, as a set, those of some reference frame.

    Args:
        frames: bool ``(frames, 88)``.
        reference: bool ``(any, 88)``.

    Returns:
        bool ``(frames,)``.

    Raises:
        ValueError: another shape, or not bool.
    """
    known = set(packed(pitch_classes(reference)))
    return np.array([chord in known for chord in packed(pitch_classes(frames))], dtype=bool)


def without_repeats(roll: Frames) -> Frames:
    """The piano roll with every frame left out that is the same as the one before it.

    Args:
        roll: bool ``(T, 88)``.

    Raises:
        ValueError: another shape, or not bool.
    """
    roll = check_frames(roll)
    changed = np.ones(len(roll), dtype=bool)
    changed[1:] = (roll[1:] != roll[:-1]).any(axis=1)
    return roll[changed]


def copied_share(rolls: Sequence[Frames], reference: Sequence[Frames], length: int) -> float:
    """The share of all passages of ``length`` frames that stand, key for key, in the reference.

    Args:
        rolls: the pieces to judge, bool ``(T, 88)`` each.
        reference: the pieces that may have been copied.
        length: of a passage, in frames, at least 1.

    Returns:
        0 to 1.

    Raises:
        ValueError: a piece is no such roll, the length is no whole number from 1, or no piece is that long.
    """
    if not is_whole(length, 1, 10**6):
        raise ValueError(f"a length of at least 1 frame was wanted; {length!r} was given")
    passages = [passage for roll in rolls for passage in _passages(roll, length)]
    if not passages:
        raise ValueError(f"a piece of at least {length} frames was wanted; none of the {len(rolls)} is that long")
    known = {passage for roll in reference for passage in _passages(roll, length)}
    return sum(passage in known for passage in passages) / len(passages)


def _passages(roll: Frames, length: int) -> list[bytes]:
    frames = packed(check_frames(roll))
    return [b"".join(frames[start : start + length]) for start in range(len(frames) - length + 1)]


def longest_standstill(pitches: npt.ArrayLike, steps_per_quarter: int = 4) -> float:
    """How long no voice moves, at the longest: a chord that is struck again and again stands still.

    Args:
        pitches: MIDI numbers, a negative one for a rest, whole, ``(T, V)``.
        steps_per_quarter: how many steps make a quarter note.

    Returns:
        Quarter notes; 0 for a piece without a step.

    Raises:
        ValueError: another shape, or numbers that are not whole.
    """
    voices = np.asarray(pitches)
    check_grid(steps_per_quarter)
    if voices.ndim != 2 or voices.dtype.kind not in "iu":
        raise ValueError(f"whole pitches (T, V) were wanted; {voices.dtype} {voices.shape} were given")
    moves = (voices[1:] != voices[:-1]).any(axis=1)
    edges = np.concatenate([[0], np.flatnonzero(moves) + 1, [len(voices)]])
    return int(np.diff(edges).max()) / steps_per_quarter
