"""How to judge what makes art, from samples alone: two-sample tests, diversity, copying, and the votes of people.

Rows are examples or features of examples, real numbers ``(n, d)``, and differ by their Euclidean distance.
Every function takes rows for independent draws. The chapter ``training-and-judging`` derives the measures and
shows which failures each of them can and cannot see.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from artbook.data.keyboard import is_whole

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


# Distances


def distances(x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """The Euclidean distance of every row of ``x`` from every row of ``y``.

    Squares of whole numbers are computed exactly. What rounding cannot tell from zero is zero.

    Args:
        x: finite numbers ``(n, d)``.
        y: finite numbers ``(m, d)``.

    Returns:
        Zero or more, ``(n, m)``.

    Raises:
        ValueError: these are not finite numbers of such shapes, or there is no row.
    """
    rows, others = _rows(x, "x"), _rows(y, "y")
    if rows.shape[1] != others.shape[1]:
        raise ValueError(f"rows of one length were wanted; {rows.shape} and {others.shape} were given")
    # Seen from one of the rows, squares do not grow with the distance of all rows from zero.
    rows, others = rows - rows[0], others - rows[0]
    norms = np.square(rows).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    squares = norms - 2 * rows @ others.T
    squares[squares < 1e-14 * norms] = 0
    return np.sqrt(squares)


def mean_distance(x: npt.ArrayLike) -> float:
    """The mean distance between two different rows.

    Args:
        x: finite numbers ``(n, d)``, at least two rows.

    Raises:
        ValueError: it is no such array.
    """
    return float(_between_rows(x).mean())


def median_distance(x: npt.ArrayLike) -> float:
    """The median distance between two different rows, the usual bandwidth of a Gaussian kernel.

    The median heuristic of Gretton et al. (2012), A Kernel Two-Sample Test.

    Args:
        x: finite numbers ``(n, d)``, at least two rows.

    Returns:
        Above zero.

    Raises:
        ValueError: it is no such array, or most of its rows are the same, so that the median is zero.
    """
    median = float(np.median(_between_rows(x)))
    if not median > 0:
        raise ValueError("rows that differ were wanted; more than half of the pairs given are the same")
    return median


# Are these two samples of one distribution?


def kernel_distance(x: npt.ArrayLike, y: npt.ArrayLike, bandwidth: float | None = None) -> float:
    """How far two distributions are apart: the unbiased estimate of the squared maximum mean discrepancy.

    The kernel is Gaussian, ``exp(-|a - b|**2 / (2 bandwidth**2))``. The estimate is the mean of the kernel
    between different rows of ``x``, plus that of ``y``, minus twice that between ``x`` and ``y`` (Gretton et
    al. 2012, equation 3). It is zero on average if the distributions are the same, and so may fall below.

    Args:
        x: finite numbers ``(n, d)``, at least two rows.
        y: finite numbers ``(m, d)``, at least two rows.
        bandwidth: of the kernel, above zero; by default the median distance between rows of ``x`` and ``y``
            together. To compare several samples with the real ones, give all of them the same bandwidth.

    Returns:
        The squared distance, at most 2.

    Raises:
        ValueError: these are no such arrays, or the bandwidth is not a finite number above zero.
    """
    kernel, in_x = _pooled_kernel(x, y, bandwidth)
    return float(_kernel_distances(kernel, in_x[np.newaxis], ~in_x[np.newaxis])[0])


def noise_floor(
    real: npt.ArrayLike, size: int, rng: np.random.Generator, repeats: int = 200, bandwidth: float | None = None
) -> Floats:
    """The kernel distances of real data from themselves: of two samples of ``size`` rows that share no row.

    A sample of a model, of ``size`` rows, is as good as real as far as this measure can see when its distance
    from ``size`` real rows lies among these.

    Args:
        real: finite numbers ``(n, d)``.
        size: rows in each of the two samples, from 2 to n / 2.
        rng: draws the samples.
        repeats: how often, 1 to a million.
        bandwidth: as in ``kernel_distance``; by default the median distance between real rows.

    Returns:
        The squared distances, ``(repeats,)``, sorted.

    Raises:
        ValueError: one of these is not as described.
    """
    rows = _rows(real, "real")
    if not is_whole(size, 2, len(rows) // 2):
        raise ValueError(f"a size from 2 to half of the {len(rows)} rows was wanted; {size!r} was given")
    order = _orders(len(rows), repeats, rng)
    return np.sort(_kernel_distances(_kernel(rows, bandwidth), order < size, (order >= size) & (order < 2 * size)))


@dataclass(frozen=True)
class TwoSampleTest:
    """What a two-sample test found.

    Attributes:
        statistic: its value for the two samples.
        chance: its values after the rows of both were shuffled, sorted, ``(permutations,)``.
        p_value: the share of values at least as large, the given one counted among them (Phipson and Smyth
            2010); the smallest possible is ``1 / (permutations + 1)``.
    """

    statistic: float
    chance: Floats
    p_value: float


def kernel_test(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    rng: np.random.Generator,
    permutations: int = 500,
    bandwidth: float | None = None,
) -> TwoSampleTest:
    """Test with the kernel distance whether two samples come from one distribution (Gretton et al. 2012).

    Args:
        x: finite numbers ``(n, d)``, at least two rows.
        y: finite numbers ``(m, d)``, at least two rows.
        rng: shuffles the rows of both together.
        permutations: how often, 1 to a million.
        bandwidth: as in ``kernel_distance``.

    Returns:
        The test; its statistic is the kernel distance.

    Raises:
        ValueError: one of these is not as described.
    """
    kernel, in_x = _pooled_kernel(x, y, bandwidth)
    shuffled = in_x[_orders(len(in_x), permutations, rng)]
    value = _kernel_distances(kernel, in_x[np.newaxis], ~in_x[np.newaxis])[0]
    return _test(value, _kernel_distances(kernel, shuffled, ~shuffled))


@dataclass(frozen=True)
class NearestNeighbours:
    """How often a row's nearest neighbour belongs to the row's own sample.

    Attributes:
        x: the share of the rows of the first sample, 0 to 1.
        y: the share of the rows of the second sample, 0 to 1.
        test: of the share of all rows, which is its statistic: one half is expected if the two samples, of one
            size, come from one distribution.
    """

    x: float
    y: float
    test: TwoSampleTest

    @property
    def accuracy(self) -> float:
        """The share of all rows: how well the nearest neighbour says which sample a row belongs to."""
        return self.test.statistic


def nearest_neighbour_two_sample(
    x: npt.ArrayLike, y: npt.ArrayLike, rng: np.random.Generator, permutations: int = 500
) -> NearestNeighbours:
    """Test whether two samples come from one distribution by asking each row for its nearest neighbour.

    The neighbour is sought among all other rows of both samples. Neighbours at one distance share the vote. The
    test is that of Schilling (1986) with one neighbour; as the accuracy of a classifier it is described by
    Lopez-Paz and Oquab (2017). Samples that differ give more than one half. Less than one half is no proof of
    health: rows of one sample that sit on rows of the other, as copies do, have the other for their neighbour.

    Args:
        x: finite numbers ``(n, d)``.
        y: finite numbers ``(n, d)``, as many rows, at least two.
        rng: shuffles the rows of both together, for the p-value.
        permutations: how often, 1 to a million.

    Returns:
        The shares and the test.

    Raises:
        ValueError: one of these is not as described.
    """
    rows, others = _rows(x, "x", least=2), _rows(y, "y", least=2)
    if rows.shape != others.shape:
        raise ValueError(f"two samples of one shape were wanted; {rows.shape} and {others.shape} were given")
    pooled = np.concatenate([rows, others])
    apart = distances(pooled, pooled)
    np.fill_diagonal(apart, np.inf)
    nearest = apart == apart.min(axis=1, keepdims=True)
    votes = sparse.csr_array(nearest / nearest.sum(axis=1, keepdims=True))
    # Samples are 1 and -1, so that the product of a row's and its neighbour's says whether they are the same.
    sides = np.repeat([1.0, -1.0], len(rows))
    own = (1 + sides * (votes @ sides)) / 2
    shuffled = sides[_orders(len(sides), permutations, rng)]
    chance = (1 + (shuffled.T * (votes @ shuffled.T)).mean(axis=0)) / 2
    return NearestNeighbours(float(own[: len(rows)].mean()), float(own[len(rows) :].mean()), _test(own.mean(), chance))


# How much of it is different, and how much is new?


def diversity(x: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """The mean distance between two rows of ``x``, as a multiple of that between two rows of the reference.

    Args:
        x: what a model made, finite numbers ``(n, d)``, at least two rows.
        reference: real data, finite numbers ``(m, d)``, at least two rows that differ.

    Returns:
        Zero if all rows are the same, one if they differ as much as the reference, above one if more.

    Raises:
        ValueError: these are no such arrays.
    """
    if _rows(x, "x").shape[1] != _rows(reference, "reference").shape[1]:
        raise ValueError(f"rows of one length were wanted; {np.shape(x)} and {np.shape(reference)} were given")
    yardstick = mean_distance(reference)
    if not yardstick > 0:
        raise ValueError("a reference with rows that differ was wanted; all of its rows are the same")
    return mean_distance(x) / yardstick


@dataclass(frozen=True)
class Copied:
    """How near a sample comes to the training data.

    Attributes:
        share: of the rows that are nearer to a training row than the threshold, 0 to 1.
        threshold: the distance below which a row is called a copy.
        nearest: the number of each row's nearest training row, ``(n,)``.
        distance: the distance from it, ``(n,)``.
    """

    share: float
    threshold: float
    nearest: npt.NDArray[np.int64]
    distance: Floats


def copied(
    generated: npt.ArrayLike, training: npt.ArrayLike, held_out: npt.ArrayLike, mistaken: float = 0.01
) -> Copied:
    """The share of rows that lie nearer to the training data than real data do.

    What is near is settled by real data that the model has not seen: the threshold is the distance from the
    nearest training row that only a share ``mistaken`` of the held-out rows stays below. An honest model is
    therefore expected to reach that share, not zero.

    Args:
        generated: what a model made, finite numbers ``(n, d)``.
        training: what it learned from, finite numbers ``(m, d)``.
        held_out: real data that it did not learn from, finite numbers ``(k, d)``.
        mistaken: the share of held-out rows that may be called copies, above 0 and below 1; at least 1 / k.

    Returns:
        The share of copies, the threshold, and each row's nearest training row.

    Raises:
        ValueError: one of these is not as described, or so many held-out rows stand in the training data that
            a copy cannot be told from chance.
    """
    known = _rows(training, "training")
    count = len(_rows(held_out, "held_out"))
    if not 1 / count <= mistaken < 1:
        raise ValueError(f"a share from 1/{count}, one held-out row, to below 1 was wanted; {mistaken} was given")
    threshold = float(np.quantile(distances(held_out, known).min(axis=1), mistaken))
    if not threshold > 0:
        raise ValueError(
            f"held-out rows of which fewer than {mistaken:g} stand in the training data were wanted;"
            " here more do, so a copy cannot be told from chance: compare longer passages or larger pictures"
        )
    apart = distances(generated, known)
    nearest = apart.argmin(axis=1)
    distance = apart[np.arange(len(apart)), nearest]
    return Copied(float((distance < threshold).mean()), threshold, nearest, distance)


# Error bars


def bootstrap_interval(
    values: npt.NDArray[np.floating], groups: npt.NDArray[np.integer], rng: np.random.Generator, resamples: int = 2000
) -> tuple[float, float]:
    """The 95 % interval of a mean, had other groups been drawn (percentile bootstrap).

    Whole groups are drawn with replacement, because the values of one group resemble each other: the frames of
    one piece, the votes of one rater. To compare two models, give the difference of their values on the same
    examples. Used first in the chapter ``first-model``.

    Args:
        values: finite, ``(n,)``, such as costs in nats.
        groups: the number of each value's group, whole, ``(n,)``.
        rng: draws the groups.
        resamples: how often to draw, 1 to a million.

    Returns:
        The lower and the upper end, in the unit of the values.

    Raises:
        ValueError: there is no value, the shapes differ, a value is not finite, or the numbers are not whole.
    """
    if values.ndim != 1 or not len(values) or values.shape != groups.shape or groups.dtype.kind not in "iu":
        raise ValueError(
            "values and whole numbers of groups of one shape (n,) were wanted;"
            f" {values.shape} and {groups.dtype} {groups.shape} were given"
        )
    _check_repeats(resamples, "resamples")
    if not np.isfinite(values).all():
        raise ValueError(f"finite values were wanted; {np.count_nonzero(~np.isfinite(values))} are not")
    _, number, lengths = np.unique(groups, return_inverse=True, return_counts=True)
    totals = np.bincount(number, weights=values)
    drawn = rng.integers(len(totals), size=(resamples, len(totals)))
    low, high = np.quantile(totals[drawn].sum(axis=1) / lengths[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


# How many people does it take?


def preference_power(votes: int, share: float, level: float = 0.05) -> float:
    """The probability that votes between two works show that one of them is preferred.

    Each vote is independent, one a rater, and has no ties. The test is the exact two-sided sign test: the
    binomial test of the share one half.

    Args:
        votes: how many, at least 1.
        share: of all people who prefer the first work, 0 to 1.
        level: the probability of finding a preference where there is none, at most; above 0 and below 1.

    Returns:
        The probability of a p-value of at most ``level``, 0 to 1.

    Raises:
        ValueError: one of these is not as described.
    """
    if not is_whole(votes, 1, 10**9):
        raise ValueError(f"at least one vote was wanted; {votes!r} was given")
    if not 0 <= share <= 1:
        raise ValueError(f"a share from 0 to 1 was wanted; {share!r} was given")
    _check_share(level, "level")
    return float(_sign_test_power(np.array([votes]), share, level)[0])


def votes_needed(share: float, power: float = 0.8, level: float = 0.05) -> int:
    """How many votes between two works show a preference with a given probability.

    With each further vote the power of the exact test rises or falls a little; the number given is the one
    from which on it does not fall below what is wanted.

    Args:
        share: of all people who prefer the first work, 0 to 1, at least 0.005 from one half.
        power: the probability of finding the preference, above 0 and below 1.
        level: as in ``preference_power``.

    Returns:
        The number of votes, one a rater.

    Raises:
        ValueError: one of these is not as described.
    """
    if not 0 <= share <= 1 or abs(share - 0.5) < 0.005:
        raise ValueError(f"a share from 0 to 1, at least 0.005 from one half, was wanted; {share!r} was given")
    _check_share(power, "power")
    _check_share(level, "level")
    # Twice what the normal approximation asks for, and room for the steps of the exact test.
    lead = abs(2 * share - 1)
    most = 2 * (max(stats.norm.ppf([1 - level / 2, power]).sum(), 0) / lead) ** 2 + 10 / lead + 2 / level
    votes = np.arange(1, int(most) + 1)
    return int(votes[_sign_test_power(votes, share, level) < power][-1]) + 1


def rating_power(
    raters: int, difference: float, between: float, within: float, works: int, level: float = 0.05
) -> float:
    """The probability that ratings show a difference between two models.

    Each rater rates ``works`` works of each model. The difference that a rater sees is normal around that of
    all people, with the standard deviation ``between``; a single rating strays around the rater's own opinion
    by ``within``. How strict raters are cancels out. The test is the two-sided t-test of the raters' mean
    differences, whose variance is ``between**2 + 2 within**2 / works``, so that a rater counts once, however
    many works there are. Other works of the same models might differ more: the works count as given.

    Args:
        raters: how many, at least 2.
        difference: between the mean ratings of the two models by all people, in points.
        between: zero or more, in points.
        within: zero or more, in points; not zero together with ``between``.
        works: of each model, rated by each rater, at least 1.
        level: as in ``preference_power``.

    Returns:
        The probability of a p-value of at most ``level``, 0 to 1.

    Raises:
        ValueError: one of these is not as described.
    """
    if not is_whole(raters, 2, 10**9) or not is_whole(works, 1, 10**9):
        raise ValueError(f"at least two raters and one work were wanted; {raters!r} and {works!r} were given")
    numbers = np.array([difference, between, within], dtype=np.float64)
    if not np.isfinite(numbers).all() or between < 0 or within < 0 or between + within == 0:
        raise ValueError(
            "a finite difference and standard deviations from zero, not both zero, were wanted;"
            f" {difference}, {between} and {within} were given"
        )
    _check_share(level, "level")
    deviation = np.sqrt(between**2 + 2 * within**2 / works)
    shift, freedom = abs(difference) / deviation * np.sqrt(raters), raters - 1
    critical = stats.t.ppf(1 - level / 2, freedom)
    return float(stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift))


def raters_needed(
    difference: float, between: float, within: float, works: int, power: float = 0.8, level: float = 0.05
) -> int:
    """How many raters show a difference between two models with a given probability.

    Args:
        difference: as in ``rating_power``, and not zero.
        between: as in ``rating_power``.
        within: as in ``rating_power``.
        works: as in ``rating_power``.
        power: the probability of finding the difference, above 0 and below 1.
        level: as in ``preference_power``.

    Returns:
        The number of raters, at least 2.

    Raises:
        ValueError: one of these is not as described, or more than a million raters would be needed.
    """
    _check_share(power, "power")

    def enough(raters: int) -> bool:
        return rating_power(raters, difference, between, within, works, level) >= power

    high = 2
    while not enough(high):
        high *= 2
        if high > 2**20:
            raise ValueError(
                f"a difference that a million raters can see was wanted; {difference} is too small for that"
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# Shared by the above


def _rows(x: npt.ArrayLike, what: str, least: int = 1) -> Floats:
    given = np.asarray(x)
    if given.ndim != 2 or given.dtype.kind not in "biuf" or len(given) < least or not given.shape[1]:
        raise ValueError(
            f"{what}: numbers of shape (n, d), n at least {least}, were wanted; {given.dtype} {given.shape} was given"
        )
    rows = given.astype(np.float64)
    if not np.isfinite(rows).all():
        raise ValueError(f"{what}: finite numbers were wanted; {np.count_nonzero(~np.isfinite(rows))} are not")
    return rows


def _between_rows(x: npt.ArrayLike) -> Floats:
    rows = _rows(x, "x", least=2)
    return distances(rows, rows)[np.triu_indices(len(rows), 1)]


def _kernel(rows: Floats, bandwidth: float | None) -> Floats:
    width = median_distance(rows) if bandwidth is None else float(bandwidth)
    if not 0 < width < np.inf:
        raise ValueError(f"a bandwidth above zero was wanted; {bandwidth!r} was given")
    return np.exp(-0.5 * np.square(distances(rows, rows) / width))


def _pooled_kernel(x: npt.ArrayLike, y: npt.ArrayLike, bandwidth: float | None) -> tuple[Floats, Bools]:
    """The kernel between all rows, and which of them are rows of x."""
    rows, others = _rows(x, "x", least=2), _rows(y, "y", least=2)
    if rows.shape[1] != others.shape[1]:
        raise ValueError(f"rows of one length were wanted; {rows.shape} and {others.shape} were given")
    pooled = np.concatenate([rows, others])
    return _kernel(pooled, bandwidth), np.arange(len(pooled)) < len(rows)


def _kernel_distances(kernel: Floats, in_x: Bools, in_y: Bools) -> Floats:
    """The unbiased estimate for many choices of two samples, bool ``(choices, n)`` each."""
    x, y = in_x.astype(np.float64), in_y.astype(np.float64)
    n, m = x.sum(axis=1), y.sum(axis=1)
    sums_x, sums_y = x @ kernel, y @ kernel
    # The kernel of a row with itself is 1; the n of them are no pairs.
    within_x = ((sums_x * x).sum(axis=1) - n) / (n * (n - 1))
    within_y = ((sums_y * y).sum(axis=1) - m) / (m * (m - 1))
    return within_x + within_y - 2 * (sums_x * y).sum(axis=1) / (n * m)


def _orders(count: int, repeats: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Random orders of ``count`` rows, ``(repeats, count)``."""
    _check_repeats(repeats, "repeats")
    return rng.permuted(np.tile(np.arange(count), (repeats, 1)), axis=1)


def _test(value: float, chance: Floats) -> TwoSampleTest:
    # Rounding must not decide whether a shuffle that changes nothing is as large.
    as_large = np.count_nonzero(chance >= value - 1e-12)
    return TwoSampleTest(float(value), np.sort(chance), (1 + as_large) / (1 + len(chance)))


def _sign_test_power(votes: npt.NDArray[np.int64], share: float, level: float) -> Floats:
    # The most votes for the less preferred work that still have a tail of at most level / 2; -1 if none have.
    most = stats.binom.ppf(level / 2, votes, 0.5)
    most -= stats.binom.cdf(most, votes, 0.5) > level / 2
    return stats.binom.cdf(most, votes, share) + stats.binom.sf(votes - most - 1, votes, share)


def _check_repeats(repeats: int, what: str) -> None:
    if not is_whole(repeats, 1, 10**6):
        raise ValueError(f"1 to a million {what} were wanted; {repeats!r} was given")


def _check_share(share: float, what: str) -> None:
    if not 0 < share < 1:
        raise ValueError(f"a {what} above 0 and below 1 was wanted; {share!r} was given")
