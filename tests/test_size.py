import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artbook.nn.size import TRAINING_BYTES, Transformer, count_operations, price
from artbook.nn.transformer import language_model

GPT_3 = Transformer(vocabulary=50257, length=2048, width=12288, depth=96, heads=96)


@pytest.mark.parametrize(
    ("width", "depth", "parameters"),
    [(768, 12, 124_439_808), (1024, 24, 354_823_168), (1280, 36, 774_030_080), (1600, 48, 1_557_611_200)],
)
def test_the_four_sizes_of_gpt_2_as_released(width, depth, parameters):
    assert Transformer(50257, 1024, width, depth).parameters == parameters


@pytest.mark.parametrize(
    ("vocabulary", "width", "depth", "parameters"),
    [
        (30522, 128, 2, 4_385_920),
        (30522, 768, 12, 109_482_240),
        (30522, 1024, 24, 335_141_888),
        (21128, 768, 12, 102_267_648),
    ],
)
def test_bert_as_released(vocabulary, width, depth, parameters):
    assert Transformer(vocabulary, 512, width, depth, encoder=True).parameters == parameters


def test_gpt_3_as_published():
    assert GPT_3.parameters == pytest.approx(174_600e6, rel=1e-3)
    assert 6 * GPT_3.parameters * 300e9 == pytest.approx(3.14e23, rel=2e-3)
    # The attention that 6ND leaves out is four to five per cent more.
    assert 1.02 < GPT_3.training_operations(300e9) / 3.14e23 < 1.06
    assert GPT_3.activation_bytes() / (96 * 2048 * 12288) == 34 + 80


@settings(max_examples=5, deadline=None)
@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))
def test_a_decoder_that_is_built_has_as_many(vocabulary, length, half, depth, heads):
    size = Transformer(vocabulary, length, 2 * half, depth, heads)
    model = language_model(vocabulary, length, 2 * half, depth, heads)
    assert size.parameters == model.count_params()
    of_blocks = sum(block.count_params() for block in model.blocks)
    assert size.block_parameters == of_blocks
    assert size.embedding_parameters == model.embedding.count_params() + model.places.count_params()
    cache = model.empty_cache(3)
    assert 3 * size.cache_numbers() == sum(int(np.prod(each.shape)) for pair in cache for each in pair)


def test_the_graph_of_a_decoder_has_as_many_operations():
    size = Transformer(vocabulary=11, length=6, width=8, depth=2, heads=2)
    forward, training = count_operations(language_model(11, 6, 8, 2, 2), np.zeros((3, 6), np.int32))
    assert forward == 3 * size.forward_operations()
    assert training == 3 * forward == size.training_operations(3 * 6)


def test_a_shorter_sequence_costs_less():
    size = Transformer(11, 6, 8, 2)
    forward, _ = count_operations(language_model(11, 6, 8, 2, 1), np.zeros((1, 4), np.int32))
    assert size.forward_operations(4) == forward
    assert size.cache_numbers(3) * 2 == size.cache_numbers()


def test_operations_by_hand():
    # A (5, 3) matrix times (3, 4): 60 products and as many additions. The input itself has no gradient.
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
    assert count_operations(model, np.zeros((5, 3), np.float32)) == (120, 240)
    several = keras.Model(inputs := [keras.Input((3,)), keras.Input((3,))], keras.layers.Dense(4)(sum(inputs)))
    assert count_operations(several, [np.zeros((5, 3), np.float32)] * 2) == (120, 240)


def test_an_encoder_pools_its_first_place():
    size = Transformer(11, 6, 8, 2, encoder=True)
    assert size.forward_operations() == 2 * (24 * 6 * 64 + 4 * 36 * 8) + 2 * 64


def test_adam_keeps_two_numbers_a_parameter():
    model = language_model(5, 4, 4, 1, 1)
    optimiser = keras.optimizers.Adam()
    optimiser.build(model.trainable_variables)
    # Beside them, the number of steps and the learning rate.
    kept = sum(int(np.prod(variable.shape)) for variable in optimiser.variables) - 2
    assert TRAINING_BYTES * model.count_params() == 4 * (2 * model.count_params() + kept)


def test_the_price_is_hours_times_rent():
    assert price(operations=7.2e12, speed=1e9, per_hour=3.0) == 6.0


@pytest.mark.parametrize("wrong", [{"vocabulary": 0}, {"depth": 1.5}, {"width": True}, {"length": -1}, {"heads": 3}])
def test_a_configuration_is_of_whole_numbers(wrong):
    with pytest.raises(ValueError, match="wanted"):
        Transformer(**{"vocabulary": 5, "length": 4, "width": 4, "depth": 1} | wrong)


@pytest.mark.parametrize("length", [0, 5, 2.0])
def test_a_sequence_fits_the_model(length):
    with pytest.raises(ValueError, match="wanted"):
        Transformer(5, 4, 4, 1).forward_operations(length)


def test_a_cache_has_a_whole_length():
    with pytest.raises(ValueError, match="length: a whole number"):
        Transformer(5, 4, 4, 1).cache_numbers(0)


@pytest.mark.parametrize("number", [0, -1.0, np.nan, np.inf])
def test_prices_and_tokens_are_above_zero(number):
    with pytest.raises(ValueError, match="above zero"):
        price(1.0, number, 1.0)
    with pytest.raises(ValueError, match="above zero"):
        Transformer(5, 4, 4, 1).training_operations(number)


def test_another_backend_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="'torch' is in use"):
        count_operations(None, np.zeros(1))
