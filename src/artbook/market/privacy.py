"""What a trained model gives away: how attacks are scored, and what noise promises (chapter ``privacy``)."""

import logging
from collections.abc import Callable

import dp_accounting  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from dp_accounting import pld, rdp
from scipy import optimize, special, stats

Floats = npt.NDArray[np.float64]


def curve(members: npt.ArrayLike, others: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The ROC of an attack that says *member* above a threshold, for every threshold.

    Args:
        members: scores of works that were trained on, finite, at least one.
        others: scores of works that were not, finite, at least one.

    Returns:
        False-positive rates, rising from 0 to 1, and the true-positive rates that belong to them. Works of equal
        score are called members together.

    Raises:
        ValueError: there are no such scores.
    """
    inside, outside = _scores("members", members), _scores("others", others)
    levels = np.unique(np.concatenate([inside, outside]))[::-1]
    counts = [len(given) - np.searchsorted(np.sort(given), levels, side="left") for given in (outside, inside)]
    false, true = (
        np.concatenate([[0], count]) / len(given) for count, given in zip(counts, (outside, inside), strict=True)
    )
    return false, true


def area(members: npt.ArrayLike, others: npt.ArrayLike) -> float:
    """The area under the ROC: the chance that a member scores above another work, ties counted half.

    Raises:
        ValueError: as ``curve``.
    """
    inside, outside = _scores("members", members), _scores("others", others)
    return float(stats.mannwhitneyu(inside, outside).statistic / (len(inside) * len(outside)))


def caught(members: npt.ArrayLike, others: npt.ArrayLike, false_positives: float = 0.01) -> float:
    """The share of members that an attack finds while it accuses no more than a share of the other works.

    Args:
        members: as for ``curve``.
        others: as for ``curve``.
        false_positives: the share that may be accused, 0 to 1.

    Raises:
        ValueError: as ``curve``, or the share is out of range.
    """
    if not 0 <= false_positives <= 1:
        raise ValueError(f"a share from 0 to 1 was wanted; {false_positives!r} was given")
    false, true = curve(members, others)
    return float(true[false <= false_positives].max())


def promise(false_positives: npt.ArrayLike, epsilon: float, delta: float) -> Floats:
    """The largest true-positive rate that any attack can have on an (ε, δ)-private training.

    Wasserman and Zhou (2010); Kairouz, Oh and Viswanath (2015).

    Args:
        false_positives: rates, 0 to 1, any shape.
        epsilon: zero or more.
        delta: 0 to 1.

    Raises:
        ValueError: one of these is out of range.
    """
    rates = np.asarray(false_positives, dtype=float)
    if not ((rates >= 0) & (rates <= 1)).all() or not epsilon >= 0 or not 0 <= delta <= 1:
        raise ValueError(f"rates and δ from 0 to 1 and an ε from 0 were wanted; {rates}, {delta}, {epsilon} were given")
    return np.minimum(np.minimum(np.exp(epsilon) * rates + delta, 1 - np.exp(-epsilon) * (1 - delta - rates)), 1)


def gaussian_delta(epsilon: float, noise: float) -> float:
    """The δ of one Gaussian mechanism, exactly: theorem 8 of Balle and Wang (2018).

    Args:
        epsilon: zero or more.
        noise: the standard deviation over the sensitivity, above zero.

    Raises:
        ValueError: one of these is out of range.
    """
    if not epsilon >= 0 or not noise > 0:
        raise ValueError(f"an ε from 0 and a noise above 0 were wanted; {epsilon!r} and {noise!r} were given")
    half, shift = 1 / (2 * noise), epsilon * noise
    # The second factor is taken as a logarithm: e to a large ε times a small tail.
    return float(stats.norm.cdf(half - shift) - np.exp(epsilon + stats.norm.logcdf(-half - shift)))


def gaussian_epsilon(delta: float, noise: float) -> float:
    """The ε of one Gaussian mechanism at a δ, by solving ``gaussian_delta``; 0 where none is needed.

    Raises:
        ValueError: δ is not above 0 and below 1, or the noise not above 0.
    """
    if not 0 < delta < 1:
        raise ValueError(f"a δ above 0 and below 1 was wanted; {delta!r} was given")
    if gaussian_delta(0.0, noise) <= delta:
        return 0.0
    high = 1.0
    while gaussian_delta(high, noise) > delta:
        high *= 2
    return float(optimize.brentq(lambda epsilon: gaussian_delta(epsilon, noise) - delta, 0, high, xtol=1e-12))


def spent(noise: float, share: float, steps: int, delta: float, accountant: str = "rdp") -> float:
    """The ε of training with noise on Poisson samples, by Google's accountant ``dp-accounting``.

    Two data sets are neighbours if one has one work more.

    Args:
        noise: the noise's standard deviation over the clipping norm, above zero.
        share: the chance of a work to be in a step's sample, each by itself, above 0 up to 1.
        steps: how many, 1 or more.
        delta: above 0, below 1.
        accountant: ``rdp`` (Rényi, Mironov 2017) or ``pld`` (privacy-loss distributions, tighter and slower).

    Raises:
        ValueError: one of these is out of range.
    """
    makers: dict[str, Callable[[], dp_accounting.PrivacyAccountant]] = {
        "rdp": rdp.RdpAccountant,
        "pld": pld.PLDAccountant,
    }
    if accountant not in makers:
        raise ValueError(f"an accountant of {', '.join(makers)} was wanted; {accountant!r} was given")
    if not noise > 0 or not 0 < share <= 1 or not 0 < delta < 1 or not steps >= 1:
        raise ValueError(f"noise, share, steps, δ: {noise!r}, {share!r}, {steps!r}, {delta!r} are out of range")
    step = dp_accounting.PoissonSampledDpEvent(share, dp_accounting.GaussianDpEvent(float(noise)))
    # The Rényi accountant warns of fractional orders that it leaves out; the bound holds without them.
    level = logging.getLogger("absl").level
    logging.getLogger("absl").setLevel(logging.ERROR)
    try:
        return float(makers[accountant]().compose(step, int(steps)).get_epsilon(delta))
    finally:
        logging.getLogger("absl").setLevel(level)


def noise_for(epsilon: float, share: float, steps: int, delta: float, accountant: str = "rdp") -> float:
    """The least noise, to a thousandth, with which training spends no more than ε.

    Args:
        epsilon: above zero.
        share: as for ``spent``, and so the others.

    Raises:
        ValueError: one of these is out of range, or the noise would be outside 0.3 to 1,000.
    """
    if not epsilon > 0:
        raise ValueError(f"an ε above 0 was wanted; {epsilon!r} was given")
    low, high = 0.3, 1000.0
    if spent(high, share, steps, delta, accountant) > epsilon:
        raise ValueError(f"an ε that a noise of {high:g} reaches was wanted; {epsilon} is less")
    while high / low > 1.001:
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if spent(middle, share, steps, delta, accountant) > epsilon else (low, middle)
    return high


def proved(right: int, guesses: int, canaries: int, delta: float, level: float = 0.05) -> float:
    """The ε below which a training cannot be, by guesses who of its canaries was in it.

    Corollary 5.4 and appendix D of Steinke, Nasr and Jagielski (2023). Each canary is put into one training with the
    chance 1/2, by itself. If the training is (ε, δ)-private, the right guesses are hardly more than as many throws of
    a coin that shows heads with the chance 1 / (1 + exp(-ε)). This is the largest ε at which as many right ones are
    rarer than the level.

    Args:
        right: right guesses.
        guesses: about how many canaries it was guessed, the others left out; ``right`` or more, 1 or more.
        canaries: how many there are in all, ``guesses`` or more.
        delta: 0 or more, less than 1.
        level: the chance that the training is better than the answer says, above 0 and below 1.

    Returns:
        A lower bound of ε; 0 if nothing is proved.

    Raises:
        ValueError: one of these is out of range.
    """
    if not 0 <= right <= guesses <= canaries or guesses < 1 or not 0 <= delta < 1 or not 0 < level < 1:
        raise ValueError(
            "0 <= right <= guesses <= canaries, a δ from 0 and a level between 0 and 1 were wanted;"
            f" {right!r}, {guesses!r}, {canaries!r}, {delta!r} and {level!r} were given"
        )

    def chance(epsilon: float) -> float:
        coin = special.expit(epsilon)
        below = np.cumsum(stats.binom.pmf(right - np.arange(1, right + 1), guesses, coin))
        excess = (below / np.arange(1, right + 1)).max(initial=0.0)
        return float(stats.binom.sf(right - 1, guesses, coin) + 2 * canaries * delta * excess)

    low, high = 0.0, 1.0
    if chance(low) >= level:
        return low
    while chance(high) < level:
        high *= 2
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) < level else (low, middle)
    return low


def _scores(name: str, given: npt.ArrayLike) -> Floats:
    array = np.asarray(given, dtype=float)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise ValueError(f"{name}: finite scores (n,) were wanted; {array.shape} was given")
    return array
