"""Simulated learners and their teachers. Chapter ``art-education``.

Nothing here is about real people: how a learner learns is an assumption, written down as a function of the
probability of a right answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.teaching import item_response as rasch

Floats = npt.NDArray[np.float64]
Gain = Callable[[Floats], Floats]

ZONE_WIDTH = 0.18


def zone(best: float) -> Gain:
    """Learning that is fastest at exercises which succeed with probability ``best``, and slow at all others.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if not 0 < best < 1:
        raise ValueError(f"a probability between 0 and 1 was wanted; {best!r} was given")
    return lambda right: np.exp(-0.5 * np.square((right - best) / ZONE_WIDTH))


# How much an exercise teaches, 0 to 1, by the probability that the learner succeeds in it.
KINDS: Mapping[str, Gain] = {
    "in a zone at 65 %": zone(0.65),
    "in a zone at 85 %": zone(0.85),
    "from success": lambda right: right,
    "from failure": lambda right: 1 - right,
    "from any exercise": lambda right: np.full_like(right, 0.5),
}

TEACHERS = ("random", "ladder", "adaptive", "oracle")


@dataclass(frozen=True)
class Lesson:
    """A course of exercises.

    Attributes:
        exercises: which item each learner had at each step, ``(learners, steps)``.
        ability: before the first step and after each, in logits, ``(learners, steps + 1)``.
        estimate: what the teacher believed it to be, of the same shape.
    """

    exercises: npt.NDArray[np.int64]
    ability: Floats
    estimate: Floats

    @property
    def gain(self) -> Floats:
        """What each learner has learnt, in logits, ``(learners,)``."""
        return self.ability[:, -1] - self.ability[:, 0]


def teach(
    ability: npt.ArrayLike,
    difficulty: npt.ArrayLike,
    steps: int,
    teacher: str,
    gain: Gain,
    rng: np.random.Generator,
    *,
    target: float = 0.65,
    rate: float = 0.08,
) -> Lesson:
    """Give simulated learners a course of exercises, none of them twice.

    The teacher sees answers, not abilities, except the ``oracle``. ``random`` draws an exercise; ``ladder`` goes
    from the easiest to the hardest in equal steps, the same for all; ``adaptive`` takes that whose probability of
    success is nearest to the target at the ability that it believes in; ``oracle`` does so at the true ability.
    The teacher believes that each exercise teaches ``rate`` times what one in a zone around the target does.

    Args:
        ability: of each learner at the start, in logits, ``(learners,)``.
        difficulty: of each item, in logits, ``(items,)``.
        steps: how many exercises, 1 to the number of items.
        teacher: of ``TEACHERS``.
        gain: what the learners really learn, such as one of ``KINDS``.
        rng: draws answers and orders; the same generator gives each teacher the same luck.
        target: the probability of success that the teacher aims at, between 0 and 1.
        rate: the most that an exercise can teach, in logits, above 0.

    Raises:
        ValueError: one of these is not as described.
    """
    start, hard = np.asarray(ability, dtype=float), np.asarray(difficulty, dtype=float)
    if start.ndim != 1 or hard.ndim != 1 or not len(start) or not 1 <= steps <= len(hard):
        raise ValueError(f"learners and {steps!r} items or more were wanted; {start.shape} and {hard.shape} were given")
    if teacher not in TEACHERS or not rate > 0:
        raise ValueError(f"one of {', '.join(TEACHERS)}, and a rate above 0, were wanted; {teacher!r}, {rate!r} given")
    believed_gain = zone(target)
    luck, drawn = rng.random((len(start), steps)), rng.random((len(start), len(hard)))
    rungs = np.argsort(hard, kind="stable")[np.linspace(0, len(hard) - 1, steps).round().astype(int)]
    belief, abilities, done = rasch.prior(len(start)), [start], np.zeros((len(start), len(hard)), dtype=bool)
    estimates, exercises, everyone = [rasch.estimate(belief)], [], np.arange(len(start))
    for step in range(steps):
        if teacher == "random":
            distance = drawn
        elif teacher == "ladder":
            distance = np.tile(np.arange(len(hard)) != rungs[step], (len(start), 1)).astype(float)
        else:
            seen = abilities[-1] if teacher == "oracle" else estimates[-1]
            distance = np.abs(rasch.probability(seen[:, np.newaxis], hard) - target)
        chosen = np.where(done, np.inf, distance).argmin(axis=1)
        done[everyone, chosen] = True
        right = rasch.probability(abilities[-1], hard[chosen])
        belief = rasch.learn(belief, hard[chosen], luck[:, step] < right)
        belief = _grown(belief, rate * believed_gain(rasch.probability(rasch.ABILITIES, hard[chosen, np.newaxis])))
        abilities.append(abilities[-1] + rate * gain(right))
        estimates.append(rasch.estimate(belief))
        exercises.append(chosen)
    return Lesson(np.stack(exercises, axis=1), np.stack(abilities, axis=1), np.stack(estimates, axis=1))


def _grown(belief: Floats, growth: Floats) -> Floats:
    """A belief after each ability has grown; what falls between two abilities of the grid is shared among them."""
    step = rasch.ABILITIES[1] - rasch.ABILITIES[0]
    places = np.minimum(np.arange(len(rasch.ABILITIES)) + growth / step, len(rasch.ABILITIES) - 1)
    below = np.minimum(places.astype(int), len(rasch.ABILITIES) - 2)
    upper = places - below
    grown = np.zeros_like(belief)
    rows = np.arange(len(belief))[:, np.newaxis]
    np.add.at(grown, (rows, below), belief * (1 - upper))
    np.add.at(grown, (rows, below + 1), belief * upper)
    return grown
