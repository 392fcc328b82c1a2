import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from artbook.music import next_step
from artbook.music.next_step import BEFORE, CONTEXT, LEAP, REACH
from artbook.nn import bill


def linear():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])


@pytest.fixture(scope="module")
def trainer():
    return bill.Trainer(linear(), np.zeros((8, 3), np.float32))


@pytest.fixture(scope="module")
def separable():
    inputs = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    return inputs, (inputs[:, 0] > 0).astype(np.int64)


def test_the_first_step_is_adams(trainer, separable):
    inputs, targets = separable[0][:8], separable[1][:8]
    weights = [np.full((3, 2), 0.1, np.float32), np.zeros(2, np.float32)]
    trainer.restart(weights)
    trainer.train(inputs, targets, 1, peak=0.01, fall=False)
    # Of equal logits the softmax is one half, and the first step of Adam is the sign of the gradient.
    gradient = inputs.T @ (0.5 - np.eye(2)[targets]) / 8
    moved = trainer.model.get_weights()[0] - weights[0]
    np.testing.assert_allclose(moved, -0.01 * np.sign(gradient), atol=1e-5)


def test_training_lowers_the_cost_and_the_same_seed_gives_the_same_weights(trainer, separable):
    start = bill.fresh_weights(trainer.model, 3)
    trainer.restart(start)
    before = trainer.costs(*separable).mean()
    course = trainer.train(*separable, 40, peak=0.1, seed=5)
    after, first = trainer.costs(*separable).mean(), trainer.model.get_weights()
    assert after < before / 2
    assert course.steps == 40
    assert course.seconds > 0
    assert course.operations == 40 * trainer.step_operations
    trainer.restart(start)
    trainer.train(*separable, 40, peak=0.1, seed=5)
    for one, other in zip(first, trainer.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_distributions_and_classes_are_the_same_targets(trainer, separable):
    inputs, targets = separable
    start, found = bill.fresh_weights(trainer.model, 0), []
    for each in (targets, np.eye(2, dtype=np.float32)[targets]):
        trainer.restart(start)
        trainer.train(inputs, each, 5, peak=0.1)
        found.append(trainer.model.get_weights()[0])
    np.testing.assert_array_equal(*found)


def test_patience_stops_and_keeps_the_best(trainer, separable):
    inputs, targets = separable
    rule = bill.Patience(inputs, 1 - targets, every=2, looks=3)
    trainer.restart(bill.fresh_weights(trainer.model, 1))
    course = trainer.train(inputs, targets, 100, peak=0.1, fall=False, patience=rule)
    nats = [each for _, each in course.looks]
    assert course.steps < 100
    assert len(nats) - 1 - int(np.argmin(nats)) == 3
    assert trainer.costs(rule.inputs, rule.targets).mean() == pytest.approx(min(nats), abs=1e-6)
    looked = len(nats) * 8 * trainer.pass_operations
    assert course.operations == course.steps * trainer.step_operations + looked


def test_frozen_weights_stay(separable):
    model = linear()
    model.layers[0].enable_lora(1)
    trainer = bill.Trainer(model, separable[0][:8])
    before = keras.ops.convert_to_numpy(model.layers[0]._kernel).copy()
    trainer.train(*separable, 3)
    np.testing.assert_array_equal(before, keras.ops.convert_to_numpy(model.layers[0]._kernel))
    assert np.abs(keras.ops.convert_to_numpy(model.layers[0].lora_kernel_b)).max() > 0


def test_logits_are_those_of_the_model_for_any_number_of_inputs(trainer, separable):
    found = trainer.logits(separable[0][:13])
    kernel, bias = trainer.model.get_weights()
    np.testing.assert_allclose(found, separable[0][:13] @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_nats_of_equal_logits():
    np.testing.assert_allclose(bill.nats(np.zeros((3, 4)), np.array([0, 1, 3])), np.log(4))


def test_bytes_are_counted_in_their_own_type():
    assert bill.stored_bytes(linear()) == 4 * 8
    half = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="bfloat16")])
    assert bill.stored_bytes(half) == 2 * 8


def test_functions_are_timed_by_name():
    times = bill.answer_seconds({"a": np.sum, "b": np.sort}, np.arange(9.0), repeats=2)
    assert set(times) == {"a", "b"}
    assert min(times.values()) >= 0


def test_the_frontier_of_five_choices():
    found = bill.frontier([1, 2, 3, 2, 1], [5, 3, 3, 4, 5])
    assert found.tolist() == [True, True, False, False, True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_nothing_beats_the_frontier(choices):
    costs, losses = np.transpose(choices)
    for place, on in enumerate(bill.frontier(costs, losses)):
        beaten = any(
            (c <= costs[place] and loss <= losses[place]) and (c, loss) != (costs[place], losses[place])
            for c, loss in choices
        )
        assert on == (not beaten)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, d: t.train(*d, 0), "at least one step"),
        (lambda t, d: t.train(d[0][:4], d[1][:4], 1), "8 examples"),
        (lambda t, d: t.train(d[0], d[1][:4], 1), "a target for each"),
        (lambda t, d: t.logits(d[0][:0]), "at least one input"),
        (lambda t, d: bill.Trainer(linear(), d[0][:0]), "at least one input"),
        (lambda t, d: bill.Patience(*d, every=0, looks=1), "at least 1 step"),
        (lambda t, d: bill.nats(np.zeros((2, 3)), np.zeros(3, int)), "a row of logits"),
        (lambda t, d: bill.answer_seconds({}, d[0], 0), "at least 1 call"),
        (lambda t, d: bill.frontier([1, 2], [1]), "finite costs"),
        (lambda t, d: bill.frontier([1, np.nan], [1, 2]), "finite costs"),
    ],
)
def test_bad_input_is_refused_by_name(trainer, separable, call, message):
    with pytest.raises(ValueError, match=message):
        call(trainer, separable)


def test_an_example_for_each_note_after_the_first():
    found = next_step.examples([[60, 62, 64, 60], [70], [50, 90]])
    assert found.contexts.shape == (4, CONTEXT)
    assert (found.steps.astype(int) - LEAP).tolist() == [2, 2, -4, LEAP]
    assert found.contexts[0].tolist() == [BEFORE] * CONTEXT
    assert (found.contexts[2, -2:].astype(int) - REACH).tolist() == [-4, -2]
    assert found.contexts[2, -3] == BEFORE


def test_examples_are_the_same_in_every_key():
    tune = np.random.default_rng(0).integers(50, 80, size=40)
    for one, other in zip(next_step.examples([tune]), next_step.examples([tune + 7]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("tune", [[60.5, 61.0], [[60, 61]], [60, -1], [60, 128], [60]])
def test_what_is_no_tune_is_refused(tune):
    with pytest.raises(ValueError, match="wanted"):
        next_step.examples([tune])
