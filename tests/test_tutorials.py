import keras
import numpy as np
import pytest

from artbook.music import tutorials


def scale_notes(count):
    """A scale that goes up and down, a note every quarter of a second."""
    pitches = 60 + np.abs(np.arange(count) % 14 - 7)
    return np.stack([pitches, np.full(count, 0.25), np.full(count, 0.5)], axis=1)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return tutorials.build_note_lstm()


def test_the_layers_are_the_tutorials(network):
    lstm, heads = 4 * (3 * 128 + 128 * 128 + 128), 128 * 128 + 128 + 2 * (128 + 1)
    assert network.count_params() == lstm + heads
    outputs = network(np.zeros((2, 25, 3), "float32"))
    assert {name: tuple(head.shape) for name, head in outputs.items()} == {
        "pitch": (2, 128),
        "step": (2, 1),
        "duration": (2, 1),
    }


def test_notes_come_in_the_order_of_their_beginnings():
    # The first voice holds a note, is silent, and sings again; the second repeats a note.
    pitches = np.array([[72, 60], [72, 60], [-1, 60], [74, 60]])
    onsets = np.array([[1, 1], [0, 0], [0, 1], [1, 0]], dtype=bool)
    notes = tutorials.note_sequence(pitches, onsets, seconds=0.5)
    assert notes.tolist() == [[72, 0, 1.0], [60, 0, 1.0], [60, 1.0, 1.0], [74, 0.5, 0.5]]


def test_silence_has_no_notes():
    silence = tutorials.note_sequence(np.full((4, 2), -1), np.zeros((4, 2), bool))
    assert silence.shape == (0, 3)


@pytest.mark.parametrize(
    ("pitches", "onsets", "seconds"),
    [
        (np.zeros((3, 2)), np.zeros((3, 1), bool), 0.1),
        (np.zeros((3, 2)), np.zeros((3, 2)), 0.1),
        (np.zeros((3, 2)), np.zeros((3, 2), bool), 0),
    ],
)
def test_a_note_sequence_refuses_bad_input(pitches, onsets, seconds):
    with pytest.raises(ValueError, match="pitches and bool onsets of one shape"):
        tutorials.note_sequence(pitches, onsets, seconds)


def test_windows_stay_within_their_piece():
    first, second = scale_notes(27), scale_notes(26) + 1
    windows = tutorials.note_windows([first, scale_notes(25), second])
    assert windows.before.shape == (3, 25, 3)
    np.testing.assert_allclose(windows.before[1], first[1:26] / [128, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(windows.before[2], second[:25] / [128, 1, 1], rtol=1e-6)
    assert windows.pitch.tolist() == [first[25, 0], first[26, 0], second[25, 0]]
    assert windows.step[:, 0].tolist() == [0.25, 0.25, 1.25]
    assert windows.duration[:, 0].tolist() == [0.5, 0.5, 1.5]


def test_windows_refuse_bad_input():
    with pytest.raises(ValueError, match="more than 25 notes"):
        tutorials.note_windows([scale_notes(25)])
    with pytest.raises(ValueError, match=r"piece 0: notes \(notes, 3\)"):
        tutorials.note_windows([np.zeros((30, 4))])


def test_negative_numbers_are_pressed_upwards():
    error = tutorials.positive_error(np.array([[1.0], [1.0]]), np.array([[3.0], [-1.0]]))
    assert keras.ops.convert_to_numpy(error).tolist() == [[4.0], [4.0 + 10.0]]


def test_a_scale_is_learned():
    keras.utils.set_random_seed(0)
    network = tutorials.build_note_lstm()
    windows = tutorials.note_windows([scale_notes(281)])
    before = tutorials.pitch_cost(network, windows)
    assert before.shape == (256,)
    assert before.mean() == pytest.approx(np.log(128), abs=0.5)
    losses = tutorials.train_note_lstm(network, windows, epochs=25)
    assert losses[-1] < losses[0]
    assert tutorials.pitch_cost(network, windows).mean() < before.mean() / 2


def test_a_cost_is_that_of_a_softmax(network):
    windows = tutorials.note_windows([scale_notes(30)])
    logits = network.predict(windows.before, verbose=0)["pitch"]
    told = keras.losses.sparse_categorical_crossentropy(windows.pitch, logits, from_logits=True)
    np.testing.assert_allclose(
        tutorials.pitch_cost(network, windows), keras.ops.convert_to_numpy(told), rtol=1e-5, atol=1e-5
    )


def test_notes_are_played(network):
    opening = scale_notes(30)
    played = tutorials.play_notes(network, opening, 3, seed=1)
    assert played.shape == (3, 3)
    assert ((played[:, 0] >= 0) & (played[:, 0] < 128)).all()
    assert (played[:, 1:] >= 0).all()
    np.testing.assert_array_equal(played, tutorials.play_notes(network, opening, 3, seed=1))


@pytest.mark.parametrize(
    ("opening", "count", "temperature", "told"),
    [
        (scale_notes(24), 1, 1.0, "at least 25 notes"),
        (scale_notes(25), 0, 1.0, "count from 1"),
        (scale_notes(25), 1, 0.0, "temperature above 0"),
    ],
)
def test_playing_refuses_bad_input(network, opening, count, temperature, told):
    with pytest.raises(ValueError, match=told):
        tutorials.play_notes(network, opening, count, temperature)


def test_training_refuses_no_epoch(network):
    with pytest.raises(ValueError, match="at least 1 epoch"):
        tutorials.train_note_lstm(network, tutorials.note_windows([scale_notes(26)]), epochs=0)
