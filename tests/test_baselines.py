import itertools

import numpy as np
import pytest

from artbook.music.baselines import ChordBigrams, ChordCounts, KeyRates, RepeatLast, packed
from artbook.music.likelihood import FramePairs, frame_pairs

MODELS = [KeyRates, RepeatLast, ChordCounts]


def pairs_of(seed=0, steps=8000):
    """A roll in which four keys repeat more often than they change and the others never sound."""
    rng = np.random.default_rng(seed)
    roll = np.zeros((steps, 88), dtype=bool)
    roll[:, 40:44] = np.repeat(rng.random((steps // 4, 4)) < 0.5, 4, axis=0)
    return frame_pairs([roll])


def small(previous, frames):
    """Pairs with three keys, so that all frames can be listed; only fitting and costs see them."""
    return FramePairs(np.array(previous, bool), np.array(frames, bool), np.zeros(len(frames), int))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strength", [0.1, 1, 30])
def test_the_probabilities_of_all_frames_sum_to_one(model, strength):
    everything = list(itertools.product([False, True], repeat=3))
    rng = np.random.default_rng(0)
    fitted = model.fit(small(rng.random((20, 3)) < 0.4, rng.random((20, 3)) < 0.4), strength)
    for before in everything:
        assert np.exp(-fitted.cost(small([before] * 8, everything))).sum() == pytest.approx(1, abs=1e-12)


def test_key_rates_are_counts_drawn_towards_the_mean():
    fitted = KeyRates.fit(small(np.zeros((4, 3)), [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]), strength=4)
    assert fitted.rates == pytest.approx([(3 + 4 / 3) / 8, (1 + 4 / 3) / 8, (0 + 4 / 3) / 8])


def test_repeat_last_keeps_two_rates_a_key():
    previous = [[1, 0, 0]] * 3 + [[0, 0, 0]] * 3
    frames = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]
    fitted = RepeatLast.fit(small(previous, frames), strength=1e-9)
    assert fitted.stays[0] == pytest.approx(2 / 3)
    assert fitted.enters == pytest.approx([1 / 3, 1 / 6, 1e-10], abs=1e-9)


def test_chord_counts_mix_the_bag_with_the_rates():
    pairs = small(np.zeros((3, 3)), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    fitted = ChordCounts.fit(pairs, strength=2)
    unseen = np.exp(-fitted.unseen.cost(small([[0, 0, 0]] * 2, [[1, 1, 0], [1, 1, 1]])))
    costs = fitted.cost(small([[0, 0, 0]] * 2, [[1, 1, 0], [1, 1, 1]]))
    assert np.exp(-costs) == pytest.approx([(2 + 2 * unseen[0]) / 5, 2 * unseen[1] / 5])


def test_each_model_gains_from_what_it_knows():
    train, test = pairs_of(0), pairs_of(1)
    rates, repeats, chords = (model.fit(train, 1).cost(test).mean() for model in MODELS)
    assert repeats < rates
    assert abs(chords - rates) < 0.1  # these keys are independent: the bag of chords has nothing to gain


def test_the_bag_of_chords_gains_where_keys_belong_together():
    rng = np.random.default_rng(0)
    roll = np.zeros((400, 88), dtype=bool)
    roll[:, 40:44] = (rng.random(400) < 0.5)[:, np.newaxis]
    pairs = frame_pairs([roll])
    assert ChordCounts.fit(pairs, 1).cost(pairs).mean() < KeyRates.fit(pairs, 1).cost(pairs).mean() - 2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("frames", [np.zeros((3, 88), bool), np.ones((3, 88), bool)], ids=["silence", "all keys"])
def test_there_is_something_to_count(model, frames):
    with pytest.raises(ValueError, match="some keys sound and some do not"):
        model.fit(frame_pairs([frames]), 1)


def test_repeat_last_wants_a_frame_that_follows_another():
    with pytest.raises(ValueError, match="of the 0 that are counted 0 sound"):
        RepeatLast.fit(frame_pairs([np.eye(1, 88, 40, dtype=bool)] * 2), 1)


@pytest.mark.parametrize("frames", [np.zeros((2, 3)), np.full((2, 3), np.nan), np.zeros(3, bool)])
def test_only_frames_are_packed(frames):
    with pytest.raises(ValueError, match="bool of shape"):
        packed(frames)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("strength", [0, -1, np.nan, np.inf])
def test_a_strength_is_finite_and_above_zero(model, strength):
    with pytest.raises(ValueError, match="finite strength above 0"):
        model.fit(pairs_of(), strength)


def test_bigrams_mix_what_followed_with_the_bag():
    previous, frames = [[1, 0, 0]] * 3 + [[0, 1, 0]], [[0, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]
    pairs = small(previous, frames)
    bag = ChordCounts.fit(pairs, strength=1)
    asked = small([[1, 0, 0], [1, 0, 0], [1, 1, 1]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]])
    q = np.exp(-bag.cost(asked))
    costs = ChordBigrams.fit(pairs, 2, bag).cost(asked)
    assert np.exp(-costs) == pytest.approx([(2 + 2 * q[0]) / 5, 2 * q[1] / 5, q[2]])


@pytest.mark.parametrize("strength", [0.1, 30])
def test_the_probabilities_after_each_frame_sum_to_one(strength):
    everything = list(itertools.product([False, True], repeat=3))
    rng = np.random.default_rng(0)
    pairs = small(rng.random((20, 3)) < 0.4, rng.random((20, 3)) < 0.4)
    fitted = ChordBigrams.fit(pairs, strength, ChordCounts.fit(pairs, 1))
    for before in everything:
        assert np.exp(-fitted.cost(small([before] * 8, everything))).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("strength", [0, -1, np.nan, np.inf])
def test_the_strength_of_bigrams_is_finite_and_above_zero(strength):
    pairs = pairs_of()
    with pytest.raises(ValueError, match="finite strength above 0"):
        ChordBigrams.fit(pairs, strength, ChordCounts.fit(pairs, 1))
