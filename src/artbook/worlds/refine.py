"""Terrain from coarse to fine: a model that draws the detail of a map, given the coarse map (chapter ``worlds``).

Four neighbouring cells of a map are their mean and three details (Haar 1910), and the means are a map of half the
size. A model of the details, given the means around them, therefore draws a map from a very small one, level by
level, and says how probable any map is. Within a level the cells are drawn in four groups, so that the later ones
see what their neighbours have become (Reed et al. 2017).

The details are first foretold by a linear model with Gaussian noise, the best that any Gaussian field can do with
the same view; a network then learns how what is left is distributed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

Floats = npt.NDArray[np.float32]
Tensor = Any
# From features (n, FEATURES) to mixtures of Gaussians (n, 10 * components).
Predictor = Callable[[Floats], Floats]

DETAILS = 3
# Where the cells of a block of two by two stand, in the order in which the groups are drawn.
GROUPS = ((0, 0), (1, 1), (0, 1), (1, 0))
REACH = 2
LEVELS = 4
_AROUND = [(i, j) for i in range(-REACH, REACH + 1) for j in range(-REACH, REACH + 1) if (i, j) != (0, 0)]
_BESIDE = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
CONTEXT = len(_AROUND) + DETAILS * len(_BESIDE)
FEATURES = CONTEXT + 1 + LEVELS + len(GROUPS)


def analyse(heights: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The means and the details of blocks of two by two cells.

    Args:
        heights: ``(H, W)`` in metres, both sides even.

    Returns:
        The means ``(H/2, W/2)``, and the details ``(H/2, W/2, 3)``: upper minus lower, left minus right, one
        diagonal minus the other, each half a sum of four cells, so that the change of variables keeps volumes
        but for the mean, which is half of what an orthonormal one would be.

    Raises:
        ValueError: it is no such map.
    """
    z = _map(heights)
    if z.shape[0] % 2 or z.shape[1] % 2:
        raise ValueError(f"a map with even sides was wanted; {z.shape} was given")
    a, b, c, d = z[::2, ::2], z[::2, 1::2], z[1::2, ::2], z[1::2, 1::2]
    details = np.stack([a + b - c - d, a - b + c - d, a - b - c + d], axis=-1) / 2
    return (a + b + c + d) / np.float32(4), details.astype(np.float32)


def synthesise(means: npt.ArrayLike, details: npt.ArrayLike) -> Floats:
    """The map of which ``analyse`` gives these means and details.

    Args:
        means: ``(h, w)``.
        details: ``(h, w, 3)``.

    Returns:
        The map ``(2 h, 2 w)``.

    Raises:
        ValueError: the shapes do not fit.
    """
    m, d = _map(means), np.asarray(details, dtype=np.float32)
    if d.shape != (*m.shape, DETAILS):
        raise ValueError(f"details {(*m.shape, DETAILS)} were wanted; {d.shape} were given")
    z = np.empty((2 * m.shape[0], 2 * m.shape[1]), dtype=np.float32)
    down, right, across = np.moveaxis(d, -1, 0) / 2
    z[::2, ::2], z[::2, 1::2] = m + down + right + across, m + down - right - across
    z[1::2, ::2], z[1::2, 1::2] = m - down + right - across, m - down - right + across
    return z


def contexts(means: npt.ArrayLike, details: npt.ArrayLike, group: int) -> Floats:
    """What the model is shown of the cells of one group: the map around each, and the details drawn before.

    Args:
        means: ``(h, w)`` in metres.
        details: ``(h, w, 3)``; only those of earlier groups are looked at.
        group: its number, 0 to 3.

    Returns:
        ``(n, CONTEXT)`` in metres, n cells in the order of the rows: heights minus that of the cell, then details.
        Beyond the edge the map goes on as at the edge, and there are no details.

    Raises:
        ValueError: the shapes do not fit, or there is no such group.
    """
    m, d = _map(means), np.array(details, dtype=np.float32)
    if d.shape != (*m.shape, DETAILS) or group not in range(len(GROUPS)):
        raise ValueError(
            f"details {(*m.shape, DETAILS)} and a group 0 to 3 were wanted; {d.shape} and {group} were given"
        )
    drawn = np.zeros(m.shape, dtype=bool)
    for row, column in GROUPS[:group]:
        drawn[row::2, column::2] = True
    d[~drawn] = 0
    h, w = m.shape
    padded, beside = np.pad(m, REACH, mode="edge"), np.pad(d, ((1, 1), (1, 1), (0, 0)))
    row, column = GROUPS[group]

    def there(array: Floats, edge: int, i: int, j: int) -> Floats:
        return array[edge + i : edge + i + h, edge + j : edge + j + w][row::2, column::2]

    centre = m[row::2, column::2]
    around = np.stack([there(padded, REACH, i, j) - centre for i, j in _AROUND], axis=-1).reshape(-1, len(_AROUND))
    done = np.concatenate([there(beside, 1, i, j) for i, j in _BESIDE], axis=-1).reshape(len(around), -1)
    return np.concatenate([around, done], axis=1)


def cells(heights: npt.ArrayLike, levels: int = LEVELS) -> Iterator[tuple[int, int, Floats, Floats]]:
    """All cells of a map at all levels.

    Args:
        heights: ``(H, W)`` in metres, both sides divisible by two to the power of ``levels``.
        levels: how many, 1 to 4.

    Yields:
        For each level, 0 for the finest, and each group: their numbers, contexts ``(n, CONTEXT)`` and details
        ``(n, 3)``, in metres.
    """
    means = _map(heights)
    for level in range(levels):
        means, details = analyse(means)
        for group, (row, column) in enumerate(GROUPS):
            yield level, group, contexts(means, details, group), details[row::2, column::2].reshape(-1, DETAILS)


@dataclass(frozen=True)
class Linear:
    """The details as linear functions of the context with Gaussian noise, for each level and group.

    Attributes:
        weights: ``(LEVELS, 4, CONTEXT, 3)``, no unit.
        spread: lower triangular with the noise's covariance as its square, ``(LEVELS, 4, 3, 3)`` in metres.
    """

    weights: Floats
    spread: Floats

    @classmethod
    def fit(cls, maps: Sequence[npt.ArrayLike], ridge: float = 1.0) -> "Linear":
        """By least squares on all cells of some maps.

        Args:
            maps: as in ``cells``.
            ridge: the price of large weights, above zero.

        Raises:
            ValueError: there is no map, or too little in the maps to fit.
        """
        if not maps or not ridge > 0:
            raise ValueError(f"at least one map and a ridge above 0 were wanted; {len(maps)} and {ridge} were given")
        weights = np.zeros((LEVELS, len(GROUPS), CONTEXT, DETAILS), dtype=np.float32)
        spread = np.zeros((LEVELS, len(GROUPS), DETAILS, DETAILS), dtype=np.float32)
        parts = [list(cells(each)) for each in maps]
        for same in zip(*parts, strict=True):
            level, group = same[0][:2]
            seen, details = (np.concatenate([part[k] for part in same]).astype(np.float64) for k in (2, 3))
            if len(seen) <= CONTEXT:
                raise ValueError(f"maps with more cells were wanted; level {level} has {len(seen)} in a group")
            found = np.linalg.solve(seen.T @ seen + ridge * np.eye(CONTEXT), seen.T @ details)
            left = details - seen @ found
            # A little more than measured, so that a flat map has a spread too.
            covariance = left.T @ left / len(left) + 1e-6 * np.eye(DETAILS)
            weights[level, group], spread[level, group] = found, np.linalg.cholesky(covariance)
        return cls(weights, spread)

    def whitened(self, level: int, group: int, seen: Floats, details: Floats) -> Floats:
        """What the linear model cannot foretell of details, in units of its noise, ``(n, 3)``."""
        left = details - seen @ self.weights[level, group]
        return np.linalg.solve(self.spread[level, group], left.T).T.astype(np.float32)

    def coloured(self, level: int, group: int, seen: Floats, noise: Floats) -> Floats:
        """The details of which ``whitened`` gives this noise."""
        return seen @ self.weights[level, group] + noise @ self.spread[level, group].T

    def log_volume(self, level: int, group: int) -> float:
        """By how much, in nats, the density of details is below that of what ``whitened`` makes of them."""
        return float(np.log(np.diag(self.spread[level, group])).sum())

    def features(self, level: int, group: int, seen: Floats) -> Floats:
        """What the network is shown: the context and its logarithmic size, in units of the noise; level and group.

        Args:
            level: its number.
            group: its number.
            seen: contexts ``(n, CONTEXT)`` in metres.

        Returns:
            ``(n, FEATURES)``.
        """
        scaled = seen / np.diag(self.spread[level, group]).mean()
        size = np.log(np.sqrt(np.square(scaled[:, : len(_AROUND)]).mean(axis=1, keepdims=True)) + 0.1)
        marks = np.zeros((len(seen), LEVELS + len(GROUPS)), dtype=np.float32)
        marks[:, [level, LEVELS + group]] = 1
        # Logarithms of the large ones, so that cliffs do not drown everything else.
        return np.concatenate([np.arcsinh(scaled), size, marks], axis=1).astype(np.float32)

    def examples(self, heights: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """All cells of a map as the network learns them.

        Args:
            heights: as in ``cells``.

        Returns:
            Features ``(n, FEATURES)``, whitened details ``(n, 3)``, and ``log_volume`` of each cell ``(n,)``.
        """
        parts = [
            (
                self.features(level, group, seen),
                self.whitened(level, group, seen, details),
                np.full(len(seen), self.log_volume(level, group), dtype=np.float32),
            )
            for level, group, seen, details in cells(heights)
        ]
        features, targets, volumes = (np.concatenate(part) for part in zip(*parts, strict=True))
        return features, targets, volumes


def network(width: int = 128, components: int = 6) -> keras.Model:
    """A network from features to mixtures of Gaussians over the three details (Bishop 1994).

    Args:
        width: of its two hidden layers.
        components: of the mixture.

    Returns:
        The model: ``(n, FEATURES)`` to ``(n, 10 * components)``; untrained, it is close to the Gaussian of mean zero
        and variance one.
    """
    seen = layers.Input((FEATURES,))
    hidden = layers.Dense(width, activation="gelu")(seen)
    hidden = hidden + layers.Dense(width, activation="gelu")(hidden)
    start = keras.initializers.RandomNormal(stddev=0.01)
    return keras.Model(seen, layers.Dense(10 * components, kernel_initializer=start)(hidden))


def _parts(outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits (n, K), means (n, K, 3), log of the diagonal (n, K, 3), below the diagonal (n, K, 3)."""
    count = outputs.shape[-1] // 10
    shape = (-1, count, DETAILS)
    logits, rest = outputs[:, :count], outputs[:, count:]
    size = count * DETAILS
    means, logs, below = (ops.reshape(rest[:, k * size : (k + 1) * size], shape) for k in range(3))
    return logits, means, ops.clip(logs, -5.0, 5.0), below


def cost(details: Tensor, outputs: Tensor) -> Tensor:
    """The negative log-likelihood of details under the mixtures, in nats, for ``keras.Model.compile``.

    A component has the precision matrix ``R R'``, R lower triangular with the diagonal ``exp(logs)``.

    Args:
        details: whitened, ``(n, 3)``.
        outputs: of the network, ``(n, 10 * components)``.

    Returns:
        ``(n,)``.
    """
    logits, means, logs, below = _parts(outputs)
    apart = ops.expand_dims(details, 1) - means
    x, y, z = apart[..., 0], apart[..., 1], apart[..., 2]
    diagonal = ops.exp(logs)
    # R' times the difference.
    first = diagonal[..., 0] * x + below[..., 0] * y + below[..., 1] * z
    second = diagonal[..., 1] * y + below[..., 2] * z
    third = diagonal[..., 2] * z
    squares = ops.square(first) + ops.square(second) + ops.square(third)
    density = ops.sum(logs, axis=-1) - 0.5 * squares - 1.5 * np.log(2 * np.pi)
    return -ops.logsumexp(ops.log_softmax(logits) + density, axis=-1)


def draw(outputs: Floats, rng: np.random.Generator) -> Floats:
    """Details drawn from the mixtures.

    Args:
        outputs: of the network, ``(n, 10 * components)``.
        rng: draws.

    Returns:
        ``(n, 3)``, whitened.
    """
    logits, means, logs, below = (ops.convert_to_numpy(part) for part in _parts(ops.convert_to_tensor(outputs)))
    # The largest of logits with Gumbel noise is a draw from their softmax.
    chosen = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)[:, np.newaxis, np.newaxis]
    mean, log, low = (np.take_along_axis(part, chosen, axis=1)[:, 0] for part in (means, logs, below))
    first, second, third = np.moveaxis(rng.normal(size=mean.shape), -1, 0)
    diagonal = np.exp(log)
    # Solve R' u = noise from below.
    z = third / diagonal[:, 2]
    y = (second - low[:, 2] * z) / diagonal[:, 1]
    x = (first - low[:, 0] * y - low[:, 1] * z) / diagonal[:, 0]
    return (mean + np.stack([x, y, z], axis=-1)).astype(np.float32)


def refine(
    linear: Linear, predict: Predictor | None, means: npt.ArrayLike, levels: int, rng: np.random.Generator
) -> Floats:
    """Draw a fine map from a coarse one.

    Args:
        linear: the linear part.
        predict: from features to mixtures; without it the noise is Gaussian.
        means: the coarse map ``(h, w)`` in metres, at least two cells a side.
        levels: how often its sides are doubled, 1 to 4.
        rng: draws.

    Returns:
        The fine map, of which ``means`` are the means of blocks.

    Raises:
        ValueError: it is no such map, or another number of levels.
    """
    fine = _map(means)
    if levels not in range(1, LEVELS + 1):
        raise ValueError(f"1 to {LEVELS} levels were wanted; {levels!r} was given")
    for level in reversed(range(levels)):
        details = np.zeros((*fine.shape, DETAILS), dtype=np.float32)
        for group, (row, column) in enumerate(GROUPS):
            seen = contexts(fine, details, group)
            if predict is None:
                noise = rng.normal(size=(len(seen), DETAILS)).astype(np.float32)
            else:
                noise = draw(predict(linear.features(level, group, seen)), rng)
            drawn = linear.coloured(level, group, seen, noise)
            details[row::2, column::2] = drawn.reshape(details[row::2, column::2].shape)
        fine = synthesise(fine, details)
    return fine


def _map(heights: npt.ArrayLike) -> Floats:
    z = np.asarray(heights, dtype=np.float32)
    if z.ndim != 2 or min(z.shape) < 2 or z.size > 10**8 or not np.isfinite(z).all():
        raise ValueError(f"a map (H, W) of finite heights, 2 cells a side or more, was wanted; {z.shape} was given")
    return z
