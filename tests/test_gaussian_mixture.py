import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from artbook.nn.gaussian_mixture import GaussianMixture
from artbook.nn.network import finite_differences

NAN, INFINITY = float("nan"), float("inf")


def some_mixture(seed: int, components: int = 3, dimensions: int = 2) -> GaussianMixture:
    rng = np.random.default_rng(seed)
    roots = rng.normal(size=(components, dimensions, dimensions))
    covariances = roots @ roots.swapaxes(1, 2) + 0.2 * np.eye(dimensions)
    return GaussianMixture(
        rng.uniform(0.5, 2.0, components), 2 * rng.normal(size=(components, dimensions)), covariances
    )


settled = settings(max_examples=20, deadline=None)
seeds, dimensions = st.integers(0, 10_000), st.integers(1, 4)
levels = st.tuples(st.floats(0.05, 1.0), st.floats(0.05, 1.5))


# The density and its score


@settled
@given(seeds, st.integers(1, 4), dimensions)
def test_the_log_density_is_that_of_scipy(seed: int, components: int, dimensions: int) -> None:
    mixture = some_mixture(seed, components, dimensions)
    x = 3 * np.random.default_rng(seed).normal(size=(5, dimensions))
    parts = [
        w * multivariate_normal(m, S).pdf(x)
        for w, m, S in zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    ]
    assert np.allclose(mixture.log_density(x), np.log(np.sum(parts, axis=0)), rtol=1e-9)


@settled
@given(seeds, st.integers(1, 4), dimensions)
def test_the_score_is_the_slope_of_the_log_density(seed: int, components: int, dimensions: int) -> None:
    mixture = some_mixture(seed, components, dimensions)
    x = np.random.default_rng(seed).normal(size=(3, dimensions))
    slopes = finite_differences(lambda places: float(mixture.log_density(places).sum()), x)
    assert np.allclose(mixture.score(x), slopes, rtol=1e-5, atol=1e-6)


def test_far_out_nothing_underflows() -> None:
    far = some_mixture(1).score([[1e4, -1e4]])
    assert np.isfinite(far).all()
    assert np.isfinite(some_mixture(1).log_density([[1e4, -1e4]])).all()


def test_the_density_of_two_dimensions_sums_to_one() -> None:
    axis = np.linspace(-25, 25, 501)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    mixture = some_mixture(3)
    assert np.exp(mixture.log_density(grid)).sum() * 0.1**2 == pytest.approx(1, abs=1e-6)


# Samples


def test_samples_have_the_moments_of_the_mixture_and_name_their_component() -> None:
    mixture = some_mixture(5)
    x, component = mixture.sample(200_000, np.random.default_rng(0))
    assert x.shape == (200_000, 2)
    assert np.allclose(np.bincount(component) / len(x), mixture.weights, atol=0.005)
    assert np.allclose(x.mean(axis=0), mixture.weights @ mixture.means, atol=0.03)
    for k in range(3):
        assert np.allclose(np.cov(x[component == k].T), mixture.covariances[k], atol=0.1)


def test_samples_are_those_of_the_seed() -> None:
    once, again = (some_mixture(5).sample(10, np.random.default_rng(7))[0] for _ in range(2))
    assert np.array_equal(once, again)


# What noise makes of it


@settled
@given(seeds, levels)
def test_noise_once_and_again_is_noise_once(seed: int, level: tuple[float, float]) -> None:
    alpha, sigma = level
    mixture = some_mixture(seed)
    twice = mixture.noised(alpha, sigma).noised(0.5, 0.3)
    once = mixture.noised(0.5 * alpha, np.hypot(0.5 * sigma, 0.3))
    assert np.allclose(twice.means, once.means)
    assert np.allclose(twice.covariances, once.covariances)


@settled
@given(seeds, levels)
def test_the_denoiser_and_the_score_obey_tweedie(seed: int, level: tuple[float, float]) -> None:
    alpha, sigma = level
    mixture = some_mixture(seed)
    x = 2 * np.random.default_rng(seed).normal(size=(6, 2))
    score = mixture.noised(alpha, sigma).score(x)
    assert np.allclose(mixture.denoised(x, alpha, sigma), (x + sigma**2 * score) / alpha, rtol=1e-7, atol=1e-7)


def test_the_denoiser_is_the_mean_of_examples_weighted_by_how_well_they_explain_x() -> None:
    mixture, place = some_mixture(2), np.array([[0.7, -0.4]])
    examples, _ = mixture.sample(400_000, np.random.default_rng(1))
    likely = np.exp(-0.5 * ((place - 0.6 * examples) ** 2).sum(axis=1) / 0.8**2)
    assert np.allclose(mixture.denoised(place, 0.6, 0.8), likely @ examples / likely.sum(), atol=0.02)


def test_without_noise_nothing_is_to_be_denoised_and_without_signal_the_mean_remains() -> None:
    mixture, x = some_mixture(4), np.array([[1.0, 2.0], [-3.0, 0.5]])
    assert np.allclose(mixture.denoised(x, 1.0, 0.0), x)
    assert np.allclose(mixture.denoised(2 * x, 2.0, 0.0), x)
    assert np.allclose(mixture.denoised(x, 0.0, 1.0), mixture.weights @ mixture.means)


@settled
@given(seeds, st.floats(0.1, 0.9))
def test_the_velocity_carries_the_density(seed: int, t: float) -> None:
    """The continuity equation, dp/dt + div(p v) = 0, by differences of the closed forms."""
    mixture, step = some_mixture(seed), 1e-4
    x = np.random.default_rng(seed).normal(size=(4, 2))

    def density(places: np.ndarray, time: float) -> np.ndarray:
        return np.exp(mixture.noised(1 - time, time).log_density(places))

    def flux(places: np.ndarray) -> np.ndarray:
        return density(places, t)[:, None] * mixture.velocity(places, 1 - t, t, -1.0, 1.0)

    by_time = (density(x, t + step) - density(x, t - step)) / (2 * step)
    sides = [(flux(x + e)[:, i] - flux(x - e)[:, i]) / (2 * step) for i, e in enumerate(step * np.eye(2))]
    assert np.allclose(by_time, -np.sum(sides, axis=0), rtol=1e-4, atol=1e-6)


# Classes


@settled
@given(seeds)
def test_responsibilities_are_bayes_rule(seed: int) -> None:
    mixture = some_mixture(seed)
    x = 2 * np.random.default_rng(seed).normal(size=(5, 2))
    by_rule = [
        w * np.exp(mixture.only([k]).log_density(x) - mixture.log_density(x)) for k, w in enumerate(mixture.weights)
    ]
    assert np.allclose(mixture.responsibilities(x), np.transpose(by_rule), atol=1e-12)


def test_the_scores_of_classes_average_to_the_score() -> None:
    mixture, x = some_mixture(6), np.array([[0.3, -1.0], [2.0, 2.0]])
    chance = mixture.responsibilities(x)
    classes = [([0, 2], chance[:, 0] + chance[:, 2]), ([1], chance[:, 1])]
    average = sum(p[:, None] * mixture.only(members).score(x) for members, p in classes)
    assert np.allclose(mixture.score(x), average)


# Bad input


@pytest.mark.parametrize(
    ("weights", "means", "covariances", "message"),
    [
        ([1.0], [[0.0, 0.0]], [[[1.0]]], r"covariances \(k, d, d\)"),
        ([1.0, 1.0], [[0.0]], [[[1.0]]], r"weights \(k,\)"),
        ([], np.zeros((0, 1)), np.zeros((0, 1, 1)), "k and d at least 1"),
        ([0.0], [[0.0]], [[[1.0]]], "positive; 0 was given"),
        ([1.0], [[NAN]], [[[1.0]]], "means: finite"),
        ([1.0], [0.0], [[[1.0]]], "means: 2 dimensions"),
        ([1.0], [[0.0]], [[[-1.0]]], "an eigenvalue is -1"),
        ([1.0], [[0.0, 0.0]], [[[1.0, 0.5], [0.0, 1.0]]], "symmetric"),
    ],
)
def test_a_mixture_refuses_what_is_none(weights: list, means: list, covariances: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianMixture(weights, means, covariances)


@pytest.mark.parametrize("x", [[0.0, 0.0], [[0.0, 0.0, 0.0]], [[NAN, 0.0]]])
def test_every_function_of_a_place_refuses_what_is_no_place(x: list) -> None:
    mixture = some_mixture(0)
    for function in (mixture.log_density, mixture.score, mixture.responsibilities):
        with pytest.raises(ValueError, match="x: "):
            function(x)
    with pytest.raises(ValueError, match="x: "):
        mixture.denoised(x, 1.0, 1.0)
    with pytest.raises(ValueError, match="x: "):
        mixture.velocity(x, 1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize("level", [(-0.1, 1.0), (1.0, -0.1), (0.0, 0.0), (NAN, 1.0), (1.0, INFINITY)])
def test_noise_has_a_level(level: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="not both 0"):
        some_mixture(0).noised(*level)


def test_velocities_counts_and_components_are_checked() -> None:
    mixture = some_mixture(0)
    with pytest.raises(ValueError, match="finite rates"):
        mixture.velocity([[0.0, 0.0]], 1.0, 1.0, NAN, 0.0)
    for count in (0, 2.5, -1):
        with pytest.raises(ValueError, match="whole number from 1"):
            mixture.sample(count, np.random.default_rng(0))
    for components in ([], [3], [0, 0]):
        with pytest.raises(ValueError, match="different numbers from 0 to 2"):
            mixture.only(components)
