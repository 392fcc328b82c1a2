"""Bach's four-part chorales, read from the corpus that music21 carries, as arrays on a grid of sixteenth notes.

The scores are MusicXML; of that format only what these scores use is read: notes, rests, ties, grace notes,
key and time signatures, fermatas, repeats and first and second endings. Reading all 410 takes about two
seconds; the arrays are then cached.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.resources import files
from itertools import accumulate
from math import ceil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import to_roll
from artbook.data.manifest import Corpus, corpus
from artbook.data.package_files import package_files
from artbook.data.store import Arrays, cached_arrays

VOICES = ("Soprano", "Alto", "Tenor", "Bass")
STEPS_PER_QUARTER = 4
REST = -1
SPLITS = ("train", "valid", "test")

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 4
_CORPUS = "music21/corpus/bach/"
_PATTERNS = ("*.mxl", "*.xml")
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

Element = ElementTree.Element


@dataclass(frozen=True)
class Chorale:
    """One chorale as written, on a grid of sixteenth notes.

    Attributes:
        name: the score's name, which is its BWV number: ``bwv269``.
        key: tonic and mode, as the score declares them, ``G major``; a tune in an older mode may end elsewhere.
        fifths: its key signature: sharps above zero, flats below.
        beats_per_bar: quarter notes in a full bar, as the first time signature says.
        pitches: MIDI numbers sounding in each sixteenth, int8 ``(T, 4)``, soprano to bass, -1 for a rest.
        onsets: whether a note begins there, bool ``(T, 4)``.
        fermatas: whether a soprano note with a fermata sounds there, which ends a phrase, bool ``(T,)``.
        position: sixteenths since the bar line, int16 ``(T,)``; a pickup counts as the end of its bar.
        sections: what is played, in order, as ``(start, stop)`` in sixteenths; a repeat stands there twice.
        lost_notes: how many notes of the score are not here because they begin and end between two sixteenths.
    """

    name: str
    key: str
    fifths: int
    beats_per_bar: float
    pitches: npt.NDArray[np.int8]
    onsets: npt.NDArray[np.bool_]
    fermatas: npt.NDArray[np.bool_]
    position: npt.NDArray[np.int16]
    sections: tuple[tuple[int, int], ...]
    lost_notes: int

    @property
    def title(self) -> str:
        """Its number in the catalogue of Bach's works: ``BWV 269``."""
        return "BWV " + self.name.removeprefix("bwv")

    def transposed(self, semitones: int) -> "Chorale":
        """The chorale moved up by ``semitones`` (down if negative); key and key signature move with it.

        Raises:
            ValueError: ``semitones`` is no whole number, or a note would leave the MIDI range 0 to 127.
        """
        if isinstance(semitones, bool) or not isinstance(semitones, (int, np.integer)):
            raise ValueError(f"a whole number of semitones was wanted; {semitones!r} was given")
        sounding = self.pitches != REST
        moved = np.where(sounding, self.pitches.astype(int) + int(semitones), REST)
        if np.any(moved[sounding] < 0) or np.any(moved[sounding] > 127):
            raise ValueError(f"{self.name} moved by {semitones} semitones leaves the MIDI range 0 to 127")
        # Seven fifths up are one semitone up, octaves aside; the nearest signature has at most six signs.
        fifths = (self.fifths + 7 * int(semitones) + 5) % 12 - 5
        mode = self.key.rsplit(" ", 1)[-1]
        return replace(self, pitches=moved.astype(np.int8), fifths=fifths, key=_key_name(fifths, mode))

    def performed(self) -> "Chorale":
        """The chorale as it sounds, with its repeats written out."""
        steps = np.concatenate([np.arange(start, stop) for start, stop in self.sections])
        return replace(
            self,
            pitches=self.pitches[steps],
            onsets=self.onsets[steps],
            fermatas=self.fermatas[steps],
            position=self.position[steps],
            sections=((0, len(steps)),),
        )

    def on_beats(self) -> "Chorale":
        """What a grid of quarter notes keeps: what sounds at each beat, one step a quarter note.

        A pickup that is shorter than a quarter note keeps its first step.
        """
        steps = np.flatnonzero(self.position % STEPS_PER_QUARTER == 0)
        if self.position[0] % STEPS_PER_QUARTER:
            steps = np.concatenate([[0], steps])
        starts = np.searchsorted(steps, [start for start, _ in self.sections])
        stops = np.searchsorted(steps, [stop for _, stop in self.sections])
        return replace(
            self,
            pitches=self.pitches[steps],
            onsets=self.onsets[steps],
            fermatas=self.fermatas[steps],
            position=(self.position[steps] // STEPS_PER_QUARTER).astype(np.int16),
            sections=tuple((int(start), int(stop)) for start, stop in zip(starts, stops, strict=True)),
        )


@dataclass(frozen=True)
class Chorales:
    """The chorales that were kept, and why the other scores were not.

    Attributes:
        pieces: the chorales, by name.
        dropped: the reason for each score that was left out, by its name.
    """

    pieces: tuple[Chorale, ...]
    dropped: Mapping[str, str]

    def __getitem__(self, name: str) -> Chorale:
        """The chorale of that name; ``KeyError`` if there is none."""
        for piece in self.pieces:
            if piece.name == name:
                return piece
        raise KeyError(f"no chorale {name!r}; there are {len(self.pieces)}, from {self.pieces[0].name} on")

    def split(self) -> dict[str, list[Chorale]]:
        """The chorales of the classic benchmark's three parts, in its order; a chorale stands in one part only.

        Returns:
            ``train``, ``valid`` and ``test``; the chorales that the benchmark does not use are in none.
        """
        return {part: [piece for piece, _ in pairs] for part, pairs in self._benchmark_pieces().items()}

    def benchmark(self, original_keys: bool = False) -> dict[str, list[npt.NDArray[np.bool_]]]:
        """The JSB Chorales benchmark, made again from the scores: a frame a quarter note, all in C.

        Each piece is transposed to C major or C minor and an octave up, its repeats are written out, and
        the keys that sound at each quarter note are kept (Boulanger-Lewandowski, Bengio and Vincent 2012).

        Args:
            original_keys: leave each piece in its own key and octave instead.

        Returns:
            ``train``, ``valid`` and ``test``: a bool ``(T, 88)`` a piece, column 0 the lowest key of the piano.
        """
        return {
            part: [to_roll(piece.performed().on_beats().pitches) for piece in self._in_keys(pairs, original_keys)]
            for part, pairs in self._benchmark_pieces().items()
        }

    def off_beats(self) -> list[npt.NDArray[np.bool_]]:
        """The training pieces of the benchmark as they sound an eighth note after each beat, in the same order."""
        pieces = [piece.performed() for piece in self._in_keys(self._benchmark_pieces()["train"], False)]
        return [
            to_roll(piece.pitches[piece.position % STEPS_PER_QUARTER == STEPS_PER_QUARTER // 2]) for piece in pieces
        ]

    @staticmethod
    def _in_keys(pairs: Sequence[tuple[Chorale, int]], original_keys: bool) -> list[Chorale]:
        return [piece if original_keys else piece.transposed(shift) for piece, shift in pairs]

    def _benchmark_pieces(self) -> dict[str, list[tuple[Chorale, int]]]:
        by_name = {piece.name: piece for piece in self.pieces}
        table = _split_table()
        return {
            part: [
                (by_name[name], shift)
                for name, shift in zip(table["bwv"][part], table["shift_from_original_key"][part], strict=True)
                if name is not None
            ]
            for part in SPLITS
        }


@cache
def load() -> Chorales:
    """Read the chorales from the cache, or from the scores of music21's corpus and into the cache.

    Returns:
        The chorales with four voices, and why each other score was dropped.

    Raises:
        ValueError: the scores are not, byte for byte, those of the manifest.
        OSError: the scores cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("music21")
    name = f"chorales-{source.content_sha256[:16]}-{_READER_VERSION}"
    return _unpacked(cached_arrays(name, lambda: _packed(_read_all(_scores(source)))))


def _scores(source: Corpus) -> dict[str, bytes]:
    """The bytes of each Bach score by file name."""
    return package_files(source, _CORPUS, _PATTERNS)


def _read_all(scores: Mapping[str, bytes]) -> Chorales:
    pieces, dropped = [], {}
    for file_name in sorted(scores):
        name = Path(file_name).stem
        try:
            pieces.append(read_score(name, scores[file_name]))
        except NotFourVoicesError as reason:
            dropped[name] = str(reason)
    kept: dict[bytes, Chorale] = {}
    in_split = {name for names in _split_table()["bwv"].values() for name in names}
    for piece in sorted(pieces, key=lambda piece: (piece.name not in in_split, piece.name)):
        first = kept.setdefault(_melodic_content(piece), piece)
        if first is not piece:
            dropped[piece.name] = f"the same notes as {first.name}"
    return Chorales(tuple(sorted(kept.values(), key=lambda piece: piece.name)), dropped)


def _melodic_content(piece: Chorale) -> bytes:
    """Its notes, whatever the key."""
    sounding = piece.pitches != REST
    return np.where(sounding, piece.pitches - piece.pitches[sounding][0], -128).tobytes() + piece.onsets.tobytes()


def _split_table() -> dict[str, dict[str, list]]:
    return json.loads(files("artbook.data").joinpath("chorale_split_by_bwv.json").read_text(encoding="utf-8"))


class NotFourVoicesError(ValueError):
    """The score is not one for soprano, alto, tenor and bass; the message says why."""


def read_score(name: str, content: bytes) -> Chorale:
    """Read one MusicXML score, compressed or not.

    Args:
        name: what to call it.
        content: the bytes of the ``.mxl`` or ``.xml`` file.

    Returns:
        The chorale.

    Raises:
        NotFourVoicesError: the score lacks one of the four voices.
        ValueError: the file is no MusicXML score, it is damaged, or it has no notes.
    """
    try:
        return _chorale(name, ElementTree.fromstring(_uncompressed(content)))
    except NotFourVoicesError:
        raise
    except Exception as error:
        # What a damaged score raises depends on the number or name at which it is noticed.
        raise ValueError(f"{name}: a MusicXML score was wanted; {error!r}") from error


def _chorale(name: str, root: Element) -> Chorale:
    voices = [_read_part(part) for part in _voice_parts(root)]
    if len({len(bars) for bars in voices}) > 1:
        raise ValueError(f"its voices have {', '.join(str(len(bars)) for bars in voices)} bars")
    if not any(bar.notes for bars in voices for bar in bars):
        raise ValueError("the piece is empty")
    # Where the instruments play alone all four voices are silent for whole bars; those are left out.
    lengths = [
        ceil(max(bar.length for bar in bars)) if any(bar.notes for bar in bars) else 0
        for bars in zip(*voices, strict=True)
    ]
    # The silence after the last note is left out too.
    end = max(number for number, length in enumerate(lengths) if length)
    lengths[end] = ceil(max(note.end for bars in voices for note in bars[end].notes))
    starts = [0, *accumulate(lengths)]
    pitches = np.full((starts[-1], len(VOICES)), REST, dtype=np.int8)
    onsets = np.zeros(pitches.shape, dtype=bool)
    fermatas = np.zeros(starts[-1], dtype=bool)
    lost_notes = 0
    for column, bars in enumerate(voices):
        for start, bar in zip(starts, bars, strict=False):
            for note in bar.notes:
                # A note counts where it sounds at the grid's point, so one that is shorter than a step may not.
                begin, end = ceil(start + note.start), ceil(start + note.end)
                if begin == end:
                    lost_notes += 1
                    continue
                pitches[begin:end, column] = note.pitch
                onsets[begin, column] = not note.tied
                if column == 0 and note.fermata:
                    fermatas[begin:end] = True
    # Here and there a score ties two notes of different pitch; the second begins nevertheless.
    onsets[1:] |= (pitches[1:] != pitches[:-1]) & (pitches[1:] != REST)
    fifths, mode = _declared_key(root)
    return Chorale(
        name=name,
        key=_key_name(fifths, mode),
        fifths=fifths,
        beats_per_bar=float(voices[0][0].nominal / STEPS_PER_QUARTER),
        pitches=pitches,
        onsets=onsets,
        fermatas=fermatas,
        position=_positions(lengths, [bar.nominal for bar in voices[0]]),
        sections=_sections(starts, _played(voices[0])),
        lost_notes=lost_notes,
    )


def _uncompressed(content: bytes) -> bytes:
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            if not member.startswith("META-INF/") and member.endswith((".xml", ".musicxml")):
                return archive.read(member)
    raise zipfile.BadZipFile("the archive holds no score")


def _voice_parts(root: Element) -> list[Element]:
    """The parts of soprano, alto, tenor and bass, among the instruments that may double them."""
    names = {part.get("id"): part.findtext("part-name", "") for part in root.findall("part-list/score-part")}
    found = []
    for voice in VOICES:
        parts = [part for part in root.findall("part") if re.match(rf"{voice}\b", names.get(part.get("id"), ""))]
        if not parts:
            raise NotFourVoicesError(f"no {voice.lower()} among its parts: {', '.join(names.values())}")
        # One chorale has a second soprano; it is left out, because four voices were wanted.
        found.append(parts[0])
    return found


@dataclass(frozen=True)
class _Note:
    """A note in a bar; times in sixteenths from the bar's beginning."""

    pitch: int
    start: Fraction
    end: Fraction
    tied: bool
    fermata: bool


@dataclass(frozen=True)
class _Bar:
    """A bar of one part: its notes, its lengths as written and as its time signature says, its repeats."""

    notes: tuple[_Note, ...]
    length: Fraction
    nominal: int
    repeat_begins: bool
    repeat_ends: bool
    first_ending: bool


def _read_part(part: Element) -> list[_Bar]:
    bars = []
    divisions, nominal, first_ending = 1, 4 * STEPS_PER_QUARTER, False
    for measure in part.findall("measure"):
        notes, now, length = [], Fraction(0), Fraction(0)
        for element in measure:
            if element.tag == "attributes":
                divisions = int(element.findtext("divisions", str(divisions)))
                if (time := element.find("time")) is not None:
                    quarters = Fraction(4 * int(time.findtext("beats", "")), int(time.findtext("beat-type", "")))
                    nominal = int(quarters * STEPS_PER_QUARTER)
            duration = Fraction(int(element.findtext("duration", "0")) * STEPS_PER_QUARTER, divisions)
            if element.tag == "note" and element.find("chord") is None:
                if element.find("pitch") is not None and duration:
                    notes.append(_read_note(element, now, now + duration))
                now += duration
                length = max(length, now)
            elif element.tag == "forward":
                now += duration
            elif element.tag == "backup":
                now -= duration
        first_ending |= measure.find("barline/ending[@number='1'][@type='start']") is not None
        bar = _Bar(
            notes=tuple(notes),
            length=length,
            nominal=nominal,
            repeat_begins=measure.find("barline/repeat[@direction='forward']") is not None,
            repeat_ends=measure.find("barline/repeat[@direction='backward']") is not None,
            first_ending=first_ending,
        )
        first_ending &= measure.find("barline/ending[@number='1'][@type='stop']") is None
        bars.append(bar)
    return bars


def _read_note(element: Element, start: Fraction, end: Fraction) -> _Note:
    octave = int(element.findtext("pitch/octave", ""))
    semitone = _SEMITONES[element.findtext("pitch/step", "")] + int(element.findtext("pitch/alter", "0"))
    pitch = 12 * (octave + 1) + semitone
    if start < 0 or not 0 <= pitch <= 127:
        raise ValueError(f"a note from the bar line on, MIDI 0 to 127, was wanted; MIDI {pitch} at {start} was given")
    return _Note(
        pitch=pitch,
        start=start,
        end=end,
        tied=element.find("tie[@type='stop']") is not None,
        fermata=element.find("notations/fermata") is not None,
    )


def _declared_key(root: Element) -> tuple[int, str]:
    """Signature and mode; many scores say minor in some parts only and major, or nothing, in the rest."""
    first_keys = [key for part in root.findall("part") if (key := part.find("measure/attributes/key")) is not None]
    declared = [(int(key.findtext("fifths", "0")), key.findtext("mode", "")) for key in first_keys]
    for wanted in ("minor", "major"):
        for fifths, mode in declared:
            if mode == wanted:
                return fifths, mode
    raise ValueError(f"a key in major or minor was wanted; the score declares {declared}")


def _key_name(fifths: int, mode: str) -> str:
    """The tonic and mode of a key signature: ``_key_name(1, "major")`` is ``"G major"``."""
    place = fifths + (3 if mode == "minor" else 0)
    letter = "FCGDAEB"[(place + 1) % 7]
    sharps = (place + 1) // 7
    return f"{letter}{'♯' * sharps if sharps > 0 else '♭' * -sharps} {mode}"


def _played(bars: list[_Bar]) -> list[int]:
    """The bars in the order in which they are played, repeats written out."""
    order: list[int] = []
    repeat_from = 0
    for number, bar in enumerate(bars):
        if bar.repeat_begins:
            repeat_from = number
        order.append(number)
        if bar.repeat_ends:
            order += [again for again in range(repeat_from, number + 1) if not bars[again].first_ending]
            repeat_from = number + 1
    return order


def _sections(starts: list[int], order: list[int]) -> tuple[tuple[int, int], ...]:
    sections: list[tuple[int, int]] = []
    for bar in order:
        start, stop = starts[bar], starts[bar + 1]
        if sections and sections[-1][1] == start:
            start = sections.pop()[0]
        sections.append((start, stop))
    return tuple(sections)


def _positions(lengths: list[int], nominal: list[int]) -> npt.NDArray[np.int16]:
    """Where each step stands in its bar; a bar that a repeat divides goes on after the division."""
    positions = []
    reached = max(0, nominal[0] - lengths[0])
    for length, full in zip(lengths, nominal, strict=True):
        if reached + length > full:
            reached = 0
        positions.append(np.arange(reached, reached + length))
        reached = (reached + length) % full
    return np.concatenate(positions).astype(np.int16)


def _packed(chorales: Chorales) -> Arrays:
    pieces = chorales.pieces
    return {
        "name": np.array([piece.name for piece in pieces]),
        "key": np.array([piece.key for piece in pieces]),
        "fifths": np.array([piece.fifths for piece in pieces]),
        "beats_per_bar": np.array([piece.beats_per_bar for piece in pieces]),
        "length": np.array([len(piece.pitches) for piece in pieces]),
        "pitches": np.concatenate([piece.pitches for piece in pieces]),
        "onsets": np.packbits(np.concatenate([piece.onsets for piece in pieces])),
        "fermatas": np.packbits(np.concatenate([piece.fermatas for piece in pieces])),
        "position": np.concatenate([piece.position for piece in pieces]),
        "lost_notes": np.array([piece.lost_notes for piece in pieces]),
        "section_count": np.array([len(piece.sections) for piece in pieces]),
        "sections": np.array([section for piece in pieces for section in piece.sections]),
        "dropped": np.array([[name, reason] for name, reason in chorales.dropped.items()], dtype=str).reshape(-1, 2),
    }


def _unpacked(stored: Arrays) -> Chorales:
    cuts = np.cumsum(stored["length"])[:-1]
    steps = int(stored["length"].sum())
    onsets = np.unpackbits(stored["onsets"], count=steps * len(VOICES)).astype(bool).reshape(steps, len(VOICES))
    fermatas = np.unpackbits(stored["fermatas"], count=steps).astype(bool)
    # What load() returns is shared, so nobody may write into it.
    onsets.flags.writeable = fermatas.flags.writeable = False
    rows = zip(
        stored["name"].tolist(),
        stored["key"].tolist(),
        stored["fifths"].tolist(),
        stored["beats_per_bar"].tolist(),
        np.split(stored["pitches"], cuts),
        np.split(onsets, cuts),
        np.split(fermatas, cuts),
        np.split(stored["position"], cuts),
        (
            tuple((start, stop) for start, stop in sections.tolist())
            for sections in np.split(stored["sections"], np.cumsum(stored["section_count"])[:-1])
        ),
        stored["lost_notes"].tolist(),
        strict=True,
    )
    return Chorales(tuple(Chorale(*row) for row in rows), dict(stored["dropped"].tolist()))
