"""What a plan is worth when its numbers are uncertain: draws, tornado, variance-based sensitivity, fair shares.

Chapter ``value``. A plan is a function of named inputs, arrays of one shape, that gives an array of that shape.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from math import factorial, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.stats import qmc

from artbook.data.keyboard import is_whole

Floats = npt.NDArray[np.float64]
# Of the name of an input, its distribution, as ``scipy.stats`` has them.
Inputs = Mapping[str, Any]
Plan = Callable[..., Floats]

LOW, HIGH = 0.1, 0.9


def lognormal(low: float, high: float) -> Any:
    """The lognormal distribution of which one value in ten is below ``low`` and one in ten above ``high``.

    Args:
        low: above 0.
        high: above ``low``, finite.

    Returns:
        A frozen distribution of ``scipy.stats``.

    Raises:
        ValueError: the quantiles are not as above.
    """
    if not 0 < low < high or not isfinite(high):
        raise ValueError(f"two quantiles with 0 < low < high were wanted; {low!r} and {high!r} were given")
    spread = np.log(high / low) / (stats.norm.ppf(HIGH) - stats.norm.ppf(LOW))
    return stats.lognorm(s=spread, scale=np.sqrt(low * high))


def draw(inputs: Inputs, count: int, seed: int = 0, sobol: bool = True) -> dict[str, Floats]:
    """Independent draws of uncertain inputs.

    Args:
        inputs: their distributions, at least one.
        count: how many draws, at least 1; a power of two if they are Sobol's.
        seed: of the draws, from 0.
        sobol: whether the draws fill the space evenly (scrambled Sobol points, Owen 1998), or fall anywhere.

    Returns:
        The draws by the name of the input, ``(count,)`` each.

    Raises:
        ValueError: there is no input, or the count is not as above.
    """
    _check_count(len(inputs), count, sobol)
    rng = np.random.default_rng(seed)
    points = qmc.Sobol(len(inputs), rng=rng).random(count) if sobol else rng.random((count, len(inputs)))
    # A point of nought would be an infinite draw.
    inside = np.clip(points, 1e-12, 1 - 1e-12)
    return {name: each.ppf(column) for (name, each), column in zip(inputs.items(), inside.T, strict=True)}


def tornado(plan: Plan, inputs: Inputs) -> dict[str, tuple[float, float]]:
    """What a plan gives when one input is at its 10 % and at its 90 % quantile and all others at their medians.

    Args:
        plan: of the inputs by name.
        inputs: their distributions, at least one.

    Returns:
        The two values by the name of the input, the one with the widest span first.
    """
    middle = {name: float(each.ppf(0.5)) for name, each in inputs.items()}
    ends = {
        name: tuple(float(plan(**middle | {name: np.asarray(each.ppf(level))})) for level in (LOW, HIGH))
        for name, each in inputs.items()
    }
    return {name: (low, high) for name, (low, high) in sorted(ends.items(), key=lambda item: -abs(np.ptp(item[1])))}


@dataclass(frozen=True)
class Sensitivity:
    """How much of a plan's variance comes from an input.

    Attributes:
        first: the share that would be gone if the input were known, by input.
        total: the share that would be left if all others were known, by input.
    """

    first: dict[str, float]
    total: dict[str, float]


def sensitivity(plan: Plan, inputs: Inputs, count: int, seed: int = 0) -> Sensitivity:
    """Variance-based sensitivity (Sobol 2001), by the estimators of Saltelli et al. (2010) in SciPy.

    Args:
        plan: of the inputs by name; it is called with ``count`` × (inputs + 2) draws in all.
        inputs: their distributions, at least one.
        count: a power of two, at least 2.
        seed: of the draws, from 0.

    Returns:
        The shares, which are estimates: a small one may come out below 0.

    Raises:
        ValueError: there is no input, the count is not as above, or the plan always gives the same.
    """
    _check_count(len(inputs), count, sobol=True)
    found = stats.sobol_indices(
        func=lambda points: plan(**dict(zip(inputs, points, strict=True))),
        n=count,
        dists=[*inputs.values()],
        rng=np.random.default_rng(seed),
    )
    first, total = (np.ravel(each).tolist() for each in (found.first_order, found.total_order))
    if not any(total):
        raise ValueError("a plan whose value varies was wanted; this one always gives the same")
    return Sensitivity(dict(zip(inputs, first, strict=True)), dict(zip(inputs, total, strict=True)))


def shapley(players: Iterable[str], worth: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """What each player adds to those who came before, on average over all orders of coming (Shapley 1953).

    Args:
        players: their names, 1 to 8, all different.
        worth: of a set of players, what they earn without the others.

    Returns:
        By player a part; the parts sum to what all of them earn less what nobody earns.

    Raises:
        ValueError: the players are not as above.
    """
    names = list(players)
    if not 1 <= len(names) <= 8 or len(set(names)) < len(names):
        raise ValueError(f"1 to 8 players with names of their own were wanted; {names} were given")
    parts = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        for place, name in enumerate(order):
            parts[name] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    return {name: part / factorial(len(names)) for name, part in parts.items()}


def _check_count(width: int, count: int, sobol: bool) -> None:
    if not width:
        raise ValueError("at least one input was wanted; none was given")
    if not is_whole(count, 1, 2**24) or (sobol and count & (count - 1)):
        raise ValueError(f"a number of draws{', a power of two,' if sobol else ''} was wanted; {count!r} was given")
