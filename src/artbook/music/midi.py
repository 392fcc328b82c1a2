"""Standard MIDI files, read and written with mido (book chapter ``notes-as-numbers``)."""

import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import mido

from artbook.music.piano_roll import Note, check_notes

TICKS_PER_QUARTER = 480
MAX_BYTES = 128 * 1024
MAX_QUARTERS = 24 * 60 * 60
_DRUMS = 9
_CHANNELS = 15


@dataclass(frozen=True)
class Notes:
    """What the book takes from a MIDI file.

    Attributes:
        notes: in order of start, then of voice; times in quarter notes.
        tempo: in quarter notes a minute; of several, the first.
    """

    notes: tuple[Note, ...]
    tempo: float


def write(notes: Iterable[Note], tempo: float = 80.0) -> bytes:
    """A standard MIDI file of format 1: a track for the tempo, then one for each voice.

    Args:
        notes: their times are rounded to 1/480 of a quarter note.
        tempo: in quarter notes a minute, from 4 to 1000.

    Returns:
        The file's bytes.

    Raises:
        ValueError: no notes, an impossible note, more than 15 voices, music longer than a day, or another tempo.
    """
    checked = check_notes(notes)
    if not 4 <= tempo <= 1000:
        raise ValueError(f"a tempo of 4 to 1000 quarter notes a minute was wanted; {tempo!r} was given")
    if max(note.voice for note in checked) >= _CHANNELS:
        raise ValueError(f"at most {_CHANNELS} voices were wanted; voice {max(n.voice for n in checked)} was given")
    if max(note.start + note.duration for note in checked) > MAX_QUARTERS:
        raise ValueError(f"at most {MAX_QUARTERS} quarter notes were wanted; the notes last longer")
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))]))
    for voice in range(max(note.voice for note in checked) + 1):
        file.tracks.append(_track([note for note in checked if note.voice == voice], voice))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def _track(notes: list[Note], voice: int) -> mido.MidiTrack:
    channel = voice if voice < _DRUMS else voice + 1
    events = []
    for note in notes:
        begin = round(note.start * TICKS_PER_QUARTER)
        end = max(begin + 1, round((note.start + note.duration) * TICKS_PER_QUARTER))
        # At one instant a key is released before it is struck again.
        events.append((begin, 1, note.pitch, note.velocity))
        events.append((end, 0, note.pitch, 0))
    track, now = mido.MidiTrack(), 0
    for tick, strike, pitch, velocity in sorted(events):
        kind = "note_on" if strike else "note_off"
        track.append(mido.Message(kind, channel=channel, note=int(pitch), velocity=int(velocity), time=tick - now))
        now = tick
    return track


def read(source: Path | str | bytes) -> Notes:
    """Read a standard MIDI file of format 0 or 1.

    Voices are numbered in the order of the tracks and channels that have notes. Drums are left out. A note
    that is never released lasts to the end of its track.

    Args:
        source: the file's path or its bytes, at most 128 KiB.

    Returns:
        The notes and the tempo.

    Raises:
        ValueError: it is too large, cut short, no such file, lasts longer than a day, has no notes, or a tempo of zero.
        OSError: the path cannot be read.
    """
    content = source if isinstance(source, bytes) else _read_bounded(Path(source))
    if len(content) > MAX_BYTES:
        raise ValueError(f"a MIDI file of at most {MAX_BYTES} bytes was wanted; this one has more")
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
    except Exception as error:
        # What mido raises on a damaged file depends on the byte at which it notices.
        found = "it ends too early" if isinstance(error, EOFError) else error
        raise ValueError(f"a whole standard MIDI file was wanted; {found}") from error
    if file.type not in (0, 1) or file.ticks_per_beat <= 0:
        raise ValueError(f"format 0 or 1 in ticks a quarter note was wanted; {file!r:.60} was given")
    parts = [part for track in file.tracks for part in _parts(track, file.ticks_per_beat)]
    notes = [Note(n.pitch, n.start, n.duration, voice, n.velocity) for voice, part in enumerate(parts) for n in part]
    tempi = [message.tempo for track in file.tracks for message in track if message.type == "set_tempo"]
    if 0 in tempi:
        raise ValueError("a tempo was wanted; the file sets one of no time at all to a quarter note")
    tempo = mido.tempo2bpm(tempi[0]) if tempi else 120.0
    return Notes(tuple(sorted(check_notes(notes), key=lambda note: (note.start, note.voice, -note.pitch))), tempo)


def _read_bounded(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(MAX_BYTES + 1)


def _parts(track: mido.MidiTrack, ticks_per_quarter: int) -> list[list[Note]]:
    """The notes of a track, a list a channel."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    parts: dict[int, list[Note]] = defaultdict(list)

    def finish(channel: int, pitch: int, begin: int, velocity: int) -> None:
        if now > begin:
            times = (begin / ticks_per_quarter, (now - begin) / ticks_per_quarter)
            parts[channel].append(Note(pitch, *times, velocity=velocity))

    now = 0
    for message in track:
        now += message.time
        if now > MAX_QUARTERS * ticks_per_quarter:
            raise ValueError(f"at most {MAX_QUARTERS} quarter notes were wanted; the file lasts longer")
        if message.type not in ("note_on", "note_off") or message.channel == _DRUMS:
            continue
        key = (message.channel, message.note)
        if message.type == "note_on" and message.velocity:
            sounding[key].append((now, message.velocity))
        elif sounding[key]:
            finish(*key, *sounding[key].pop(0))
    for key, begun in sounding.items():
        for begin, velocity in begun:
            finish(*key, begin, velocity)
    return [parts[channel] for channel in sorted(parts)]
