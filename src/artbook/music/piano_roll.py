"""Music as notes, as voices and as piano rolls, and the ways from one to the other (chapter ``notes-as-numbers``)."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import KEYS, LOWEST, check_grid, is_whole, roll_runs, to_roll, voice_runs

__all__ = ["KEYS", "LOWEST", "MAX_STEPS", "Note", "notes_to_roll", "to_notes", "to_roll", "voices_to_notes"]

# A day of sixteenths at 60 quarter notes a minute: more is no music but a mistake or an attack.
MAX_STEPS = 24 * 60 * 60 * 4


class Note(NamedTuple):
    """One note.

    Attributes:
        pitch: MIDI number, 0 to 127; 60 is middle C.
        start: in quarter notes from the beginning.
        duration: in quarter notes, above zero.
        voice: counted from 0, the top voice first.
        velocity: how hard the key is struck, 1 to 127.
    """

    pitch: int
    start: float
    duration: float
    voice: int = 0
    velocity: int = 80


def check_notes(notes: Iterable[Note]) -> list[Note]:
    """The notes as a list, if there are any and each is sound.

    Raises:
        ValueError: there is no note, or one has a pitch, time, voice or velocity that no note can have.
    """
    checked = list(notes)
    if not checked:
        raise ValueError("at least one note was wanted; the piece is empty")
    for note in checked:
        if not 3 <= len(note) <= 5:
            raise ValueError(f"a note of pitch, start, duration, voice and velocity was wanted; {note!r} was given")
        pitch, start, duration, voice, velocity = Note(*note)
        sound = is_whole(pitch, 0, 127) and is_whole(voice, 0, 1000) and is_whole(velocity, 1, 127)
        timed = math.isfinite(start) and math.isfinite(duration) and start >= 0 and duration > 0
        if not (sound and timed):
            raise ValueError(
                "pitch 0 to 127, start from 0, duration above 0, voice from 0 and velocity 1 to 127 were wanted;"
                f" {note!r} was given"
            )
    return [Note(*note) for note in checked]


def to_notes(roll: npt.ArrayLike, steps_per_quarter: int = 1) -> list[Note]:
    """The notes of a piano roll: each run of steps in which a key sounds is one note.

    A roll does not say where a held key is struck again, so repeated notes come out as one long note.

    Args:
        roll: bool, or numbers 0 and 1, ``(T, 88)``.
        steps_per_quarter: how many steps make a quarter note.

    Returns:
        The notes in order of start, then from the highest down; times in quarter notes.

    Raises:
        ValueError: another shape, other values, or no whole number of steps.
    """
    check_grid(steps_per_quarter)
    keys = np.asarray(roll)
    if keys.ndim != 2 or keys.shape[1] != KEYS:
        raise ValueError(f"a roll of shape (T, {KEYS}) was wanted; the shape {keys.shape} was given")
    if not np.isin(keys, (0, 1)).all():
        raise ValueError("a roll of 0 and 1 was wanted; it holds other values: draw or threshold it first")
    notes = [
        Note(pitch, begin / steps_per_quarter, (end - begin) / steps_per_quarter)
        for begin, end, pitch in roll_runs(keys).tolist()
    ]
    return sorted(notes, key=lambda note: (note.start, -note.pitch))


def voices_to_notes(
    pitches: npt.ArrayLike, onsets: npt.ArrayLike | None = None, steps_per_quarter: int = 4
) -> list[Note]:
    """The notes of voices on a grid.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, a column a voice, the top voice first; a negative number is a rest.
        onsets: where a note begins, bool ``(T, V)``; left out, a note begins where the pitch changes.
        steps_per_quarter: how many steps make a quarter note.

    Returns:
        The notes in order of start, then of voice; times in quarter notes.

    Raises:
        ValueError: wrong shapes, or pitches that are no MIDI numbers.
    """
    check_grid(steps_per_quarter)
    notes = [
        Note(pitch, begin / steps_per_quarter, (end - begin) / steps_per_quarter, voice)
        for voice, runs in enumerate(voice_runs(pitches, onsets))
        for begin, end, pitch in runs
        if pitch >= 0
    ]
    return sorted(notes, key=lambda note: (note.start, note.voice))


def notes_to_roll(notes: Iterable[Note], steps_per_quarter: int = 4) -> npt.NDArray[np.bool_]:
    """The piano roll of notes: a key sounds in a step if its note sounds when the step begins.

    Args:
        notes: in any order.
        steps_per_quarter: how many steps make a quarter note; what lies between two steps is lost.

    Returns:
        bool ``(T, 88)``, as long as the last note.

    Raises:
        ValueError: no notes, a note outside the 88 keys, or more than ``MAX_STEPS`` steps.
    """
    check_grid(steps_per_quarter)
    checked = check_notes(notes)
    length = max(_first_step(note.start + note.duration, steps_per_quarter) for note in checked)
    if length > MAX_STEPS:
        raise ValueError(f"at most {MAX_STEPS} steps were wanted; the notes last {length}")
    roll = np.zeros((length, KEYS), dtype=bool)
    for note in checked:
        key = note.pitch - LOWEST
        if not 0 <= key < KEYS:
            raise ValueError(f"MIDI {note.pitch} is no key of the piano, which has {LOWEST} to {LOWEST + KEYS - 1}")
        end = _first_step(note.start + note.duration, steps_per_quarter)
        roll[_first_step(note.start, steps_per_quarter) : end, key] = True
    return roll


def _first_step(quarters: float, steps_per_quarter: int) -> int:
    """The first step at or after a time; a third and two thirds of a quarter note make one, though floats do not."""
    return math.ceil(round(quarters * steps_per_quarter, 6))
