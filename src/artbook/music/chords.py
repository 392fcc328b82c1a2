"""Names for what four voices sound together, and for how their phrases end (chapter ``composing``)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.data.chorales import STEPS_PER_QUARTER
from artbook.music.chorale_tokens import Plan
from artbook.notation import spell

# The tones of a chord in semitones above its root, and what is written behind the root.
QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "ø7": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "aug": (0, 4, 8),
}
CADENCES = ("authentic", "authentic elsewhere", "half", "plagal", "other")
_DOMINANTS = ("", "7")


class Chord(NamedTuple):
    """A chord by name.

    Attributes:
        root: pitch class of the root, 0 (C) to 11.
        quality: one of ``QUALITIES``.
    """

    root: int
    quality: str

    def symbol(self, fifths: int = 0) -> str:
        """As it is written under a score in the key with so many sharps, or flats below zero: ``F♯m7``."""
        letter, alteration, _ = spell(self.root, fifths)
        return letter + ("♯" * alteration if alteration > 0 else "♭" * -alteration) + self.quality


def chord(pitches: npt.ArrayLike) -> Chord | None:
    """The chord of the notes that sound at once.

    It is the first of ``QUALITIES`` that has the tones, its third among them; the fifth, and the root of a seventh
    chord, may be silent. Of several roots the one in the bass is taken, then the lowest in number.

    Args:
        pitches: MIDI numbers, whole, a negative one for a rest, (voices,).

    Returns:
        The chord; None if no such chord has those tones.

    Raises:
        ValueError: no whole numbers (voices,).
    """
    given = np.asarray(pitches)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"whole pitches (voices,) were wanted; {given.dtype} {given.shape} were given")
    sounding = given[given >= 0]
    if not len(sounding):
        return None
    return _named(frozenset((sounding % 12).tolist()), int(sounding.min()) % 12)


@cache
def _named(classes: frozenset[int], bass: int) -> Chord | None:
    roots = [bass, *sorted(set(range(12)) - {bass})]
    for quality, tones in QUALITIES.items():
        for root in roots:
            above = {(each - root) % 12 for each in classes}
            needed = {0, tones[1]} if len(tones) == 3 else {tones[1], tones[3], 0}
            if above <= set(tones) and needed <= above:
                return Chord(root, quality)
    return None


def beat_chords(pitches: npt.ArrayLike, position: npt.ArrayLike) -> list[Chord | None]:
    """The chord that sounds on each beat.

    Args:
        pitches: MIDI numbers, -1 for a rest, whole, (T, voices), on a grid of sixteenths.
        position: sixteenths since the bar line, whole, (T,).

    Returns:
        A chord or None for each step that stands on a beat, in order.

    Raises:
        ValueError: other shapes or types.
    """
    voices, place = np.asarray(pitches), np.asarray(position)
    if voices.ndim != 2 or place.shape != voices.shape[:1]:
        raise ValueError(f"pitches (T, voices) and positions (T,) were wanted; {voices.shape}, {place.shape} given")
    return [chord(frame) for frame in voices[place % STEPS_PER_QUARTER == 0]]


def chord_shares(music: Iterable[tuple[npt.ArrayLike, Plan]]) -> dict[Chord | None, float]:
    """How often each chord sounds on a beat, its root counted from the tonic.

    Args:
        music: pieces, each pitches (T, 4) and its plan.

    Returns:
        Shares of all beats, which sum to 1; None stands for what has no name.

    Raises:
        ValueError: there is no beat.
    """
    counts: Counter[Chord | None] = Counter()
    for pitches, plan in music:
        for found in beat_chords(pitches, plan.position):
            counts[found and Chord((found.root - plan.tonic) % 12, found.quality)] += 1
    if not counts:
        raise ValueError("at least one beat was wanted; there is none")
    return {name: number / counts.total() for name, number in counts.items()}


def cadences(pitches: npt.ArrayLike, plan: Plan) -> list[str]:
    """How each phrase ends, by the last two chords up to its fermata.

    The last chord is what sounds at the end of the fermata; the one before it, what sounded last on a beat or
    between two with another root. ``authentic``: from the dominant, or from the diminished chord on the leading
    note, to the tonic; ``authentic elsewhere``: the same to another note; ``half``: to the dominant; ``plagal``: from
    the subdominant to the tonic.

    Args:
        pitches: MIDI numbers, -1 for a rest, whole, (T, 4).
        plan: T steps long.

    Returns:
        One of ``CADENCES`` for each fermata.

    Raises:
        ValueError: the pitches have another length.
    """
    voices = np.asarray(pitches)
    if voices.ndim != 2 or len(voices) != plan.length:
        raise ValueError(f"pitches ({plan.length}, 4) were wanted; the shape {voices.shape} was given")
    return [_cadence(voices[:end], plan.tonic) for _, end in plan.lines]


def _cadence(voices: npt.NDArray[np.integer], tonic: int) -> str:
    last = chord(voices[-1])
    # Half beats, from the last one back; a passing eighth note makes no chord of its own if it has no name.
    earlier = (found for frame in voices[-3::-2] if (found := chord(frame)) is not None)
    before = next((found for found in earlier if last is None or found.root != last.root), None)
    if last is None or before is None or last.quality not in ("", "m"):
        return "other"
    step, home = (before.root - last.root) % 12, (last.root - tonic) % 12
    leads = (step == 7 and before.quality in _DOMINANTS) or (step == 11 and before.quality.startswith(("dim", "ø7")))
    if leads:
        return "authentic" if home == 0 else "authentic elsewhere"
    if home == 7 and last.quality == "":
        return "half"
    if home == 0 and step == 5:
        return "plagal"
    return "other"


def cadence_shares(music: Sequence[tuple[npt.ArrayLike, Plan]]) -> dict[str, float]:
    """How often each of ``CADENCES`` ends a phrase, as shares that sum to 1.

    Args:
        music: pieces, each pitches (T, 4) and its plan.

    Raises:
        ValueError: no piece has a fermata.
    """
    counts = Counter(kind for pitches, plan in music for kind in cadences(pitches, plan))
    if not counts:
        raise ValueError("at least one fermata was wanted; there is none")
    return {kind: counts[kind] / counts.total() for kind in CADENCES}


def total_variation(one: Mapping, other: Mapping) -> float:
    """The distance of two distributions: half the sum of the differences of their shares, 0 to 1.

    Args:
        one: shares that sum to 1, by name; a name that is missing has the share 0.
        other: the same.
    """
    return sum(abs(one.get(name, 0.0) - other.get(name, 0.0)) for name in {*one, *other}) / 2
