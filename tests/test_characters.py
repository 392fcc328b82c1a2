import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.words.characters import Vocabulary, windows

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4).filter(any)


def test_tokens_are_places_in_the_vocabulary():
    vocabulary = Vocabulary.of(("whale", "sea"))
    assert vocabulary.characters == "aehlsw"
    assert len(vocabulary) == 6
    tokens = vocabulary.encode("seal")
    assert tokens.tolist() == [4, 1, 0, 3]
    assert tokens.dtype == np.int32
    assert vocabulary.decode(np.array([5, 0, 3])) == "wal"


def test_no_text_is_no_tokens():
    vocabulary = Vocabulary("ab")
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode([]) == ""


@given(TEXTS)
def test_decoding_undoes_encoding(texts):
    vocabulary = Vocabulary.of(texts)
    assert set(vocabulary.characters) == set("".join(texts))
    assert [vocabulary.decode(vocabulary.encode(text)) for text in texts] == texts


@pytest.mark.parametrize("texts", [(), ("", "")])
def test_a_vocabulary_has_characters(texts):
    with pytest.raises(ValueError, match="different characters"):
        Vocabulary.of(texts)


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_characters_stand_once_and_in_order(characters):
    with pytest.raises(ValueError, match="different characters"):
        Vocabulary(characters)


def test_one_string_is_not_several_texts():
    with pytest.raises(ValueError, match="several texts"):
        Vocabulary.of("whale")


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match=r"also has \['x', 'y'\]"):
        Vocabulary("ab").encode("baxyx")


@pytest.mark.parametrize("tokens", [[0, 2], [-1], [0.5], [[0]], [np.nan]])
def test_tokens_outside_are_refused(tokens):
    with pytest.raises(ValueError, match="were wanted"):
        Vocabulary("ab").decode(tokens)


def test_windows_by_hand():
    tokens = np.arange(7, dtype=np.int32)
    assert windows(tokens, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert windows(tokens, 3, step=2).tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert windows(tokens, 7).tolist() == [list(range(7))]
    assert windows(tokens, 3).dtype == np.int32


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_windows_are_stretches_of_the_text(count, length, step):
    tokens = np.arange(count)
    if count < length:
        with pytest.raises(ValueError, match="one window"):
            windows(tokens, length, step)
        return
    rows = windows(tokens, length, step)
    assert rows.shape == (1 + (count - length) // step, length)
    np.testing.assert_array_equal(rows, np.arange(len(rows))[:, None] * step + np.arange(length))


@pytest.mark.parametrize("size", [{"length": 0}, {"length": 2, "step": 0}, {"length": 1.5}, {"length": True}])
def test_windows_have_a_whole_length_and_step(size):
    with pytest.raises(ValueError, match="whole number"):
        windows(np.arange(5), **size)


@pytest.mark.parametrize("tokens", [np.arange(6).reshape(2, 3), np.array([0.0, 1.0]), np.array([np.nan, 1])])
def test_windows_are_of_whole_numbers(tokens):
    with pytest.raises(ValueError, match="whole numbers"):
        windows(tokens, 1)
