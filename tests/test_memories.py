from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.music import memories
from artbook.music.encoding import END, note_lists
from artbook.music.memories import (
    Memory,
    Voters,
    Witness,
    expected_frame,
    followed,
    recollect,
    remember,
    resemblance,
    tally,
    voters,
)

# More neighbours than there are frames, so that no tie is cut.
ALL = Witness(decay=0.5, exponent=2, neighbours=64, temperature=0.2)
WITNESSES = [ALL, replace(ALL, neighbours=3), Witness(0.0, 1, 1, 1.0), Witness(0.85, 4, 8, 0.1)]

PIECES = st.lists(st.lists(st.sets(st.integers(40, 44), max_size=3), min_size=1, max_size=8), min_size=1, max_size=3)


def roll(*frames):
    keys = np.zeros((len(frames), 88), dtype=bool)
    for step, sounding in enumerate(frames):
        keys[step, list(sounding)] = True
    return keys


def random_roll(length, seed=0):
    return np.random.default_rng(seed).random((length, 88)) < 0.04


def assert_same(told, expected, rows=slice(None)):
    for name in ("places", "weights", "trust"):
        np.testing.assert_array_equal(getattr(told, name)[rows], getattr(expected, name)[rows])


def test_resemblance_by_hand():
    frames = roll([1, 2, 3, 4], [1, 2], [], [80])
    told = resemblance(frames, roll([1, 2, 3, 4], [3], [], [2, 80]))
    np.testing.assert_allclose(told, [[1, 1 / 4, 0, 1 / 4], [1 / 2, 0, 0, 1 / 2], [0, 0, 1, 0], [0, 0, 0, 1 / 2]])


@given(PIECES)
def test_resemblance_is_a_share_and_one_only_for_equals(rolls):
    frames = np.concatenate([roll(*frames) for frames in rolls])
    alike = resemblance(frames, frames)
    np.testing.assert_array_equal(alike, alike.T)
    assert ((alike >= 0) & (alike <= 1)).all()
    np.testing.assert_array_equal(alike == 1, (frames[:, None] == frames).all(axis=2))


@pytest.mark.parametrize("exponent", [1, 2, 4])
def test_a_witness_raises_resemblance_to_its_exponent(exponent):
    told = Witness(0.5, exponent, 1, 1.0).liken(roll([1, 2]), roll([2], [1, 2]))
    np.testing.assert_allclose(told, [[0.5**exponent, 1]])


@pytest.mark.parametrize("wrong", [{"decay": 1.0}, {"decay": -0.1}, {"exponent": 3}, {"neighbours": 0}])
def test_a_witness_refuses_bad_settings(wrong):
    with pytest.raises(ValueError, match="a decay from 0 to below 1"):
        replace(ALL, **wrong)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_witness_has_a_temperature(temperature):
    with pytest.raises(ValueError, match="temperature above 0"):
        replace(ALL, temperature=temperature)


def test_a_memory_knows_where_pieces_begin_and_whose_they_are():
    memory = Memory.of([roll([1], [2]), roll([3])], [7, 5])
    assert memory.begins.tolist() == [True, False, True]
    assert memory.owners.tolist() == [7, 7, 5]
    assert Memory.of([roll([1], [2]), roll([3])]).owners.tolist() == [0, 0, 1]


@pytest.mark.parametrize("rolls", [[], [roll()], [np.zeros((2, 88))]])
def test_a_memory_is_made_of_pieces(rolls):
    with pytest.raises(ValueError, match="wanted"):
        Memory.of(rolls)


def test_scores_follow_a_piece_and_begin_anew_with_the_next():
    scores, alike = np.array([[8, 4, 2, 1]], "f4"), np.array([[0.1, 0.2, 0.3, 0.4]], "f4")
    after = followed(scores, alike, np.array([True, False, True, False]), 0.5)
    np.testing.assert_allclose(after, [[0, 4.1, 0, 1.3]])


def test_the_best_places_vote_by_their_scores():
    chosen = voters(np.array([[0.1, 2.0, -1, 1.0]], "f4"), replace(ALL, neighbours=2, temperature=0.5))
    order = np.argsort(chosen.places[0])
    assert chosen.places[0][order].tolist() == [1, 3]
    np.testing.assert_allclose(chosen.weights[0][order], [1, np.exp(-2)], rtol=1e-6)
    assert chosen.trust == pytest.approx([np.log(3)])


@pytest.mark.parametrize("length", [1, 31, 32, 33, 300, 1000])
@pytest.mark.parametrize("neighbours", [1, 8, 40])
def test_a_large_memory_is_searched_in_blocks_to_the_same_end(length, neighbours):
    scores = np.random.default_rng(length).random((5, length), dtype=np.float32)
    scores[:, ::3] = -1
    chosen = voters(scores, replace(ALL, neighbours=neighbours))
    count = min(neighbours, length)
    found = np.take_along_axis(scores, chosen.places[:, :count], axis=1)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(scores, axis=1)[:, -count:])
    assert all(len(set(row)) == count for row in chosen.places[:, :count].tolist())


def test_nobody_votes_where_nothing_is_remembered():
    chosen = voters(np.array([[-1, 0, -1]], "f4"), replace(ALL, neighbours=4))
    assert chosen.places.shape == chosen.weights.shape == (1, 4)
    assert not chosen.weights.any()
    assert chosen.trust.tolist() == [0]


def test_a_tally_is_shares():
    told = tally(np.array([[3, 3, END], [0, 1, 2]]), np.array([[1, 2, 1], [0, 0, 0]], "f4"))
    assert told.shape == (2, 89)
    assert told[0, [3, END]].tolist() == [0.75, 0.25]
    assert told[0].sum() == 1
    assert not told[1].any()


def test_the_expected_frame_is_the_mean_of_the_voters():
    frames = np.stack([roll([1, 2], [2]), roll([1], [2])])
    told = expected_frame(frames, np.array([[3, 1], [0, 0]], "f4"))
    np.testing.assert_allclose(told[0, [1, 2]], [0.75, 1])
    assert not told[1].any()


def test_who_disagrees_drops_out():
    frames = roll([50, 40], [50, 30], [60])
    chosen = Voters(np.array([[0, 1, 2]]), np.array([[2, 1, 1]], "f4"), np.array([1.0], "f4"))
    told = memories.testify(frames, chosen, note_lists(roll([50, 40]), 3))
    np.testing.assert_allclose(told.agreeing, [[1, 3 / 4, 2 / 4]])
    assert told.votes[0, 0, [50, 60]].tolist() == [0.75, 0.25]
    np.testing.assert_allclose(told.votes[0, 1, [40, 30]], [2 / 3, 1 / 3])
    assert told.votes[0, 2, END] == 1


def test_one_piece_is_followed_by_hand():
    # The frame after [1] was [2]; that after [2] was [3].
    memory = Memory.of([roll([1], [2], [3])])
    chosen = remember(memory, roll([1], [2], [9]), Witness(0.5, 1, 1, 1.0))
    assert chosen.places[:, 0].tolist() == [0, 1, 2]
    # At first the first frame; then one equal frame and half a common beginning; then two equal frames.
    np.testing.assert_allclose(chosen.trust, np.log1p([1, 1.5, 1.75]), rtol=1e-6)


@given(PIECES, st.sampled_from(WITNESSES))
def test_votes_are_shares(rolls, witness):
    rolls = [roll(*frames) for frames in rolls]
    memory = Memory.of(rolls)
    for number, frames in enumerate(rolls):
        lists = note_lists(frames, 3)
        for told in (
            memories.testify(memory.frames, remember(memory, frames, witness, number), lists),
            memories.testify(frames, recollect(frames, witness), lists),
        ):
            assert ((told.agreeing >= 0) & (told.agreeing <= 1 + 1e-6)).all()
            assert (np.diff(told.agreeing, axis=1) <= 1e-6).all()
            np.testing.assert_allclose(told.votes.sum(axis=2), told.agreeing > 0, atol=1e-5)
            assert ((told.expected >= 0) & (told.expected <= 1 + 1e-6)).all()
            assert np.isfinite(told.trust).all()


@given(st.integers(0, 11), st.sampled_from(WITNESSES))
def test_no_vote_knows_what_comes_later(time, witness):
    piece, other = random_roll(12), random_roll(12, 1)
    changed = np.concatenate([piece[:time], other[time:]])
    memory = Memory.of([random_roll(9, 2), piece])
    assert_same(remember(memory, changed, witness), remember(memory, piece, witness), slice(time + 1))
    assert_same(recollect(changed, witness), recollect(piece, witness), slice(time + 1))


@given(st.sampled_from(WITNESSES))
def test_a_piece_does_not_remember_itself_among_others(witness):
    piece, other = random_roll(12), random_roll(9, 1)
    chosen = remember(Memory.of([other, piece, other]), piece, witness, owner=1)
    mine = (chosen.places >= 9) & (chosen.places < 21)
    assert not chosen.weights[mine].any()
    whole = remember(Memory.of([other, piece, other]), piece, witness)
    assert whole.weights[(whole.places >= 9) & (whole.places < 21)].any()
    if witness is ALL:
        # It is as if the piece were not there.
        others, lists = Memory.of([other, other]), note_lists(piece, 4)
        alone = memories.testify(others.frames, remember(others, piece, ALL), lists)
        told = memories.testify(np.concatenate([other, piece, other]), chosen, lists)
        np.testing.assert_allclose(told.votes, alone.votes, atol=1e-6)
        np.testing.assert_allclose(told.expected, alone.expected, atol=1e-6)


@given(st.sampled_from(WITNESSES), st.integers(1, 12))
def test_only_earlier_frames_of_a_piece_vote_on_it(witness, length):
    chosen = recollect(random_roll(length), witness)
    later = chosen.places >= np.arange(length)[:, np.newaxis]
    assert not chosen.weights[later].any()
    assert chosen.places.shape == (length, witness.neighbours)


def test_a_chord_that_is_held_does_not_vote_for_itself():
    piece = roll([1], [2], [3], [2], [2], [2], [2])
    chosen = recollect(piece, ALL)
    voting = [chosen.places[time][chosen.weights[time] > 0].tolist() for time in range(len(piece))]
    # Place 2 followed the first 2, and place 3 a 2 and one frame more; places 4 and 5 are the held chord itself.
    assert [sorted(places) for places in voting] == [[], [], [], [], [2], [2, 3], [2, 3]]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=12))
def test_the_first_place_that_is_barred_is_as_one_counts_it(frames):
    stood = 0
    for count, frame in enumerate(frames):
        expected = count
        while expected > 1 and frames[expected - 2] == frames[count - 1]:
            expected -= 1
        assert memories.first_barred(count, stood) == expected
        stood = stood + 1 if count and frames[count - 1] == frame else 1


def test_the_first_frame_is_remembered_from_first_frames():
    memory = Memory.of([roll([1], [2]), roll([3], [4])])
    chosen = remember(memory, roll([9], [9]), ALL)
    told = memories.testify(memory.frames, chosen, note_lists(roll([9], [9]), 2))
    assert np.flatnonzero(told.expected[0]).tolist() == [1, 3]


@pytest.mark.parametrize("witness", WITNESSES)
@pytest.mark.parametrize("pieces", [[roll([1])], [roll([])], [roll([], [], [])], [roll([1]), roll([], [2])]])
def test_the_smallest_memories_serve(witness, pieces):
    memory = Memory.of(pieces)
    for number, piece in enumerate(pieces):
        for chosen, frames in (
            (remember(memory, piece, witness, number), memory.frames),
            (recollect(piece, witness), piece),
        ):
            told = memories.testify(frames, chosen, note_lists(piece, 1))
            assert told.votes.shape == (len(piece), 1, 89)
            assert all(np.isfinite(getattr(told, name)).all() for name in ("expected", "trust", "votes", "agreeing"))


def test_silence_resembles_silence():
    chosen = remember(Memory.of([roll([], [], [1])]), roll([], [], []), replace(ALL, neighbours=1, temperature=0.01))
    assert chosen.places[:, 0].tolist() == [0, 1, 2]
