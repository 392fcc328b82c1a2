"""Chords and cadences by hand, and what Bach's chorales have of them."""

import numpy as np
import pytest

from artbook.data import chorales
from artbook.music.chorale_tokens import Plan
from artbook.music.chords import (
    CADENCES,
    QUALITIES,
    Chord,
    beat_chords,
    cadence_shares,
    cadences,
    chord,
    chord_shares,
    total_variation,
)
from artbook.music.judging import longest_standstill


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ([72, 67, 64, 48], "C"),
        ([69, 64, 60, 45], "Am"),
        ([72, 69, 64, 57], "Am"),
        ([71, 65, 62, 55], "G7"),
        ([71, 65, 62, 50], "Bdim"),
        ([72, 69, 65, 50], "Dm7"),
        ([71, 69, 65, 50], "Bø7"),
        ([71, 68, 65, 50], "Ddim7"),
        ([71, 67, 64, 48], "Cmaj7"),
        ([68, 64, 60, 48], "Caug"),
        # The fifth may be silent; the third may not, and a lone note is no chord.
        ([64, 60, 60, 48], "C"),
        ([67, 60, 60, 48], None),
        ([60, 60, 48, 48], None),
        ([72, 71, 70, 69], None),
        ([-1, -1, -1, -1], None),
        ([-1, 67, 64, 48], "C"),
    ],
)
def test_chords_by_hand(pitches, name):
    found = chord(pitches)
    assert (found and found.symbol()) == name


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_chord_in_root_position_has_its_name(quality):
    for root in range(12):
        assert chord([48 + root + tone for tone in QUALITIES[quality]]) == Chord(root, quality)


def test_a_root_is_spelled_as_its_key_has_it():
    assert [Chord(10, "7").symbol(fifths) for fifths in (-1, 0, 5)] == ["B♭7", "B♭7", "A♯7"]
    assert Chord(8, "dim").symbol() == "G♯dim"


def music(*beats, tonic=0):
    """A piece of chords, a beat each; the last beat has a fermata."""
    pitches = np.repeat(np.array(beats), 4, axis=0)
    fermatas = np.zeros(len(pitches), dtype=bool)
    fermatas[-4:] = True
    return pitches, Plan(tonic, False, 4, (np.arange(len(pitches)) % 16).astype(np.int16), fermatas)


C, F, G, G7, D, B = (
    [72, 67, 64, 48],
    [72, 69, 65, 53],
    [71, 67, 62, 55],
    [71, 65, 62, 55],
    [69, 66, 62, 50],
    [71, 65, 62, 50],
)


@pytest.mark.parametrize(
    ("beats", "tonic", "kind"),
    [
        ((F, G, C), 0, "authentic"),
        ((F, G7, C), 0, "authentic"),
        ((F, B, C), 0, "authentic"),
        ((F, G, C), 5, "authentic elsewhere"),
        ((C, D, G), 0, "authentic elsewhere"),
        ((F, C, G), 0, "half"),
        ((G, F, C), 0, "plagal"),
        ((C, G, F), 0, "other"),
        ((C, C, C), 0, "other"),
        ((C, G, G7), 0, "other"),
    ],
)
def test_cadences_by_hand(beats, tonic, kind):
    pitches, plan = music(*beats, tonic=tonic)
    assert cadences(pitches, plan) == [kind]


def test_a_suspension_does_not_hide_the_cadence():
    pitches, plan = music(F, G, C)
    pitches[8:10, 2] = 65
    assert cadences(pitches, plan) == ["authentic"]


def test_shares_and_their_distance():
    one, two = chord_shares([music(C, G, C, F)]), chord_shares([music(D, D, tonic=2)])
    assert one == {Chord(0, ""): 0.5, Chord(7, ""): 0.25, Chord(5, ""): 0.25}
    assert two == {Chord(0, ""): 1.0}
    assert total_variation(one, two) == total_variation(two, one) == 0.5
    assert total_variation(one, one) == 0


def test_bach_ends_his_phrases_as_the_books_say():
    pieces = [piece.performed() for piece in chorales.load().split()["test"]]
    shares = cadence_shares([(piece.pitches, Plan.of(piece)) for piece in pieces])
    assert tuple(shares) == CADENCES
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["authentic"] + shares["authentic elsewhere"] > 0.6


def test_what_is_no_music_is_refused():
    with pytest.raises(ValueError, match="whole pitches"):
        chord([[60]])
    with pytest.raises(ValueError, match="whole pitches"):
        chord([60.5])
    with pytest.raises(ValueError, match=r"pitches \(T, voices\)"):
        beat_chords([60, 64], [0, 1])
    with pytest.raises(ValueError, match="at least one beat"):
        chord_shares([])
    with pytest.raises(ValueError, match="at least one fermata"):
        cadence_shares([])
    with pytest.raises(ValueError, match=r"pitches \(4, 4\)"):
        cadences(np.zeros((3, 4), dtype=int), music(C)[1])


def test_the_longest_standstill_by_hand():
    pitches = np.repeat(np.array([C, C, C, G]), 4, axis=0)
    assert longest_standstill(pitches) == 3
    assert longest_standstill(pitches[:0]) == 0
    assert longest_standstill(pitches[:, :1], 1) == 12
    with pytest.raises(ValueError, match="whole pitches"):
        longest_standstill([60.0])
