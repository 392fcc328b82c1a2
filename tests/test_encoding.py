import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.music.encoding import END, listed_frames, note_lists, overflow_cost

KEY_SETS = st.lists(st.sets(st.integers(0, 87), max_size=6), max_size=5)


def roll(*frames):
    keys = np.zeros((len(frames), 88), dtype=bool)
    for step, sounding in enumerate(frames):
        keys[step, list(sounding)] = True
    return keys


def test_a_list_runs_from_the_top_down_and_is_closed():
    lists = note_lists(roll([10, 87, 0], [], [5]), 4)
    assert lists.tolist() == [[87, 10, 0, END], [END] * 4, [5, END, END, END]]
    assert lists.dtype == np.int32


def test_a_list_that_is_too_short_keeps_the_highest_keys():
    assert note_lists(roll([1, 2, 3], [4]), 2).tolist() == [[3, 2], [4, END]]


@given(KEY_SETS)
def test_frames_come_back_from_their_lists(frames):
    np.testing.assert_array_equal(listed_frames(note_lists(roll(*frames), 6)), roll(*frames))


@given(KEY_SETS)
def test_lists_are_strictly_falling(frames):
    lists = note_lists(roll(*frames), 6)
    sounding = lists < END
    assert (sounding[:, :-1] | ~sounding[:, 1:]).all()
    assert ((lists[:, 1:] < lists[:, :-1]) | ~sounding[:, 1:]).all()


def test_no_frame_is_no_list():
    assert note_lists(roll(), 3).shape == (0, 3)
    assert listed_frames(np.zeros((0, 3), int)).shape == (0, 88)


@pytest.mark.parametrize("slots", [0, 89, True, 2.0, "2"])
def test_slots_are_whole_and_fit_the_keyboard(slots):
    with pytest.raises(ValueError, match="1 to 88 slots were wanted"):
        note_lists(roll([1]), slots)
    with pytest.raises(ValueError, match="1 to 88 slots were wanted"):
        overflow_cost(roll([1]), slots, 0)


@pytest.mark.parametrize("frames", [np.zeros((2, 87), bool), np.zeros((2, 88)), np.zeros(88, bool)])
def test_lists_are_made_of_frames(frames):
    with pytest.raises(ValueError, match=r"bool of shape \(T, 88\) was wanted"):
        note_lists(frames, 4)


@pytest.mark.parametrize("lists", [np.zeros(3, int), np.zeros((1, 3)), np.array([[89]]), np.array([[-1]])])
def test_frames_are_made_of_lists(lists):
    with pytest.raises(ValueError, match="whole numbers"):
        listed_frames(lists)


@pytest.mark.parametrize("seen", [-1, 1.0, True])
def test_training_frames_are_counted(seen):
    with pytest.raises(ValueError, match="training frames were wanted"):
        overflow_cost(roll([1]), 1, seen)


@given(st.integers(0, 7), st.integers(1, 3), st.integers(0, 1000))
def test_what_follows_a_full_list_has_probabilities_that_sum_to_one(lowest, slots, seen):
    full = range(lowest, lowest + slots)
    below = range(lowest)
    goes_on = [set(full) | set(more) for size in range(lowest + 1) for more in itertools.combinations(below, size)]
    costs = overflow_cost(roll(*goes_on), slots, seen)
    assert np.exp(-costs).sum() == pytest.approx(1, abs=1e-12)
    if lowest:
        assert np.exp(-costs[0]) == pytest.approx((seen + 1) / (seen + 2))


def test_a_list_that_is_not_full_pays_nothing():
    assert overflow_cost(roll([], [3], [3, 9]), 3, 100).tolist() == [0, 0, 0]


def test_the_fullest_frame_pays_a_finite_cost():
    cost = overflow_cost(np.ones((1, 88), bool), 1, 10**6)
    assert cost == pytest.approx(np.log(10**6 + 2) + np.log(87))
