"""Recall finds the longest earlier match, and the model that uses it sees no future and keeps its cache straight."""

import keras
import numpy as np
import numpy.typing as npt
import pytest
from conftest import passes_on_the_other_backend
from keras import ops

from artbook.data.tunes import read_tune
from artbook.music.events import BAR, END, VOCABULARY, encode
from artbook.music.recall import LEVELS, RecallingModel, bar_fill, recall
from artbook.nn.transformer import generate


def searched(tokens: list[int], place: int) -> tuple[int, int]:
    """What ``recall`` should find, one earlier place after the other."""
    best = (0, -1)
    for earlier in range(place):
        agree = 0
        while agree <= earlier and tokens[earlier - agree] == tokens[place - agree]:
            agree += 1
        best = max(best, (min(agree.bit_length(), LEVELS), earlier))
    return (tokens[best[1] + 1], best[0]) if best[0] else (-1, 0)


def recalled(tokens: npt.ArrayLike) -> list[list[tuple[int, int]]]:
    token, level = (ops.convert_to_numpy(found) for found in recall(ops.convert_to_tensor(tokens, "int32")))
    return [list(zip(*row, strict=True)) for row in zip(token.tolist(), level.tolist(), strict=True)]


@pytest.fixture(scope="module")
def model() -> RecallingModel:
    keras.utils.set_random_seed(0)
    made = RecallingModel(5, 90, 8, 2, 2, reach=7)
    made.build((None, 90))
    made.trust.assign(np.linspace(-1, 2, LEVELS + 1))
    for block in made.blocks:
        block.distances.assign(np.random.default_rng(0).normal(size=(8, 2)))
    return made


@pytest.fixture(scope="module")
def jig() -> npt.NDArray[np.int32]:
    return encode(read_tune("airdsAirs/by hand/1", "M:6/8\nL:1/8\nK:D\nA|d2e f3|g2c (3BAG c|d2 d3|]"))


@pytest.mark.parametrize("kinds", [2, 3, 9])
def test_recall_finds_what_a_search_finds(kinds: int):
    rows = np.random.default_rng(kinds).integers(kinds, size=(3, 70))
    rows[0, 35:] = rows[0, :35]
    wanted = [[searched(row, place) for place in range(70)] for row in rows.tolist()]
    assert recalled(rows) == wanted
    assert max(level for _, level in wanted[0]) == LEVELS


def test_recall_by_hand():
    assert recalled([[4, 1, 2, 3, 1, 2]]) == [[(-1, 0), (-1, 0), (-1, 0), (-1, 0), (2, 1), (3, 2)]]


def test_nothing_is_recalled_from_one_token():
    assert recalled([[3]]) == [[(-1, 0)]]


def test_a_bar_is_full_before_its_bar_line(jig: npt.NDArray[np.int32]):
    fill = ops.convert_to_numpy(bar_fill(ops.convert_to_tensor(jig[None])))[0]
    assert fill[jig == BAR].tolist() == [0, 0, 0]
    # The pickup, two full bars of six eighths, and the note at the end.
    assert fill[np.append(np.flatnonzero(jig == BAR) - 1, np.flatnonzero(jig == END))].tolist() == [24, 144, 144, 120]


def test_step_by_step_a_tune_is_the_same(jig: npt.NDArray[np.int32]):
    keras.utils.set_random_seed(1)
    made = RecallingModel(VOCABULARY, 40, 8, 1, 2, reach=7)
    made.build((None, 40))
    made.hints.embeddings.assign(np.random.default_rng(4).normal(size=made.hints.embeddings.shape))
    cache, apart = made.empty_cache(1), []
    for place, token in enumerate(jig):
        logits, cache = made.step(np.array([token]), place, cache)
        apart.append(ops.convert_to_numpy(logits)[0])
    np.testing.assert_allclose(np.stack(apart), ops.convert_to_numpy(made(jig[None]))[0], atol=1e-4)


def test_the_future_changes_nothing(model: RecallingModel):
    rows = np.random.default_rng(1).integers(5, size=(2, 40))
    changed = rows.copy()
    changed[:, 25:] = (changed[:, 25:] + 1) % 5
    before, after = (ops.convert_to_numpy(model(tokens)) for tokens in (rows, changed))
    np.testing.assert_allclose(before[:, :25], after[:, :25], atol=1e-5)
    assert np.abs(before[:, 25:] - after[:, 25:]).max() > 0.01


def test_step_by_step_is_the_same(model: RecallingModel):
    rows = np.random.default_rng(2).integers(5, size=(2, 40)).astype(np.int32)
    rows[:, 20:] = rows[:, :20]
    cache, apart = model.empty_cache(2), []
    for place in range(40):
        logits, cache = model.step(rows[:, place], place, cache)
        apart.append(ops.convert_to_numpy(logits))
    np.testing.assert_allclose(np.stack(apart, axis=1), ops.convert_to_numpy(model(rows)), atol=1e-4)


def test_a_trusted_memory_repeats_what_it_was_given(model: RecallingModel):
    trusting = RecallingModel.from_config(model.get_config())
    trusting.build((None, 90))
    trusting.trust.assign(np.full(LEVELS + 1, 50.0))
    part = np.array([[0, 3, 1, 4, 2, 4, 0]])
    written = generate(trusting, np.tile(part, 2)[:, :9], 12)
    np.testing.assert_array_equal(written, np.tile(part, 3))


def test_saved_and_loaded_it_is_the_same(model: RecallingModel, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    rows = np.random.default_rng(3).integers(5, size=(1, 30))
    np.testing.assert_allclose(ops.convert_to_numpy(again(rows)), ops.convert_to_numpy(model(rows)), atol=1e-6)


def test_the_other_backend_passes_the_same_tests():
    passes_on_the_other_backend(__file__)
