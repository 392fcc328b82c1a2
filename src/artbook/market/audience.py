"""A simulated audience of which everything is known: taste, popularity and position bias. Chapter ``recommendation``.

No number that comes from here says anything about people. The simulation exists because the truth is needed to see
whether a recommender finds it, and the diary of a real museum does not contain it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Audience:
    """Simulated visitors and what they would like.

    Attributes:
        appeal: the probability that a visitor who looks at a work likes it, ``(visitors, works)``.
        popularity: how much all visitors lean to a work, in standard deviations, ``(works,)``.
        favour: how gladly the house hangs a work, in standard deviations, ``(works,)``; only partly popularity.
    """

    appeal: Floats
    popularity: Floats
    favour: Floats

    def answers(self, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
        """Whether each visitor likes each work when asked about it, drawn once, ``(visitors, works)``."""
        return rng.random(self.appeal.shape) < self.appeal


@dataclass(frozen=True)
class Diary:
    """What a museum can record: who was shown what and where, and who said that they liked it.

    Attributes:
        visitor, work, place, day: of each showing, whole, ``(n,)``; the best place is 0.
        liked: whether the visitor liked it, bool ``(n,)``; whoever did not look did not like.
    """

    visitor: Integers
    work: Integers
    place: Integers
    day: Integers
    liked: npt.NDArray[np.bool_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> "Diary":
        """The showings that a mask ``(n,)`` chooses."""
        return Diary(self.visitor[chosen], self.work[chosen], self.place[chosen], self.day[chosen], self.liked[chosen])

    def and_then(self, later: "Diary") -> "Diary":
        """These showings followed by others."""
        return Diary(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(later).values(), strict=True)))


def simulate_audience(
    content: npt.ArrayLike,
    visitors: int,
    rng: np.random.Generator,
    *,
    seen_in_content: float = 1.4,
    hidden: float = 1.4,
    popular: float = 0.8,
    base: float = -4.5,
) -> Audience:
    """Draw an audience for a catalogue.

    The appeal of work i for visitor u is the sigmoid of ``base + seen_in_content a + hidden b + popular c``. Here a
    is the product of the visitor's taste with the work's content vector, b that of four more tastes with four
    properties of the work that no catalogue records, and c the work's popularity. Tastes, properties and popularity
    are normal; a, b and c have the standard deviation 1 over the catalogue.

    Args:
        content: of each work, finite, ``(works, d)``.
        visitors: how many, at least 1.
        rng: draws them.
        seen_in_content, hidden, popular: the weights of the three parts, in logits.
        base: the logit of the appeal of a work that is average in all three.

    Raises:
        ValueError: the content is no such array or the number is below 1.
    """
    works = np.asarray(content, dtype=float)
    if works.ndim != 2 or not works.size or not np.isfinite(works).all():
        raise ValueError(f"content of shape (works, d), finite, was wanted; the shape {works.shape} was given, or NaN")
    if visitors < 1:
        raise ValueError(f"at least one visitor was wanted; {visitors!r} were given")
    match = rng.normal(size=(visitors, works.shape[1])) @ works.T
    unseen = rng.normal(size=(visitors, 4)) @ rng.normal(size=(4, len(works)))
    popularity = rng.normal(size=len(works))
    favour = 0.6 * popularity + 0.8 * rng.normal(size=len(works))
    logit = base + seen_in_content * match / match.std() + hidden * unseen / unseen.std() + popular * popularity
    return Audience(1 / (1 + np.exp(-logit)), popularity, favour)


def looks(places: int, bias: float = 0.7) -> Floats:
    """The probability that a visitor looks at a place of the wall, ``1 / (place + 1) ** bias``, ``(places,)``.

    Args:
        places: how many, at least 1.
        bias: zero if all places are looked at alike.

    Raises:
        ValueError: there is no place, or the bias is below zero.
    """
    if places < 1 or not bias >= 0:
        raise ValueError(f"at least 1 place and a bias of 0 or more were wanted; {places!r} and {bias!r} were given")
    return 1 / np.arange(1, places + 1) ** bias


def visit(audience: Audience, walls: npt.ArrayLike, looked: Floats, day: int, rng: np.random.Generator) -> Diary:
    """Every visitor comes once and stands before a wall of their own.

    Args:
        audience: who comes.
        walls: which works hang there, from the best place on, whole, ``(visitors, places)``.
        looked: the probability of a look at each place, ``(places,)``.
        day: to be written in the diary.
        rng: decides who looks and who likes.

    Returns:
        The diary of the day, visitor by visitor.

    Raises:
        ValueError: the walls are not one row of known works for each visitor, or the places are not as many.
    """
    hung = np.asarray(walls)
    visitors, works = audience.appeal.shape
    if hung.shape != (visitors, len(looked)) or hung.dtype.kind not in "iu":
        raise ValueError(
            f"whole numbers of works of shape {(visitors, len(looked))} were wanted;"
            f" {hung.dtype} {hung.shape} were given"
        )
    if hung.min() < 0 or hung.max() >= works:
        raise ValueError(f"works 0 to {works - 1} were wanted; {hung.min()} to {hung.max()} were given")
    wanted = looked * np.take_along_axis(audience.appeal, hung, axis=1)
    liked = rng.random(hung.shape) < wanted
    who, place = np.indices(hung.shape)
    columns = (who.ravel(), hung.ravel().astype(np.int64), place.ravel(), np.full(hung.size, day))
    return Diary(*columns, liked.ravel())


def house_walls(
    favour: npt.ArrayLike, visitors: int, places: int, rng: np.random.Generator, walls: int = 60
) -> Integers:
    """Walls as the house hangs them: works drawn by its favour, the favourites at the best places.

    Args:
        favour: of each work, ``(works,)``; minus infinity for a work that stays in the store.
        visitors: each is sent to one of the walls by chance.
        places: on a wall, at most as many as there are works to hang.
        rng: draws.
        walls: how many different ones the house hangs.

    Returns:
        Works ``(visitors, places)``.

    Raises:
        ValueError: there are more places than works to hang.
    """
    gladness = np.asarray(favour, dtype=float)
    if not 1 <= places <= np.isfinite(gladness).sum():
        raise ValueError(f"1 to {np.isfinite(gladness).sum()} places were wanted; {places!r} were given")
    keys = gladness + rng.gumbel(size=(walls, len(gladness)))
    drawn = np.argpartition(-keys, places - 1, axis=1)[:, :places]
    hung = np.take_along_axis(drawn, np.argsort(-gladness[drawn], axis=1), axis=1)
    return hung[rng.integers(walls, size=visitors)]
