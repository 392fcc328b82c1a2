"""Keras on TensorFlow, Keras on JAX, and JAX itself against the NumPy network: one forward pass, one gradient."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache

import keras
import numpy as np
import pytest

from artbook.nn.automatic import keras_gradients
from artbook.nn.network import DenseNetwork, binary_cross_entropy, squared_error

ACTIVATIONS = ["sigmoid", "relu", "tanh", "linear"]
SIZES = [5, 7, 6, 4, 3]
TOLERANCES = {"float32": 1e-5, "float64": 1e-8}
COSTS = {"squared error": squared_error, "cross-entropy": binary_cross_entropy}

# One process a backend, because Keras settles on one for good when it is imported.
OF_KERAS = f"""
import sys
import keras
import numpy as np
from artbook.nn.automatic import keras_gradients

def squared_error(output, targets):
    return 0.5 * keras.ops.mean(keras.ops.sum((output - targets) ** 2, axis=-1))

def cross_entropy(logits, targets):
    return keras.ops.mean(keras.ops.sum(keras.ops.softplus(logits) - targets * logits, axis=-1))

given = np.load(sys.argv[1])
parameters = [given[f"parameter {{k}}"] for k in range({2 * len(ACTIVATIONS)})]
found = {{"backend": keras.backend.backend()}}
for dtype in sys.argv[3:]:
    layers = [keras.layers.Dense(h, name, dtype=dtype) for h, name in zip({SIZES[1:]}, {ACTIVATIONS})]
    model = keras.Sequential([keras.Input(({SIZES[0]},), dtype=dtype), *layers])
    model.set_weights(parameters)
    found[f"{{dtype}} output"] = np.asarray(model(given["X"].astype(dtype)))
    for cost, of in {{"squared error": squared_error, "cross-entropy": cross_entropy}}.items():
        for k, gradient in enumerate(keras_gradients(model, of, given["X"], given["Y"])):
            found[f"{{dtype}} {{cost}} {{k}}"] = gradient
np.savez(sys.argv[2], **found)
"""

# Keras 3.15 on JAX computes tanh and means in float32, whatever dtype it is asked for (keras-team/keras#23225),
# so in float64 JAX is asked itself.
OF_JAX = f"""
import sys
import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
given = np.load(sys.argv[1])
functions = {{"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "tanh": jax.numpy.tanh, "linear": lambda z: z}}

def output(parameters):
    a = given["X"]
    for W, b, name in zip(parameters[::2], parameters[1::2], {ACTIVATIONS}):
        a = functions[name](a @ W + b)
    return a

def squared_error(parameters):
    return ((output(parameters) - given["Y"]) ** 2).sum() / 2 / len(given["Y"])

def cross_entropy(parameters):
    logits = output(parameters)
    return (jax.nn.softplus(logits) - given["Y"] * logits).sum() / len(given["Y"])

parameters = [given[f"parameter {{k}}"] for k in range({2 * len(ACTIVATIONS)})]
found = {{"backend": "jax", "float64 output": output(parameters)}}
for cost, of in {{"squared error": squared_error, "cross-entropy": cross_entropy}}.items():
    for k, gradient in enumerate(jax.grad(of)(parameters)):
        found[f"float64 {{cost}} {{k}}"] = gradient
np.savez(sys.argv[2], **found)
"""

RUNS = {
    "Keras on TensorFlow": ("tensorflow", OF_KERAS, ["float32", "float64"]),
    "Keras on JAX": ("jax", OF_KERAS, ["float32"]),
    "JAX": ("jax", OF_JAX, ["float64"]),
}
CASES = [(run, dtype) for run, (_, _, dtypes) in RUNS.items() for dtype in dtypes]


def network_and_data() -> tuple[DenseNetwork, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    network = DenseNetwork.random(SIZES, ACTIVATIONS, rng)
    network = DenseNetwork(network.weights, [rng.normal(size=len(b)) for b in network.biases], ACTIVATIONS)
    return network, rng.normal(size=(9, SIZES[0])), rng.random((9, SIZES[-1]))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, np.ndarray]]:
    """What each run of ``RUNS`` computes, by name; each runs once."""

    @cache
    def of(run: str) -> dict[str, np.ndarray]:
        backend, script, dtypes = RUNS[run]
        if backend == "jax":
            pytest.importorskip("jax", reason="jax is an extra of the package")
        folder = tmp_path_factory.mktemp("run")
        network, X, Y = network_and_data()
        parameters = [array for both in zip(network.weights, network.biases, strict=True) for array in both]
        np.savez(folder / "given.npz", X=X, Y=Y, **{f"parameter {k}": array for k, array in enumerate(parameters)})
        command = [sys.executable, "-c", script, str(folder / "given.npz"), str(folder / "found.npz"), *dtypes]
        done = subprocess.run(
            command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        with np.load(folder / "found.npz") as arrays:
            results = dict(arrays)
        assert results.pop("backend") == backend
        return results

    return of


@pytest.mark.parametrize(("run", "dtype"), CASES)
def test_the_forward_pass_is_the_same(found: Callable[[str], dict[str, np.ndarray]], run: str, dtype: str) -> None:
    network, X, _ = network_and_data()
    output = found(run)[f"{dtype} output"]
    assert output.dtype == dtype
    assert np.allclose(output, network.forward(X).output, rtol=TOLERANCES[dtype], atol=0)


@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize(("run", "dtype"), CASES)
def test_the_gradients_are_the_same(
    found: Callable[[str], dict[str, np.ndarray]], run: str, dtype: str, cost: str
) -> None:
    network, X, Y = network_and_data()
    trace = network.forward(X)
    gradients = network.backward(trace, COSTS[cost](trace.output, Y).gradient)
    ours = [array for both in zip(gradients.weights, gradients.biases, strict=True) for array in both]
    for k, array in enumerate(ours):
        theirs = found(run)[f"{dtype} {cost} {k}"]
        assert theirs.dtype == dtype
        assert np.linalg.norm(theirs - array) <= TOLERANCES[dtype] * np.linalg.norm(array)


def test_gradients_in_this_process() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[1.0], [2.0]])])
    (gradient,) = keras_gradients(model, lambda output, targets: keras.ops.sum(output - targets), [[3.0, 4.0]], [[0.0]])
    assert np.array_equal(gradient, [[3.0], [4.0]])


def test_a_model_without_variables_has_no_gradients() -> None:
    with pytest.raises(ValueError, match="this one has none"):
        keras_gradients(keras.Sequential([keras.Input((2,))]), lambda output, targets: 0, [[1.0, 2.0]], [[0.0]])


def test_a_variable_that_the_cost_does_not_depend_on_has_zeros() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    (gradient,) = keras_gradients(model, lambda output, targets: keras.ops.sum(targets), [[3.0, 4.0]], [[0.0]])
    assert np.array_equal(gradient, np.zeros((2, 1)))


@pytest.mark.parametrize(("X", "targets"), [([[np.nan, 1.0]], [[0.0]]), ([[1.0, 1.0]], [[np.inf]]), ([[1.0]], [[0.0]])])
def test_data_that_are_not_finite_or_do_not_fit_are_refused(X: list, targets: list) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=r"finite numbers were wanted|incompatible with the layer"):
        keras_gradients(model, lambda output, targets: keras.ops.sum(output), X, targets)


def test_another_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    with pytest.raises(ValueError, match="'numpy' is in use"):
        keras_gradients(model, lambda output, targets: keras.ops.sum(output), [[1.0, 2.0]], [[0.0]])
