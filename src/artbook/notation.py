"""Voices on a grid written as a score, in the format of the Music Encoding Initiative, which verovio engraves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole, voice_runs

# Lengths in sixteenths that one note sign can have, with MEI's name and number of dots.
_SIGNS = {24: ("1", 1), 16: ("1", 0), 12: ("2", 1), 8: ("2", 0), 6: ("4", 1), 4: ("4", 0)}
_SIGNS |= {3: ("8", 1), 2: ("8", 0), 1: ("16", 0)}
_LINE_OF_FIFTHS = "FCGDAEB"
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {-2: "ff", -1: "f", 0: "n", 1: "s", 2: "x"}
_MIDDLE_C = 60


@dataclass
class _Sign:
    """A note or rest sign: where it stands, in sixteenths, and what it is; ``pitch`` is -1 for a rest."""

    begin: int
    length: int
    pitch: int
    tie: str = ""
    fermata: bool = False
    spelling: tuple[str, int, int] = ("C", 0, 4)
    accidental: str = ""

    def mei(self) -> str:
        """The sign as an MEI element."""
        duration, dots = _SIGNS[self.length]
        time = f'dur="{duration}" dots="{dots}"' if dots else f'dur="{duration}"'
        if self.pitch < 0:
            return f"<rest {time}/>"
        letter, alteration, octave = self.spelling
        written = f' accid="{self.accidental}"' if self.accidental else ""
        sounding = f' accid.ges="{_ACCIDENTALS[alteration]}"' if alteration and not self.accidental else ""
        tie = f' tie="{self.tie}"' if self.tie else ""
        fermata = ' fermata="above"' if self.fermata else ""
        return f'<note pname="{letter.lower()}" oct="{octave}" {time}{written}{sounding}{tie}{fermata}/>'


def spell(pitch: int, fifths: int, following: int = -1) -> tuple[str, int, int]:
    """Letter, alteration and octave with which a note is written in a key.

    Of a note's names the one is taken that lies nearest to the key on the line of fifths, a little to the
    side of the sharps, where the leading notes of the minor keys are. The one note between both ends
    of that stretch is written as a sharp when it rises by a semitone, and else as a flat.

    Args:
        pitch: MIDI number, 0 to 127.
        fifths: the key signature, sharps above zero, flats below.
        following: the MIDI number of the voice's next note.

    Returns:
        For example ``("F", 1, 4)``: F sharp in the octave of middle C.

    Raises:
        ValueError: a number out of range.
    """
    if not (is_whole(pitch, 0, 127) and is_whole(fifths, -7, 7)):
        raise ValueError(f"MIDI 0 to 127 and -7 to 7 fifths were wanted; {pitch!r} and {fifths!r} were given")
    lowest = fifths - (2 if following == pitch + 1 else 3)
    place = lowest + (7 * pitch - lowest) % 12
    letter = _LINE_OF_FIFTHS[(place + 1) % 7]
    alteration = (place + 1) // 7
    return letter, alteration, (pitch - alteration - _NATURAL[letter]) // 12 - 1


def to_mei(
    pitches: npt.ArrayLike,
    onsets: npt.ArrayLike | None = None,
    *,
    position: npt.ArrayLike | None = None,
    fermatas: npt.ArrayLike | None = None,
    steps_per_quarter: int = 4,
    beats_per_bar: float = 4,
    fifths: int = 0,
    chords: Mapping[int, str] | None = None,
    bars_before: int = 0,
) -> str:
    """Write voices as a score: one voice on one staff, more on two, the upper half above.

    Args:
        pitches: MIDI numbers, whole, ``(T, V)``, 1 to 8 voices, the top voice first; a negative number is a rest.
        onsets: where a note begins, bool ``(T, V)``; left out, a note begins where the pitch changes.
        position: steps since the bar line, whole, from 0, ``(T,)``; left out, the first step begins a bar.
        fermatas: where a note of the top voice with a fermata sounds, bool ``(T,)``.
        steps_per_quarter: 1, 2 or 4.
        beats_per_bar: quarter notes in a bar, whole, 1 to 12.
        fifths: the key signature, -7 to 7: sharps above zero, flats below.
        chords: chord symbols to stand below the staves, by their step.
        bars_before: bars of the piece that begin before the first step, a pickup not counted.

    Returns:
        The MEI document.

    Raises:
        ValueError: no steps, or one of these of another shape, type or range.
    """
    runs = voice_runs(pitches, onsets)
    shape = np.shape(pitches)
    if not shape[0] or not 1 <= shape[1] <= 8:
        raise ValueError(f"pitches of shape (T, V) with 1 to 8 voices were wanted; the shape {shape} was given")
    if steps_per_quarter not in (1, 2, 4) or beats_per_bar not in range(1, 13) or not is_whole(fifths, -7, 7):
        raise ValueError(
            "1, 2 or 4 steps a quarter, 1 to 12 beats a bar and -7 to 7 fifths were wanted;"
            f" {steps_per_quarter!r}, {beats_per_bar!r} and {fifths!r} were given"
        )
    unit, bar_length = 4 // steps_per_quarter, int(beats_per_bar) * steps_per_quarter
    place = np.arange(shape[0]) % bar_length if position is None else np.asarray(position)
    held = np.zeros(shape[0], dtype=bool) if fermatas is None else np.asarray(fermatas)
    if place.shape != shape[:1] or held.shape != shape[:1] or place.dtype.kind not in "iu" or held.dtype != bool:
        raise ValueError(f"position and fermatas: whole numbers and bool of shape {shape[:1]} were wanted")
    if place.min() < 0:
        raise ValueError(f"position: steps since the bar line, from 0, were wanted; {place.min()} was given")
    new_bar = place == 0
    new_bar[1:] |= place[1:] != place[:-1] + 1
    bars = [0, *(np.flatnonzero(new_bar[1:]) + 1).tolist(), shape[0]]
    voices = []
    for number, runs_of_voice in enumerate(runs):
        signs = _signs(runs_of_voice, bars, place.tolist(), unit, fifths)
        for sign in signs if number == 0 else ():
            sign.fermata = bool(held[sign.begin // unit]) and sign.tie in ("", "i")
        voices.append(signs)
    upper = (shape[1] + 1) // 2
    staves = [voices[:upper], voices[upper:]] if shape[1] > 1 else [voices]
    edges = [bar * unit for bar in bars]
    for staff in staves:
        _mark_accidentals(staff, edges, fifths)
    origins = [edge - int(place[bar]) * unit for edge, bar in zip(edges, bars[:-1], strict=False)]
    symbols = {step * unit: symbol for step, symbol in (chords or {}).items()}
    # A bar that has begun before the first step, and a pickup, have the number of the bar before.
    first = bars_before + (0 if edges[0] > origins[0] else 1)
    measures = [_measure(staves, number, first, edges, origins, symbols) for number in range(len(bars) - 1)]
    return _document(staves, measures, int(beats_per_bar), fifths)


def _signs(
    runs: Sequence[tuple[int, int, int]], bars: Sequence[int], place: Sequence[int], unit: int, fifths: int
) -> list[_Sign]:
    """The signs of a voice: notes cut at bar lines, and where no one sign has their length."""
    signs: list[_Sign] = []
    for index, (begin, end, pitch) in enumerate(runs):
        following = runs[index + 1][2] if index + 1 < len(runs) else -1
        edges = [begin, *(bar for bar in bars if begin < bar < end), end]
        first = len(signs)
        for left, right in pairwise(edges):
            at = left * unit
            for length in _lengths((right - left) * unit, place[left] * unit):
                signs.append(_Sign(at, length, pitch))
                at += length
        if pitch >= 0:
            for number, sign in enumerate(signs[first:]):
                sign.spelling = spell(pitch, fifths, following)
                more = first + number + 1 < len(signs)
                sign.tie = ("m" if more else "t") if number else ("i" if more else "")
    return signs


def _lengths(length: int, place: int) -> list[int]:
    """Lengths of signs, in sixteenths, that make up ``length``; the first ends on a beat if it is cut off one."""
    lengths = []
    while length:
        to_beat = 4 - place % 4
        sign = (
            length
            if length in _SIGNS
            else min(length, to_beat)
            if to_beat < 4
            else max(s for s in _SIGNS if s <= length)
        )
        lengths.append(sign)
        length -= sign
        place += sign
    return lengths


def _mark_accidentals(staff: Sequence[Sequence[_Sign]], edges: Sequence[int], fifths: int) -> None:
    """Write an accidental where a note differs from the key signature, or from its line earlier in the bar."""
    signature = {letter: (fifths - number + 6) // 7 for number, letter in enumerate(_LINE_OF_FIFTHS)}
    valid: dict[tuple[str, int], int] = {}
    bar = 0
    for sign in sorted((sign for signs in staff for sign in signs if sign.pitch >= 0), key=lambda sign: sign.begin):
        if sign.begin >= edges[bar + 1]:
            bar = next(b for b, edge in enumerate(edges[1:]) if sign.begin < edge)
            valid.clear()
        letter, alteration, octave = sign.spelling
        if sign.tie in ("", "i"):
            if valid.get((letter, octave), signature[letter]) != alteration:
                sign.accidental = _ACCIDENTALS[alteration]
            valid[letter, octave] = alteration


def _measure(
    staves: Sequence[Sequence[Sequence[_Sign]]],
    number: int,
    first: int,
    edges: Sequence[int],
    origins: Sequence[int],
    symbols: Mapping[int, str],
) -> str:
    begin, end = edges[number], edges[number + 1]
    parts = []
    for staff, voices in enumerate(staves, 1):
        parts.append(f'<staff n="{staff}">')
        for layer, signs in enumerate(voices, 1):
            inside = [sign for sign in signs if begin <= sign.begin < end]
            parts.append(f'<layer n="{layer}">{_beamed(inside, origins[number])}</layer>')
        parts.append("</staff>")
    for place, symbol in symbols.items():
        if begin <= place < end:
            # From the first note of the bar, also in a pickup.
            beat = 1 + (place - begin) / 4
            # The space keeps it apart from the next symbol: verovio moves symbols that would touch.
            text = escape(symbol) + "\N{NO-BREAK SPACE}"
            parts.append(f'<harm staff="{len(staves)}" tstamp="{beat:g}" place="below">{text}</harm>')
    short = ' metcon="false"' if begin > origins[number] else ""
    return f'<measure n="{number + first}"{short}>{"".join(parts)}</measure>'


def _beamed(signs: Sequence[_Sign], origin: int) -> str:
    """The signs of a bar, notes shorter than a quarter note joined by a beam within each beat."""
    groups: list[list[_Sign]] = []
    open_beat: int | None = None
    for sign in signs:
        beamed = sign.length < 4 and sign.pitch >= 0
        beat = (sign.begin - origin) // 4
        if groups and beamed and open_beat == beat:
            groups[-1].append(sign)
        else:
            groups.append([sign])
        open_beat = beat if beamed else None
    text = ["".join(sign.mei() for sign in group) for group in groups]
    return "".join(f"<beam>{t}</beam>" if len(g) > 1 else t for t, g in zip(text, groups, strict=True))


def _document(staves: Sequence[Sequence[Sequence[_Sign]]], measures: Sequence[str], beats: int, fifths: int) -> str:
    signature = f"{abs(fifths)}{'s' if fifths > 0 else 'f'}" if fifths else "0"
    definitions = []
    for number, voices in enumerate(staves, 1):
        pitches = [sign.pitch for signs in voices for sign in signs if sign.pitch >= 0]
        low = bool(pitches) and float(np.median(pitches)) < _MIDDLE_C
        clef = 'clef.shape="F" clef.line="4"' if low else 'clef.shape="G" clef.line="2"'
        definitions.append(f'<staffDef n="{number}" lines="5" {clef}/>')
    brace = ' symbol="brace" bar.thru="true"' if len(staves) > 1 else ""
    group = f"<staffGrp{brace}>{''.join(definitions)}</staffGrp>"
    meter = f'meter.count="{beats}" meter.unit="4"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?><mei xmlns="http://www.music-encoding.org/ns/mei" meiversion="5.0">'
        "<meiHead><fileDesc><titleStmt><title/></titleStmt><pubStmt/></fileDesc></meiHead><music><body><mdiv><score>"
        f"<scoreDef keysig={quoteattr(signature)} {meter}>{group}</scoreDef>"
        f"<section>{''.join(measures)}</section></score></mdiv></body></music></mei>"
    )
