"""The melodies: tokens, a split without shared tunes, transposition, and rows of one length."""

import numpy as np
import pytest

from artbook.data import chorales
from artbook.data.chorales import REST, SPLITS
from artbook.music import melodies
from artbook.music.melodies import BEGIN, HIGHEST, LOWEST, SHARED_STEPS, VOCABULARY, Melody


@pytest.fixture(scope="module")
def parts():
    return melodies.load()


def melody(*tokens):
    piece = chorales.load().pieces[0].on_beats()
    return Melody(np.array(tokens, dtype=np.int64), piece)


def test_tokens_and_pitches_are_inverse():
    assert melodies.to_tokens([REST, LOWEST, HIGHEST]).tolist() == [0, 1, VOCABULARY - 1]
    tokens = np.arange(VOCABULARY)
    assert np.array_equal(melodies.to_tokens(melodies.to_pitches(tokens)), tokens)


@pytest.mark.parametrize("wrong", [[LOWEST - 1], [HIGHEST + 1], [-2], [60.0]])
def test_pitches_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="were wanted"):
        melodies.to_tokens(wrong)


@pytest.mark.parametrize("wrong", [[BEGIN], [-1], [1.0]])
def test_tokens_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="were wanted"):
        melodies.to_pitches(wrong)


def test_a_melody_is_the_soprano_on_the_beats(parts):
    for part in SPLITS:
        for each in parts[part]:
            assert np.array_equal(melodies.to_pitches(each.tokens), each.piece.pitches[:, 0])
    piece = parts["test"][0].piece
    assert np.array_equal(piece.pitches, chorales.load()[piece.name].on_beats().pitches)


def test_no_tune_stands_in_two_parts(parts):
    passages = {
        part: set().union(*(melodies.steps(each.tokens, SHARED_STEPS) for each in parts[part])) for part in SPLITS
    }
    assert not passages["train"] & (passages["valid"] | passages["test"])
    assert not passages["valid"] & passages["test"]
    assert all(passages.values())


def test_the_test_set_is_whole_and_only_shared_tunes_are_left_out(parts):
    everything = melodies.load(shared_steps=None)
    sizes = {part: len(everything[part]) for part in SPLITS}
    assert sizes == {part: len(pieces) for part, pieces in chorales.load().split().items()}
    assert len(parts["test"]) == sizes["test"]
    held_out = set().union(*(melodies.steps(m.tokens, SHARED_STEPS) for m in everything["valid"] + everything["test"]))
    kept = {each.piece.name for each in parts["train"]}
    for each in everything["train"]:
        assert (each.piece.name in kept) != bool(melodies.steps(each.tokens, SHARED_STEPS) & held_out)


@pytest.mark.parametrize("wrong", [0, 1.5, -1])
def test_a_wrong_length_of_passages_is_refused(wrong):
    with pytest.raises(ValueError, match="at least one step"):
        melodies.load(shared_steps=wrong)


def test_steps_do_not_depend_on_the_key():
    a, b = np.array([5, 7, 9, 0, 9]), np.array([8, 10, 12, 0, 12])
    assert melodies.steps(a, 4) == melodies.steps(b, 4)
    assert len(melodies.steps(a, 2)) == 3
    assert melodies.steps(a, 5) == set()
    with pytest.raises(ValueError, match="length from 1"):
        melodies.steps(a, 0)


def test_transpositions_fill_the_range_and_keep_the_tune(parts):
    one = parts["train"][0]
    moved = melodies.transpositions([one])
    pitched = [each.tokens[each.tokens > 0] for each in moved]
    assert pitched[0].min() == 1
    assert pitched[-1].max() == VOCABULARY - 1
    assert any(np.array_equal(each.tokens, one.tokens) for each in moved)
    for each in moved:
        assert melodies.steps(each.tokens, 8) == melodies.steps(one.tokens, 8)
        assert np.array_equal(melodies.to_pitches(each.tokens), each.piece.pitches[:, 0])


def test_a_silent_melody_has_one_transposition():
    silent = melody(0, 0)
    assert [each.tokens.tolist() for each in melodies.transpositions([silent])] == [[0, 0]]


def test_a_batch_of_whole_melodies():
    made = melodies.batch([melody(3, 4, 5, 6, 7), melody(8, 9)])
    assert made.inputs.tolist() == [[BEGIN, 3, 4, 5, 6], [BEGIN, 8, 0, 0, 0]]
    assert made.targets.tolist() == [[3, 4, 5, 6, 7], [8, 9, 0, 0, 0]]
    assert made.weights.tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert made.pieces.tolist() == [0] * 5 + [1] * 2


@pytest.mark.parametrize("length", [4, 5, 16, 64, 96, 200])
def test_every_beat_is_predicted_once_from_the_beat_before(parts, length):
    made = melodies.batch(parts["valid"], length)
    counted = made.weights > 0
    beats = np.concatenate([each.tokens for each in parts["valid"]])
    before = np.concatenate([[BEGIN, *each.tokens[:-1]] for each in parts["valid"]])
    assert made.targets.shape[1] == length
    assert np.array_equal(made.targets[counted], beats)
    assert np.array_equal(made.inputs[counted], before)
    assert len(made.pieces) == len(beats)
    # Each row has something to predict.
    assert counted.any(axis=1).all()


def test_the_costs_are_those_of_a_softmax(parts):
    made = melodies.batch(parts["valid"][:3], 16)
    level = made.costs(np.zeros((*made.targets.shape, VOCABULARY)))
    assert np.allclose(level, np.log(VOCABULARY))
    logits = np.random.default_rng(0).normal(size=(*made.targets.shape, VOCABULARY)) * 30
    by_hand = []
    for row, place in zip(*np.nonzero(made.weights), strict=True):
        values = np.exp(logits[row, place] - logits[row, place].max())
        by_hand.append(-np.log(values[made.targets[row, place]] / values.sum()))
    assert np.allclose(made.costs(logits), by_hand)


@pytest.mark.parametrize("fault", ["shape", "nan"])
def test_wrong_logits_are_refused(parts, fault):
    made = melodies.batch(parts["valid"][:2])
    logits = np.zeros((*made.targets.shape, VOCABULARY + (fault == "shape")))
    if fault == "nan":
        logits[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite logits"):
        made.costs(logits)


def test_wrong_batches_are_refused():
    with pytest.raises(ValueError, match="at least one melody"):
        melodies.batch([])
    with pytest.raises(ValueError, match="at least one melody"):
        melodies.batch([melody()])
    with pytest.raises(ValueError, match="at least 4 beats"):
        melodies.batch([melody(1, 2)], 3)
