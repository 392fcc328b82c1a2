"""Music as events: what two bars look like, that nothing is lost, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.data import chorales, tunes
from artbook.data.tunes import COLLECTIONS, DURATIONS, METRES, MODES, REST, Tune, read_tune
from artbook.music.events import (
    BAR,
    END,
    HEADER,
    HIGHEST,
    LOWEST,
    NAMES,
    VOCABULARY,
    decode,
    decode_voices,
    do,
    encode,
    encode_voices,
    header,
    on_grid,
    to_notes,
)

BARS = read_tune("airdsAirs/hand/1", "X:1\nM:6/8\nL:1/8\nK:D\nA|d2e f3|z2c (3BAG c|]")


def same(one, other):
    fields = ("collection", "metre", "fifths", "mode")
    arrays = ("pitches", "durations", "begins_bar")
    return all(getattr(one, name) == getattr(other, name) for name in fields) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def names(tokens):
    return " ".join(NAMES[token] for token in tokens)


def test_two_bars_by_hand():
    assert names(encode(BARS)) == (
        "airdsAirs 6/8 major 2♯ ♩24 +7 BAR ♩48 +12 ♩24 +14 ♩72 +16 BAR ♩48 rest ♩24 +11 ♩16 +9 +7 +5 ♩24 +11 END"
    )
    assert same(decode(encode(BARS), "hand/1"), BARS)


def test_the_vocabulary_has_a_name_for_every_token():
    assert len(set(NAMES)) == len(NAMES) == VOCABULARY
    assert (NAMES[END], NAMES[BAR]) == ("END", "BAR")
    assert 3 + 10 + 6 + 15 + 3 + (HIGHEST - LOWEST + 1) + len(DURATIONS) == VOCABULARY


def test_every_tune_comes_back():
    for tune in tunes.load().pieces[::9]:
        again = decode(encode(tune), tune.name.split("/", 1)[1])
        assert same(again, tune) and again.name == tune.name


def test_a_tune_in_another_key_differs_in_one_token():
    up = read_tune("airdsAirs/hand/2", "X:1\nM:6/8\nL:1/8\nK:E\nB|e2f g3|z2d (3cBA d|]")
    assert np.flatnonzero(encode(up) != encode(BARS)).tolist() == [HEADER - 1]
    assert do(2) == 62 and do(4) == 64 and do(-1) == 65 and do(0) == 60


pieces = st.lists(
    st.tuples(st.integers(LOWEST - 1, HIGHEST), st.sampled_from(DURATIONS), st.booleans()), min_size=1, max_size=30
)


@given(pieces, st.sampled_from(COLLECTIONS), st.sampled_from(METRES), st.sampled_from(MODES), st.integers(-7, 7))
def test_whatever_is_encoded_comes_back(notes, collection, metre, mode, fifths):
    degrees, durations, begins = (np.array(each) for each in zip(*notes, strict=True))
    pitches = np.where(degrees < LOWEST, REST, degrees + do(fifths)).astype(np.int8)
    tune = Tune(f"{collection}/a", "", metre, fifths, mode, pitches, durations.astype(np.int16), begins)
    tokens = encode(tune)
    assert tokens.dtype == np.int32 and tokens.min() >= 0 and tokens.max() < VOCABULARY
    assert (tokens == END).sum() == 1
    assert same(decode(tokens), tune)


@given(st.lists(st.integers(-2, VOCABULARY + 1), max_size=12), st.booleans())
def test_any_tokens_are_a_tune_or_are_refused(tokens, whole):
    given_tokens = [*header("airdsAirs", (6, 8), "major", 0), *tokens, END] if whole else tokens
    try:
        tune = decode(np.array(given_tokens, dtype=int))
    except ValueError:
        return
    assert same(decode(encode(tune)), tune)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "whole tokens .T,. of a tune"),
        ([BAR, BAR, BAR], "at least one note"),
        ([BAR + 2, BAR + 3, BAR + 4], "a length before the first note"),
        ([VOCABULARY - 1, BAR + 5, BAR], "a note at the end"),
        ([VOCABULARY - 1, BAR + 5, 0, BAR + 5], "notes, lengths and bar lines"),
        ([VOCABULARY - 1, BAR + 5, END, BAR + 5], "notes, lengths and bar lines"),
        ([VOCABULARY, BAR + 5, BAR + 5], "notes, lengths and bar lines"),
    ],
)
def test_tokens_that_are_no_tune_are_refused(body, message):
    start = header("airdsAirs", (6, 8), "major", 0)
    with pytest.raises(ValueError, match=message):
        decode(np.array([*start, *body, END]))
    with pytest.raises(ValueError, match="collection, metre, mode and key signature"):
        decode(np.array([*start[::-1], BAR, VOCABULARY - 1, BAR + 5, END]))
    with pytest.raises(ValueError, match="END at the end"):
        decode(encode(BARS)[:-1])
    with pytest.raises(ValueError, match="whole tokens"):
        decode(encode(BARS) * 1.0)


def test_a_tune_that_has_no_tokens_is_refused():
    for change in ({"durations": BARS.durations + 1}, {"pitches": np.full(len(BARS.pitches), 120, dtype=np.int8)}):
        with pytest.raises(ValueError, match="airdsAirs/hand/1: pitches from"):
            encode(replace(BARS, **change))
    with pytest.raises(ValueError, match="-7 to 7 fifths were wanted; 8"):
        do(8)
    with pytest.raises(ValueError, match="a known collection, metre and mode"):
        header("essenFolksong", (6, 8), "major", 0)
    with pytest.raises(ValueError, match="a known collection, metre and mode"):
        header("airdsAirs", (5, 4), "major", 0)


def test_a_tune_is_played_and_laid_on_a_grid():
    notes = to_notes(BARS)
    assert [note.pitch for note in notes][:4] == [69, 74, 76, 78]
    assert [note.start for note in notes][:5] == [0.0, 0.5, 1.5, 2.0, 4.5]
    pitches, onsets, position = on_grid(BARS)
    assert pitches.shape == onsets.shape == (26, 1) and position.shape == (26,)
    assert position.tolist() == [10, 11, *range(12), *range(12)]
    assert pitches[:6, 0].tolist() == [69, 69, 74, 74, 74, 74]
    assert np.flatnonzero(onsets).tolist() == [0, 2, 6, 8, 18, 20, 21, 23, 24]


@pytest.mark.parametrize("begins", [[], [0], [2], [0, 1, 2]])
def test_any_bar_lines_make_places(begins):
    marked = np.isin(np.arange(3), begins)
    tune = replace(BARS, pitches=BARS.pitches[:3], durations=np.array([240, 3, 192], np.int16), begins_bar=marked)
    pitches, onsets, position = on_grid(tune)
    assert len(pitches) == len(onsets) == len(position) == 36
    assert (position >= 0).all()


def test_every_chorale_comes_back_as_a_stream_of_voices():
    for piece in chorales.load().pieces[::25]:
        tokens = encode_voices(piece.pitches, piece.onsets)
        pitches, onsets = decode_voices(tokens)
        np.testing.assert_array_equal(pitches, piece.pitches)
        np.testing.assert_array_equal(onsets, piece.onsets)
        assert len(tokens) < piece.pitches.size / 2


@given(
    st.lists(st.lists(st.tuples(st.integers(-1, 127), st.booleans()), min_size=2, max_size=2), min_size=1, max_size=40)
)
def test_any_voices_come_back(rows):
    pitches = np.array([[pitch for pitch, _ in row] for row in rows])
    struck = np.array([[onset for _, onset in row] for row in rows])
    changed = np.vstack([np.full((1, 2), REST), pitches[:-1]]) != pitches
    onsets = (pitches != REST) & (struck | changed)
    again = decode_voices(encode_voices(pitches, onsets), 2)
    np.testing.assert_array_equal(again[0], pitches)
    np.testing.assert_array_equal(again[1], onsets)


def test_voices_that_cannot_be_are_refused():
    one, no = np.array([[60], [62]]), np.zeros((2, 1), dtype=bool)
    with pytest.raises(ValueError, match="an onset was wanted"):
        encode_voices(one, no)
    with pytest.raises(ValueError, match="MIDI numbers or -1"):
        encode_voices(one + 100, ~no)
    with pytest.raises(ValueError, match="no beginning of a rest"):
        encode_voices(np.full((2, 1), REST), ~no)
    for pitches, onsets in ((one[:, 0], no[:, 0]), (one * 1.0, no), (one, no[:1]), (one, no.astype(int))):
        with pytest.raises(ValueError, match="whole pitches and onsets"):
            encode_voices(pitches, onsets)
    for tokens in ([-1], [4 * 129 + 16], [0.5], [[1]]):
        with pytest.raises(ValueError, match="tokens from 0 to 531"):
            decode_voices(tokens)
    for tokens in ([61], np.array([], dtype=int)):
        with pytest.raises(ValueError, match="a time step was wanted"):
            decode_voices(tokens)
