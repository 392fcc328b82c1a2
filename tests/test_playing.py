import numpy as np
import pytest
from keras import ops
from test_composer import ALONE, SMALL, composer_of, low_roll

from artbook.music.composer import START, read
from artbook.music.encoding import END, note_lists
from artbook.music.memories import Memory, Witness, expected_frame, remember
from artbook.music.playing import OfOthers, write


@pytest.fixture(scope="module")
def composer():
    return composer_of(SMALL)


@pytest.fixture(scope="module")
def alone():
    return composer_of(ALONE)


def test_writing_and_scoring_are_one_model(composer):
    opening = low_roll(3, 8)
    written = write(composer, 2, 9, 0, temperature=1e-3, opening=opening)
    assert written.shape == (2, 9, 88)
    assert written.dtype == bool
    np.testing.assert_array_equal(written[:, :3], np.stack([opening] * 2))
    # So cold, each note is the likeliest, given the same features as in training.
    features, network = read(list(written), SMALL, composer.memory), composer.network
    state = network.state(features.window, features.place, features.expected, features.trust)[:, None]
    last = np.concatenate([np.full((18, 1), START, np.int32), features.lists[:, :-1]], axis=1)
    so_far = ops.cumsum(network.written(last), axis=1)
    logits = ops.convert_to_numpy(
        network.logits(state, so_far, last, features.before, np.arange(3), features.votes, features.agreeing)
    )
    chosen = np.take_along_axis(logits, features.lists[..., np.newaxis], axis=-1)[..., 0]
    drawn = (last != END) & (np.tile(np.arange(9), 2) >= 3)[:, np.newaxis]
    assert drawn.sum() >= 12
    assert (logits.max(axis=-1) - chosen)[drawn].max() < 0.02


def test_what_is_heard_frame_by_frame_is_what_is_remembered_of_the_whole():
    rng = np.random.default_rng(3)
    # Few chords, which come again, with silent ones and some of more keys than a list has slots.
    chords = rng.random((6, 88)) < np.array([[0], [0.01], [0.02], [0.03], [0.05], [0.1]])
    rolls = [chords[rng.integers(0, 6, size)] for size in (9, 1, 14)]
    memory, heard = Memory.of(rolls), chords[rng.integers(0, 6, (2, 11))]
    witnesses = [Witness(0.5, 4, 30, 0.2), Witness(0.0, 1, 24, 1.0), Witness(0.9, 2, 24, 0.1)]
    followed = OfOthers(memory, witnesses, 2, 3)
    wanted = [[remember(memory, roll, witness) for roll in heard] for witness in witnesses]
    for time in range(11):
        for told, of_pieces in zip(followed.recall(), wanted, strict=True):
            for piece, whole in enumerate(of_pieces):
                weights, frames = whole.weights[time], memory.frames[whole.places[time]]
                np.testing.assert_allclose(told.trust[piece], whole.trust[time], rtol=1e-5)
                expected = expected_frame(frames[np.newaxis], weights[np.newaxis])[0]
                np.testing.assert_allclose(told.expected[piece], expected, atol=1e-5)
                votes = {tuple(each): 0.0 for each in note_lists(frames, 3).tolist()}
                for keys, weight in zip(note_lists(frames, 3).tolist(), weights.tolist(), strict=True):
                    votes[tuple(keys)] += weight
                for keys, weight in zip(told.lists[piece].tolist(), told.weights[piece].tolist(), strict=True):
                    # Who has no weight may stand for any place.
                    votes[tuple(keys)] = votes.get(tuple(keys), 0.0) - weight
                assert max(map(abs, votes.values())) < 1e-4
        followed.hear(heard[:, time], note_lists(heard[:, time], 3))


def test_the_seed_is_the_only_chance(alone):
    written = write(alone, 3, 4, 5)
    np.testing.assert_array_equal(write(alone, 3, 4, 5), written)
    assert (write(alone, 3, 4, 6) != written).any()
    assert (written[0] != written[1]).any()
    assert written.sum(axis=2).max() <= 3


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"pieces": 0}, "at least 1 piece"),
        ({"length": 0}, "at least 1 piece"),
        ({"length": 2.0}, "at least 1 piece"),
        ({"opening": low_roll(2)}, "longer than its opening"),
        ({"opening": np.zeros((1, 87), bool)}, "opening: bool of shape"),
        ({"temperature": 0.0}, "a temperature from 0.001 to 1000"),
        ({"temperature": 1e-30}, "a temperature from 0.001 to 1000"),
        ({"temperature": 1e9}, "a temperature from 0.001 to 1000"),
        ({"temperature": float("nan")}, "a temperature from 0.001 to 1000"),
    ],
)
def test_writing_refuses_bad_input(alone, wrong, told):
    with pytest.raises(ValueError, match=told):
        write(**({"composer": alone, "pieces": 1, "length": 2, "seed": 0} | wrong))
