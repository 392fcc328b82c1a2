"""Addresses as data, passages that texts share, and the writer that looks its last characters up in tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.data import addresses
from artbook.nn.ngram import NGram
from artbook.words import passages
from artbook.words.characters import Vocabulary
from artbook.words.sampling import Mixture, write
from artbook.words.training import by_steps, learn
from artbook.words.writer import HEAD, costs, lessons, writer


def test_the_addresses_are_known():
    all_of_them = addresses.load()
    assert all_of_them[0].president == "George Washington" and all_of_them[0].year == 1790
    assert all_of_them[-1].year == 1900 and 105 <= len(all_of_them) <= 120
    assert [address.year for address in all_of_them] == sorted(address.year for address in all_of_them)
    whole = "".join(address.text for address in all_of_them)
    assert 3_000_000 < len(whole) < 8_000_000 and len(set(whole)) <= 80
    assert all(address.text == address.text.strip() and "  " not in address.text for address in all_of_them)


# Passages


def test_a_quotation_is_cut_out():
    quoted = "shall from time to time give to the Congress information"
    text = f"The President {quoted}; so it is written."
    assert passages.without_shared(text, [f"He {quoted} indeed."], 30) == ["The President", "; so it is written."]
    assert passages.without_shared(text, ["something else"], 30) == [text]
    assert passages.without_shared(quoted, [quoted], 30) == []


@given(st.text("ab", max_size=30), st.lists(st.text("ab", max_size=12), max_size=3), st.integers(1, 5))
def test_what_is_left_shares_no_passage(text, others, size):
    pieces = passages.without_shared(text, others, size)
    known = {other[i : i + size] for other in others for i in range(len(other) - size + 1)}
    assert not any(piece[i : i + size] in known for piece in pieces for i in range(len(piece) - size + 1))
    covered = {j for i in range(len(text) - size + 1) if text[i : i + size] in known for j in range(i, i + size)}
    assert sum(map(len, pieces)) == len(text) - len(covered)


def test_counts_that_have_read_a_quotation_gain_by_it():
    """The leak that the chapter looks for: the cost of a held-out text falls when a passage of it was learned."""
    rng = np.random.default_rng(0)
    learned, held_out = ("".join(rng.choice(list("abcdefgh"), 2000)) for _ in range(2))
    leaked = learned + held_out[500:900]
    vocabulary = Vocabulary.of((learned, held_out))

    def cost(texts):
        counts = NGram.fit([vocabulary.encode(text) for text in texts], len(vocabulary), 5)
        return counts.costs(vocabulary.encode(held_out)).mean()

    assert cost([leaked]) < 0.95 * cost([learned])
    assert cost(passages.without_shared(leaked, [held_out])) == pytest.approx(cost([learned]), rel=0.01)


def test_repetition_is_counted():
    assert passages.repeated("abcdefgh", 2) == 0
    assert passages.repeated("ab" * 20, 4) == 1 - 2 / 37
    for text, size in (("abc", 4), ("", 1), ("abc", 0)):
        with pytest.raises(ValueError, match="a size from 1"):
            passages.repeated(text, size)
    with pytest.raises(ValueError, match="a size from 1 was wanted; 0"):
        passages.without_shared("abc", ["abc"], 0)


# The writer

SEQUENCE = np.resize([0, 1, 2, 3, 2, 1], 400)


@pytest.fixture(scope="module")
def model():
    return writer(5, 8, 8, 1, 2)


@pytest.fixture(scope="module")
def counts():
    return NGram.fit([SEQUENCE], 5, 3)


def test_lessons_ask_for_what_follows():
    tokens, targets = next(lessons(SEQUENCE, 8, 6, 0))
    assert tokens.shape == (6, HEAD + 8) and targets.shape == (6, 8)
    assert np.array_equal(tokens[:, HEAD + 1 :], targets[:, :-1])
    every = np.arange(HEAD + 8 * 6 + 1)
    batches = lessons(every, 8, 2, 0)
    asked = np.sort([next(batches)[1] for _ in range(3)], axis=None)
    assert np.array_equal(asked, every[HEAD + 1 :])
    with pytest.raises(ValueError, match="at least 12 tokens"):
        lessons(SEQUENCE[:11], 8, 2, 0)
    with pytest.raises(ValueError, match="a batch from 1"):
        lessons(SEQUENCE, 8, 0, 0)


def test_no_place_sees_what_follows_it(model):
    rng = np.random.default_rng(0)
    tokens = rng.integers(5, size=(2, HEAD + 8))
    changed = tokens.copy()
    changed[:, HEAD + 5] = (changed[:, HEAD + 5] + 1) % 5
    first, second = (np.asarray(model(some)) for some in (tokens, changed))
    assert np.allclose(first[:, :5], second[:, :5], atol=1e-6) and not np.allclose(first[:, 5], second[:, 5])


def test_a_place_knows_the_three_tokens_before_it(model):
    """The first place attends to itself alone, so that what it knows of others comes from the tables."""
    tokens = np.array([[0, 0, 0, 1, 1], [1, 0, 0, 1, 1], [0, 1, 0, 1, 1], [0, 0, 1, 1, 1]])
    logits = np.asarray(model(tokens))[:, 0]
    assert all(not np.allclose(logits[0], other) for other in logits[1:])


def test_a_writer_learns_what_counts_of_three_cannot_see():
    """Which of two follows is decided four places before."""
    rng = np.random.default_rng(0)
    text = np.array([[first, 2, 2, 2, first] for first in rng.integers(2, size=800)]).ravel()
    model = writer(3, 10, 16, 1, 2)
    learn(model, lessons(text[1000:], 10, 16, 0), by_steps(150), peak=1e-2)
    counted = NGram.fit([text[1000:]], 3, 3).costs(text[:1000]).mean()
    assert np.nanmean(costs(model, text[:1000])) < 0.8 * counted


def test_costs_are_of_the_second_half_of_each_window(model):
    found = costs(model, SEQUENCE[:37])
    rows = [SEQUENCE[start : start + 12] for start in range(0, 25, 4)]
    assert found.shape == (37,) and np.isnan(found[:8]).all() and np.isnan(found[36:]).all()
    for row, some in zip(rows, found[8:36].reshape(-1, 4), strict=True):
        logits = np.asarray(model(row[None, :-1]))[0]
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        assert np.allclose(some, -logs[np.arange(4, 8), row[-4:]], atol=1e-4)
    with pytest.raises(ValueError, match="at least 12 tokens"):
        costs(model, SEQUENCE[:11])


def test_absurd_writers_are_refused():
    with pytest.raises(ValueError, match="a length from 2"):
        writer(5, 1, 8, 1, 2)
    with pytest.raises(ValueError, match="at most 100,000"):
        writer(10**9, 8, 8, 1, 2)


# Writing on


def likeliest(p):
    return (p == p.max(axis=1, keepdims=True)).astype(float)


def whole_mixture(mixture, tokens):
    """What the mixture gives to each token from the fifth, the network read at once."""
    logits = np.asarray(mixture.model(tokens[:, :-1]))
    network = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    known = [[mixture.counts.following(row[:place]) for place in range(HEAD + 1, len(row))] for row in tokens]
    return mixture.weight * np.array(known) + (1 - mixture.weight) * network


@pytest.mark.parametrize("weight", [0, 0.5, 1])
def test_the_likeliest_token_is_that_of_both_read_at_once(model, counts, weight):
    mixture, prompt = Mixture(model, counts, weight), np.array([[1, 2, 3, 2], [3, 4, 0, 1]])
    tokens, paid = write(mixture, prompt, 6, likeliest, seed=0)
    p = whole_mixture(mixture, np.concatenate([prompt, tokens], axis=1))
    assert np.array_equal(tokens, p.argmax(axis=-1))
    assert np.allclose(np.exp(-paid), np.take_along_axis(p, tokens[..., None], axis=-1)[..., 0], atol=1e-4)


def test_beyond_its_window_it_sees_the_last_half(model, counts):
    mixture = Mixture(model, counts, 0)
    tokens, paid = write(mixture, [[0, 1, 2, 3]], 9, lambda p: p, seed=3)
    # The window is full after place 10, the last token is seen from places 7 to 11.
    whole = np.concatenate([[[0, 1, 2, 3]], tokens], axis=1)
    p = whole_mixture(mixture, whole[:, 4:])[0, -1]
    assert paid[0, -1] == pytest.approx(-np.log(p[tokens[0, -1]]), abs=1e-4)
    assert write(mixture, [[0] * 30], 20, lambda p: p, seed=3)[0].shape == (1, 20)


def test_the_seed_decides_and_what_is_cut_off_is_never_drawn(model, counts):
    def only_two_and_three(p):
        return p * np.isin(np.arange(5), (2, 3))

    mixture, prompt = Mixture(model, counts, 0.5), [[0] * 4] * 8
    first, second = (write(mixture, prompt, 15, only_two_and_three, seed)[0] for seed in (1, 2))
    assert not np.array_equal(first, second) and set(np.unique(first)) == {2, 3}
    assert np.array_equal(first, write(mixture, prompt, 15, only_two_and_three, 1)[0])


@pytest.mark.parametrize(
    "prompt, length, weight, message",
    [
        ([[]], 3, 0.5, "a prompt of whole tokens"),
        ([[1, 2]], 3, 0.5, r"\(batch, 4 or more\) was wanted; int64 \(1, 2\)"),
        ([1, 2, 3, 4], 3, 0.5, "a prompt of whole tokens"),
        ([[0.5] * 4], 3, 0.5, "a prompt of whole tokens"),
        ([[5] * 4], 3, 0.5, "tokens from 0 to 4"),
        ([[-1] * 4], 3, 0.5, "tokens from 0 to 4"),
        ([[0] * 4], 0, 0.5, "at least one token"),
        ([[0] * 4], 3, 1.5, "a weight from 0 to 1"),
    ],
)
def test_an_empty_or_absurd_prompt_is_refused(model, counts, prompt, length, weight, message):
    with pytest.raises(ValueError, match=message):
        write(Mixture(model, counts, weight), prompt, length, lambda p: p, 0)


def test_an_unknown_script_is_refused():
    with pytest.raises(ValueError, match="the text also has"):
        Vocabulary.of(("to be",)).encode("春眠")
