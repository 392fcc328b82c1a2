from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

from artbook.nn.network import (
    ACTIVATIONS,
    Cost,
    DenseNetwork,
    binary_cross_entropy,
    finite_differences,
    sigmoid,
    squared_error,
)
from artbook.show import GraphEdge, GraphNode, computation_graph

NAN, INFINITY = float("nan"), float("inf")
# The worked example of the chapter on backpropagation, after its repair.
EXAMPLE = ([[[1, 3], [2, 4]], np.eye(2)], [[1, 2], [1, 0]], ["sigmoid", "sigmoid"])


def some_network(seed: int, sizes: list[int], activations: list[str]) -> DenseNetwork:
    rng = np.random.default_rng(seed)
    network = DenseNetwork.random(sizes, activations, rng)
    return DenseNetwork(network.weights, [rng.normal(size=len(b)) for b in network.biases], activations)


# The sigmoid and the other activation functions


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_sigmoid_is_a_probability_and_symmetric(z: float) -> None:
    with np.errstate(all="raise", under="ignore"):
        assert 0 <= sigmoid(z) <= 1
        assert sigmoid(z) + sigmoid(-z) == pytest.approx(1, abs=1e-15)


def test_the_sigmoid_keeps_its_digits_far_out() -> None:
    assert sigmoid(-700) == pytest.approx(np.exp(-700.0), rel=1e-12)
    assert sigmoid(8) == pytest.approx(1 / (1 + np.exp(-8.0)), rel=1e-15)
    assert ACTIVATIONS["sigmoid"].derivative(np.array(40.0)) == pytest.approx(np.exp(-40.0), rel=1e-12)


def test_the_sigmoid_takes_infinity_but_not_nan() -> None:
    assert np.array_equal(sigmoid([-INFINITY, INFINITY]), [0, 1])
    with pytest.raises(ValueError, match="not NaN"):
        sigmoid([0.0, NAN])


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_derivative_is_the_slope_of_its_function(name: str) -> None:
    function, derivative = ACTIVATIONS[name]
    points = np.array([-9.0, -1.3, -0.1, 0.2, 2.0, 9.0])
    measured = finite_differences(lambda z: float(function(z).sum()), points)
    assert np.allclose(derivative(points), measured, rtol=1e-7, atol=1e-9)


def test_relu_has_slope_zero_at_zero() -> None:
    assert ACTIVATIONS["relu"].derivative(np.zeros(1)) == 0


# The network


def test_forward_is_the_formula() -> None:
    network = some_network(1, [3, 4, 2], ["tanh", "linear"])
    X = np.random.default_rng(2).normal(size=(5, 3))
    trace = network.forward(X)
    hidden = np.tanh(X @ network.weights[0] + network.biases[0])
    assert np.array_equal(trace.activations[0], X)
    assert np.allclose(trace.activations[1], hidden)
    assert np.allclose(trace.output, hidden @ network.weights[1] + network.biases[1])
    assert [z.shape for z in trace.pre_activations] == [(5, 4), (5, 2)]
    assert network.sizes == [3, 4, 2]


def test_the_worked_example() -> None:
    network = DenseNetwork(*EXAMPLE)
    trace = network.forward([[1, 2]])
    cost = squared_error(trace.output, [[1, 0]])
    gradients = network.backward(trace, cost.gradient)
    assert np.array_equal(trace.pre_activations[0], [[6, 13]])
    assert cost.value == pytest.approx(0.27435867524724356, rel=1e-14)
    # The derivatives of the first bias: a product of five factors, written out.
    h1, h2 = 1 / (1 + np.exp(-6)), 1 / (1 + np.exp(-13))
    o1, o2 = 1 / (1 + np.exp(-h1 - 1)), 1 / (1 + np.exp(-h2))
    assert gradients.biases[0][0] == pytest.approx((o1 - 1) * o1 * (1 - o1) * h1 * (1 - h1), rel=1e-10)
    assert gradients.biases[0][1] == pytest.approx(o2 * o2 * (1 - o2) * h2 * (1 - h2), rel=1e-10)
    assert squared_error(network.updated(gradients, 1.0).forward([[1, 2]]).output, [[1, 0]]).value < cost.value


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    examples=st.integers(1, 4),
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    data=st.data(),
)
def test_backward_agrees_with_finite_differences(
    seed: int, examples: int, sizes: list[int], data: st.DataObject
) -> None:
    # Not relu: at its kink a central difference is the mean of two slopes.
    smooth = st.sampled_from(["linear", "sigmoid", "tanh"])
    activations = [data.draw(smooth) for _ in sizes[1:]]
    cost_of = data.draw(st.sampled_from([squared_error, binary_cross_entropy]))
    network = some_network(seed, sizes, activations)
    rng = np.random.default_rng(seed + 1)
    X, Y = rng.normal(size=(examples, sizes[0])), rng.random((examples, sizes[-1]))
    trace = network.forward(X)
    gradients = network.backward(trace, cost_of(trace.output, Y).gradient)

    def close(analytic: np.ndarray, f: Callable[[np.ndarray], float], at: np.ndarray) -> bool:
        return np.allclose(analytic, finite_differences(f, at), rtol=1e-6, atol=1e-9)

    for layer in range(len(activations)):

        def with_weights(W: np.ndarray, layer: int = layer) -> float:
            weights = [*network.weights[:layer], W, *network.weights[layer + 1 :]]
            return cost_of(DenseNetwork(weights, network.biases, activations).forward(X).output, Y).value

        def with_biases(b: np.ndarray, layer: int = layer) -> float:
            biases = [*network.biases[:layer], b, *network.biases[layer + 1 :]]
            return cost_of(DenseNetwork(network.weights, biases, activations).forward(X).output, Y).value

        assert close(gradients.weights[layer], with_weights, network.weights[layer])
        assert close(gradients.biases[layer], with_biases, network.biases[layer])
    assert close(gradients.input, lambda x: cost_of(network.forward(x).output, Y).value, X)


def test_the_check_finds_a_missing_transpose() -> None:
    network = some_network(3, [3, 3, 3], ["sigmoid", "sigmoid"])
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(2, 3)), rng.random((2, 3))
    trace = network.forward(X)
    gradients = network.backward(trace, squared_error(trace.output, Y).gradient)
    slope = ACTIVATIONS["sigmoid"].derivative(trace.pre_activations[0])
    wrong = X.T @ (gradients.deltas[1] @ network.weights[1] * slope)
    measured = finite_differences(
        lambda W: (
            squared_error(
                DenseNetwork([W, network.weights[1]], network.biases, network.activations).forward(X).output, Y
            ).value
        ),
        network.weights[0],
    )
    assert np.allclose(gradients.weights[0], measured, rtol=1e-6)
    assert np.abs(wrong / measured - 1).max() > 0.1


def test_the_order_of_the_examples_does_not_matter() -> None:
    network = some_network(5, [3, 4, 2], ["relu", "sigmoid"])
    rng = np.random.default_rng(6)
    X, Y = rng.normal(size=(7, 3)), rng.random((7, 2))
    order = rng.permutation(7)
    one, other = network.forward(X), network.forward(X[order])
    first = network.backward(one, squared_error(one.output, Y).gradient)
    second = network.backward(other, squared_error(other.output, Y[order]).gradient)
    assert np.allclose(first.weights[0], second.weights[0], atol=1e-15)
    assert np.allclose(first.deltas[0][order], second.deltas[0], atol=1e-15)


def test_a_network_keeps_copies_of_what_it_was_given() -> None:
    W = np.ones((2, 1))
    network = DenseNetwork([W], [[0.0]], ["linear"])
    W[0] = 5
    assert np.array_equal(network.weights[0], [[1], [1]])


def test_an_update_makes_a_new_network() -> None:
    network = DenseNetwork(*EXAMPLE)
    trace = network.forward([[1, 2]])
    gradients = network.backward(trace, squared_error(trace.output, [[1, 0]]).gradient)
    new = network.updated(gradients, 0.5)
    assert np.array_equal(network.weights[0], [[1, 3], [2, 4]])
    assert np.allclose(new.weights[0], network.weights[0] - 0.5 * gradients.weights[0])
    assert np.allclose(new.biases[1], network.biases[1] - 0.5 * gradients.biases[1])


def test_random_weights_keep_to_glorot_and_to_the_seed() -> None:
    one, other = (DenseNetwork.random([30, 20], ["tanh"], np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(one.weights[0], other.weights[0])
    assert 0.9 * np.sqrt(6 / 50) < np.abs(one.weights[0]).max() <= np.sqrt(6 / 50)
    assert not one.biases[0].any()


def test_a_network_learns() -> None:
    X, Y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    network = DenseNetwork.random([2, 8, 1], ["tanh", "linear"], np.random.default_rng(0))
    for _ in range(400):
        trace = network.forward(X)
        network = network.updated(network.backward(trace, binary_cross_entropy(trace.output, Y).gradient), 0.5)
    assert np.array_equal(sigmoid(network.forward(X).output) > 0.5, Y > 0.5)


@pytest.mark.parametrize(
    ("weights", "biases", "activations", "message"),
    [
        ([], [], [], "at least one; 0, 0 and 0"),
        ([[[1.0]]], [[1.0]], ["relu", "relu"], "1, 1 and 2 were given"),
        ([[[1.0]]], [[1.0]], ["softplus"], "'softplus' was given"),
        ([[1.0]], [[1.0]], ["relu"], "weights 1: 2 dimensions were wanted, not 1"),
        ([[[1.0]]], [1.0], ["relu"], "biases 1: 1 dimensions were wanted, not 0"),
        ([[[1.0]]], [[1.0, 2.0]], ["relu"], r"weights 1: shape \(1, 2\)"),
        ([[[1.0, 2.0]], [[1.0]]], [[1.0, 2.0], [1.0]], ["relu", "relu"], r"weights 2: shape \(2, 1\).*not \(1, 1\)"),
        ([[[NAN]]], [[1.0]], ["relu"], "weights 1: finite"),
        ([[[1.0]]], [[INFINITY]], ["relu"], "biases 1: finite"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(weights, biases, activations, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        DenseNetwork(weights, biases, activations)


@pytest.mark.parametrize("X", [[1.0, 2.0], [[1.0, 2.0, 3.0]], [[1.0, NAN]], np.zeros((0, 2))])
def test_input_that_does_not_fit_is_refused(X: np.ndarray) -> None:
    with pytest.raises(ValueError, match="X: "):
        DenseNetwork(*EXAMPLE).forward(X)


@pytest.mark.parametrize("gradient", [[1.0, 2.0], [[1.0]], [[1.0, NAN]], np.ones((2, 2))])
def test_a_cost_gradient_that_does_not_fit_is_refused(gradient: np.ndarray) -> None:
    network = DenseNetwork(*EXAMPLE)
    with pytest.raises(ValueError, match="cost_gradient: "):
        network.backward(network.forward([[1, 2]]), gradient)


def test_a_trace_or_gradients_of_another_network_are_refused() -> None:
    network, other = some_network(0, [2, 3, 1], ["tanh", "linear"]), some_network(0, [2, 1], ["linear"])
    wide = some_network(0, [2, 4], ["linear"])
    trace = other.forward([[1, 2]])
    with pytest.raises(ValueError, match=r"a trace of layers \[2, 3, 1\] was wanted, not \[2, 1\]"):
        network.backward(trace, [[1.0]])
    # Without the check these would be broadcast.
    with pytest.raises(ValueError, match=r"gradients of \[\(2, 4\)\] were wanted, not of \[\(2, 1\)\]"):
        wide.updated(other.backward(trace, [[1.0]]), 0.1)


@pytest.mark.parametrize("rate", [0, -1, NAN, INFINITY])
def test_a_learning_rate_is_positive(rate: float) -> None:
    network = DenseNetwork(*EXAMPLE)
    gradients = network.backward(network.forward([[1, 2]]), [[1.0, 1.0]])
    with pytest.raises(ValueError, match="a learning rate is a positive number"):
        network.updated(gradients, rate)


def test_a_step_into_infinity_is_refused() -> None:
    network = DenseNetwork([[[1.0]]], [[0.0]], ["linear"])
    gradients = network.backward(network.forward([[1.0]]), [[-1e200]])
    with pytest.raises(ValueError, match="finite numbers were wanted"), np.errstate(over="ignore"):
        network.updated(gradients, 1e200)


def test_sizes_are_at_least_one() -> None:
    for sizes in ([3, 0], [], [2.5, 1], [NAN, 1]):
        with pytest.raises(ValueError, match="sizes of layers"):
            DenseNetwork.random(sizes, ["relu"], np.random.default_rng(0))


# The costs


@pytest.mark.parametrize("cost_of", [squared_error, binary_cross_entropy])
def test_a_cost_is_averaged_over_examples_and_summed_over_outputs(cost_of: Callable[..., Cost]) -> None:
    rng = np.random.default_rng(9)
    output, targets = rng.normal(size=(3, 2)), rng.random((3, 2))
    once, twice = cost_of(output, targets), cost_of(np.tile(output, (2, 1)), np.tile(targets, (2, 1)))
    wide = cost_of(np.tile(output, 2), np.tile(targets, 2))
    assert twice.value == pytest.approx(once.value)
    assert np.allclose(twice.gradient[:3], once.gradient / 2)
    assert wide.value == pytest.approx(2 * once.value)
    assert np.allclose(once.gradient, finite_differences(lambda a: cost_of(a, targets).value, output), rtol=1e-7)


def test_the_cross_entropy_is_its_formula_and_stays_finite_far_out() -> None:
    logits, targets = np.array([[0.3, -2.0]]), np.array([[1.0, 0.0]])
    p = sigmoid(logits)
    assert binary_cross_entropy(logits, targets).value == pytest.approx(-np.log(p[0, 0]) - np.log(1 - p[0, 1]))
    assert binary_cross_entropy([[-1e4]], [[1.0]]).value == pytest.approx(1e4)
    assert binary_cross_entropy([[1e4]], [[1.0]]).value == 0


@pytest.mark.parametrize("cost_of", [squared_error, binary_cross_entropy])
@pytest.mark.parametrize(
    ("output", "targets"),
    [
        ([[1.0, 2.0]], [[1.0]]),
        ([1.0], [1.0]),
        ([[NAN]], [[1.0]]),
        ([[1.0]], [[NAN]]),
        (np.ones((0, 1)), np.ones((0, 1))),
    ],
)
def test_a_cost_refuses_what_does_not_fit(
    cost_of: Callable[..., Cost], output: np.ndarray, targets: np.ndarray
) -> None:
    with pytest.raises(ValueError, match=r"wanted, not"):
        cost_of(output, targets)


@pytest.mark.parametrize("target", [-0.1, 1.1])
def test_a_target_of_the_cross_entropy_is_a_probability(target: float) -> None:
    with pytest.raises(ValueError, match=r"values in \[0, 1\]"):
        binary_cross_entropy([[0.0]], [[target]])


# Finite differences


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=5))
def test_finite_differences_are_exact_for_parabolas(values: list[float]) -> None:
    at = np.array(values)
    assert np.allclose(finite_differences(lambda x: float((x**2).sum()), at, step=0.5), 2 * at, atol=1e-9)


def test_finite_differences_leave_the_array_alone_and_keep_its_shape() -> None:
    at = np.arange(6.0).reshape(2, 3)
    assert np.allclose(finite_differences(lambda x: float(x.sum()), at), np.ones((2, 3)))
    assert np.array_equal(at, np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize("step", [0, -1e-5, NAN, INFINITY])
def test_a_step_is_positive(step: float) -> None:
    with pytest.raises(ValueError, match="a step is a positive number"):
        finite_differences(lambda x: 0.0, [1.0], step)


def test_finite_differences_refuse_nan() -> None:
    with pytest.raises(ValueError, match="array: finite"):
        finite_differences(lambda x: 0.0, [NAN])


# The drawing of a computation graph


def test_a_graph_shows_every_value_and_every_gradient() -> None:
    nodes = [GraphNode("x", 0, 0, 2.0, -3.0e-7), GraphNode("z", 0, 1, 8.0, 0.25), GraphNode("C", 1, 2, 1.5, 1.0)]
    figure = computation_graph(nodes, [GraphEdge(0, 1, (4.0, -0.5)), GraphEdge(1, 2)])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == [
        "",
        "$4$",
        "$-0.5$",
        "",
        "$x = 2$",
        r"$-3 \times 10^{-7}$",
        "$z = 8$",
        "$0.25$",
        "$C = 1.5$",
        "$1$",
    ]
    figure.canvas.draw()
    plt.close(figure)


@pytest.mark.parametrize(
    ("nodes", "edges", "message"),
    [
        ([], [], "at least one node"),
        ([GraphNode("x", 0, 0, 1.0, 1.0)], [GraphEdge(0, 1)], "nodes 0 to 0"),
        ([GraphNode("x", 0, 0, NAN, 1.0)], [], "finite numbers"),
        ([GraphNode("x", 0, 0, 1.0, 1.0)], [GraphEdge(0, 0, (1.0, INFINITY))], "finite numbers"),
    ],
)
def test_a_graph_that_cannot_be_drawn_is_refused(nodes, edges, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        computation_graph(nodes, edges)
