"""A dense network in NumPy: forward pass, backward pass, costs, and the finite differences that check them.

It is the network of the chapters on forward propagation and backpropagation, in their notation: the rows
of ``X`` are examples, layer ``l`` computes ``z = a W + b`` and ``a = g(z)``, and ``delta = ∂C/∂z``.
Everything is float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def sigmoid(z: ArrayLike) -> Array:
    """The logistic function 1 / (1 + exp(-z)), written so that no exponential overflows.

    Args:
        z: numbers of any shape.

    Returns:
        Values in [0, 1], of the same shape.

    Raises:
        ValueError: a number is NaN.
    """
    z = np.asarray(z, dtype=np.float64)
    if np.isnan(z).any():
        raise ValueError("z: numbers were wanted, not NaN")
    return np.exp(-np.logaddexp(0.0, -z))


class Activation(NamedTuple):
    """An elementwise activation function and its derivative, both as functions of the pre-activation."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


ACTIVATIONS = {
    "linear": Activation(lambda z: z, np.ones_like),
    # The derivative of relu at 0 is taken as 0, as TensorFlow and JAX take it.
    "relu": Activation(lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(float)),
    # sigmoid(-z) is 1 - sigmoid(z) without the cancellation that makes it 0 from z = 37 on.
    "sigmoid": Activation(sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "tanh": Activation(np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
}


@dataclass(frozen=True)
class Trace:
    """What a forward pass computed, kept for the backward pass.

    Attributes:
        pre_activations: z of layers 1 to L, each (m, h); ``pre_activations[l - 1]`` belongs to layer l.
        activations: a of layers 0 to L, each (m, h); ``activations[0]`` is the input.
    """

    pre_activations: list[Array]
    activations: list[Array]

    @property
    def output(self) -> Array:
        """The activation of the last layer, (m, p)."""
        return self.activations[-1]


@dataclass(frozen=True)
class Gradients:
    """The derivatives of a cost, each of the shape of what it is taken by.

    Attributes:
        weights: ∂C/∂W of layers 1 to L, each (n, h).
        biases: ∂C/∂b of layers 1 to L, each (h,).
        deltas: ∂C/∂z of layers 1 to L, each (m, h).
        input: ∂C/∂X, (m, n).
    """

    weights: list[Array]
    biases: list[Array]
    deltas: list[Array]
    input: Array


class DenseNetwork:
    """Dense layers in a row.

    Args:
        weights: one matrix (n, h) a layer: n inputs, h outputs.
        biases: one vector (h,) a layer.
        activations: one name of ``ACTIVATIONS`` a layer.

    Raises:
        ValueError: there is no layer, the lists differ in length, a shape does not fit its neighbours,
            a number is not finite, or an activation is unknown.
    """

    def __init__(self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike], activations: Sequence[str]) -> None:
        if not len(weights) == len(biases) == len(activations) > 0:
            raise ValueError(
                "a network wants as many weights as biases as activations, at least one; "
                f"{len(weights)}, {len(biases)} and {len(activations)} were given"
            )
        for name in activations:
            if name not in ACTIVATIONS:
                raise ValueError(f"an activation is one of {', '.join(ACTIVATIONS)}; {name!r} was given")
        self.weights = [_finite(W, f"weights {layer}", ndim=2).copy() for layer, W in enumerate(weights, start=1)]
        self.biases = [_finite(b, f"biases {layer}", ndim=1).copy() for layer, b in enumerate(biases, start=1)]
        self.activations = list(activations)
        for layer, (W, shape) in enumerate(zip(self.weights, pairwise(self.sizes), strict=True), start=1):
            if W.shape != shape:
                raise ValueError(f"weights {layer}: shape {shape} (inputs, biases) was wanted, not {W.shape}")

    @classmethod
    def random(cls, sizes: Sequence[int], activations: Sequence[str], rng: np.random.Generator) -> Self:
        """A network with weights drawn uniformly as Glorot and Bengio (2010) do, and biases of zero.

        Args:
            sizes: the width of each layer, the input's first; each at least 1.
            activations: one name a layer after the input.
            rng: where the weights come from.

        Returns:
            The network, with ``len(sizes) - 1`` layers.

        Raises:
            ValueError: a size is no whole number from 1, or the activations do not fit.
        """
        if not sizes or not all(isinstance(size, (int, np.integer)) and size >= 1 for size in sizes):
            raise ValueError(f"the sizes of layers are whole numbers, at least 1; {list(sizes)} was given")
        weights = [rng.uniform(-1.0, 1.0, (n, h)) * np.sqrt(6.0 / (n + h)) for n, h in pairwise(sizes)]
        return cls(weights, [np.zeros(h) for h in sizes[1:]], activations)

    @property
    def sizes(self) -> list[int]:
        """The width of each layer, the input's first."""
        return [len(self.weights[0]), *(len(b) for b in self.biases)]

    def forward(self, X: ArrayLike) -> Trace:
        """Forward propagation: compute every layer from the one before.

        Args:
            X: examples as rows, (m, n), finite.

        Returns:
            Every layer's pre-activation and activation.

        Raises:
            ValueError: X is not a finite matrix of at least one row and as many columns as there are inputs.
        """
        X = _finite(X, "X", ndim=2)
        if len(X) == 0 or X.shape[1] != self.sizes[0]:
            raise ValueError(f"X: at least one row and {self.sizes[0]} columns were wanted, not {X.shape}")
        trace = Trace([], [X])
        for W, b, name in zip(self.weights, self.biases, self.activations, strict=True):
            trace.pre_activations.append(trace.output @ W + b)
            trace.activations.append(ACTIVATIONS[name].function(trace.pre_activations[-1]))
        return trace

    def backward(self, trace: Trace, cost_gradient: ArrayLike) -> Gradients:
        """Backpropagation: carry the derivative of the cost from the output to every parameter.

        Args:
            trace: what ``forward`` returned.
            cost_gradient: ∂C/∂a of the last layer, (m, p), finite.

        Returns:
            The derivatives with respect to every weight, bias, pre-activation and input.

        Raises:
            ValueError: the gradient is not finite or not of the shape of the output, or the trace is of a
                network with other layers.
        """
        if [a.shape[1] for a in trace.activations] != self.sizes:
            raise ValueError(f"a trace of layers {self.sizes} was wanted, not {[len(a.T) for a in trace.activations]}")
        gradient = _finite(cost_gradient, "cost_gradient", ndim=2)
        if gradient.shape != trace.output.shape:
            raise ValueError(f"cost_gradient: the output's shape {trace.output.shape} was wanted, not {gradient.shape}")
        weights, biases, deltas = [], [], []
        for layer in reversed(range(len(self.weights))):
            delta = gradient * ACTIVATIONS[self.activations[layer]].derivative(trace.pre_activations[layer])
            weights.append(trace.activations[layer].T @ delta)
            biases.append(delta.sum(axis=0))
            deltas.append(delta)
            gradient = delta @ self.weights[layer].T
        return Gradients(weights[::-1], biases[::-1], deltas[::-1], gradient)

    def updated(self, gradients: Gradients, rate: float) -> "DenseNetwork":
        """One step of gradient descent.

        Args:
            gradients: what ``backward`` returned.
            rate: the learning rate, greater than 0.

        Returns:
            A new network whose parameters are the old ones less ``rate`` times their derivatives.

        Raises:
            ValueError: the rate is not a positive number, the gradients are of a network with other layers,
                or the step left the finite numbers.
        """
        shapes = [dW.shape for dW in gradients.weights]
        if shapes != [W.shape for W in self.weights]:
            raise ValueError(f"gradients of {[W.shape for W in self.weights]} were wanted, not of {shapes}")
        if not 0.0 < rate < np.inf:
            raise ValueError(f"a learning rate is a positive number; {rate} was given")
        return DenseNetwork(
            [W - rate * dW for W, dW in zip(self.weights, gradients.weights, strict=True)],
            [b - rate * db for b, db in zip(self.biases, gradients.biases, strict=True)],
            self.activations,
        )


class Cost(NamedTuple):
    """The value of a cost and its derivative with respect to the network's output, (m, p)."""

    value: float
    gradient: Array


def squared_error(output: ArrayLike, targets: ArrayLike) -> Cost:
    """Half the squared distance to the targets: summed over the outputs, averaged over the examples.

    Args:
        output: the last layer's activation, (m, p), finite.
        targets: what it should have been, (m, p), finite.

    Returns:
        The cost and its derivative with respect to the output, (output - targets) / m.

    Raises:
        ValueError: the two are not finite matrices of one shape with at least one row.
    """
    output, targets = _pair(output, targets)
    error = output - targets
    return Cost(float(0.5 * np.sum(error**2) / len(error)), error / len(error))


def binary_cross_entropy(logits: ArrayLike, targets: ArrayLike) -> Cost:
    """The negative log-likelihood, in nats, of independent yes-or-no outputs whose probabilities are sigmoid(logits).

    It is summed over the outputs and averaged over the examples (Keras's own averages over the outputs too), and
    works on the logits, so it belongs behind a ``linear`` last layer: no logarithm of 0 can appear.

    Args:
        logits: the last layer's activation, (m, p), finite.
        targets: probabilities in [0, 1], as a rule 0 or 1, (m, p).

    Returns:
        The cost and its derivative with respect to the logits, (sigmoid(logits) - targets) / m.

    Raises:
        ValueError: the two are not finite matrices of one shape with at least one row, or a target is no probability.
    """
    logits, targets = _pair(logits, targets)
    if targets.min() < 0.0 or targets.max() > 1.0:
        raise ValueError(f"targets: values in [0, 1] were wanted, not {targets.min():g} to {targets.max():g}")
    value = np.sum(np.logaddexp(0.0, logits) - targets * logits) / len(logits)
    return Cost(float(value), (sigmoid(logits) - targets) / len(logits))


def finite_differences(f: Callable[[Array], float], array: ArrayLike, step: float = 1e-5) -> Array:
    """The gradient of a function of an array by central differences: two evaluations an element.

    Args:
        f: takes an array of the given shape and returns a number.
        array: where the gradient is taken, any shape, finite.
        step: how far to either side, greater than 0; the error is of order ``step``² plus rounding over ``step``.

    Returns:
        (f(x + step) - f(x - step)) / (2 step) for each element x, in the shape of ``array``.

    Raises:
        ValueError: the array is not finite, or the step is not a positive number.
    """
    if not 0.0 < step < np.inf:
        raise ValueError(f"a step is a positive number; {step} was given")
    array = _finite(array, "array")
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        shift = np.zeros_like(array)
        shift[index] = step
        gradient[index] = (f(array + shift) - f(array - shift)) / (2.0 * step)
    return gradient


def _finite(values: ArrayLike, what: str, ndim: int | None = None) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{what}: {ndim} dimensions were wanted, not {array.ndim} (shape {array.shape})")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: finite numbers were wanted, not NaN or infinity")
    return array


def _pair(output: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    output, targets = _finite(output, "output", ndim=2), _finite(targets, "targets", ndim=2)
    if output.shape != targets.shape or output.size == 0:
        raise ValueError(
            f"output and targets: one shape, not empty, was wanted, not {output.shape} and {targets.shape}"
        )
    return output, targets
