"""What can be counted in music that a model played, and in the music that it learned from.

The chapter ``first-model`` counts in piano rolls, the chapter ``judging-music`` in voices.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.copying import longest_passages
from artbook.data.keyboard import KEYS, LOWEST, check_frames, check_grid, is_whole, voice_runs
from artbook.music.baselines import packed

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Voices = tuple[npt.ArrayLike, npt.ArrayLike]


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


# Voices on a grid (chapter ``judging-music``)
#
# A piece is ``pitches``, MIDI numbers (T, V), the top voice first, -1 for a rest, and ``onsets``, where a note
# begins, bool (T, V). Music that a model made may be silent, or one chord held for the whole piece: shares of
# nothing are zeros.

LONGEST_NOTE = 16


def pitch_class_shares(pitches: npt.ArrayLike, tonic: int = 0) -> Floats:
    """How the time that notes sound is divided among the twelve pitch classes.

    Args:
        pitches: whole ``(T, V)``.
        tonic: the pitch class that stands first, 0 to 11.

    Returns:
        Shares ``(12,)``, from the tonic up.

    Raises:
        ValueError: other pitches, or no such tonic.
    """
    if not is_whole(tonic, 0, 11):
        raise ValueError(f"a tonic from 0 to 11 was wanted; {tonic!r} was given")
    voices = _voices(pitches)
    return _shares((voices[voices >= 0] - tonic) % 12, 12)


def melodic_interval_shares(pitches: npt.ArrayLike, onsets: npt.ArrayLike) -> Floats:
    """How often a voice moves by which interval, from one note to the next without a rest between.

    Args:
        pitches: whole ``(T, V)``.
        onsets: bool ``(T, V)``.

    Returns:
        Shares of the moves of all voices, ``(25,)``: from an octave or more down to an octave or more up.

    Raises:
        ValueError: what ``artbook.data.keyboard.voice_runs`` refuses.
    """
    moves = [
        after - before
        for notes in voice_runs(pitches, onsets)
        for (_, _, before), (_, _, after) in pairwise(notes)
        if before >= 0 and after >= 0
    ]
    return _shares(np.clip(moves, -12, 12) + 12, 25)


def note_length_shares(pitches: npt.ArrayLike, onsets: npt.ArrayLike) -> Floats:
    """How many notes have which length.

    Args:
        pitches: whole ``(T, V)``.
        onsets: bool ``(T, V)``.

    Returns:
        Shares of the notes of all voices, ``(16,)``: one step, two steps, and so on; the last are 16 or more.

    Raises:
        ValueError: what ``artbook.data.keyboard.voice_runs`` refuses.
    """
    runs = voice_runs(pitches, onsets)
    lengths = [end - begin for notes in runs for begin, end, pitch in notes if pitch >= 0]
    return _shares(np.minimum(lengths, LONGEST_NOTE) - 1, LONGEST_NOTE)


def harmonic_interval_shares(pitches: npt.ArrayLike) -> Floats:
    """How the time that upper voices sound is divided among their intervals above the lowest voice.

    Args:
        pitches: whole ``(T, V)``.

    Returns:
        Shares ``(12,)``, octaves apart: unison, minor second, and so on up to the major seventh.

    Raises:
        ValueError: other pitches.
    """
    voices = _voices(pitches)
    upper, bass = voices[:, :-1], voices[:, -1:]
    return _shares(((upper - bass) % 12)[(upper >= 0) & (bass >= 0)], 12)


# How well tones fit a major and a minor key, from the tonic up, as listeners rated them (Krumhansl and Kessler 1982).
KRUMHANSL_KESSLER = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)


class Key(NamedTuple):
    """The key that fits some notes best.

    Attributes:
        tonic: its pitch class, 0 to 11.
        minor: whether it is a minor key.
        clarity: the correlation of the notes with the key's profile, -1 to 1; 0 where every key fits alike.
    """

    tonic: int
    minor: bool
    clarity: float


def find_key(pitches: npt.ArrayLike, profiles: npt.ArrayLike = KRUMHANSL_KESSLER) -> Key:
    """The key whose profile correlates best with the time that each pitch class sounds.

    The method is that of Krumhansl and Schmuckler (Krumhansl 1990).

    Args:
        pitches: whole ``(T, V)``.
        profiles: the weight of each pitch class in a major and in a minor key, from the tonic up, ``(2, 12)``.

    Returns:
        The key; C major with clarity 0 if nothing sounds, or all pitch classes sound for the same time.

    Raises:
        ValueError: other pitches, or other profiles.
    """
    weights = np.asarray(profiles, dtype=np.float64)
    if weights.shape != (2, 12) or not np.isfinite(weights).all() or not weights.std(axis=1).all():
        raise ValueError(f"two profiles (2, 12) with weights that differ were wanted; {weights.shape} was given")
    shares = pitch_class_shares(pitches)
    if not shares.std():
        return Key(0, False, 0.0)
    keys = np.array([np.roll(profile, tonic) for profile in weights for tonic in range(12)])
    fits = np.corrcoef(shares, keys)[0, 1:]
    best = int(fits.argmax())
    return Key(best % 12, best >= 12, float(fits[best]))


def voice_ranges(pieces: Sequence[npt.ArrayLike]) -> npt.NDArray[np.int64]:
    """The lowest and the highest note of each voice in some pieces.

    Args:
        pieces: the pitches of each, whole ``(T, V)``.

    Returns:
        MIDI numbers ``(V, 2)``.

    Raises:
        ValueError: other pitches, or a voice that never sounds.
    """
    voices = np.concatenate([_voices(piece) for piece in pieces]) if pieces else np.zeros((0, 0), dtype=np.int64)
    sounding = voices >= 0
    if not voices.size or not sounding.any(axis=0).all():
        raise ValueError(f"pieces in which every voice sounds were wanted; {len(pieces)} of {voices.shape} were given")
    return np.stack([np.where(sounding, voices, 128).min(axis=0), voices.max(axis=0)], axis=1)


class Faults(NamedTuple):
    """What a teacher of harmony marks, in a hundred beats.

    Attributes:
        parallel_fifths: how often two voices move at once, the same way, from a fifth to a fifth.
        parallel_octaves: the same from an octave or unison to an octave or unison.
        crossed: beats in which a voice is below the next lower one.
        out_of_range: beats in which a voice is out of its range.
    """

    parallel_fifths: float
    parallel_octaves: float
    crossed: float
    out_of_range: float


def faults(pitches: npt.ArrayLike, ranges: npt.ArrayLike, steps_per_quarter: int = 4) -> Faults:
    """Count parallel fifths and octaves, and the time in which voices cross or leave their ranges.

    Fifths and octaves that a passing note hides are not found, and one that is taken on purpose, across the end
    of a phrase for example, is counted: compare with the rates of real pieces.

    Args:
        pitches: whole ``(T, V)``.
        ranges: the lowest and the highest note of each voice, ``(V, 2)``.
        steps_per_quarter: steps in a beat, 1 to 960.

    Returns:
        The counts in a hundred beats, zeros for a piece without a step.

    Raises:
        ValueError: other pitches, ranges or steps.
    """
    voices = _voices(pitches)
    check_grid(steps_per_quarter)
    limits = np.asarray(ranges)
    if limits.shape != (voices.shape[1], 2):
        raise ValueError(f"ranges of shape {(voices.shape[1], 2)} were wanted; {limits.shape} was given")
    if not len(voices):
        return Faults(0.0, 0.0, 0.0, 0.0)
    sounding = voices >= 0
    crossed = (voices[:, :-1] < voices[:, 1:]) & sounding[:, :-1] & sounding[:, 1:]
    outside = ((voices < limits[:, 0]) | (voices > limits[:, 1])) & sounding
    hundreds = len(voices) / steps_per_quarter / 100
    parallels = (_parallels(voices, interval) / hundreds for interval in (7, 0))
    beats = (steps.any(axis=1).sum() / steps_per_quarter / hundreds for steps in (crossed, outside))
    return Faults(*parallels, *map(float, beats))


def self_similarity(pitches: npt.ArrayLike, lags: Sequence[int]) -> Floats:
    """How much of a piece sounded in the same voice, on the same pitch, some steps earlier.

    Args:
        pitches: whole ``(T, V)``.
        lags: how many steps earlier, each at least 1.

    Returns:
        For each lag the share of the notes' time, 0 to 1, ``(len(lags),)``; 0 where no note has a place that
        much earlier.

    Raises:
        ValueError: other pitches, or a lag that is not a whole number from 1.
    """
    voices = _voices(pitches)
    if not all(is_whole(lag, 1, 10**9) for lag in lags):
        raise ValueError(f"lags of at least one step were wanted; {list(lags)!r} was given")
    pairs = [(voices[lag:], voices[:-lag]) for lag in lags]
    same = [((now == before) & (now >= 0)).sum() for now, before in pairs]
    return np.array(same) / np.maximum([(now >= 0).sum() for now, _ in pairs], 1)


class Match(NamedTuple):
    """The longest passage of a piece that stands in one of the known pieces, in whatever key.

    Attributes:
        steps: its length; 0 if there is none of two steps.
        start: its first step in the piece.
        known: the number of the known piece.
        known_start: its first step there.
    """

    steps: int
    start: int
    known: int
    known_start: int


def longest_matches(pieces: Sequence[Voices], known: Sequence[Voices]) -> list[Match]:
    """For each piece the longest passage that some known piece has too: the same notes in all voices, transposed.

    Args:
        pieces: pitches and onsets of each, ``(T, V)``; one column alone asks for one voice.
        known: the pieces that may have been copied, with as many voices.

    Returns:
        The longest match of each piece, the first of several.

    Raises:
        ValueError: what ``artbook.data.keyboard.voice_runs`` refuses, no known piece, or numbers of voices that
            differ.
    """
    moves = [_moves(*piece) for piece in (*pieces, *known)]
    if not known or len({each.shape[1] for each in moves}) > 1:
        raise ValueError(f"known pieces, all with as many voices, were wanted; {len(known)} were given")
    # Rows that are the same get the same number; to number them column by column is faster than row by row.
    numbers = np.zeros(sum(map(len, moves)), dtype=np.int64)
    for column in np.concatenate(moves).T:
        numbers = np.unique(numbers * 256 + column, return_inverse=True)[1]
    rows = np.split(numbers, np.cumsum([len(each) for each in moves])[:-1])
    found = longest_passages(rows[: len(pieces)], rows[len(pieces) :])
    # A passage of moves is one step longer than its moves.
    return [Match(each.length + 1 if each.length else 0, *each[1:]) for each in found]


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


def _moves(pitches: npt.ArrayLike, onsets: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Each step with the one before it, counted from the first note that sounds there, ``(T - 1, 3 V)``."""
    voice_runs(pitches, onsets)
    voices = _voices(pitches)
    both = np.concatenate([voices[:-1], voices[1:]], axis=1)
    first = np.take_along_axis(both, (both >= 0).argmax(axis=1)[:, np.newaxis], axis=1)
    relative = np.where(both >= 0, both - first + 128, 0).astype(np.uint8)
    return np.concatenate([relative, np.asarray(onsets)[1:].astype(np.uint8)], axis=1)


def _parallels(voices: npt.NDArray[np.int64], interval: int) -> int:
    """How often two voices move at once, the same way, from one interval to the same one, octaves aside."""
    moves = np.where((voices[1:] >= 0) & (voices[:-1] >= 0), np.sign(np.diff(voices, axis=0)), 0)
    found = 0
    for upper, lower in combinations(range(voices.shape[1]), 2):
        fits = np.abs(voices[:, upper] - voices[:, lower]) % 12 == interval
        together = (moves[:, upper] == moves[:, lower]) & (moves[:, upper] != 0)
        found += int((fits[1:] & fits[:-1] & together).sum())
    return found


def _voices(pitches: npt.ArrayLike) -> npt.NDArray[np.int64]:
    voices = np.asarray(pitches)
    if voices.ndim != 2 or not voices.shape[1] or voices.dtype.kind not in "iu":
        raise ValueError(f"whole numbers of shape (T, V) were wanted; {voices.dtype} of {voices.shape} was given")
    if voices.size and voices.max() > 127:
        raise ValueError(f"MIDI numbers up to 127 were wanted; {voices.max()} was given")
    return np.maximum(voices.astype(np.int64), -1)


def _shares(numbers: npt.ArrayLike, count: int) -> Floats:
    """The share of each number from 0 to ``count`` - 1; zeros if there is none."""
    counts = np.bincount(np.asarray(numbers, dtype=np.int64), minlength=count)
    return counts / max(1, counts.sum())
