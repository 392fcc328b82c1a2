"""Tunes as rows of notes, for networks that foretell the next one from the last few (chapter ``privacy``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.data.chorales import Chorale
from artbook.data.keyboard import is_whole
from artbook.data.tunes import REST, Tune, passages_of

# Semitones above the tonic of the signature's major key, from the G below middle C to the F sharp above it. Lower and
# higher notes are cut to these.
LOWEST, HIGHEST = -8, 28
# Token 0 stands before the first note; the others are the pitches.
VOCABULARY = HIGHEST - LOWEST + 2


@dataclass(frozen=True)
class Line:
    """One voice, note by note.

    Attributes:
        name: of the piece.
        source: the collection: ``airdsAirs``, ``Bach``.
        tokens: int64 ``(N,)``, from 1 to ``VOCABULARY`` - 1.
        begins_bar: whether a bar begins with the note, bool ``(N,)``.
        steps: from note to note in semitones, int8 ``(N - 1,)``.
    """

    name: str
    source: str
    tokens: npt.NDArray[np.int64]
    begins_bar: npt.NDArray[np.bool_]
    steps: npt.NDArray[np.int8]

    def passages(self, length: int) -> set[bytes]:
        """All stretches of ``length`` successive steps, each as bytes.

        Raises:
            ValueError: the length is less than 1.
        """
        return passages_of(self.steps, length)


def of_tune(tune: Tune) -> Line:
    """A tune's notes, its rests left out."""
    sounding = tune.pitches != REST
    return _line(tune.name, tune.collection, tune.pitches[sounding], tune.begins_bar[sounding], tune.fifths)


def of_chorale(chorale: Chorale) -> Line:
    """The notes of a chorale's soprano."""
    begins = chorale.onsets[:, 0] & (chorale.pitches[:, 0] > 0)
    return _line(
        chorale.name, "Bach", chorale.pitches[begins, 0], np.asarray(chorale.position)[begins] == 0, chorale.fifths
    )


def _line(name: str, source: str, pitches: npt.NDArray, begins_bar: npt.NDArray, fifths: int) -> Line:
    tonic = (7 * fifths) % 12
    above = pitches.astype(np.int64) - 60 - (tonic if tonic < 7 else tonic - 12)
    tokens = np.clip(above, LOWEST, HIGHEST) - LOWEST + 1
    return Line(name, source, tokens, np.asarray(begins_bar, dtype=bool), np.diff(pitches).astype(np.int8))


def before_each(notes: npt.NDArray, count: int, blank: int) -> npt.NDArray:
    """The notes before each note, oldest first, ``(N, count)``.

    Args:
        notes: of one voice, ``(N,)``.
        count: how many before each, at least 1.
        blank: what stands where the voice had not begun.

    Raises:
        ValueError: the notes are not of that shape, or the count is less than 1.
    """
    if np.ndim(notes) != 1 or not is_whole(count, 1, 10**4):
        raise ValueError(f"notes (N,) and a count from 1 were wanted; {np.shape(notes)} and {count!r} were given")
    padded = np.concatenate([np.full(count, blank), notes])
    return np.lib.stride_tricks.sliding_window_view(padded, count)[: len(notes)]


@dataclass(frozen=True)
class Works:
    """Works as arrays, a row each.

    Attributes:
        inputs: float32 ``(works, notes, columns)``: the notes before, one-hot, nearest first, and whether a bar begins.
        targets: the note, int64 ``(works, notes)``.
        weights: float32 ``(works, notes)``: one over the number of notes, so that they sum to 1 in each work; 0 where
            the work has ended.
    """

    inputs: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, which: npt.NDArray | slice) -> "Works":
        return Works(self.inputs[which], self.targets[which], self.weights[which])


def works(lines: Sequence[Line], notes: int = 64, before: int = 4) -> Works:
    """The first notes of each line, with the notes before each.

    Args:
        lines: at least one.
        notes: how many of each, 1 or more.
        before: how many notes the network sees, 1 or more.

    Raises:
        ValueError: there is no line, or a number is less than 1.
    """
    if not lines or not is_whole(notes, 1, 10**4) or not is_whole(before, 1, 100):
        raise ValueError(f"lines and numbers from 1 were wanted; {len(lines)}, {notes!r} and {before!r} were given")
    inputs = np.zeros((len(lines), notes, before * VOCABULARY + 1), dtype=np.float32)
    targets = np.zeros((len(lines), notes), dtype=np.int64)
    weights = np.zeros((len(lines), notes), dtype=np.float32)
    for row, line in enumerate(lines):
        tokens = line.tokens[:notes]
        nearest_first = before_each(tokens, before, 0)[:, ::-1]
        np.put_along_axis(inputs[row, : len(tokens)], np.arange(before) * VOCABULARY + nearest_first, 1, axis=1)
        inputs[row, : len(tokens), -1] = line.begins_bar[:notes]
        targets[row, : len(tokens)] = tokens
        weights[row, : len(tokens)] = 1 / len(tokens)
    return Works(inputs, targets, weights)
