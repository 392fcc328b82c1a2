"""The Rasch model of answers, and what is learnt from them about a person. Chapter ``art-education``.

The probability that a person of ability a gives the right answer to an item of difficulty b is
``1 / (1 + exp(b - a))`` (Rasch 1960). Abilities and difficulties are on one scale, in logits.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial.hermite_e import hermegauss
from scipy import optimize
from scipy.special import expit, logsumexp

Floats = npt.NDArray[np.float64]

# The abilities at which a belief about a person is kept.
ABILITIES = np.linspace(-6, 6, 121)


def probability(ability: npt.ArrayLike, difficulty: npt.ArrayLike) -> Floats:
    """The probability of a right answer, of the shape of both together, 0 to 1."""
    return np.asarray(expit(np.asarray(ability, dtype=float) - np.asarray(difficulty, dtype=float)))


def information(ability: npt.ArrayLike, difficulty: npt.ArrayLike) -> Floats:
    """Fisher's information on the ability in one answer, ``p (1 - p)``: 0 to 1/4."""
    right = probability(ability, difficulty)
    return right * (1 - right)


@dataclass(frozen=True)
class Rasch:
    """A Rasch model that was fitted to answers.

    Attributes:
        difficulty: of each item, in logits, where the mean ability is 0, ``(items,)``.
        spread: the standard deviation of the abilities, above 0.
        log_likelihood: of all answers, in nats.
    """

    difficulty: Floats
    spread: float
    log_likelihood: float


def cost(parameters: npt.ArrayLike, answers: npt.ArrayLike, nodes: int = 41) -> tuple[float, Floats]:
    """The negative marginal log-likelihood of answers, and its gradient.

    Abilities are normal with mean 0; they are integrated out by Gauss-Hermite quadrature (Bock and Aitkin 1981).

    Args:
        parameters: the difficulties and the logarithm of the spread, ``(items + 1,)``.
        answers: right or wrong, ``(persons, items)``.
        nodes: of the quadrature, at least 2.

    Returns:
        The cost in nats, and its gradient ``(items + 1,)``.
    """
    given = np.asarray(answers, dtype=float)
    *difficulty, log_spread = np.asarray(parameters, dtype=float)
    points, weights = hermegauss(nodes)
    abilities = np.exp(log_spread) * points
    logits = abilities[:, np.newaxis] - np.array(difficulty)
    joint = given @ logits.T - np.logaddexp(0, logits).sum(axis=1) + np.log(weights / weights.sum())
    total = logsumexp(joint, axis=1)
    belief = np.exp(joint - total[:, np.newaxis])
    # What came minus what was expected, at each node.
    excess = belief.T @ given - belief.sum(axis=0)[:, np.newaxis] * expit(logits)
    return -float(total.sum()), np.append(excess.sum(axis=0), -(excess.sum(axis=1) @ abilities))


def fit(answers: npt.ArrayLike) -> Rasch:
    """The Rasch model under which answers are most likely.

    Args:
        answers: right or wrong, bool or 0 and 1, ``(persons, items)``, at least two of each.

    Raises:
        ValueError: these are no such answers, or an item is answered alike by everyone.
    """
    given = np.asarray(answers)
    if given.ndim != 2 or min(given.shape) < 2 or not np.isin(given, (0, 1)).all():
        raise ValueError(f"answers 0 and 1 of two persons to two items or more were wanted; {given.shape} was given")
    share = given.mean(axis=0)
    if not ((share > 0) & (share < 1)).all():
        raise ValueError("items that some answer rightly and some wrongly were wanted; one is answered alike by all")
    start = np.append(np.log(1 / share - 1), 0)
    found = optimize.minimize(cost, start, args=(given,), jac=True, method="L-BFGS-B", options={"gtol": 1e-6})
    return Rasch(found.x[:-1], float(np.exp(found.x[-1])), -float(found.fun))


def prior(persons: int, spread: float = 1.0) -> Floats:
    """What is believed of persons before they answer: normal with mean 0, ``(persons, len(ABILITIES))``.

    Raises:
        ValueError: there is no person, or the spread is not above 0.
    """
    if persons < 1 or not spread > 0:
        raise ValueError(f"at least one person and a spread above 0 were wanted; {persons!r}, {spread!r} were given")
    belief = np.exp(-0.5 * np.square(ABILITIES / spread))
    return np.tile(belief / belief.sum(), (persons, 1))


def learn(belief: npt.ArrayLike, difficulty: npt.ArrayLike, right: npt.ArrayLike) -> Floats:
    """What is believed of persons after one answer each: Bayes' rule.

    Args:
        belief: probabilities of ``ABILITIES``, ``(persons, len(ABILITIES))``.
        difficulty: of the item that each was asked, ``(persons,)``.
        right: whether the answer was, bool ``(persons,)``.

    Returns:
        The new belief, of the same shape.

    Raises:
        ValueError: the shapes do not fit.
    """
    before, hard, was_right = np.asarray(belief), np.asarray(difficulty, dtype=float), np.asarray(right, dtype=bool)
    if before.ndim != 2 or before.shape[1] != len(ABILITIES) or not len(before) == len(hard) == len(was_right):
        raise ValueError(
            f"a belief (persons, {len(ABILITIES)}), a difficulty and an answer a person were wanted;"
            f" {before.shape}, {hard.shape} and {was_right.shape} were given"
        )
    chance = probability(ABILITIES, hard[:, np.newaxis])
    after = before * np.where(was_right[:, np.newaxis], chance, 1 - chance)
    return after / after.sum(axis=1, keepdims=True)


def estimate(belief: npt.ArrayLike) -> Floats:
    """The mean ability of each person under a belief, ``(persons,)``."""
    return np.asarray(belief) @ ABILITIES
