"""The engine of the chapter on automatic differentiation, read from the chapter's own cells, on random graphs."""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from artbook.nn.network import DenseNetwork, finite_differences, squared_error

CHAPTER = Path(__file__).parents[1] / "book" / "mathematics" / "automatic-differentiation.ipynb"
CELLS = [cell.source for cell in nbformat.read(CHAPTER, 4).cells if "engine" in cell.metadata.get("tags", ())]


@cache
def engine() -> SimpleNamespace:
    names: dict[str, Any] = {"np": np}
    for source in CELLS:
        exec(source, names)
    return SimpleNamespace(**names)


def test_the_engine_is_about_a_hundred_lines() -> None:
    lines = [line for source in CELLS for line in source.splitlines() if line.strip()]
    assert 80 <= len(lines) <= 140


# Random graphs, against finite differences, TensorFlow and JAX

Library = Any
Arrays = list[np.ndarray]
Cost = Callable[[Library, list[Any]], Any]

SHAPES = [(), (3,), (1, 3), (2, 1), (2, 3), (3, 3), (2, 1, 3), (2, 2, 3)]
BINARY = {
    "add": lambda L, a, b: a + b,
    "subtract": lambda L, a, b: a - b,
    "subtract from a number": lambda L, a, b: 0.5 - a * b,
    "multiply": lambda L, a, b: a * b,
    "divide": lambda L, a, b: a / (b * b + 0.5),
}
MATMUL = {"matmul": lambda L, a, b: a @ b}
# All of these keep values of order one, so that the digits of a difference are not lost.
UNARY = {
    "power": lambda L, a: 0.1 * a**3,
    "inverse": lambda L, a: 2.0 / (a * a + 1.0),
    "square root": lambda L, a: (a * a + 0.3) ** 0.5,
    "negative": lambda L, a: -a,
    "exp": lambda L, a: L.exp(-(a * a)),
    "log": lambda L, a: L.log(a * a + 0.1),
    "tanh": lambda L, a: L.tanh(a),
    "sigmoid": lambda L, a: L.sigmoid(a),
    "relu": lambda L, a: L.relu(a),
}
AXES = {
    "sum": lambda L, a, axis: L.sum(a, axis=axis),
    "mean": lambda L, a, axis: L.mean(a, axis=axis, keepdims=True),
    "max": lambda L, a, axis: L.max(a, axis=axis),
    "max, axes kept": lambda L, a, axis: L.max(a, axis=axis, keepdims=True),
    "reshape": lambda L, a, axis: L.reshape(a, tuple(a.shape)[::-1]),
    "transpose": lambda L, a, axis: L.transpose(a, np.roll(np.arange(len(a.shape)), axis)),
    "gather": lambda L, a, axis: L.take(a, [a.shape[0] - 1, 0, 0]),
}
STEPS = BINARY | MATMUL | UNARY | AXES
PLAIN = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    tanh=np.tanh,
    sigmoid=lambda a: 1.0 / (1.0 + np.exp(-a)),
    relu=lambda a: np.maximum(a, 0.0),
    sum=np.sum,
    mean=np.mean,
    max=np.max,
    reshape=np.reshape,
    transpose=np.transpose,
    take=lambda a, rows: a[rows],
)


def fits(name: str, a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    if name in MATMUL:
        return min(len(a), len(b)) >= 2 and a[-1] == b[-2] and fits("add", a[:-2], b[:-2])
    if name in BINARY:
        return all(m == n or 1 in (m, n) for m, n in zip(a[::-1], b[::-1], strict=False))
    return name in UNARY or len(a) > 0


def cost_of(steps: list[tuple[str, int, int, int]], L: Library, leaves: list[Any]) -> Any:
    """The sum of what no step has used, each element with a weight of its own."""
    values, used = list(leaves), set()
    for name, i, j, axis in steps:
        operand = {"axis": axis} if name in AXES else {"b": values[j]} if name not in UNARY else {}
        values.append(STEPS[name](L, values[i], *operand.values()))
        used |= {i} if name in UNARY or name in AXES else {i, j}
    ends = [value for k, value in enumerate(values) if k not in used]
    return sum(L.sum(end * np.cos(1.0 + np.arange(np.prod(end.shape))).reshape(tuple(end.shape))) for end in ends)


@st.composite
def programs(draw: st.DrawFn) -> tuple[Arrays, Cost]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    leaves = [rng.normal(size=shape) for shape in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3))]
    values, steps = list(leaves), []
    for _ in range(draw(st.integers(1, 8))):
        i, j = draw(st.integers(0, len(values) - 1)), draw(st.integers(0, len(values) - 1))
        name = draw(st.sampled_from([name for name in STEPS if fits(name, values[i].shape, values[j].shape)]))
        axis = draw(st.integers(0, max(values[i].ndim - 1, 0)))
        if name in AXES:
            value = STEPS[name](PLAIN, values[i], axis)
        else:
            value = STEPS[name](PLAIN, *([values[i]] if name in UNARY else [values[i], values[j]]))
        values.append(np.asarray(value))
        steps.append((name, i, j, axis))
    assume(max(np.abs(value).max() for value in values) < 20)
    return leaves, partial(cost_of, steps)


def library_of_the_engine() -> Library:
    e = engine()
    return SimpleNamespace(
        exp=e.exp,
        log=e.log,
        tanh=e.tanh,
        sigmoid=e.sigmoid,
        relu=e.relu,
        sum=e.total,
        mean=e.mean,
        max=e.maximum,
        reshape=e.reshape,
        transpose=e.transpose,
        take=e.gather,
    )


def by_engine(leaves: Arrays, cost: Cost) -> Arrays:
    tensors = [engine().Tensor(leaf) for leaf in leaves]
    gradients = engine().backward(cost(library_of_the_engine(), tensors))
    return [gradients[tensor] for tensor in tensors]


def by_tensorflow(leaves: Arrays, cost: Cost) -> Arrays:
    tf = pytest.importorskip("tensorflow")
    library = SimpleNamespace(
        exp=tf.exp,
        log=tf.math.log,
        tanh=tf.tanh,
        sigmoid=tf.sigmoid,
        relu=tf.nn.relu,
        sum=tf.reduce_sum,
        mean=tf.reduce_mean,
        max=tf.reduce_max,
        reshape=tf.reshape,
        transpose=tf.transpose,
        take=tf.gather,
    )
    tensors = [tf.constant(leaf) for leaf in leaves]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = cost(library, tensors)
    return [tf.convert_to_tensor(gradient).numpy() for gradient in tape.gradient(value, tensors)]


def by_jax(leaves: Arrays, cost: Cost) -> Arrays:
    jax = pytest.importorskip("jax", reason="jax is an extra of the package")
    numpy = jax.numpy
    library = SimpleNamespace(
        exp=numpy.exp,
        log=numpy.log,
        tanh=numpy.tanh,
        sigmoid=jax.nn.sigmoid,
        relu=jax.nn.relu,
        sum=numpy.sum,
        mean=numpy.mean,
        max=numpy.max,
        reshape=numpy.reshape,
        transpose=numpy.transpose,
        take=lambda a, rows: a[np.array(rows)],
    )
    with jax.enable_x64(True):
        gradients = jax.grad(partial(cost, library))([numpy.asarray(leaf) for leaf in leaves])
        return [np.asarray(gradient) for gradient in gradients]


def assert_close(ours: Arrays, theirs: Arrays, tolerance: float) -> None:
    """Equal shapes, and differences that are small beside the largest derivative (or beside 1)."""
    scale = max(1.0, *(np.abs(array).max() for array in theirs))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() <= tolerance * scale


@settings(max_examples=150, deadline=None)
@given(programs())
def test_random_graphs_agree_with_finite_differences(program: tuple[Arrays, Cost]) -> None:
    leaves, cost = program

    def value(k: int, array: np.ndarray) -> float:
        return float(cost(PLAIN, [*leaves[:k], array, *leaves[k + 1 :]]))

    ours = by_engine(leaves, cost)
    near, nearer = (
        [finite_differences(partial(value, k), leaf, step) for k, leaf in enumerate(leaves)] for step in (2e-6, 1e-6)
    )
    # At a kink a difference is the mean of two slopes, and near one it depends on the step.
    assume(all(np.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(near, nearer, strict=True)))
    assert_close(ours, nearer, 1e-5)


@settings(max_examples=40, deadline=None)
@given(programs())
def test_random_graphs_agree_with_tensorflow(program: tuple[Arrays, Cost]) -> None:
    assert_close(by_engine(*program), by_tensorflow(*program), 1e-10)


@settings(max_examples=25, deadline=None)
@given(programs())
def test_random_graphs_agree_with_jax(program: tuple[Arrays, Cost]) -> None:
    assert_close(by_engine(*program), by_jax(*program), 1e-10)


# What a random graph may miss


def test_a_wrong_rule_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = SimpleNamespace(**vars(library_of_the_engine()))
    wrong.tanh = lambda a: engine().Tensor(np.tanh(a.data), "tanh", (a,), lambda g: (g,))
    leaf = np.array([0.3, -2.0])
    x = engine().Tensor(leaf)
    gradient = engine().backward(wrong.sum(wrong.tanh(x)))[x]
    with pytest.raises(AssertionError):
        assert_close([gradient], by_tensorflow([leaf], lambda L, leaves: L.sum(L.tanh(leaves[0]))), 1e-10)


def test_it_is_backpropagation() -> None:
    e, rng = engine(), np.random.default_rng(0)
    network = DenseNetwork.random([4, 5, 3], ["tanh", "sigmoid"], rng)
    X, Y = rng.normal(size=(6, 4)), rng.random((6, 3))
    trace = network.forward(X)
    by_hand = network.backward(trace, squared_error(trace.output, Y).gradient)
    W1, W2, b1, b2 = (e.Tensor(array) for array in [*network.weights, *network.biases])
    output = e.sigmoid(e.tanh(e.Tensor(X) @ W1 + b1) @ W2 + b2)
    gradients = e.backward(e.total((output - Y) ** 2) * (0.5 / len(X)))
    assert_close([gradients[t] for t in (W1, W2, b1, b2)], [*by_hand.weights, *by_hand.biases], 1e-14)


def test_a_value_that_is_used_twice_gets_the_sum() -> None:
    x = engine().Tensor([1.0, 2.0])
    assert np.array_equal(engine().backward((x + x) * x)[x], [4.0, 8.0])


def test_nothing_is_shared_between_gradients_that_are_added() -> None:
    x, y = engine().Tensor(np.ones(2)), engine().Tensor(np.ones(2))
    gradients = engine().backward(x + y + x)
    assert np.array_equal(gradients[x], [2.0, 2.0])
    assert np.array_equal(gradients[y], [1.0, 1.0])


def test_numbers_and_arrays_may_stand_on_either_side() -> None:
    x, array = engine().Tensor([1.0, 2.0]), np.array([[3.0], [4.0]])
    for result in (array + x, array * x, array - x, 1 - x, 2 / x, x / array, x - array):
        assert isinstance(result, engine().Tensor)
        assert engine().backward(result)[x].shape == (2,)
    assert np.array_equal((array - x).data, array - x.data)
    assert np.array_equal((2 / x).data, [2.0, 1.0])


def test_tied_winners_share_what_comes_back() -> None:
    x = engine().Tensor([[1.0, 2.0, 2.0], [0.0, -1.0, -2.0]])
    assert np.array_equal(engine().backward(x.max(axis=1))[x], [[0, 0.5, 0.5], [1, 0, 0]])
    assert np.array_equal(engine().backward(x.max())[x], [[0, 0.5, 0.5], [0, 0, 0]])


def test_a_row_that_is_taken_twice_receives_twice() -> None:
    x = engine().Tensor(np.zeros((3, 2)))
    assert np.array_equal(engine().backward(x[np.array([0, 0, 2])])[x], [[2, 2], [0, 0], [1, 1]])
    assert np.array_equal(engine().backward(x[np.arange(2), np.array([1, 0])])[x], [[0, 1], [1, 0], [0, 0]])


def test_relu_has_slope_zero_at_zero() -> None:
    x = engine().Tensor(0.0)
    assert engine().backward(engine().relu(x))[x] == 0


def test_depth_does_not_exhaust_the_stack() -> None:
    x = value = engine().Tensor(1.0)
    for _ in range(20_000):
        value = value * 1.0
    assert engine().backward(value)[x] == 1


def test_32_bits_stay_32_bits() -> None:
    x = engine().Tensor(np.ones((2, 2), dtype=np.float32))
    cost = engine().mean(engine().sigmoid((2.0 * x @ x - 1.0) / 3.0) ** 2)
    gradients = engine().backward(cost)
    assert cost.data.dtype == np.float32
    assert {array.dtype for array in gradients.values()} == {np.dtype(np.float32)}


def test_whole_numbers_become_real() -> None:
    x = engine().Tensor([1, 2, 3])
    assert np.array_equal(engine().backward(x * x)[x], [2.0, 4.0, 6.0])


def test_matmul_wants_matrices() -> None:
    with pytest.raises(ValueError, match=r"matrices was wanted, not of shapes \(2,\) and \(2, 2\)"):
        engine().Tensor(np.ones(2)) @ np.ones((2, 2))
