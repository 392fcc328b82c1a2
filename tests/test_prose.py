"""Addresses as data, and writing on from a prompt."""

import numpy as np
import pytest

from artbook.data import addresses
from artbook.nn.transformer import generate, language_model
from artbook.words.characters import Vocabulary
from artbook.words.sampling import write


def test_the_addresses_are_known():
    all_of_them = addresses.load()
    assert all_of_them[0].president == "George Washington" and all_of_them[0].year == 1790
    assert all_of_them[-1].year == 1900 and 105 <= len(all_of_them) <= 120
    assert [address.year for address in all_of_them] == sorted(address.year for address in all_of_them)
    whole = "".join(address.text for address in all_of_them)
    assert 3_000_000 < len(whole) < 8_000_000 and len(set(whole)) <= 80
    assert all(address.text == address.text.strip() and "  " not in address.text for address in all_of_them)


@pytest.fixture(scope="module")
def model():
    return language_model(5, 16, 8, 1, 2)


def test_the_likeliest_token_is_what_generate_takes(model):
    def likeliest(p):
        return (p == p.max(axis=1, keepdims=True)).astype(float)

    prompt = np.array([[1, 2], [3, 4]])
    tokens, costs = write(model, prompt, 6, likeliest, seed=0)
    assert np.array_equal(tokens, generate(model, prompt, 6, temperature=0)[:, 2:])
    logits = np.asarray(model(np.concatenate([prompt, tokens], axis=1)))[:, 1:-1]
    logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    assert np.allclose(costs, -np.take_along_axis(logs, tokens[..., None], axis=-1)[..., 0], atol=1e-4)


def test_the_seed_decides_and_what_is_cut_off_is_never_drawn(model):
    def only_two_and_three(p):
        return p * np.isin(np.arange(5), (2, 3))

    first, second = (write(model, [[0]] * 8, 15, only_two_and_three, seed)[0] for seed in (1, 2))
    assert not np.array_equal(first, second) and set(np.unique(first)) == {2, 3}
    assert np.array_equal(first, write(model, [[0]] * 8, 15, only_two_and_three, 1)[0])


@pytest.mark.parametrize(
    "prompt, length, message",
    [
        ([[]], 3, "a prompt of whole tokens"),
        ([1, 2], 3, "a prompt of whole tokens"),
        ([[0.5]], 3, "a prompt of whole tokens"),
        ([[5]], 3, "tokens from 0 to 4"),
        ([[-1]], 3, "tokens from 0 to 4"),
        ([[0]], 0, "1 to 16 tokens"),
        ([[0] * 10_000], 3, "1 to 16 tokens"),
    ],
)
def test_an_empty_or_absurd_prompt_is_refused(model, prompt, length, message):
    with pytest.raises(ValueError, match=message):
        write(model, prompt, length, lambda p: p, 0)


def test_an_unknown_script_is_refused():
    with pytest.raises(ValueError, match="the text also has"):
        Vocabulary.of(("to be",)).encode("春眠")
