"""Bandits: which work to show while one is still learning whom it pleases. Chapter ``recommendation``.

One linear model an arm, as in the disjoint LinUCB of Li et al. (2010), A Contextual-Bandit Approach to Personalized
News Article Recommendation; Thompson sampling after Agrawal and Goyal (2013).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass
class LinearArms:
    """A ridge regression of the reward on the context for each arm, learnt one reward at a time.

    Attributes:
        arms: how many.
        width: of a context.
        inverse: of each arm's matrix ``I + sum x x'``, ``(arms, width, width)``.
        rewarded: ``sum reward x`` of each arm, ``(arms, width)``.
    """

    arms: int
    width: int
    inverse: Floats = field(init=False)
    rewarded: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.arms < 1 or self.width < 1:
            raise ValueError(f"at least 1 arm and 1 number a context were wanted; {self.arms}, {self.width} were given")
        self.inverse = np.tile(np.eye(self.width), (self.arms, 1, 1))
        self.rewarded = np.zeros((self.arms, self.width))

    @property
    def weights(self) -> Floats:
        """The regression of each arm, ``(arms, width)``."""
        return np.einsum("aij,aj->ai", self.inverse, self.rewarded)

    def means(self, context: Floats) -> Floats:
        """The reward that each arm is expected to give, ``(arms,)``."""
        return self.weights @ context

    def widths(self, context: Floats) -> Floats:
        """How unsure each arm's expectation is: its standard deviation at unit noise, ``(arms,)``."""
        return np.sqrt(np.einsum("i,aij,j->a", context, self.inverse, context))

    def learn(self, arm: int, context: Floats, reward: float) -> None:
        """Take in one reward; the inverse is kept up to date by the formula of Sherman and Morrison."""
        direction = self.inverse[arm] @ context
        self.inverse[arm] -= np.outer(direction, direction) / (1 + context @ direction)
        self.rewarded[arm] += reward * context


Policy = Callable[[LinearArms, Floats, np.random.Generator], int]


def greedy(arms: LinearArms, context: Floats, rng: np.random.Generator) -> int:
    """The arm that looks best; among equals, by chance."""
    means = arms.means(context)
    return int(rng.choice(np.flatnonzero(means == means.max())))


def epsilon_greedy(epsilon: float) -> Policy:
    """Any arm with the probability epsilon, the one that looks best otherwise."""

    def choose(arms: LinearArms, context: Floats, rng: np.random.Generator) -> int:
        return int(rng.integers(arms.arms)) if rng.random() < epsilon else greedy(arms, context, rng)

    return choose


def upper_bound(breadth: float) -> Policy:
    """The arm with the highest expectation plus so many standard deviations: LinUCB."""

    def choose(arms: LinearArms, context: Floats, rng: np.random.Generator) -> int:
        return int(np.argmax(arms.means(context) + breadth * arms.widths(context)))

    return choose


def thompson(breadth: float) -> Policy:
    """The arm that is best in one draw from what is believed of each, with so many standard deviations."""

    def choose(arms: LinearArms, context: Floats, rng: np.random.Generator) -> int:
        return int(np.argmax(arms.means(context) + breadth * arms.widths(context) * rng.normal(size=arms.arms)))

    return choose


def play(policy: Policy, contexts: Floats, chances: Floats, rng: np.random.Generator) -> Floats:
    """Let a policy choose for one visitor after another, and count what it loses.

    Args:
        policy: chooses.
        contexts: of each visitor, ``(visitors, width)``.
        chances: the probability of a reward of each arm for each visitor, ``(visitors, arms)``; only the rewards,
            drawn with them, are shown to the policy.
        rng: draws choices and rewards.

    Returns:
        The regret so far after each visitor: the summed differences between the chance of the best arm and that of
        the chosen one, ``(visitors,)``.

    Raises:
        ValueError: there is not one row of chances between 0 and 1 for each context.
    """
    if contexts.ndim != 2 or chances.ndim != 2 or len(contexts) != len(chances):
        raise ValueError(f"a row of chances for each context was wanted; {contexts.shape}, {chances.shape} were given")
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("chances from 0 to 1 were wanted; others, or NaN, were given")
    arms = LinearArms(chances.shape[1], contexts.shape[1])
    lost = np.zeros(len(contexts))
    for turn, (context, chance) in enumerate(zip(contexts, chances, strict=True)):
        arm = policy(arms, context, rng)
        arms.learn(arm, context, float(rng.random() < chance[arm]))
        lost[turn] = chance.max() - chance[arm]
    return lost.cumsum()
