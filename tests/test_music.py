import struct

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.data.chorales import load
from artbook.data.keyboard import voice_runs
from artbook.music import midi
from artbook.music.piano_roll import KEYS, LOWEST, Note, notes_to_roll, to_notes, to_roll, voices_to_notes
from artbook.music.synthesis import RATE, frequency, render

NAN = float("nan")
SCALE = [Note(60, 0.0, 1.0), Note(62, 1.0, 1.0), Note(64, 2.0, 2.0)]
BAD_NOTES = [
    Note(-1, 0, 1),
    Note(128, 0, 1),
    Note(60.5, 0, 1),
    Note(True, 0, 1),
    Note(60, -1, 1),
    Note(60, NAN, 1),
    Note(60, 0, NAN),
    Note(60, 0, float("inf")),
    Note(60, 0, 0),
    Note(60, 0, 1, -1),
    Note(60, 0, 1, 0, 0),
    Note(60, 0, 1, 0, 128),
    (60, 0),
    (60, 0, 1, 0, 80, 7),
]

# Voices without rests between 21 and 108, and rolls.
voices = (
    st.integers(1, 12)
    .flatmap(
        lambda steps: st.lists(st.lists(st.integers(-1, 108), min_size=3, max_size=3), min_size=steps, max_size=steps)
    )
    .map(lambda rows: np.where(np.array(rows) < 21, -1, np.array(rows)))
)


# Rolls and notes


def test_a_roll_by_hand():
    roll = to_roll([[60, 64], [60, -1], [21, 108], [60, 60]])
    assert roll.shape == (4, KEYS) and roll.dtype == bool
    assert [row.nonzero()[0].tolist() for row in roll] == [[39, 43], [39], [0, 87], [39]]
    assert to_roll(np.zeros((0, 4), dtype=int)).shape == (0, KEYS)


@pytest.mark.parametrize(
    ("pitches", "message"),
    [
        ([60, 62], "shape"),
        ([[60.0]], "whole MIDI numbers"),
        ([[NAN]], "whole MIDI numbers"),
        ([[20]], "MIDI 20 is no key"),
        ([[60], [109]], "MIDI 109 is no key"),
    ],
)
def test_voices_that_make_no_roll(pitches, message):
    with pytest.raises(ValueError, match=message):
        to_roll(pitches)


def test_notes_of_a_roll_by_hand():
    roll = to_roll([[60, 64], [60, -1], [-1, -1], [60, 62]])
    assert to_notes(roll, 2) == [Note(64, 0, 0.5), Note(60, 0, 1), Note(62, 1.5, 0.5), Note(60, 1.5, 0.5)]
    assert to_notes(roll.astype(float), 2) == to_notes(roll, 2)
    assert to_notes(np.zeros((5, KEYS), dtype=bool)) == []


@given(voices)
def test_a_roll_comes_back_from_its_notes(pitches):
    roll = to_roll(pitches)
    notes = to_notes(roll, 4)
    if notes:
        again = notes_to_roll(notes, 4)
        np.testing.assert_array_equal(again, roll[: len(again)])
        assert not roll[len(again) :].any()
    else:
        assert not roll.any()


@pytest.mark.parametrize("steps", [1, 3, 5, 7, 10, 12, 48, 100, 480, 960])
def test_a_roll_comes_back_on_any_grid(steps):
    roll = np.zeros((400, KEYS), dtype=bool)
    roll[::2, 40] = roll[1::3, 41] = roll[399, 42] = True
    np.testing.assert_array_equal(notes_to_roll(to_notes(roll, steps), steps), roll)


@given(voices)
def test_voices_and_their_notes_sound_the_same_keys(pitches):
    notes = voices_to_notes(pitches)
    if notes:
        again = notes_to_roll(notes)
        np.testing.assert_array_equal(again, to_roll(pitches)[: len(again)])


@pytest.mark.parametrize("roll", [np.zeros(88), np.zeros((2, 87)), np.full((2, 88), 0.5), np.full((2, 88), NAN)])
def test_rolls_that_make_no_notes(roll):
    with pytest.raises(ValueError, match="a roll of"):
        to_notes(roll)


@pytest.mark.parametrize("steps", [0, -1, 1.5, 961, True, NAN])
def test_impossible_grids(steps):
    for call in (
        lambda: to_notes(np.zeros((1, KEYS)), steps),
        lambda: notes_to_roll(SCALE, steps),
        lambda: voices_to_notes([[60]], None, steps),
    ):
        with pytest.raises(ValueError, match="steps a quarter note"):
            call()


def test_onsets_divide_repeated_notes():
    pitches = np.array([[60], [60], [60], [-1], [-1]])
    onsets = np.array([[True], [False], [True], [False], [True]])
    assert voices_to_notes(pitches) == [Note(60, 0, 0.75)]
    assert voices_to_notes(pitches, onsets) == [Note(60, 0, 0.5), Note(60, 0.5, 0.25)]
    assert voice_runs(pitches, onsets) == [[(0, 2, 60), (2, 3, 60), (3, 5, -1)]]
    assert voice_runs(np.zeros((0, 2), dtype=int)) == [[], []]


@pytest.mark.parametrize(
    ("pitches", "onsets"),
    [
        ([60], None),
        ([[60.0]], None),
        ([[128]], None),
        ([[60]], [[1]]),
        ([[60]], [True]),
        ([[60]], [[True, False]]),
    ],
)
def test_voices_that_make_no_notes(pitches, onsets):
    with pytest.raises(ValueError, match="wanted"):
        voices_to_notes(pitches, onsets)


def test_notes_that_lie_between_two_steps_are_lost():
    roll = notes_to_roll([Note(60, 0, 0.5), Note(62, 0.5, 0.5), Note(64, 1, 1)], 1)
    assert [row.nonzero()[0].tolist() for row in roll] == [[60 - LOWEST], [64 - LOWEST]]


@pytest.mark.parametrize("pitch", [20, 109])
def test_notes_outside_the_piano_make_no_roll(pitch):
    with pytest.raises(ValueError, match=f"MIDI {pitch} is no key"):
        notes_to_roll([Note(pitch, 0, 1)])


def test_a_roll_of_boundless_length_is_refused():
    with pytest.raises(ValueError, match="at most 345600 steps"):
        notes_to_roll([Note(60, 1e12, 1)])


@pytest.mark.parametrize("note", BAD_NOTES, ids=str)
def test_impossible_notes_are_refused_everywhere(note):
    for call in (notes_to_roll, midi.write, render):
        with pytest.raises(ValueError, match="given"):
            call([note])


def test_an_empty_piece_is_refused_everywhere():
    for call in (notes_to_roll, midi.write, render):
        with pytest.raises(ValueError, match="the piece is empty"):
            call([])


# MIDI


def test_a_small_file_by_hand():
    content = midi.write([Note(60, 0, 1)], tempo=120)
    header = b"MThd" + struct.pack(">IHHH", 6, 1, 2, 480)
    tempo = b"\x00\xff\x51\x03\x07\xa1\x20\x00\xff\x2f\x00"
    # Struck at once with velocity 80, released after 480 ticks: 0x83 0x60 in the variable length of MIDI.
    note = b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00\x00\xff\x2f\x00"
    chunks = b"".join(b"MTrk" + struct.pack(">I", len(chunk)) + chunk for chunk in (tempo, note))
    assert content == header + chunks
    assert midi.read(content) == midi.Notes((Note(60, 0.0, 1.0),), 120.0)


def test_every_chorale_comes_back():
    for piece in load().pieces[::20]:
        notes = voices_to_notes(piece.pitches, piece.onsets)
        assert midi.read(midi.write(notes)).notes == tuple(notes)


def test_a_file_is_read_from_its_path(tmp_path):
    path = tmp_path / "scale.mid"
    path.write_bytes(midi.write(SCALE, 90))
    assert midi.read(path) == midi.read(str(path)) == midi.Notes(tuple(SCALE), mido.tempo2bpm(mido.bpm2tempo(90)))
    with pytest.raises(OSError, match="none"):
        midi.read(tmp_path / "none.mid")


@given(
    st.lists(
        st.builds(
            Note,
            pitch=st.integers(0, 127),
            start=st.integers(0, 40).map(lambda steps: steps / 4),
            duration=st.just(0.25),
            voice=st.integers(0, 14),
            velocity=st.integers(1, 127),
        ),
        min_size=1,
        unique_by=lambda note: (note.pitch, note.start, note.voice),
    )
)
def test_any_notes_come_back(notes):
    again = midi.read(midi.write(notes)).notes
    number = {voice: index for index, voice in enumerate(sorted({note.voice for note in notes}))}
    assert sorted(again) == sorted(note._replace(voice=number[note.voice]) for note in notes)


@pytest.mark.parametrize("tempo", [0, -1, NAN, 1e9])
def test_impossible_tempi(tempo):
    for call in (midi.write, render):
        with pytest.raises(ValueError, match="tempo"):
            call(SCALE, tempo)


def test_too_many_voices_and_too_long_music():
    with pytest.raises(ValueError, match="voice 15 was given"):
        midi.write([Note(60, 0, 1, 15)])
    with pytest.raises(ValueError, match="86400 quarter notes"):
        midi.write([Note(60, 0, 1e6)])


def file_of(track: bytes, kind: int = 1, tracks: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHh", 6, kind, tracks, division) + b"MTrk" + struct.pack(">I", len(track)) + track


END = b"\x00\xff\x2f\x00"


def tracks_of(track: bytes, count: int) -> bytes:
    chunk = b"MTrk" + struct.pack(">I", len(track)) + track
    return b"MThd" + struct.pack(">IHHh", 6, 1, count, 480) + count * chunk


def test_what_other_programs_write():
    # Format 0, two channels and drums, running status, velocity 0 for a release, a note never released.
    track = b"\x00\x90\x3c\x40\x00\x99\x24\x40\x00\x91\x30\x40\x83\x60\x90\x3c\x00\x00\x3e\x40\x83\x60\xff\x2f\x00"
    assert midi.read(file_of(track, kind=0)).notes == (
        Note(60, 0, 1, 0, 64),
        Note(48, 0, 2, 1, 64),
        Note(62, 1, 1, 0, 64),
    )
    assert midi.read(file_of(track, kind=0)).tempo == 120


def test_a_note_without_length_and_a_release_without_a_note_are_nothing():
    track = b"\x00\x80\x3c\x40\x00\x90\x3c\x40\x00\x80\x3c\x40\x00\x90\x3e\x40\x60\x80\x3e\x40" + END
    assert [note.pitch for note in midi.read(file_of(track)).notes] == [62]


def test_a_cut_file_is_refused_wherever_it_is_cut():
    whole = midi.write(SCALE)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="wanted"):
            midi.read(whole[:length])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "whole standard MIDI file"),
        (b"RIFF" + bytes(100), "whole standard MIDI file"),
        (file_of(END), "the piece is empty"),
        (file_of(b"\x00\x90\x3c\x40" + END, kind=2), "format 0 or 1"),
        (file_of(END, division=-6360), "format 0 or 1"),
        (file_of(END, division=0), "format 0 or 1"),
        (file_of(b"\x00\x3c\x40" + END), "whole standard MIDI file"),
        (file_of(b"\x00\x90\xff\x40" + END), "whole standard MIDI file"),
        (file_of(END, tracks=30_000), "whole standard MIDI file"),
        # A message that claims 256 MB, a day that claims a hundred, a number without end.
        (file_of(b"\x00\xf0\xff\xff\xff\x7f" + END), "whole standard MIDI file"),
        (file_of(b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x40" + END, division=1), "86400 quarter notes"),
        (file_of(b"\xff" * 60_000), "whole standard MIDI file"),
        (bytes(200_000), "at most 131072 bytes"),
        # A tempo of zero, ten thousand tracks, a note without a status, and one in the running status of nothing.
        (file_of(b"\x00\xff\x51\x03\x00\x00\x00\x00\x90\x3c\x40\x60\x80\x3c\x40" + END), "a tempo was wanted"),
        (tracks_of(b"\x00\x90\x3c\x40\x60\x80\x3c\x40" + END, 10_000), "at most 131072 bytes"),
        (tracks_of(b"", 10_000), "the piece is empty"),
        (file_of(b"\x00\xff\x01\x00\x00\x3c\x40" + END), "whole standard MIDI file"),
    ],
)
def test_hostile_files_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        midi.read(content)


def test_time_does_not_run_backwards():
    # A time of MIDI cannot be negative: its largest number is 0x0FFFFFFF, and a longer one is no number.
    with pytest.raises(ValueError, match="wanted"):
        midi.read(file_of(b"\xff\xff\xff\xff\xff\x7f\x90\x3c\x40" + END))
    with pytest.raises(ValueError, match="start from 0"):
        midi.write([Note(60, -1, 1)])


def test_a_file_of_an_hour_is_read():
    notes = [Note(60, 60.0 * minute, 60.0) for minute in range(60)]
    assert midi.read(midi.write(notes, tempo=60)).notes == tuple(notes)


def test_a_large_file_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.mid"
    with path.open("wb") as handle:
        handle.truncate(1 << 30)
    with pytest.raises(ValueError, match="at most 131072 bytes"):
        midi.read(path)


@given(st.data())
def test_damaged_files_give_notes_or_a_value_error(data):
    content = bytearray(midi.write(SCALE))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        notes = midi.read(bytes(content)).notes
    except ValueError:
        return
    assert all(0 <= note.pitch <= 127 and note.duration > 0 for note in notes)


# Sound


def test_equal_temperament():
    assert frequency(69) == 440
    assert frequency(60) == pytest.approx(261.6256, abs=1e-4)
    np.testing.assert_allclose(frequency(np.arange(88) + 12) / frequency(np.arange(88)), 2)
    for pitch in (NAN, [60, float("inf")]):
        with pytest.raises(ValueError, match="finite"):
            frequency(pitch)


def strongest(samples):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


@pytest.mark.parametrize("pitch", [45, 60, 69, 84, 108])
def test_a_note_has_its_frequency(pitch):
    samples = render([Note(pitch, 0, 2)], tempo=60)
    # Two strings, the second 2.5 cents higher, and a spectrum as fine as the sound is long.
    assert strongest(samples) == pytest.approx(float(frequency(pitch)), rel=0.002, abs=0.5)


@pytest.mark.parametrize("pitch", [0, 127])
def test_the_highest_and_the_lowest_note_are_rendered(pitch):
    assert np.isfinite(render([Note(pitch, 0, 1)])).all()


def test_samples_are_in_range_start_and_end_in_silence_and_do_not_click():
    piece = load()["bwv269"]
    samples = render(voices_to_notes(piece.pitches, piece.onsets), tempo=84)
    assert samples.dtype == np.float32
    assert len(samples) == 10 * RATE
    assert np.abs(samples).max() == pytest.approx(0.9)
    assert abs(samples[0]) < 1e-4 and abs(samples[-1]) < 1e-4
    # A click is a step: of the energy above 8 kHz, where these notes have none, hardly anything is left.
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    assert spectrum[(8000 * 10) :].sum() / spectrum.sum() < 1e-4


def test_the_same_notes_sound_the_same_and_a_louder_note_is_louder():
    np.testing.assert_array_equal(render(SCALE), render(SCALE))
    two = render([Note(60, 0, 1, 0, 120), Note(60, 4, 1, 0, 30)], tempo=60)
    assert np.abs(two[: 2 * RATE]).max() > 3 * np.abs(two[4 * RATE :]).max()


def test_short_music_rings_out_and_long_music_fades_out():
    assert len(render(SCALE, tempo=240)) == pytest.approx((1 + 0.12 + 0.9) * RATE, abs=2)
    assert len(render([Note(60, 0, 1e6)], seconds=2)) == 2 * RATE
    assert len(render([Note(60, 0, 1), Note(60, 100, 1)], seconds=2)) == 2 * RATE
    assert not render([Note(60, 100, 1)], seconds=2).any()
    for seconds in (0, -1, NAN, 601):
        with pytest.raises(ValueError, match="seconds"):
            render(SCALE, seconds=seconds)
