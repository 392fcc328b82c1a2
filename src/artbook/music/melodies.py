"""The melodies of the chorales, a token a beat: the task of the chapters ``recurrent-networks`` and ``attention``.

A melody is the soprano of a chorale as it sounds on each beat, without its repeats, in its own key. Token 0 is a
rest, the other tokens are the pitches from ``LOWEST`` to ``HIGHEST``, and ``BEGIN``, which is read but never
predicted, stands before the first beat. A model is scored by the mean cost of all beats, the first one too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from artbook.data import chorales
from artbook.data.chorales import REST, SPLITS, Chorale
from artbook.data.keyboard import is_whole

LOWEST, HIGHEST = 57, 81
VOCABULARY = HIGHEST - LOWEST + 2
BEGIN = VOCABULARY
# So many steps from note to note in common make two melodies one tune: about two lines of a chorale.
SHARED_STEPS = 16

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Melody:
    """One melody.

    Attributes:
        tokens: int64 ``(T,)``, from 0 to ``VOCABULARY`` - 1, a token a beat.
        piece: the chorale that it comes from, on beats: its key, fermatas and places in the bar.
    """

    tokens: Whole
    piece: Chorale


def to_tokens(pitches: npt.ArrayLike) -> Whole:
    """The tokens of pitches.

    Args:
        pitches: MIDI numbers from ``LOWEST`` to ``HIGHEST``, -1 for a rest, any shape.

    Raises:
        ValueError: they are not such numbers.
    """
    given = np.asarray(pitches)
    if given.dtype.kind not in "iu" or not ((given == REST) | ((given >= LOWEST) & (given <= HIGHEST))).all():
        raise ValueError(f"MIDI numbers from {LOWEST} to {HIGHEST}, or {REST}, were wanted; {pitches!r} was given")
    return np.where(given == REST, 0, given.astype(np.int64) - LOWEST + 1)


def to_pitches(tokens: npt.ArrayLike) -> Whole:
    """The pitches of tokens: MIDI numbers, -1 for a rest.

    Args:
        tokens: whole, from 0 to ``VOCABULARY`` - 1, any shape.

    Raises:
        ValueError: they are not such numbers.
    """
    given = np.asarray(tokens)
    if given.dtype.kind not in "iu" or not ((given >= 0) & (given < VOCABULARY)).all():
        raise ValueError(f"tokens from 0 to {VOCABULARY - 1} were wanted; {tokens!r} was given")
    return np.where(given == 0, REST, given.astype(np.int64) + LOWEST - 1)


def load(shared_steps: int | None = SHARED_STEPS) -> dict[str, list[Melody]]:
    """The melodies of the benchmark's three parts; no tune stands in two of them.

    Bach set many tunes several times, so a split by work alone has the tune of half of the test pieces in the
    training set too. A melody is left out of the training set if it shares a passage with one of the other two
    parts, whatever the key, and out of the validation set if it shares one with the test set.

    Args:
        shared_steps: the length of such a passage, in steps from beat to beat, at least 1; None leaves nothing out.

    Returns:
        ``train``, ``valid`` and ``test``, each in the benchmark's order.

    Raises:
        ValueError: the length is neither.
    """
    if shared_steps is not None and not is_whole(shared_steps, 1, 10**6):
        raise ValueError(f"a length of at least one step, or None, was wanted; {shared_steps!r} was given")
    parts: dict[str, list[Melody]] = {}
    known: set[bytes] = set()
    # From the test set to the training set, which gives way to both.
    for part in reversed(SPLITS):
        pieces = [piece.on_beats() for piece in chorales.load().split()[part]]
        melodies = [Melody(to_tokens(piece.pitches[:, 0]), piece) for piece in pieces]
        if shared_steps is not None:
            passages = [steps(melody.tokens, shared_steps) for melody in melodies]
            melodies = [each for each, own in zip(melodies, passages, strict=True) if not own & known]
            known = known.union(*passages)
        parts[part] = melodies
    return {part: parts[part] for part in SPLITS}


def steps(tokens: npt.ArrayLike, length: int) -> set[bytes]:
    """All passages of a melody as its steps from beat to beat, in semitones, so that the key does not matter.

    Args:
        tokens: of one melody, ``(T,)``.
        length: of a passage, in steps, at least 1.

    Returns:
        The passages, each as bytes; none if the melody is not that long.

    Raises:
        ValueError: these are not such tokens, or the length is less than 1.
    """
    pitches = to_pitches(tokens)
    if pitches.ndim != 1 or not is_whole(length, 1, 10**6):
        raise ValueError(f"tokens (T,) and a length from 1 were wanted; {pitches.shape} and {length!r} were given")
    sounding = (pitches[1:] != REST) & (pitches[:-1] != REST)
    moves = np.where(sounding, np.diff(pitches), 127).astype(np.int8)
    return {moves[start : start + length].tobytes() for start in range(len(moves) - length + 1)}


def transpositions(melodies: Iterable[Melody]) -> list[Melody]:
    """Every melody in every key in which it stays between ``LOWEST`` and ``HIGHEST``, its own included."""
    moved = []
    for melody in melodies:
        pitched = melody.tokens[melody.tokens > 0]
        shifts = range(1 - int(pitched.min()), VOCABULARY - int(pitched.max())) if len(pitched) else range(1)
        for shift in shifts:
            tokens = np.where(melody.tokens > 0, melody.tokens + shift, 0)
            moved.append(replace(melody, tokens=tokens, piece=melody.piece.transposed(shift)))
    return moved


@dataclass(frozen=True)
class Batch:
    """Melodies as arrays of one length, for a network that reads a token and predicts the next.

    Attributes:
        inputs: int32 ``(n, length)``: the token before each target, ``BEGIN`` before the first.
        targets: int32 ``(n, length)``.
        weights: float32 ``(n, length)``: 1 where a beat is to be predicted; each beat has weight 1 once.
        pieces: int64 ``(beats,)``: for each beat with weight 1, in order, the number of its melody.
    """

    inputs: npt.NDArray[np.int32]
    targets: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    pieces: Whole

    def costs(self, logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """What each beat costs, in nats, ``(beats,)``, in the order of the melodies.

        Args:
            logits: finite, ``(n, length, VOCABULARY)``; a softmax makes probabilities of them.

        Raises:
            ValueError: they are not such numbers.
        """
        given = np.asarray(logits, dtype=np.float64)
        wanted = (*self.targets.shape, VOCABULARY)
        if given.shape != wanted or not np.isfinite(given).all():
            raise ValueError(f"finite logits of shape {wanted} were wanted; the shape {given.shape} was given")
        given = given[self.weights > 0]
        chosen = given[np.arange(len(given)), self.targets[self.weights > 0]]
        return np.logaddexp.reduce(given, axis=1) - chosen


def batch(melodies: Sequence[Melody], length: int | None = None) -> Batch:
    """Lay out melodies in rows of one length; what is left of a row is padded with rests of weight 0.

    A melody that is longer stands in several rows. Each row after its first begins a quarter of a length before
    the place where the one before it ended, and reads those beats with weight 0.

    Args:
        melodies: at least one, none empty.
        length: of a row, at least 4; left out, that of the longest melody, so that each has one row.

    Raises:
        ValueError: there is no melody or an empty one, or the length is less than 4.
    """
    if not melodies or not all(len(melody.tokens) for melody in melodies):
        raise ValueError("at least one melody, and none that is empty, was wanted")
    length = max(4, *(len(melody.tokens) for melody in melodies)) if length is None else length
    if not is_whole(length, 4, 10**6):
        raise ValueError(f"a length of at least 4 beats was wanted; {length!r} was given")
    rows, again = [], length // 4
    for melody in melodies:
        pairs = np.stack([np.concatenate([[BEGIN], melody.tokens[:-1]]), melody.tokens])
        for start in range(0, max(1, pairs.shape[1] - again), length - again):
            row = np.zeros((3, length))
            part = pairs[:, start : start + length]
            row[:2, : part.shape[1]] = part
            row[2, again if start else 0 : part.shape[1]] = 1
            rows.append(row)
    inputs, targets, weights = np.stack(rows, axis=1)
    pieces = np.repeat(np.arange(len(melodies)), [len(melody.tokens) for melody in melodies])
    return Batch(inputs.astype(np.int32), targets.astype(np.int32), weights.astype(np.float32), pieces)
