"""Irish and Scottish dance tunes and airs, read from the ABC files of the corpus that music21 carries.

Three collections: O'Neill's Music of Ireland (1850 tunes by its title, more in the files), Aird's Airs and Ryan's
Mammoth Collection. Of the ABC format (https://abcnotation.com/wiki/abc:standard:v2.1) only what these files use is
read: notes, accidentals, lengths, broken rhythm, tuplets, ties, rests, bar lines, repeats with endings, key, metre
and unit length. Ornaments, grace notes, slurs, fingerings and chord symbols are passed over; of notes that sound
together the highest is kept. A tune with anything else is dropped, and the reason is kept.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole
from artbook.data.manifest import corpus
from artbook.data.package_files import package_files
from artbook.data.store import Arrays, cached_arrays

COLLECTIONS = ("oneills1850", "airdsAirs", "ryansMammoth")
MODES = ("major", "minor", "mixolydian", "dorian", "phrygian", "lydian")
METRES = ((2, 2), (2, 4), (3, 2), (3, 4), (3, 8), (4, 4), (6, 4), (6, 8), (9, 8), (12, 8))
SPLITS = ("train", "valid", "test")
TICKS_PER_QUARTER = 48
# The lengths that a note can have, in ticks; what else occurs, in thirty tunes or so, is rare enough to be left out.
DURATIONS = (3, 4, 6, 8, 12, 16, 18, 24, 36, 42, 48, 72, 84, 96, 120, 132, 144, 192, 240)
REST = -1
# So many steps from note to note in common make two tunes one: about three bars of a reel.
SHARED_STEPS = 24

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 2
_CORPUS = "music21/corpus/"
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_FIFTHS = {letter: place - 1 for place, letter in enumerate("FCGDAEB")}
_ALTERATIONS = {"^": 1, "^^": 2, "=": 0, "_": -1, "__": -2}
# How many signs the key signature has more than that of the major key on the same tonic.
_MODE_SIGNS = {"major": 0, "minor": -3, "mixolydian": -1, "dorian": -2, "phrygian": -4, "lydian": 1}
# What a whole note is divided into while a tune is read: it can be halved ten times and divided by three thrice.
_WHOLE = 2**10 * 3**3
_JUMP = re.compile(r"[!\"][^A-Za-z]*(D\.? ?[CS]\b|segno|coda|fine)", re.IGNORECASE)


@dataclass(frozen=True)
class Tune:
    """One tune, its repeats written out: a list of notes and rests, one after the other.

    Attributes:
        name: its collection, file and number there: ``airdsAirs/book1/2``.
        title: its first title.
        metre: beats in a bar and the beat's part of a whole note, one of ``METRES``: (6, 8).
        fifths: its key signature: sharps above zero, flats below.
        mode: one of ``MODES``.
        pitches: MIDI numbers, int8 ``(N,)``, -1 for a rest.
        durations: in ticks, 48 a quarter note, each one of ``DURATIONS``, int16 ``(N,)``.
        begins_bar: whether a bar line stands before the note, bool ``(N,)``; before a pickup there is none.
    """

    name: str
    title: str
    metre: tuple[int, int]
    fifths: int
    mode: str
    pitches: npt.NDArray[np.int8]
    durations: npt.NDArray[np.int16]
    begins_bar: npt.NDArray[np.bool_]

    @property
    def collection(self) -> str:
        """The collection that it comes from, one of ``COLLECTIONS``."""
        return self.name.split("/")[0]

    @property
    def steps(self) -> npt.NDArray[np.int8]:
        """From note to note, in semitones, rests left out, int8: the same in every key."""
        return np.diff(self.pitches[self.pitches != REST])

    def passages(self, length: int) -> set[bytes]:
        """All stretches of ``length`` successive steps, each as bytes.

        Raises:
            ValueError: the length is less than 1.
        """
        return passages_of(self.steps, length)


def passages_of(steps: npt.NDArray[np.int8], length: int) -> set[bytes]:
    """All stretches of ``length`` successive steps, each as bytes.

    Args:
        steps: from note to note in semitones, int8 ``(N,)``.
        length: at least 1.

    Returns:
        The passages; none if there are fewer steps.

    Raises:
        ValueError: the length is less than 1.
    """
    if not is_whole(length, 1, 10**6):
        raise ValueError(f"a length from 1 was wanted; {length!r} was given")
    return {steps[start : start + length].tobytes() for start in range(len(steps) - length + 1)}


def unrepeated(passages: Sequence[set[bytes]]) -> list[int]:
    """The places of those tunes that share no passage with one that is kept before them.

    Args:
        passages: of each tune, as ``Tune.passages`` gives them; a tune that has none is kept.
    """
    kept: list[int] = []
    known: set[bytes] = set()
    for place, own in enumerate(passages):
        if not own & known:
            kept.append(place)
            known |= own
    return kept


@dataclass(frozen=True)
class Tunes:
    """The tunes that were read, and why the others were not.

    Attributes:
        pieces: the tunes, by name.
        dropped: the reason for each that was left out, by its name.
    """

    pieces: tuple[Tune, ...]
    dropped: Mapping[str, str]

    def split(self, seed: int = 0, held_out: float = 0.07, shared_steps: int = SHARED_STEPS) -> dict[str, list[Tune]]:
        """Divide the tunes at random so that no tune, whatever its title or key, stands in two parts.

        The collections share many tunes. A tune is left out of the training set if it shares a passage with one
        of the other two parts, and out of the validation set if it shares one with the test set.

        Args:
            seed: of the division, zero or more.
            held_out: the share of all tunes that are test tunes, and again of validation tunes; above 0, below 1/2.
            shared_steps: the length of such a passage, in steps from note to note, at least 1.

        Returns:
            ``train``, ``valid`` and ``test``, in the order of the names.

        Raises:
            ValueError: an argument is not as above.
        """
        if not 0 < held_out < 0.5:
            raise ValueError(f"a share above 0 and below 1/2 was wanted; {held_out!r} was given")
        order = np.random.default_rng(seed).permutation(len(self.pieces))
        count = round(held_out * len(order))
        chosen = {"test": order[:count], "valid": order[count : 2 * count], "train": order[2 * count :]}
        parts: dict[str, list[Tune]] = {}
        known: set[bytes] = set()
        for part, numbers in chosen.items():
            tunes = [self.pieces[number] for number in sorted(numbers)]
            passages = [tune.passages(shared_steps) for tune in tunes]
            parts[part] = [tune for tune, own in zip(tunes, passages, strict=True) if not own & known]
            known = known.union(*passages)
        return {part: parts[part] for part in SPLITS}


@cache
def load() -> Tunes:
    """Read the tunes from the cache, or from the files of music21's corpus and into the cache.

    Returns:
        The tunes that could be read, and why each other one was dropped.

    Raises:
        ValueError: the files are not, byte for byte, those of the manifest.
        OSError: the files cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("music21-tunes")
    name = f"tunes-{source.content_sha256[:16]}-{_READER_VERSION}"
    patterns = [f"{folder}/*.abc" for folder in COLLECTIONS]
    return _unpacked(cached_arrays(name, lambda: _packed(_read_all(package_files(source, _CORPUS, patterns)))))


def _read_all(files: Mapping[str, bytes]) -> Tunes:
    pieces, dropped = [], {}
    for file_name in sorted(files):
        # A tune begins at its X: line; what stands before the first is about the file.
        texts = re.split(r"^(?=X:)", files[file_name].decode(), flags=re.MULTILINE)[1:]
        for number, text in enumerate(texts, 1):
            name = f"{file_name.removesuffix('.abc')}/{number}"
            try:
                pieces.append(read_tune(name, text))
            except ValueError as reason:
                dropped[name] = str(reason)
    return Tunes(tuple(pieces), dropped)


def read_tune(name: str, text: str) -> Tune:
    """Read one tune in ABC notation.

    Args:
        name: what to call it.
        text: from its ``X:`` line to its end.

    Returns:
        The tune, its repeats written out.

    Raises:
        ValueError: it has something that is not read, no key, no notes, or is otherwise not what was wanted.
    """
    fields, body = _header(text)
    metre = _metre(fields.get("M", ""))
    fifths, mode = _key(fields.get("K", ""))
    bars = _Reader(metre, _unit(fields.get("L"), metre), fifths).read(body)
    notes = _sounding(_played(bars), metre)
    if not any(note.pitch != REST for note in notes):
        raise ValueError("no notes")
    ticks = [_scaled(note.length, 4 * TICKS_PER_QUARTER, _WHOLE) for note in notes]
    if strange := set(ticks) - set(DURATIONS):
        raise ValueError(f"a note of {min(strange)} ticks")
    if not all(note.pitch == REST or 36 <= note.pitch <= 108 for note in notes):
        raise ValueError("a note below C2 or above C8")
    return Tune(
        name,
        fields.get("T", ""),
        metre,
        fifths,
        mode,
        np.array([note.pitch for note in notes], dtype=np.int8),
        np.array(ticks, dtype=np.int16),
        np.array([note.begins_bar for note in notes]),
    )


@dataclass(slots=True)
class _Note:
    """A note or rest; of its length a whole note has ``_WHOLE``."""

    pitch: int
    length: int
    tied: bool = False
    begins_bar: bool = False


@dataclass
class _Bar:
    """What stands between two bar lines, and what these say about repeats."""

    notes: list[_Note]
    repeat_begins: bool = False
    repeat_ends: bool = False
    section_ends: bool = False
    ending: str = ""


def _header(text: str) -> tuple[dict[str, str], str]:
    """The first field of each kind up to ``K:``, and the lines after it."""
    fields: dict[str, str] = {}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if field := re.match(r"([A-Za-z]):(.*)", line):
            fields.setdefault(field[1], field[2].split("%")[0].strip())
            if field[1] == "K":
                if len(fields.get("P", "")) > 1:
                    raise ValueError("a playing order")
                return fields, "\n".join(lines[number + 1 :])
    raise ValueError("no key")


def _metre(text: str) -> tuple[int, int]:
    named = {"C": (4, 4), "C|": (2, 2)} | {f"{beats}/{unit}": (beats, unit) for beats, unit in METRES}
    if text not in named:
        raise ValueError(f"the metre {text!r}")
    return named[text]


def _unit(text: str | None, metre: tuple[int, int]) -> int:
    """The length of a note without a number; left out, it depends on the metre."""
    if text is None:
        return _WHOLE // (16 if metre[0] / metre[1] < 3 / 4 else 8)
    if found := re.fullmatch(r"1/(1|2|4|8|16|32)", text):
        return _WHOLE // int(found[1])
    raise ValueError(f"the unit length {text!r}")


def _key(text: str) -> tuple[int, str]:
    """The key signature, in fifths, and the mode: ``A dorian`` has one sharp."""
    found = re.fullmatch(r"([A-G])([#b]?)\s*([A-Za-z]*)", text)
    named = {"": "major", "m": "minor"} | {mode[:3]: mode for mode in MODES}
    if not found or (found[3].lower()[:3] not in named and found[3] != ""):
        raise ValueError(f"the key {text!r}")
    mode = named[found[3].lower()[:3]]
    fifths = _FIFTHS[found[1]] + 7 * {"#": 1, "b": -1, "": 0}[found[2]] + _MODE_SIGNS[mode]
    if not -7 <= fifths <= 7:
        raise ValueError(f"the key {text!r}")
    return fifths, mode


_LENGTH = r"(?P<{0}top>\d*)(?P<{0}slashes>/*)(?P<{0}bottom>\d*)"
_NOTE = r"(?P<accidental>\^\^|\^|__|_|=)?(?P<letter>[A-Ga-gzx])(?P<octave>[,']*)" + _LENGTH.format("")
_ONE_NOTE = re.compile(_NOTE)
_SIGN = re.compile(
    r"\((?P<tuplet>\d)(?::(?P<into>\d?))?(?::(?P<of>\d?))?"
    r"|(?P<passed>![\w.:(]*!|[\s`\\.~H-Wh-wy()!]|\"[^\"]*\"|\{[^}]*\})"
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]\n]*)\]"
    r"|\[(?P<ending>[1-9][\d,-]*)"
    r"|(?P<bar>:*\[?\|(?:[|:\]]|\[(?=[|\]1-9]))*|::+)(?P<numbered>[1-9][\d,-]*)?"
    r"|\[(?P<chord>[^\]\n]*)\]" + _LENGTH.format("chord_") + r"|(?P<tie>-)"
    r"|(?P<broken>>+|<+)|" + _NOTE,
    re.MULTILINE,
)


class _Reader:
    """Reads the body of one tune; accidentals, broken rhythm and tuplets are what it has to remember."""

    def __init__(self, metre: tuple[int, int], unit: int, fifths: int) -> None:
        self.metre, self.unit, self.fifths = metre, unit, fifths
        self.bars = [_Bar([])]
        self.accidentals: dict[str, int] = {}
        self.tuplet_left, self.tuplet_factor = 0, (1, 1)
        self.next_factor = (1, 1)
        self.ending = ""

    def read(self, body: str) -> list[_Bar]:
        """The bars of the tune as they are written."""
        for line in body.splitlines():
            # A line may also begin with a note before a repeat.
            if field := re.match(r"([A-Za-z]):(?![|:])(.*)", line):
                self._field(field[1], field[2])
            else:
                self._line(line.split("%")[0])
        if self.tuplet_left or self.next_factor != (1, 1):
            raise ValueError("a tuplet or a broken rhythm without its last note")
        return self.bars

    def _line(self, line: str) -> None:
        place = 0
        # An exclamation mark at the end of a line is an old sign for the end of a printed line.
        while place < len(line):
            sign = _SIGN.match(line, place)
            if sign is None:
                raise ValueError(f"the sign {line[place]!r}")
            self._sign(sign)
            place = sign.end()

    def _sign(self, sign: re.Match[str]) -> None:
        if sign["passed"]:
            if _JUMP.match(sign["passed"]):
                raise ValueError("a jump")
        elif sign["tuplet"]:
            self._begin_tuplet(int(sign["tuplet"]), sign["into"], sign["of"])
        elif sign["field"]:
            self._field(sign["field"], sign["value"])
        elif sign["bar"]:
            self._bar_line(sign["bar"], sign["numbered"])
        elif sign["ending"]:
            self._begin_ending(sign["ending"])
        elif sign["tie"]:
            self._last().tied = True
        elif sign["broken"]:
            self._break_rhythm(sign["broken"])
        elif sign["chord"] is not None:
            inside = [_ONE_NOTE.fullmatch(each) for each in re.findall(_CHORD_NOTE, sign["chord"])]
            notes = [note for note in inside if note is not None]
            if not notes or "".join(note[0] for note in notes) != sign["chord"].replace(" ", ""):
                raise ValueError(f"the sign {sign[0]!r}")
            pitch = max(self._pitch(note) for note in notes)
            self._add(pitch, _length(sign, _length(notes[0], self.unit), "chord_"))
        else:
            self._add(self._pitch(sign), _length(sign, self.unit))

    def _field(self, kind: str, value: str) -> None:
        value = value.split("%")[0].strip()
        if kind == "K":
            self.fifths = _key(value)[0]
        elif kind == "L":
            self.unit = _unit(value, self.metre)
        elif kind == "M" and _metre(value) != self.metre:
            raise ValueError("a change of metre")
        elif kind == "V":
            raise ValueError("more than one voice")

    def _pitch(self, note: re.Match[str]) -> int:
        letter = note["letter"].upper()
        if letter in "ZX":
            return REST
        if note["accidental"]:
            self.accidentals[letter] = _ALTERATIONS[note["accidental"]]
        signature = (self.fifths - _FIFTHS[letter] + 5) // 7
        octave = 5 + note["letter"].islower() + note["octave"].count("'") - note["octave"].count(",")
        return 12 * octave + _SEMITONES[letter] + self.accidentals.get(letter, signature)

    def _add(self, pitch: int, length: int) -> None:
        length = _scaled(length, *self.next_factor)
        self.next_factor = (1, 1)
        if self.tuplet_left:
            length = _scaled(length, *self.tuplet_factor)
            self.tuplet_left -= 1
        self.bars[-1].notes.append(_Note(pitch, length))

    def _last(self) -> _Note:
        if not self.bars[-1].notes:
            raise ValueError("a tie or a broken rhythm without a note before it")
        return self.bars[-1].notes[-1]

    def _break_rhythm(self, signs: str) -> None:
        """One sign makes one note half as long again and the other half as long; two signs go further."""
        whole = 2 ** len(signs)
        first, second = (2 * whole - 1, 1) if signs[0] == ">" else (1, 2 * whole - 1)
        self._last().length = _scaled(self._last().length, first, whole)
        self.next_factor = (second, whole)

    def _begin_tuplet(self, notes: int, into: str | None, of: str | None) -> None:
        if self.tuplet_left or not 2 <= notes <= 9:
            raise ValueError(f"a tuplet of {notes}")
        compound = self.metre in ((6, 8), (9, 8), (12, 8))
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(notes, 3 if compound else 2)
        self.tuplet_factor = (int(into) if into else usual, notes)
        self.tuplet_left = int(of) if of else notes

    def _begin_ending(self, numbers: str) -> None:
        if numbers not in ("1", "2"):
            raise ValueError(f"the ending {numbers}")
        if self.bars[-1].notes:
            self.bars.append(_Bar([]))
        if numbers == "2" and (len(self.bars) < 2 or not self.bars[-2].repeat_ends):
            raise ValueError("a second ending without a repeat before it")
        self.ending = numbers
        self.bars[-1].ending = numbers

    def _bar_line(self, line: str, numbered: str | None) -> None:
        if self.next_factor != (1, 1):
            raise ValueError("a broken rhythm across a bar line")
        ends = line.startswith(":")
        begins = line.endswith(":")
        self.bars[-1].repeat_ends = ends
        self.bars[-1].section_ends = ends or begins or "||" in line or "]" in line
        if self.bars[-1].section_ends:
            self.ending = ""
        self.accidentals.clear()
        self.bars.append(_Bar([], repeat_begins=begins, ending=self.ending))
        if numbered:
            self._begin_ending(numbered)


_CHORD_NOTE = re.compile(r"(?:\^\^|\^|__|_|=)?[A-Ga-gzx][,']*\d*/*\d*")


def _length(sign: re.Match[str], unit: int, prefix: str = "") -> int:
    """A length as ABC writes it, in parts of a whole note: ``3/2``, ``/`` for a half, ``//`` for a quarter."""
    top, slashes, bottom = (sign[prefix + part] for part in ("top", "slashes", "bottom"))
    if bottom and len(slashes) != 1:
        raise ValueError(f"the length {top}{slashes}{bottom}")
    return _scaled(unit, int(top or 1), int(bottom) if bottom else 2 ** len(slashes))


def _scaled(length: int, top: int, bottom: int) -> int:
    """The length times ``top`` / ``bottom``."""
    if not bottom or length * top % bottom:
        raise ValueError("a length between two ticks")
    return length * top // bottom


def _played(bars: list[_Bar]) -> list[_Bar]:
    """The bars in the order in which they are played, repeats written out."""
    order: list[_Bar] = []
    repeat_from = 0
    for number, bar in enumerate(bars):
        if bar.repeat_begins or (number and bars[number - 1].section_ends):
            repeat_from = number
        order.append(bar)
        if bar.repeat_ends and bar.ending != "2":
            order += [again for again in bars[repeat_from : number + 1] if again.ending != "1"]
    return order


def _sounding(bars: list[_Bar], metre: tuple[int, int]) -> list[_Note]:
    """The notes of the bars, tied ones joined; those before which a bar line stands are marked.

    A pickup counts as the end of its bar, and a bar that a repeat divides goes on after the division.
    """
    full = _WHOLE * metre[0] // metre[1]
    lengths = [sum(note.length for note in bar.notes) for bar in bars]
    reached = max(0, full - next(filter(None, lengths), full))
    notes: list[_Note] = []
    for bar, length in zip(bars, lengths, strict=True):
        if reached + length > full:
            reached = 0
        for number, note in enumerate(bar.notes):
            if notes and notes[-1].tied and notes[-1].pitch == note.pitch:
                held = notes[-1]
                notes[-1] = _Note(held.pitch, held.length + note.length, note.tied, held.begins_bar)
            else:
                notes.append(_Note(note.pitch, note.length, note.tied, number == 0 and reached == 0))
        reached = reached + length if reached + length < full else 0
    return notes


def _packed(tunes: Tunes) -> Arrays:
    pieces = tunes.pieces
    return {
        "name": np.array([piece.name for piece in pieces]),
        "title": np.array([piece.title for piece in pieces]),
        "metre": np.array([piece.metre for piece in pieces]),
        "fifths": np.array([piece.fifths for piece in pieces]),
        "mode": np.array([piece.mode for piece in pieces]),
        "length": np.array([len(piece.pitches) for piece in pieces]),
        "pitches": np.concatenate([piece.pitches for piece in pieces]),
        "durations": np.concatenate([piece.durations for piece in pieces]),
        "begins_bar": np.concatenate([piece.begins_bar for piece in pieces]),
        "dropped": np.array([[name, reason] for name, reason in tunes.dropped.items()], dtype=str).reshape(-1, 2),
    }


def _unpacked(stored: Arrays) -> Tunes:
    cuts = np.cumsum(stored["length"])[:-1]
    rows = zip(
        stored["name"].tolist(),
        stored["title"].tolist(),
        ((beats, unit) for beats, unit in stored["metre"].tolist()),
        stored["fifths"].tolist(),
        stored["mode"].tolist(),
        np.split(stored["pitches"], cuts),
        np.split(stored["durations"], cuts),
        np.split(stored["begins_bar"], cuts),
        strict=True,
    )
    return Tunes(tuple(Tune(*row) for row in rows), dict(stored["dropped"].tolist()))
