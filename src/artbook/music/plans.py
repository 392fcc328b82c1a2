"""What a plan is worth in nats: how surprising its key, its lines and their goals are (chapter ``composing``)."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import log

from artbook.music.chorale_tokens import HORIZON, Plan

# A step stands at one of so many places, with a fermata or without; or the piece has ended.
_OUTCOMES = 2 * 6 * 16 + 1
_END = "end"
# What can be said of the goal of a line, nothing included.
_GOALS = 13

Event = tuple[tuple[Hashable, ...], Hashable, int]


@dataclass(frozen=True)
class PlanCounts:
    """Probabilities of plans, counted: of the key, the metre, every next step, and then of the goals of the lines.

    Each is counted in its context, backed up by counts in a wider context, and those by equal shares.

    Attributes:
        strength: imagined events from the wider context, above 0.
        seen: how often each event followed in each context.
        contexts: how often each context occurred.
    """

    strength: float
    seen: Counter = field(default_factory=Counter)
    contexts: Counter = field(default_factory=Counter)

    @classmethod
    def fit(cls, plans: Sequence[Plan], strength: float) -> "PlanCounts":
        """Count the plans.

        Args:
            plans: at least one.
            strength: above 0; choose it on validation plans.

        Raises:
            ValueError: there is no plan, or the strength is not above 0.
        """
        if not plans or not 0 < strength < float("inf"):
            raise ValueError(f"plans and a strength above 0 were wanted; {len(plans)} and {strength!r} were given")
        counts = cls(strength)
        for plan in plans:
            for contexts, event, _ in _events(plan):
                for context in contexts:
                    counts.seen[context, event] += 1
                    counts.contexts[context] += 1
        return counts

    def cost(self, plan: Plan) -> float:
        """Minus the logarithm of the plan's probability, in nats.

        With it, what a model pays for the notes *given* the plan becomes a price for both, which is no less than the
        price of the notes alone: a probability of two things is at most that of one. A plan without goals is cheaper.
        """
        total = 0.0
        for contexts, event, outcomes in _events(plan):
            probability = 1 / outcomes
            for context in contexts:
                backed = self.seen[context, event] + self.strength * probability
                probability = backed / (self.contexts[context] + self.strength)
            total -= log(probability)
        return total


def _events(plan: Plan) -> Iterator[Event]:
    """The events that make up a plan: contexts from the widest to the narrowest, what happened, what could have."""
    yield ("key",), (plan.tonic, plan.minor), 24
    states = list(zip(plan.position.tolist(), plan.fermatas.tolist(), strict=True))
    yield ("metre",), (plan.beats_per_bar, *states[0]), 6 * _OUTCOMES
    since = 0
    for number, state in enumerate(states):
        if number and state[1] != states[number - 1][1]:
            since = 0
        following = states[number + 1] if number + 1 < len(states) else _END
        wide = (plan.beats_per_bar, *state)
        yield (wide, (*wide, min(since, 2 * HORIZON))), following, _OUTCOMES
        since += 1
    if plan.goals is not None:
        before = None
        for begin, end in plan.lines:
            goal, last = int(plan.goals[begin]), end == plan.length
            yield (("goal", plan.minor), ("goal", plan.minor, last, before)), goal, _GOALS
            before = goal
