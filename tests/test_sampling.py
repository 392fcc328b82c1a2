"""Temperature, nucleus and draw, on both backends."""

import numpy as np
import pytest
from conftest import passes_on_the_other_backend
from keras import ops

from artbook.music.sampling import counted, draw, nucleus

LOGITS = np.log(np.array([0.1, 0.4, 0.2, 0.3], dtype=np.float32))


def test_the_other_backend_passes_the_same_tests():
    passes_on_the_other_backend(__file__)


def test_votes_are_counted_row_by_row():
    tokens, weights = np.array([[2, 0, 2], [1, 1, 0]], np.int32), np.array([[1, 2, 4], [0.5, 0.25, 0]], np.float32)
    told = counted(ops.convert_to_tensor(tokens), ops.convert_to_tensor(weights), 3)
    np.testing.assert_array_equal(ops.convert_to_numpy(told), [[2, 0, 5], [0, 0.75, 0]])


@pytest.mark.parametrize(
    ("top_p", "stay"),
    [(1.0, [1, 1, 1, 1]), (0.95, [1, 1, 1, 1]), (0.85, [0, 1, 1, 1]), (0.6, [0, 1, 0, 1]), (0.01, [0, 1, 0, 0])],
)
def test_the_nucleus_by_hand(top_p, stay):
    kept = ops.convert_to_numpy(nucleus(ops.convert_to_tensor(LOGITS[None]), top_p))[0]
    np.testing.assert_array_equal(kept > -1e8, np.array(stay, dtype=bool))
    np.testing.assert_allclose(kept[kept > -1e8], LOGITS[kept > -1e8])


def drawn(uniform, **options):
    uniform = np.asarray(uniform, dtype=np.float32)
    logits = np.broadcast_to(LOGITS, (*uniform.shape, 4))
    return ops.convert_to_numpy(draw(ops.convert_to_tensor(logits), ops.convert_to_tensor(uniform), **options))


def test_a_draw_by_hand():
    assert drawn([0.0, 0.09, 0.11, 0.49, 0.51, 0.69, 0.71, 0.999999]).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # The nucleus of 0.6 holds tokens 1 and 3, with 4 and 3 parts of 7.
    assert drawn([0.0, 0.56, 0.58, 0.999999], top_p=0.6).tolist() == [1, 1, 3, 3]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_have_the_probabilities_of_the_softmax(temperature):
    uniform = (np.arange(10_000) + 0.5) / 10_000
    shares = np.bincount(drawn(uniform, temperature=temperature), minlength=4) / 10_000
    wanted = np.exp(LOGITS / temperature)
    np.testing.assert_allclose(shares, wanted / wanted.sum(), atol=2e-4)


def test_a_low_temperature_takes_the_likeliest():
    assert set(drawn(np.linspace(0, 0.999, 50), temperature=1e-3)) == {1}
