"""Chorales as tokens, and the plan of a chorale: what the model of the chapter ``composing`` reads and writes.

The grid is one of sixteenth notes. In every frame each of the four voices has one token: it holds what it has,
falls silent, or begins a note. A piece is moved so that its tonic is C, by at most six semitones, because what
a note means depends on the key; the plan keeps the tonic, and the way back loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from artbook.data.chorales import REST, STEPS_PER_QUARTER, VOICES, Chorale
from artbook.data.keyboard import is_whole

HOLD, SILENCE = 0, 1
UNTOLD = -1
# The pitches of the corpus, moved to C.
LOWEST, HIGHEST = 30, 87
PITCHES = HIGHEST - LOWEST + 1
VOCABULARY = PITCHES + 2
# A voice sounds one of the pitches, counted from 1, or nothing, 0.
SOUNDS = PITCHES + 1

# How far ahead and back a plan looks, in sixteenths.
HORIZON = 32
# How many values each feature of a plan has.
FEATURES = (STEPS_PER_QUARTER, 12, 2 * HORIZON + 1, HORIZON + 1, HORIZON + 1, 13, 24)
# Which of them is the goal of the line; where it is 0, nothing is told.
GOAL = 5
# Lengths of a match, in notes that begin, from which a hint is taken more seriously: two chords, four, and so on.
MATCHES = (8, 16, 32, 64)
MAX_STEPS = 1024
# Frames to a beat, and frames from which on the age of a note no longer matters.
BEAT = STEPS_PER_QUARTER
OLDEST = 8

Whole = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Plan:
    """What is settled of a piece before its first note: its key, its metre, its length, where and how its lines end.

    Attributes:
        tonic: pitch class of the tonic, 0 (C) to 11.
        minor: whether the key is a minor one.
        beats_per_bar: quarter notes in a bar, whole, 1 to 6.
        position: sixteenths since the bar line, whole, (T,), T from 1 to ``MAX_STEPS``.
        fermatas: where the last note of a line sounds, bool (T,).
        goals: of each step the bass note on which its line will end, in semitones above the tonic, whole, 0 to 11, or
            ``UNTOLD``, (T,); left out, nothing is told.

    Raises:
        ValueError: one of these is something else.
    """

    tonic: int
    minor: bool
    beats_per_bar: int
    position: npt.NDArray[np.int16]
    fermatas: npt.NDArray[np.bool_]
    goals: npt.NDArray[np.int8] | None = None

    def __post_init__(self) -> None:
        if not is_whole(self.tonic, 0, 11) or not is_whole(self.beats_per_bar, 1, 6):
            raise ValueError(
                f"a tonic from 0 to 11 and 1 to 6 beats a bar were wanted; {self.tonic!r} and"
                f" {self.beats_per_bar!r} were given"
            )
        place, held = np.asarray(self.position), np.asarray(self.fermatas)
        if place.ndim != 1 or place.shape != held.shape or not 1 <= len(place) <= MAX_STEPS:
            raise ValueError(
                f"position and fermatas of one shape (T,), T from 1 to {MAX_STEPS}, were wanted;"
                f" {place.shape} and {held.shape} were given"
            )
        if place.dtype.kind not in "iu" or held.dtype != bool or place.min() < 0:
            raise ValueError("whole positions from 0 and bool fermatas were wanted")
        if self.goals is not None:
            told = np.asarray(self.goals)
            if told.shape != place.shape or told.dtype.kind not in "iu" or told.min() < UNTOLD or told.max() > 11:
                raise ValueError(
                    f"whole goals ({len(place)},) from -1 to 11 were wanted; {told.dtype} {told.shape} given"
                )

    @classmethod
    def of(cls, piece: Chorale) -> "Plan":
        """The plan that a chorale follows, on the grid of sixteenths."""
        minor = piece.key.endswith("minor")
        tonic = (7 * piece.fifths + (9 if minor else 0)) % 12
        plan = cls(tonic, minor, int(piece.beats_per_bar), piece.position, piece.fermatas)
        goals = np.full(plan.length, UNTOLD, dtype=np.int8)
        for begin, end in plan.lines:
            bass = int(piece.pitches[end - 1, -1])
            goals[begin:end] = UNTOLD if bass == REST else (bass - tonic) % 12
        return replace(plan, goals=goals)

    @property
    def lines(self) -> list[tuple[int, int]]:
        """From which step to before which step each line goes, its fermata included; what follows the last is left."""
        ends = (np.flatnonzero(np.diff(self.fermatas.astype(int), append=0) == -1) + 1).tolist()
        return list(zip([0, *ends], ends, strict=False))

    @property
    def length(self) -> int:
        """T, in sixteenths."""
        return len(self.position)

    @property
    def shift(self) -> int:
        """Semitones that move the tonic to C, from -6 to 5."""
        return (6 - self.tonic) % 12 - 6

    @property
    def fifths(self) -> int:
        """Its key signature: sharps above zero, flats below."""
        return (7 * (self.tonic - (9 if self.minor else 0)) + 5) % 12 - 5

    @cached_property
    def features(self) -> Whole:
        """What the model is told of each frame, int32 (T, 7), each from 0 to below its number in ``FEATURES``.

        Place in the beat; beat of the bar, in bars of three apart from others; sixteenths until the next fermata
        or, from ``HORIZON`` + 1 on, until the end of this one; sixteenths since the phrase began; sixteenths until
        the end; the goal of the line, counted from 1, 0 if it is not told; the key.
        """
        steps = np.arange(self.length)
        begins = np.flatnonzero(np.diff(self.fermatas.astype(int), prepend=0) == 1)
        ends = np.array([end for _, end in self.lines], dtype=int)
        until = _until(begins, steps)
        left = HORIZON + np.minimum(_until(ends - 1, steps) + 1, HORIZON)
        starts = np.concatenate([[0], ends])
        since = steps - starts[np.searchsorted(starts, steps, side="right") - 1]
        beat = np.minimum(self.position // STEPS_PER_QUARTER, 5) + (6 if self.beats_per_bar % 3 == 0 else 0)
        columns = (
            self.position % STEPS_PER_QUARTER,
            beat,
            np.where(self.fermatas, left, until),
            np.minimum(since, HORIZON),
            np.minimum(self.length - 1 - steps, HORIZON),
            np.zeros(self.length) if self.goals is None else self.goals + 1,
            np.full(self.length, self.tonic + 12 * self.minor),
        )
        return np.stack(columns, axis=1).astype(np.int32)


def _until(events: npt.NDArray[np.int64], steps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Steps until the next event, at most ``HORIZON``."""
    following = np.append(events, steps[-1] + 1 + HORIZON)[np.searchsorted(events, steps)]
    return np.minimum(following - steps, HORIZON)


def to_tokens(pitches: npt.ArrayLike, onsets: npt.ArrayLike, plan: Plan) -> Whole:
    """The tokens of four voices.

    Args:
        pitches: MIDI numbers, -1 for a rest, whole, (T, 4).
        onsets: where a note begins, bool (T, 4).
        plan: of the piece, T steps long.

    Returns:
        int32 (T, 4), from 0 to ``VOCABULARY`` - 1. Before the first frame all voices are silent.

    Raises:
        ValueError: other shapes or types, or a pitch that leaves the model's range once it is moved to C.
    """
    given, begins = np.asarray(pitches), np.asarray(onsets)
    wanted = (plan.length, len(VOICES))
    if given.shape != wanted or begins.shape != wanted or given.dtype.kind not in "iu" or begins.dtype != bool:
        raise ValueError(
            f"whole pitches and bool onsets of shape {wanted} were wanted;"
            f" {given.dtype} {given.shape} and {begins.dtype} {begins.shape} were given"
        )
    silent = given < 0
    moved = given.astype(np.int32) + plan.shift
    if (outside := ~silent & ((moved < LOWEST) | (moved > HIGHEST))).any():
        raise ValueError(
            f"pitches from {LOWEST - plan.shift} to {HIGHEST - plan.shift} were wanted; {given[outside][0]} was given"
        )
    before = np.concatenate([np.full((1, len(VOICES)), REST), given[:-1]])
    falls_silent = silent & (before >= 0)
    starts = ~silent & (begins | (given != before))
    return np.where(starts, moved - LOWEST + 2, np.where(falls_silent, SILENCE, HOLD)).astype(np.int32)


def to_sounds(tokens: npt.ArrayLike) -> Whole:
    """What each voice sounds in each frame: a pitch counted from 1, or 0 for silence.

    Args:
        tokens: whole, (T, 4).

    Returns:
        int32 (T, 4), from 0 to ``SOUNDS`` - 1.
    """
    given = np.asarray(tokens)
    # Each frame takes the last token that was no hold.
    last = np.maximum.accumulate(np.where(given != HOLD, np.arange(len(given))[:, None], -1), axis=0)
    struck = np.take_along_axis(given, np.maximum(last, 0), axis=0)
    return np.where((last < 0) | (struck == SILENCE), 0, struck - 1).astype(np.int32)


def to_voices(tokens: npt.ArrayLike, plan: Plan) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """The voices that tokens stand for, in the key of the plan: the way back from ``to_tokens``.

    Args:
        tokens: whole, from 0 to ``VOCABULARY`` - 1, (T, 4).
        plan: of the piece, T steps long.

    Returns:
        MIDI numbers, -1 for a rest, int16 (T, 4); where a note begins, bool (T, 4).

    Raises:
        ValueError: other numbers or another shape.
    """
    given = np.asarray(tokens)
    if given.shape != (plan.length, len(VOICES)) or given.dtype.kind not in "iu":
        raise ValueError(f"whole tokens ({plan.length}, 4) were wanted; {given.dtype} {given.shape} was given")
    if given.min() < 0 or given.max() >= VOCABULARY:
        raise ValueError(f"tokens from 0 to {VOCABULARY - 1} were wanted; {given.min()} to {given.max()} were given")
    sounds = to_sounds(given)
    return np.where(sounds > 0, sounds - 1 + LOWEST - plan.shift, REST).astype(np.int16), given > SILENCE


def copy_hints(tokens: npt.ArrayLike) -> Whole:
    """Where the past has been here before: the frame that followed the longest earlier match, and its length.

    The match is of frames in which all voices have the same tokens and sound the same pitches, and it ends just before
    the frame in question. Its length is counted in notes that begin: a chord that is held matches itself, which says
    nothing.

    Args:
        tokens: whole, (T, 4).

    Returns:
        int32 (T, 5): the tokens of that frame, zeros if there is none, and how many of ``MATCHES`` the
        length of the match reaches.
    """
    given = np.asarray(tokens)
    frames = np.concatenate([given, to_sounds(given)], axis=1)
    begun = (given > SILENCE).sum(axis=1)
    hints = np.zeros((len(given), len(VOICES) + 1), dtype=np.int32)
    # run[s] is the length of the match of what ends with frame s and what ends before the frame in question.
    run = np.zeros(0, dtype=np.int64)
    for now in range(2, len(given)):
        same = (frames[: now - 1] == frames[now - 1]).all(axis=1)
        run = same * (np.concatenate([[0], run]) + begun[now - 1])
        # Of equally long matches, the latest.
        best = now - 2 - int(np.argmax(run[::-1]))
        if (level := np.count_nonzero(run[best] >= np.array(MATCHES))) > 0:
            hints[now] = [*given[best + 1], level]
    return hints


@dataclass(frozen=True)
class Piece:
    """A chorale as the model reads it.

    Attributes:
        plan: T steps long.
        tokens: int32 (T, 4).
    """

    plan: Plan
    tokens: Whole

    @classmethod
    def of(cls, chorale: Chorale) -> "Piece":
        """A chorale with its repeats written out."""
        played = chorale.performed()
        plan = Plan.of(played)
        return cls(plan, to_tokens(played.pitches, played.onsets, plan))


@dataclass(frozen=True)
class Rows:
    """Pieces laid out in rows of ``n`` beats of four frames.

    Attributes:
        plan: int32 (rows, n, 4, 7).
        before: int32 (rows, n, 4, 4): what each voice sounded in the frame before, 0 to ``SOUNDS`` - 1.
        age: int32 (rows, n, 4, 4): frames since that began, 1 to ``OLDEST``; 0 at the beginning of the piece.
        hints: int32 (rows, n, 4, 5).
        votes: float32 (rows, n, 4, ``VOCABULARY``), for the soprano's token.
        tokens: int32 (rows, n, 4, 4).
        weights: float32 (rows, n, 4): 1 where a frame is to be predicted; each frame of a piece has weight 1 once.
    """

    plan: Whole
    before: Whole
    age: Whole
    hints: Whole
    votes: Floats
    tokens: Whole
    weights: Floats

    def inputs(self, chosen: slice | npt.NDArray[np.integer] = slice(None)) -> list[npt.NDArray]:
        """What the model takes, in its order, of all rows or of those chosen."""
        return [each[chosen] for each in (self.plan, self.before, self.age, self.hints, self.votes, self.tokens)]


def rows(pieces: Sequence[Piece], votes: Sequence[Floats], beats: int | None = None) -> Rows:
    """Lay out pieces in rows of so many beats; what is left of a row has weight 0.

    A longer piece stands in several rows. Each after the first begins a quarter of a row before the place where
    the one before it ended, and its frames up to there have weight 0.

    Args:
        pieces: at least one.
        votes: for the soprano of each, (T, ``VOCABULARY``), as ``HymnTunes.votes`` counts them.
        beats: of a row, at least 4; left out, those of the longest piece.

    Raises:
        ValueError: there is no piece, or the rows are shorter.
    """
    if not pieces:
        raise ValueError("at least one piece was wanted; none was given")
    beats = max(4, *(-(-piece.plan.length // BEAT) for piece in pieces)) if beats is None else beats
    if not is_whole(beats, 4, 10**6):
        raise ValueError(f"rows of at least 4 beats were wanted; {beats!r} was given")
    length, again = BEAT * beats, BEAT * (beats // 4)
    found: list[Whole] = []
    counted: list[Floats] = []
    for piece, share in zip(pieces, votes, strict=True):
        table = _table(piece)
        for start in range(0, max(1, len(table) - again), length - again):
            found.append(_part(table, start, length))
            counted.append(_part(share, start, length))
            if start:
                found[-1][:again, -1] = 0
    shape = (len(found), beats, BEAT, -1)
    stacked, voted = np.stack(found).reshape(shape), np.stack(counted).reshape(shape)
    plan, before, age, hints, tokens, weights = np.split(stacked, [7, 11, 15, 20, 24], axis=3)
    return Rows(plan, before, age, hints, voted, tokens, weights[..., 0].astype(np.float32))


def _part(table: npt.NDArray, start: int, length: int) -> npt.NDArray:
    """So many rows of a table, those beyond its end zeros."""
    part = table[start : start + length]
    return np.concatenate([part, np.zeros((length - len(part), table.shape[1]), dtype=table.dtype)])


def _table(piece: Piece) -> Whole:
    """The columns of ``Rows``, a row a frame."""
    steps = np.arange(piece.plan.length)[:, None]
    begins = np.maximum.accumulate(np.where(piece.tokens != HOLD, steps, 0), axis=0)
    first = np.zeros((1, len(VOICES)), dtype=np.int32)
    columns = [
        piece.plan.features,
        np.concatenate([first, to_sounds(piece.tokens)[:-1]]),
        np.concatenate([first, np.minimum(steps - begins + 1, OLDEST)[:-1]]),
        copy_hints(piece.tokens),
        piece.tokens,
        np.ones((piece.plan.length, 1), dtype=np.int32),
    ]
    return np.concatenate(columns, axis=1).astype(np.int32)
