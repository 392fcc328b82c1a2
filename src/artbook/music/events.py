"""Music as a stream of events, one token each: a beginning, what happens, an end (book chapter ``longer-forms``).

A tune is a header of four tokens (collection, metre, mode, key signature), then its notes, then ``END``. A note is a
token for its pitch; before it stands a token for its length if that differs from the length of the note before it,
as a MIDI file repeats no status byte that has not changed, and before that a token for the bar line if there is one.
Pitches count from do, the tonic of the major key with the same signature, so that a tune has the same tokens in
every key but for the header's last. Voices of a chorale are a stream of notes that begin or end, and of time steps
(Oore et al. 2018).
"""

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole
from artbook.data.tunes import COLLECTIONS, DURATIONS, METRES, MODES, REST, TICKS_PER_QUARTER, Tune
from artbook.music.piano_roll import Note

LOWEST, HIGHEST = -16, 32
NAMES = (
    *COLLECTIONS,
    *(f"{beats}/{unit}" for beats, unit in METRES),
    *MODES,
    *(f"{abs(fifths)}{'♯' if fifths > 0 else '♭' if fifths < 0 else ''}" for fifths in range(-7, 8)),
    "END",
    "BAR",
    "rest",
    *(f"{step:+d}" for step in range(LOWEST, HIGHEST + 1)),
    *(f"♩{ticks}" for ticks in DURATIONS),
)
VOCABULARY = len(NAMES)
HEADER = 4
_METRE = len(COLLECTIONS)
_MODE = _METRE + len(METRES)
_KEY = _MODE + len(MODES)
END = _KEY + 15
BAR = END + 1
# From here on rest and pitches, from there on lengths.
NOTES = BAR + 1
LENGTHS = NOTES + HIGHEST - LOWEST + 2
# Of a stream of voices: for each voice silence and 128 pitches, then time steps of 1 to 16 sixteenths.
LONGEST_SHIFT = 16
_PER_VOICE = 129

Whole = npt.NDArray[np.int32]


def do(fifths: int) -> int:
    """The MIDI number from which pitches are counted in a key: the tonic of the major key, C4 to B4.

    Args:
        fifths: the key signature, -7 to 7.

    Raises:
        ValueError: it is no such number.
    """
    if not is_whole(fifths, -7, 7):
        raise ValueError(f"-7 to 7 fifths were wanted; {fifths!r} was given")
    return 60 + 7 * fifths % 12


def header(collection: str, metre: tuple[int, int], mode: str, fifths: int) -> Whole:
    """The four tokens with which a tune begins.

    Args:
        collection: one of ``COLLECTIONS``.
        metre: one of ``METRES``.
        mode: one of ``MODES``.
        fifths: the key signature, -7 to 7.

    Raises:
        ValueError: an argument is none of these.
    """
    if collection not in COLLECTIONS or metre not in METRES or mode not in MODES or not is_whole(fifths, -7, 7):
        raise ValueError(
            "a known collection, metre and mode and -7 to 7 fifths were wanted;"
            f" {collection!r}, {metre!r}, {mode!r} and {fifths!r} were given"
        )
    tokens = (
        COLLECTIONS.index(collection),
        _METRE + METRES.index(metre),
        _MODE + MODES.index(mode),
        _KEY + fifths + 7,
    )
    return np.array(tokens, dtype=np.int32)


def encode(tune: Tune) -> Whole:
    """A tune as tokens, int32 ``(T,)``.

    Raises:
        ValueError: a pitch lies more than 16 semitones below do or 32 above it, or a length is none of ``DURATIONS``.
    """
    degrees = tune.pitches.astype(int) - do(tune.fifths)
    sounding = tune.pitches != REST
    if not ((degrees >= LOWEST) & (degrees <= HIGHEST))[sounding].all() or not np.isin(tune.durations, DURATIONS).all():
        raise ValueError(f"{tune.name}: pitches from {LOWEST} to {HIGHEST} above do and known lengths were wanted")
    notes = np.where(sounding, degrees - LOWEST + 1, 0) + NOTES
    lengths = np.searchsorted(DURATIONS, tune.durations) + LENGTHS
    changes = np.append(True, lengths[1:] != lengths[:-1])
    rows = np.stack([np.where(tune.begins_bar, BAR, -1), np.where(changes, lengths, -1), notes], axis=1)
    body = rows[rows >= 0]
    first = header(tune.collection, tune.metre, tune.mode, tune.fifths)
    return np.concatenate([first, body, [END]]).astype(np.int32)


def decode(tokens: npt.ArrayLike, name: str = "") -> Tune:
    """The tune that tokens stand for: ``encode`` backwards, all but name and title.

    Args:
        tokens: whole, ``(T,)``, with ``END`` at the end and nowhere else.
        name: what follows the collection in the tune's name.

    Raises:
        ValueError: these are no tokens of a whole tune, or a pitch leaves the MIDI range.
    """
    given = np.asarray(tokens)
    if given.ndim != 1 or given.dtype.kind not in "iu" or len(given) < HEADER + 3:
        raise ValueError(f"whole tokens (T,) of a tune were wanted; {given.dtype} {given.shape} was given")
    parts = [int(token) - first for token, first in zip(given, (0, _METRE, _MODE, _KEY), strict=False)]
    sizes = (len(COLLECTIONS), len(METRES), len(MODES), 15)
    if not all(0 <= part < size for part, size in zip(parts, sizes, strict=True)):
        raise ValueError(f"collection, metre, mode and key signature were wanted first; {given[:HEADER]} was given")
    body = given[HEADER:-1]
    if given[-1] != END or (len(body) and (body.min() <= END or body.max() >= VOCABULARY)):
        raise ValueError("notes, lengths and bar lines, and END at the end alone, were wanted")
    is_note = (body >= NOTES) & (body < LENGTHS)
    is_length = body >= LENGTHS
    # Of each token the place of the last length up to it.
    last = np.maximum.accumulate(np.where(is_length, np.arange(len(body)), -1))
    if not is_note.any() or (last[is_note] < 0).any() or not is_note[-1]:
        raise ValueError("at least one note, a length before the first note and a note at the end were wanted")
    fifths = parts[3] - 7
    degrees = body[is_note] - NOTES
    pitches = np.where(degrees > 0, degrees - 1 + LOWEST + do(fifths), REST)
    bars = np.cumsum(body == BAR)[is_note]
    return Tune(
        f"{COLLECTIONS[parts[0]]}/{name}",
        "",
        METRES[parts[1]],
        fifths,
        MODES[parts[2]],
        pitches.astype(np.int8),
        np.array(DURATIONS, dtype=np.int16)[body[last[is_note]] - LENGTHS],
        np.diff(bars, prepend=0) > 0,
    )


def to_notes(tune: Tune) -> list[Note]:
    """The notes of a tune for the synthesiser and for MIDI files, times in quarter notes."""
    starts = (np.cumsum(tune.durations) - tune.durations) / TICKS_PER_QUARTER
    rows = zip(tune.pitches.tolist(), starts.tolist(), (tune.durations / TICKS_PER_QUARTER).tolist(), strict=True)
    return [Note(pitch, start, duration) for pitch, start, duration in rows if pitch != REST]


def on_grid(tune: Tune) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_], Whole]:
    """A tune on a grid of sixteenths, for a score: what is shorter is moved to the grid or lost.

    Returns:
        Pitches ``(T, 1)``, onsets ``(T, 1)``, and the sixteenths since the bar line, ``(T,)``; a pickup counts as
        the end of its bar.
    """
    ticks = TICKS_PER_QUARTER // 4
    edges = np.round(np.append(0, np.cumsum(tune.durations)) / ticks).astype(int)
    lengths = np.diff(edges)
    onsets = np.zeros(edges[-1], dtype=bool)
    onsets[edges[:-1][(lengths > 0) & (tune.pitches != REST)]] = True
    bar = np.repeat(np.cumsum(tune.begins_bar), lengths)
    full = 16 * tune.metre[0] // tune.metre[1]
    first = np.append(np.searchsorted(bar, 1) - full, edges[:-1][tune.begins_bar])
    position = np.arange(edges[-1]) - first[bar]
    position = np.where(position < 0, position % full, position)
    return np.repeat(tune.pitches, lengths)[:, None], onsets[:, None], position.astype(np.int32)


def encode_voices(pitches: npt.ArrayLike, onsets: npt.ArrayLike) -> Whole:
    """Voices on a grid as a stream of events, int32 ``(N,)``.

    Args:
        pitches: MIDI numbers, whole, -1 for a rest, ``(T, V)``.
        onsets: where a note begins, bool ``(T, V)``; at least wherever a sounding pitch is not the one before.

    Raises:
        ValueError: they are not as above.
    """
    keys, begins = np.asarray(pitches), np.asarray(onsets)
    if keys.ndim != 2 or keys.dtype.kind not in "iu" or keys.shape != begins.shape or begins.dtype != bool:
        raise ValueError(f"whole pitches and onsets (T, V) were wanted; {keys.shape} and {begins.shape} were given")
    before = np.vstack([np.full((1, keys.shape[1]), REST), keys[:-1]])
    if ((keys < REST) | (keys > 127)).any() or (begins & (keys == REST)).any():
        raise ValueError("MIDI numbers or -1, and no beginning of a rest, were wanted")
    if ((keys != before) & (keys != REST) & ~begins).any():
        raise ValueError("an onset was wanted wherever a note sounds that did not sound before")
    happens = begins | (keys != before)
    tokens: list[int] = []
    waiting = 0
    for step, here in enumerate(happens):
        if here.any():
            tokens += _shifts(waiting, keys.shape[1])
            tokens += [voice * _PER_VOICE + int(keys[step, voice]) + 1 for voice in np.flatnonzero(here).tolist()]
            waiting = 0
        waiting += 1
    return np.array(tokens + _shifts(waiting, keys.shape[1]), dtype=np.int32)


def _shifts(steps: int, voices: int) -> list[int]:
    whole, rest = divmod(steps, LONGEST_SHIFT)
    first = voices * _PER_VOICE
    return [first + LONGEST_SHIFT - 1] * whole + ([first + rest - 1] if rest else [])


def decode_voices(tokens: npt.ArrayLike, voices: int = 4) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Pitches and onsets ``(T, V)`` of a stream of events: ``encode_voices`` backwards.

    Raises:
        ValueError: these are no such tokens, or no time passes.
    """
    given = np.asarray(tokens)
    first = voices * _PER_VOICE
    if given.ndim != 1 or given.dtype.kind not in "iu" or not ((given >= 0) & (given < first + LONGEST_SHIFT)).all():
        raise ValueError(f"tokens from 0 to {first + LONGEST_SHIFT - 1} were wanted; {tokens!r:.60} was given")
    now, struck = np.full(voices, REST, dtype=np.int8), np.zeros(voices, dtype=bool)
    keys, begins = [], []
    for token in given.tolist():
        if token < first:
            voice, pitch = divmod(token, _PER_VOICE)
            now[voice], struck[voice] = pitch - 1, pitch > 0
            continue
        for _ in range(token - first + 1):
            keys.append(now.copy())
            begins.append(struck.copy())
            struck[:] = False
    if not keys:
        raise ValueError("a time step was wanted; none was given")
    return np.stack(keys), np.stack(begins)
