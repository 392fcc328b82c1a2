import itertools

import keras
import numpy as np
import pytest

from artbook.music import first_model
from artbook.music.baselines import packed
from artbook.music.likelihood import FramePairs, negative_log_likelihood


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return first_model.build_network()


def frames_of(count, seed=0):
    return np.random.default_rng(seed).random((count, 88)) < 0.05


def small_pairs(frames):
    """Pairs with three keys, so that all frames can be listed."""
    return FramePairs(np.zeros((len(frames), 3), bool), np.array(frames, bool), np.zeros(len(frames), int))


def test_the_layers_are_the_articles(network):
    article = keras.Sequential(
        [
            keras.Input((88,)),
            *[keras.layers.Dense(256, activation="relu") for _ in range(3)],
            keras.layers.Dense(88, activation="sigmoid"),
        ]
    )
    assert network.count_params() == article.count_params() == 88 * 256 + 2 * 256 * 256 + 256 * 88 + 3 * 256 + 88
    article.set_weights(network.get_weights())
    frames = frames_of(4)
    expected = keras.ops.convert_to_numpy(article(frames.astype("float32")))
    logits = first_model.logits_after(network, frames)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, rtol=1e-5)


def test_dropout_silences_units_in_training_only():
    network = first_model.build_network(dropout=0.5)
    frames = frames_of(2).astype("float32")
    quiet = keras.ops.convert_to_numpy(network(frames, training=False))
    np.testing.assert_array_equal(quiet, keras.ops.convert_to_numpy(network(frames, training=False)))
    assert not np.allclose(quiet, keras.ops.convert_to_numpy(network(frames, training=True)))


@pytest.mark.parametrize("dropout", [-0.1, 1, np.nan])
def test_a_dropout_is_a_share(dropout):
    with pytest.raises(ValueError, match="dropout from 0 to below 1"):
        first_model.build_network(dropout)


@pytest.mark.parametrize("previous", [np.zeros((2, 87), bool), np.zeros(88, bool), np.zeros((2, 88))])
def test_the_network_takes_frames(network, previous):
    with pytest.raises(ValueError, match="was wanted"):
        first_model.logits_after(network, previous)


def test_playing_feeds_each_frame_back(network):
    openings = frames_of(3)
    played = first_model.play(network, openings, 4, first_model.likeliest(4))
    assert played.shape == (3, 4, 88)
    before = np.concatenate([openings[:, np.newaxis], played[:, :-1]], axis=1)
    for step in range(4):
        again = first_model.likeliest(4)(first_model.logits_after(network, before[:, step]))
        np.testing.assert_array_equal(played[:, step], again)
    for length in (0, 1.5, np.nan):
        with pytest.raises(ValueError, match="at least 1 frame"):
            first_model.play(network, openings, length, first_model.likeliest(4))


def test_drawn_keys_sound_as_often_as_they_should():
    logits = np.tile([[-3.0, 0.0, 1.0]], (20000, 1))
    shares = first_model.draw_keys(np.random.default_rng(0))(logits).mean(axis=0)
    assert shares == pytest.approx(1 / (1 + np.exp([3.0, 0.0, -1.0])), abs=0.012)


def test_the_likeliest_keys_are_chosen():
    logits = np.array([[-2.0, 3.0, 0.5, -1.0], [1.0, 1.0, 1.0, 1.0]])
    assert first_model.likeliest(3)(logits)[0].tolist() == [False, True, True, True]
    assert first_model.likeliest(3)(logits).sum(axis=1).tolist() == [3, 3]
    for count in (0, 89, 4.0, np.nan):
        with pytest.raises(ValueError, match="count from 1 to 88"):
            first_model.likeliest(count)


@pytest.mark.parametrize("trust", [0, 0.5, 2])
def test_the_probabilities_of_all_frames_sum_to_one(trust):
    everything = np.array(list(itertools.product([False, True], repeat=3)))
    prior = first_model.ChordPrior.fit(small_pairs([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), trust, outside=0.1)
    logits = np.tile([0.3, -1.2, 2.0], (8, 1))
    assert np.exp(-prior.cost(logits, everything)).sum() == pytest.approx(1, abs=1e-12)


def test_without_trust_the_chords_are_counted():
    prior = first_model.ChordPrior.fit(small_pairs([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), trust=0, outside=0.1)
    logits, frames = np.array([[5.0, -5.0, 5.0]]), np.array([[True, True, False]])
    alone = np.exp(-negative_log_likelihood(logits, frames))
    assert np.exp(-prior.cost(logits, frames)) == pytest.approx(0.9 * 2 / 3 + 0.1 * alone)


def test_trust_multiplies_the_counts_by_the_odds():
    prior = first_model.ChordPrior.fit(small_pairs([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), trust=0.5, outside=0.1)
    logits = prior.base + np.array([0.4, -1.0, 2.0])
    weights = {(True, True, False): 2 * np.exp(0.5 * (0.4 - 1.0)), (False, False, True): np.exp(0.5 * 2.0)}
    found = np.exp(prior.chord_log_probabilities(logits[np.newaxis]))[0]
    for chord, probability in zip(prior.chords, found, strict=True):
        assert probability == pytest.approx(weights[tuple(chord.tolist())] / sum(weights.values()))


def test_whole_chords_are_drawn_as_often_as_they_should():
    prior = first_model.ChordPrior.fit(small_pairs([[1, 1, 0], [1, 1, 0], [0, 0, 1]]), trust=0, outside=0.1)
    drawn = prior.draw(np.random.default_rng(0))(np.zeros((3000, 3)))
    assert set(packed(drawn)) == set(packed(prior.chords))
    assert drawn[:, 0].mean() == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize(("trust", "outside"), [(-1, 0.1), (np.nan, 0.1), (1, 0), (1, 1), (1, np.nan)])
def test_a_chord_prior_refuses_what_is_no_probability(trust, outside):
    with pytest.raises(ValueError, match="trust from 0 and outside between 0 and 1"):
        first_model.ChordPrior.fit(small_pairs([[1, 1, 0]]), trust, outside)
