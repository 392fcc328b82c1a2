"""What followed when it last sounded like this: memories of frames, searched by what came before.

A memory holds pieces frame by frame. While a piece is followed, each frame of the memory has a score: how well what
came before it resembles what came before now, the last frames counting most. The best of them vote on the next
frame, key by key, and a vote that disagrees with a key already written is dropped. It is the neural cache of Grave et
al. (2017) and the nearest neighbours of Khandelwal et al. (2020), over frames of music instead of a network's states;
the chapter ``sequence-models`` derives it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import KEYS
from artbook.music.encoding import NOTES, note_lists
from artbook.music.likelihood import frame_pairs

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

NOBODY = -1


@dataclass(frozen=True)
class Memory:
    """The frames of some pieces.

    Attributes:
        frames: bool ``(N, 88)``.
        begins: whether a frame is the first of its piece, bool ``(N,)``.
        owners: whose piece it is, so that a piece does not remember itself, int64 ``(N,)``.
    """

    frames: Frames
    begins: npt.NDArray[np.bool_]
    owners: Whole

    @classmethod
    def of(cls, rolls: Sequence[Frames], owners: Sequence[int] | None = None) -> "Memory":
        """A memory of pieces.

        Args:
            rolls: bool ``(T, 88)`` each; at least one, none empty.
            owners: a whole number a piece, zero or more; left out, its place among the pieces.

        Raises:
            ValueError: there is no piece, or one is not such a roll.
        """
        pairs = frame_pairs(rolls)
        whose = np.arange(len(rolls)) if owners is None else np.asarray(owners, dtype=np.int64)
        return cls(pairs.frames, pairs.begins, whose[pairs.pieces])


@dataclass(frozen=True)
class Witness:
    """A way to remember.

    Attributes:
        decay: how much less each frame further back counts, from 0 to below 1.
        exponent: 1, 2 or 4: how much an equal frame counts more than a similar one.
        neighbours: how many places of the memory vote, at least 1.
        temperature: how evenly they vote, in units of the score, above 0.
    """

    decay: float
    exponent: int
    neighbours: int
    temperature: float

    def __post_init__(self) -> None:
        sound = 0 <= self.decay < 1 and self.exponent in (1, 2, 4) and self.neighbours >= 1 and self.temperature > 0
        if not sound:
            raise ValueError(
                "a decay from 0 to below 1, an exponent of 1, 2 or 4, at least 1 neighbour and a temperature above 0 "
                f"were wanted; {self} was given"
            )

    def liken(self, frames: Frames, others: Frames) -> Floats:
        """``resemblance`` to the power of the exponent, ``(n, m)``."""
        return self.sharpen(resemblance(frames, others))

    def sharpen(self, alike: Floats) -> Floats:
        """Numbers to the power of the exponent."""
        # By squaring, which is ten times faster than a power.
        for _ in range(self.exponent.bit_length() - 1):
            alike = alike * alike
        return alike


def resemblance(frames: Frames, others: Frames) -> Floats:
    """How much frames have in common: the keys that both have, over the keys of the fuller one; 1 if both are empty.

    Args:
        frames: bool, or 0 and 1 as float32, ``(..., n, 88)``.
        others: the same, ``(..., m, 88)``.

    Returns:
        0 to 1, ``(..., n, m)``.
    """
    left, right = np.asarray(frames, np.float32), np.asarray(others, np.float32)
    sizes = left.sum(axis=-1)[..., np.newaxis], right.sum(axis=-1)[..., np.newaxis, :]
    alike = left @ np.swapaxes(right, -1, -2)
    alike /= np.maximum(sizes[0], np.maximum(sizes[1], 1))
    if (silent := sizes[0] == 0).any():
        alike += silent & (sizes[1] == 0)
    return alike


def followed(
    scores: Floats, alike: Floats, begins: npt.NDArray[np.bool_], decay: float, out: Floats | None = None
) -> Floats:
    """The scores after one more frame.

    Args:
        scores: of each frame of the memory before it, ``(n, N)``.
        alike: how much each frame of the memory is like the new frame, ``(n, N)``.
        begins: whether a frame of the memory is the first of its piece, ``(N,)``.
        decay: of ``Witness``.
        out: where the result is written, ``(n, N)``; left out, into a new array.

    Returns:
        ``(n, N)``; 0 for first frames, which nothing came before.
    """
    after = np.empty_like(scores) if out is None else out
    after[:, 0] = 0
    np.multiply(scores[:, :-1], decay, out=after[:, 1:])
    after[:, 1:] += alike[:, :-1]
    after[:, begins] = 0
    return after


@dataclass(frozen=True)
class Voters:
    """The places of a memory that vote on the next frame of each piece.

    Attributes:
        places: their numbers in the memory, int64 ``(n, K)``.
        weights: what each vote counts, zero or more; all are 0 where nothing is remembered, ``(n, K)``.
        trust: the logarithm of 1 + the best score, ``(n,)``.
    """

    places: Whole
    weights: Floats
    trust: Floats


def voters(scores: Floats, witness: Witness) -> Voters:
    """The best places, by their scores: weights fall by a factor of e for each ``temperature`` below the best.

    Args:
        scores: ``(n, N)``; below 0 where a place may not vote.
        witness: how many vote, and how evenly.
    """
    count = min(witness.neighbours, scores.shape[1])
    places = _best(scores, count)
    of_each = taken(scores, places)
    best = of_each.max(axis=1, keepdims=True)
    weights = np.where(of_each > 0, np.exp((of_each - best) / witness.temperature), np.float32(0))
    if count < witness.neighbours:
        missing = ((0, 0), (0, witness.neighbours - count))
        places, weights = np.pad(places, missing), np.pad(weights, missing)
    return Voters(places, weights.astype(np.float32), np.log1p(np.maximum(best[:, 0], 0)))


def _best(scores: Floats, count: int) -> Whole:
    """The places of the highest scores of each row, in no order, ``(n, count)``."""
    size = scores.shape[1]
    # So many rows that it is about as much work to choose columns as to choose in them.
    rows = max(1, int(0.6 * np.sqrt(size / count)))
    columns = size // rows
    if rows == 1:
        return np.argpartition(scores, size - count, axis=1)[:, size - count :]
    # Each row as a table: the best stand in the columns whose best are the best, or in what the table has not.
    tables = scores[:, : rows * columns].reshape(-1, rows, columns)
    chosen = np.argpartition(tables.max(axis=1), columns - count, axis=1)[:, columns - count :]
    places = (chosen[:, np.newaxis] + columns * np.arange(rows)[:, np.newaxis]).reshape(len(scores), -1)
    rest = np.tile(np.arange(rows * columns, size), (len(scores), 1))
    places = np.concatenate([places, rest], axis=1)
    best = np.argpartition(taken(scores, places), -count, axis=1)[:, -count:]
    return taken(places, best)


def taken(rows: npt.NDArray[Any], places: Whole) -> npt.NDArray[Any]:
    """What stands at some places of each row, as ``numpy.take_along_axis`` finds it, which takes ten times as long.

    Args:
        rows: in one piece in storage, or it is copied, ``(n, N)``.
        places: ``(n, K)``.
    """
    return rows.take(places + rows.shape[1] * np.arange(len(rows))[:, np.newaxis])


def tally(notes: npt.NDArray[np.int32], weights: Floats) -> Floats:
    """Count the votes for one slot of a list.

    Args:
        notes: what each voter has there, ``(n, K)``.
        weights: ``(n, K)``.

    Returns:
        The share of the votes that each note and ``END`` have, ``(n, 89)``; all 0 where nobody votes.
    """
    counts = np.zeros((len(notes), NOTES), dtype=np.float32)
    np.add.at(counts, (np.arange(len(notes))[:, np.newaxis], notes), weights)
    return counts / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)


@dataclass(frozen=True)
class Testimony:
    """What one witness says of each frame, in the form in which a network reads it.

    Attributes:
        expected: the mean of the voters' frames, ``(n, 88)``.
        trust: as in ``Voters``, ``(n, 1)``.
        votes: of those that agree with the notes before the slot, ``(n, slots, 89)``.
        agreeing: the share of the votes that still agree, ``(n, slots)``.
    """

    expected: Floats
    trust: Floats
    votes: Floats
    agreeing: Floats


def testify(memory: Frames, chosen: Voters, lists: npt.NDArray[np.int32]) -> Testimony:
    """What the voters say of frames that are known, each slot given those before it.

    Args:
        memory: the frames that ``chosen.places`` are numbers of, bool ``(N, 88)``.
        chosen: who votes on each frame, ``n`` rows.
        lists: the frames, ``(n, slots)``.
    """
    frames, slots = memory[chosen.places], lists.shape[1]
    # Only the voters are listed: a memory is large, and is asked once a piece.
    theirs = note_lists(frames.reshape(-1, KEYS), slots).reshape(*chosen.places.shape, slots)
    weights = chosen.weights
    whole = np.maximum(weights.sum(axis=1), 1e-9)
    votes, agreeing = [], []
    for slot in range(slots):
        votes.append(tally(theirs[:, :, slot], weights))
        agreeing.append(weights.sum(axis=1) / whole)
        weights = weights * (theirs[:, :, slot] == lists[:, slot, np.newaxis])
    return Testimony(
        expected_frame(frames, chosen.weights),
        chosen.trust[:, np.newaxis],
        np.stack(votes, axis=1),
        np.stack(agreeing, axis=1).astype(np.float32),
    )


def expected_frame(frames: Frames, weights: Floats) -> Floats:
    """The mean of the voters' frames.

    Args:
        frames: bool ``(n, K, 88)``.
        weights: ``(n, K)``.

    Returns:
        0 to 1, ``(n, 88)``; zeros where nobody votes.
    """
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return np.einsum("nk,nkp->np", shares, frames, dtype=np.float32)


def remember(memory: Memory, roll: Frames, witness: Witness, owner: int = NOBODY) -> Voters:
    """Who votes on each frame of a piece, by what came before it in that piece.

    Args:
        memory: of other pieces.
        roll: the piece, bool ``(T, 88)``.
        witness: how to remember.
        owner: whose frames of the memory do not vote.

    Returns:
        ``T`` rows.
    """
    alike = witness.liken(roll, memory.frames)
    mine = memory.owners == owner
    rows = np.empty_like(alike)
    # Before the first frame, other first frames resemble it.
    rows[0] = memory.begins
    for time in range(1, len(roll)):
        rows[time] = followed(rows[time - 1 : time], alike[time - 1 : time], memory.begins, witness.decay)[0]
    rows[:, mine] = -1
    return voters(rows, witness)


def recollect(roll: Frames, witness: Witness) -> Voters:
    """Who votes on each frame of a piece among the earlier frames of the same piece; places are its own frames.

    Args:
        roll: the piece, bool ``(T, 88)``.
        witness: how to remember.

    Returns:
        ``T`` rows.
    """
    alike = witness.liken(roll, roll)
    places = np.arange(len(roll))
    rows = np.zeros_like(alike)
    stood = np.zeros(len(roll), dtype=np.int64)
    for time in range(1, len(roll)):
        rows[time] = followed(rows[time - 1 : time], alike[time - 1 : time], places == 0, witness.decay)[0]
        stood[time] = 1 if time == 1 or (roll[time - 1] != roll[time - 2]).any() else stood[time - 1] + 1
    rows[places >= first_barred(places, stood)[:, np.newaxis]] = -1
    return voters(rows, witness)


def first_barred(count: npt.ArrayLike, stood: npt.ArrayLike) -> Whole:
    """From which place on a piece's own frames have no vote: what is to come, and a chord that is still held.

    A held chord is preceded by itself, so it would resemble what was just heard the most, and vote for being held on.

    Args:
        count: how many frames have been heard, ``(n,)``.
        stood: for how many of them the last one has stood unchanged, 0 if nothing has been heard, ``(n,)``.
    """
    return np.asarray(count) - np.maximum(np.asarray(stood) - 1, 0)
