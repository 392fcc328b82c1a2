"""Counted successions: probabilities that sum to one, and the textbook's formula written out slowly."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.nn.ngram import NGram

SEQUENCES = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=4).filter(any)


def textbook(sequences: list[list[int]], vocabulary: int, order: int, row: tuple[int, ...]) -> float:
    """Interpolated Kneser-Ney, as in Chen and Goodman (1999), with dictionaries and sets."""
    padded = [(*[vocabulary] * (order - 1), *each) for each in sequences]
    whole = [tuple(each[i : i + order]) for each in padded for i in range(len(each) - order + 1)]
    counts = {gram: whole.count(gram) for gram in set(whole)}
    tables = [counts]
    for _ in range(order - 1):
        shorter = [gram[1:] for gram in tables[-1]]
        tables.append({gram: shorter.count(gram) for gram in set(shorter)})
    probability = 1 / vocabulary
    for size, table in enumerate(reversed(tables), 1):
        once, twice = (list(table.values()).count(times) for times in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        gram = row[order - size :]
        after = {each: count for each, count in table.items() if each[:-1] == gram[:-1]}
        if after:
            total = sum(after.values())
            kept = max(table.get(gram, 0) - discount, 0) if gram in table else 0
            probability = (kept + discount * len(after) * probability) / total
    return probability


@given(SEQUENCES, st.integers(1, 4))
def test_it_is_the_formula_of_the_textbook(sequences, order):
    model = NGram.fit([np.array(each, dtype=int) for each in sequences], 4, order)
    for tokens in sequences:
        padded = [4] * (order - 1) + tokens
        rows = [tuple(padded[i : i + order]) for i in range(len(tokens))]
        expected = [textbook(sequences, 4, order, row) for row in rows]
        np.testing.assert_allclose(np.exp(-model.costs(np.array(tokens, dtype=int))), expected, rtol=1e-12)


@given(SEQUENCES, st.integers(1, 4), st.lists(st.integers(0, 3), max_size=6))
def test_what_follows_sums_to_one_and_agrees_with_the_costs(sequences, order, context):
    model = NGram.fit([np.array(each, dtype=int) for each in sequences], 4, order)
    following = model.following(np.array(context, dtype=int))
    assert following.shape == (4,)
    assert (following > 0).all()
    assert following.sum() == pytest.approx(1)
    assert -np.log(following[2]) == pytest.approx(model.costs(np.array([*context, 2]))[-1])


def test_what_follows_is_what_each_token_costs():
    rng = np.random.default_rng(0)
    model = NGram.fit([rng.integers(5, size=60)], 5, 3)
    for context in ([], [1], [1, 2, 3], [4, 4]):
        costs = [model.costs(np.array([*context, token]))[-1] for token in range(5)]
        assert np.allclose(model.following(np.array(context, dtype=int)), np.exp(np.negative(costs)))


@given(SEQUENCES, st.integers(1, 4), st.lists(st.lists(st.integers(0, 3), max_size=5), min_size=1, max_size=5))
def test_many_contexts_at_once_are_as_one_by_one(sequences, order, contexts):
    model = NGram.fit([np.array(each, dtype=int) for each in sequences], 4, order)
    padded = [([4] * (order - 1) + each)[len(each) :] for each in contexts]
    expected = [model.following(np.array(each, dtype=int)) for each in contexts]
    after = model.after(np.array(padded, dtype=int).reshape(len(contexts), order - 1))
    np.testing.assert_allclose(after, expected, rtol=1e-12)
    np.testing.assert_allclose(after.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("contexts", "message"),
    [
        ([[0.5]], r"whole contexts \(n, 1\) were wanted; float64"),
        ([0], r"whole contexts \(n, 1\) were wanted"),
        ([[0, 1]], r"whole contexts \(n, 1\) were wanted; int64 \(1, 2\)"),
        ([[4]], "tokens from 0 to 3 were wanted; 4 to 4"),
        ([[-1]], "tokens from 0 to 3 were wanted"),
    ],
)
def test_what_is_no_context_is_refused(contexts, message):
    with pytest.raises(ValueError, match=message):
        NGram.fit([np.array([0, 1, 2])], 3, 2).after(np.array(contexts))


def test_no_context_has_nothing_after_it():
    assert NGram.fit([np.array([0, 1, 2])], 3, 2).after(np.empty((0, 1), dtype=int)).shape == (0, 3)


def test_a_text_that_the_counts_have_not_read_can_be_sent_in_as_many_bits_as_it_costs():
    """Whoever peeks at the next token, or spends more than one in all, cannot be decoded."""
    rng = np.random.default_rng(1)
    model = NGram.fit([rng.choice(4, 400, p=[0.7, 0.1, 0.1, 0.1])], 4, 3)
    text = rng.choice(4, 200, p=[0.7, 0.1, 0.1, 0.1])
    low, size = Fraction(0), Fraction(1)
    for place, token in enumerate(text):
        steps = [0, *map(Fraction, model.following(text[:place]).cumsum())]
        low, size = low + size * steps[token], size * (steps[token + 1] - steps[token])
    bits = math.ceil(model.costs(text).sum() / math.log(2)) + 2
    message = math.ceil(low * 2**bits)
    read: list[int] = []
    low, size, point = Fraction(0), Fraction(1), Fraction(message, 2**bits)
    for _ in text:
        steps = [0, *map(Fraction, model.following(np.array(read, dtype=int)).cumsum())]
        token = next(token for token in range(4) if point < low + size * steps[token + 1])
        low, size = low + size * steps[token], size * (steps[token + 1] - steps[token])
        read.append(token)
    assert read == text.tolist()


def test_what_was_seen_often_is_likely():
    model = NGram.fit([np.array([0, 1] * 50)], 3, 2)
    assert model.following([0])[1] > 0.98
    assert model.costs(np.array([], dtype=int)).shape == (0,)


@pytest.mark.parametrize(
    ("sequences", "vocabulary", "order", "message"),
    [
        ([[0.5]], 2, 2, r"whole tokens \(length,\) were wanted; float64"),
        ([[[0]]], 2, 2, r"whole tokens \(length,\) were wanted; int64 \(1, 1\)"),
        ([[2]], 2, 2, "tokens from 0 to 1 were wanted; 2 to 2"),
        ([[]], 2, 2, "at least one token was wanted"),
        ([[0]], 2, 0, "an order from 1"),
        ([[0]], 100, 10, "an order from 1"),
    ],
)
def test_bad_input_is_refused(sequences, vocabulary, order, message):
    with pytest.raises(ValueError, match=message):
        NGram.fit([np.array(each) for each in sequences], vocabulary, order)
