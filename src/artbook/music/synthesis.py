"""Notes made audible: a small additive synthesiser in NumPy (book chapter ``notes-as-numbers``)."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from artbook.music.piano_roll import Note, check_notes

RATE = 22050
CONCERT_PITCH = 440.0
_CONCERT_A = 69

_PARTIALS = 12
_ATTACK = 0.012
_RELEASE = 0.12
# Cents away from the pitch, and strength, of the two strings of a key.
_STRINGS = ((0.0, 1.0), (2.5, 0.35))
_ROOM = 0.9
_WET = 0.22
_FADE = 1.0

Samples = npt.NDArray[np.float64]


def frequency(pitch: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The frequency of a MIDI number in equal temperament, in hertz: 440 times two to the power (pitch - 69) / 12.

    Args:
        pitch: MIDI number or numbers, also between two keys.

    Returns:
        The frequency or frequencies, of the same shape.

    Raises:
        ValueError: a number is not finite.
    """
    numbers = np.asarray(pitch, dtype=float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"finite MIDI numbers were wanted; {pitch!r} was given")
    return CONCERT_PITCH * 2.0 ** ((numbers - _CONCERT_A) / 12)


def render(notes: Iterable[Note], tempo: float = 80.0, seconds: float = 10.0) -> npt.NDArray[np.float32]:
    """Play notes on struck strings in a small room.

    Each note is a sum of harmonic partials that die away, the high ones sooner, on two strings that are
    slightly out of tune with each other. The same notes always give the same samples.

    Args:
        notes: in any order.
        tempo: in quarter notes a minute, from 4 to 1000.
        seconds: what lasts longer is faded out here; above 0, at most 600.

    Returns:
        float32 samples at 22,050 a second, between -1 and 1.

    Raises:
        ValueError: no notes, an impossible note, or a tempo or length out of range.
    """
    checked = check_notes(notes)
    if not 4 <= tempo <= 1000:
        raise ValueError(f"a tempo of 4 to 1000 quarter notes a minute was wanted; {tempo!r} was given")
    if not 0 < seconds <= 600:
        raise ValueError(f"more than 0 and at most 600 seconds were wanted; {seconds!r} was given")
    quarter = 60 / tempo
    last = max(note.start + note.duration for note in checked) * quarter + _RELEASE + _ROOM
    dry = np.zeros(round(min(last, seconds) * RATE))
    for note in checked:
        begin = round(note.start * quarter * RATE)
        if begin < len(dry):
            held = min(note.duration * quarter, seconds)
            sound = _string(note.pitch, held) * note.velocity / 127
            dry[begin : begin + len(sound)] += sound[: len(dry) - begin]
    wet = _in_a_room(dry)
    fade = min(len(wet), round(_FADE * RATE))
    wet[len(wet) - fade :] *= _slope(fade)[::-1]
    return (0.9 * wet / max(np.abs(wet).max(), 1e-9)).astype(np.float32)


def _string(pitch: int, held: float) -> Samples:
    """One note, from the blow of the hammer to the damper."""
    base = float(frequency(pitch))
    time = np.arange(round((held + _RELEASE) * RATE)) / RATE
    sound = np.zeros(len(time))
    # Low strings ring for seconds, high ones for less than one.
    decay = 0.4 + base / 700
    partials = np.arange(1, min(_PARTIALS, int(0.45 * RATE / base)) + 1)
    strengths = partials**-1.6 * np.exp(1j * partials)
    for cents, strength in _STRINGS:
        turn = 2j * np.pi * base * 2 ** (cents / 1200)
        # From one partial to the next, the same factor more of turning and decay: a polynomial in that factor.
        factor = np.exp((turn - 0.35 * decay) * time)
        sound += strength * np.imag(np.exp((turn - decay) * time) * np.polyval(strengths[::-1], factor))
    attack, release = min(len(time), round(_ATTACK * RATE)), round(_RELEASE * RATE)
    sound[:attack] *= _slope(attack)
    sound[len(sound) - release :] *= _slope(release)[::-1]
    return sound


def _slope(length: int) -> Samples:
    """From 0 to 1 without a corner at either end, so that nothing clicks."""
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(1, length - 1))


def _in_a_room(dry: Samples) -> Samples:
    """The sound and its echoes: noise that dies away, convolved by multiplying the spectra."""
    time = np.arange(round(_ROOM * RATE)) / RATE
    echoes = np.random.default_rng(0).normal(size=len(time)) * np.exp(-6.9 * time / _ROOM)
    echoes = np.convolve(echoes, np.hanning(9), mode="same")
    echoes[: round(0.012 * RATE)] = 0
    size = 2 ** int(np.ceil(np.log2(len(dry) + len(echoes))))
    wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echoes, size), size)[: len(dry)]
    # The energy of the echoes is a fixed part of that of the sound.
    return dry + _WET * wet * np.linalg.norm(dry) / max(np.linalg.norm(wet), 1e-9)
