"""A mixture of Gaussians, for which everything that a diffusion model has to learn is known in closed form.

It is the yardstick of the chapter on adversaries and diffusion. A noised example is
``x_t = alpha x_0 + sigma noise``, as in Song et al. (2021). Rows are examples; everything is float64.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class GaussianMixture:
    """A mixture of k Gaussians in d dimensions.

    Args:
        weights: the probability of each component, (k,), positive; they are divided by their sum.
        means: (k, d).
        covariances: (k, d, d), symmetric and positive definite.

    Raises:
        ValueError: a number is not finite, the shapes do not fit, a weight is not positive, or a covariance
            is not symmetric and positive definite.
    """

    def __init__(self, weights: ArrayLike, means: ArrayLike, covariances: ArrayLike) -> None:
        self.weights = _finite(weights, "weights", 1)
        self.means = _finite(means, "means", 2)
        self.covariances = _finite(covariances, "covariances", 3)
        k, d = self.means.shape
        if not k * d or self.weights.shape != (k,) or self.covariances.shape != (k, d, d):
            raise ValueError(
                "weights (k,), means (k, d) and covariances (k, d, d) were wanted, with k and d at least 1, "
                f"not {self.weights.shape}, {self.means.shape} and {self.covariances.shape}"
            )
        if self.weights.min() <= 0.0:
            raise ValueError(f"the weights of components are positive; {self.weights.min():g} was given")
        if not np.allclose(self.covariances, self.covariances.swapaxes(1, 2), rtol=1e-12, atol=0.0):
            raise ValueError("symmetric covariances were wanted")
        self.weights = self.weights / self.weights.sum()
        try:
            self._factors = np.linalg.cholesky(self.covariances)
        except np.linalg.LinAlgError:
            least = np.linalg.eigvalsh(self.covariances).min()
            raise ValueError(f"positive definite covariances were wanted; an eigenvalue is {least:g}") from None
        # whiten @ (x - mean) has the unit covariance.
        self._whiten = np.linalg.inv(self._factors)
        self._precisions = self._whiten.swapaxes(1, 2) @ self._whiten

    @property
    def dimensions(self) -> int:
        """The number d of columns of an example."""
        return self.means.shape[1]

    def sample(self, count: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.int64]]:
        """Draw examples.

        Args:
            count: how many, at least 1.
            rng: where the chance comes from.

        Returns:
            The examples (count, d), and the component (count,) that each was drawn from, 0 to k - 1.

        Raises:
            ValueError: the count is no whole number from 1.
        """
        if not isinstance(count, (int, np.integer)) or count < 1:
            raise ValueError(f"a number of examples is a whole number from 1; {count!r} was given")
        component = rng.choice(len(self.weights), size=count, p=self.weights)
        noise = rng.normal(size=(count, self.dimensions))
        return self.means[component] + np.einsum("nij,nj->ni", self._factors[component], noise), component

    def log_density(self, x: ArrayLike) -> Array:
        """The logarithm of the density.

        Args:
            x: places, (n, d), finite.

        Returns:
            ln p(x) in nats, (n,).

        Raises:
            ValueError: x is not a finite matrix of d columns.
        """
        return np.logaddexp.reduce(self._log_joint(x), axis=1)

    def responsibilities(self, x: ArrayLike) -> Array:
        """The probability of each component, given where an example lies.

        Args:
            x: places, (n, d), finite.

        Returns:
            p(component | x), (n, k), each row with the sum 1.

        Raises:
            ValueError: x is not a finite matrix of d columns.
        """
        joint = self._log_joint(x)
        return np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None])

    def score(self, x: ArrayLike) -> Array:
        """The gradient of the logarithm of the density, which diffusion models learn.

        Args:
            x: places, (n, d), finite.

        Returns:
            The score at each place, (n, d): the components' own scores, averaged with their responsibilities.

        Raises:
            ValueError: x is not a finite matrix of d columns.
        """
        return np.einsum("nk,nkd->nd", self.responsibilities(x), -self._pull(x))

    def noised(self, alpha: float, sigma: float) -> "GaussianMixture":
        """The distribution of alpha x + sigma noise, where x has this one: again a mixture.

        Args:
            alpha: the factor of the example, at least 0.
            sigma: the standard deviation of the noise, at least 0; the two are not both 0.

        Returns:
            The mixture with means ``alpha mean`` and covariances ``alpha² covariance + sigma² I``.

        Raises:
            ValueError: a factor is negative or not finite, or both are 0.
        """
        _check_level(alpha, sigma)
        noise = sigma**2 * np.eye(self.dimensions)
        return GaussianMixture(self.weights, alpha * self.means, alpha**2 * self.covariances + noise)

    def denoised(self, x: ArrayLike, alpha: float, sigma: float) -> Array:
        """The best denoiser: the mean of all examples that noise could have brought to x.

        Args:
            x: noised examples alpha x_0 + sigma noise, (n, d), finite.
            alpha: as for ``noised``.
            sigma: as for ``noised``.

        Returns:
            E[x_0 | x], (n, d). With ``alpha = 0`` it is the mean of the mixture.

        Raises:
            ValueError: x is not a finite matrix of d columns, or ``noised`` refuses the level.
        """
        return self._split(x, alpha, sigma)[0]

    def velocity(self, x: ArrayLike, alpha: float, sigma: float, alpha_rate: float, sigma_rate: float) -> Array:
        """The velocity that flow matching learns: the mean of d(alpha x_0 + sigma noise)/dt at a place.

        Args:
            x: noised examples alpha x_0 + sigma noise, (n, d), finite.
            alpha: as for ``noised``.
            sigma: as for ``noised``.
            alpha_rate: the derivative of alpha by time, finite.
            sigma_rate: the derivative of sigma by time, finite.

        Returns:
            ``alpha_rate E[x_0 | x] + sigma_rate E[noise | x]``, (n, d) (Lipman et al. 2023).

        Raises:
            ValueError: x is not a finite matrix of d columns, a rate is not finite, or ``noised`` refuses the level.
        """
        if not np.isfinite([alpha_rate, sigma_rate]).all():
            raise ValueError(f"finite rates were wanted, not {alpha_rate} and {sigma_rate}")
        example, noise = self._split(x, alpha, sigma)
        return alpha_rate * example + sigma_rate * noise

    def only(self, components: Sequence[int]) -> Self:
        """The mixture of some of the components: the distribution of a class, if they make up the class.

        Args:
            components: their numbers, 0 to k - 1, at least one, none twice.

        Returns:
            Those components, with weights in the same proportions.

        Raises:
            ValueError: there is no component, one stands twice, or one does not exist.
        """
        chosen = list(components)
        if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(len(self.weights))):
            raise ValueError(f"different numbers from 0 to {len(self.weights) - 1} were wanted, not {chosen}")
        return type(self)(self.weights[chosen], self.means[chosen], self.covariances[chosen])

    def _split(self, x: ArrayLike, alpha: float, sigma: float) -> tuple[Array, Array]:
        """The mean example and the mean noise that a noised example is made of, (n, d) each."""
        noised = self.noised(alpha, sigma)
        share, pull = noised.responsibilities(x), noised._pull(x)
        examples = self.means + alpha * _each(self.covariances, pull)
        return np.einsum("nk,nkd->nd", share, examples), sigma * np.einsum("nk,nkd->nd", share, pull)

    def _log_joint(self, x: ArrayLike) -> Array:
        """ln p(x, component), (n, k)."""
        white = _each(self._whiten, self._apart(x))
        scale = np.log(np.diagonal(self._factors, axis1=1, axis2=2)).sum(axis=1)
        normal = -0.5 * (white**2).sum(axis=2) - scale - 0.5 * self.dimensions * np.log(2.0 * np.pi)
        return np.log(self.weights) + normal

    def _pull(self, x: ArrayLike) -> Array:
        """covariance⁻¹ (x - mean) for each component, (n, k, d)."""
        return _each(self._precisions, self._apart(x))

    def _apart(self, x: ArrayLike) -> Array:
        """x - mean for each component, (n, k, d)."""
        places = _finite(x, "x", 2)
        if places.shape[1] != self.dimensions:
            raise ValueError(f"x: {self.dimensions} columns were wanted, not the shape {places.shape}")
        return places[:, None] - self.means


def _finite(values: ArrayLike, what: str, ndim: int) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise ValueError(f"{what}: {ndim} dimensions were wanted, not {array.ndim} (shape {array.shape})")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: finite numbers were wanted, not NaN or infinity")
    return array


def _each(matrices: Array, vectors: Array) -> Array:
    """Each component's matrix (k, d, d) times its vectors (n, k, d)."""
    return (matrices @ vectors.transpose(1, 2, 0)).transpose(2, 0, 1)


def _check_level(alpha: float, sigma: float) -> None:
    if not (0.0 <= alpha < np.inf and 0.0 <= sigma < np.inf and alpha + sigma > 0.0):
        raise ValueError(f"alpha and sigma are at least 0 and not both 0; {alpha} and {sigma} were given")
