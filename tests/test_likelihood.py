import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.music import likelihood

LOGITS = st.lists(st.floats(-30, 30), min_size=3, max_size=3)


def roll(*frames):
    keys = np.zeros((len(frames), 88), dtype=bool)
    for step, sounding in enumerate(frames):
        keys[step, list(sounding)] = True
    return keys


def test_pairs_lay_each_frame_beside_the_one_before():
    pairs = likelihood.frame_pairs([roll([1], [2], [3]), roll([4], [5])])
    assert [row.nonzero()[0].tolist() for row in pairs.previous] == [[], [1], [2], [], [4]]
    assert [row.nonzero()[0].tolist() for row in pairs.frames] == [[1], [2], [3], [4], [5]]
    assert pairs.pieces.tolist() == [0, 0, 0, 1, 1]
    assert pairs.begins.tolist() == [True, False, False, True, False]


@pytest.mark.parametrize(
    "rolls", [[], [np.zeros((0, 88), bool)], [np.zeros((2, 87), bool)], [np.zeros((2, 88))], [np.zeros(88, bool)]]
)
def test_pairs_refuse_what_is_no_piano_roll(rolls):
    with pytest.raises(ValueError, match="wanted"):
        likelihood.frame_pairs(rolls)


@pytest.mark.parametrize(
    ("previous", "frames", "pieces"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), bool), np.zeros(2, int)),
        (np.zeros((2, 3), bool), np.full((2, 3), np.nan), np.zeros(2, int)),
        (np.zeros((2, 3), bool), np.zeros((2, 4), bool), np.zeros(2, int)),
        (np.zeros((2, 3), bool), np.zeros((2, 3), bool), np.zeros(3, int)),
        (np.zeros((2, 3), bool), np.zeros((2, 3), bool), np.zeros(2)),
        (np.zeros(3, bool), np.zeros(3, bool), np.zeros(3, int)),
    ],
)
def test_pairs_belong_together(previous, frames, pieces):
    with pytest.raises(ValueError, match="wanted"):
        likelihood.FramePairs(previous, frames, pieces)


@given(LOGITS, st.lists(st.booleans(), min_size=3, max_size=3))
def test_the_cost_is_that_of_a_product_of_probabilities(logits, frame):
    product = math.prod(
        1 / (1 + math.exp(-z)) if sounds else 1 / (1 + math.exp(z)) for z, sounds in zip(logits, frame, strict=True)
    )
    cost = likelihood.negative_log_likelihood(np.array([logits]), np.array([frame]))
    assert cost[0] == pytest.approx(-math.log(product), rel=1e-9, abs=1e-12)


@given(LOGITS)
def test_the_probabilities_of_all_frames_sum_to_one(logits):
    frames = np.array(list(itertools.product([False, True], repeat=3)))
    costs = likelihood.negative_log_likelihood(np.tile(logits, (8, 1)), frames)
    assert np.exp(-costs).sum() == pytest.approx(1, abs=1e-12)


def test_an_indifferent_model_pays_ln_two_a_key():
    costs = likelihood.negative_log_likelihood(np.zeros((2, 88)), roll([0, 40], []))
    assert costs == pytest.approx(88 * math.log(2), rel=1e-14)


def test_a_confident_mistake_is_dear_but_finite():
    assert likelihood.negative_log_likelihood(np.array([[1000.0]]), np.array([[False]])) == pytest.approx(1000)
    assert likelihood.negative_log_likelihood(np.array([[1000.0]]), np.array([[True]])) == pytest.approx(0)


def test_the_cost_agrees_with_keras():
    import keras

    rng = np.random.default_rng(0)
    logits, frames = rng.normal(size=(5, 88)), rng.random((5, 88)) < 0.1
    mean = keras.losses.BinaryCrossentropy(from_logits=True)(frames.astype("float32"), logits.astype("float32"))
    assert likelihood.negative_log_likelihood(logits, frames).mean() == pytest.approx(88 * float(mean), rel=1e-5)


@pytest.mark.parametrize(
    ("logits", "frames"),
    [
        (np.zeros((1, 3)), np.zeros((1, 4), bool)),
        (np.zeros(3), np.zeros(3, bool)),
        (np.zeros((1, 3)), np.zeros((1, 3))),
        (np.array([[np.nan]]), np.array([[True]])),
        (np.array([[np.inf]]), np.array([[True]])),
    ],
)
def test_the_cost_refuses_bad_input(logits, frames):
    with pytest.raises(ValueError, match="wanted"):
        likelihood.negative_log_likelihood(logits, frames)


@given(st.floats(1e-6, 1 - 1e-6))
def test_log_odds_undo_the_sigmoid(probability):
    assert 1 / (1 + math.exp(-likelihood.log_odds(probability))) == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize("probability", [0, 1, -0.1, 1.1, np.nan])
def test_log_odds_refuse_what_has_none(probability):
    with pytest.raises(ValueError, match=r"wanted; .* was given"):
        likelihood.log_odds([0.5, probability])
