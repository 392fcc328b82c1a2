"""What people said of works and wines: painters scored in 1708, a critic's hundred films, a panel of nine tasters."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.rdatasets import table

Floats = npt.NDArray[np.float64]

# The schools by the letters of the table, as the documentation of ``MASS::painters`` names them.
_SCHOOLS = {
    "A": "Renaissance",
    "B": "Mannerist",
    "C": "Seicento",
    "D": "Venetian",
    "E": "Lombard",
    "F": "16th century",
    "G": "17th century",
    "H": "French",
}


@dataclass(frozen=True)
class Painters:
    """Painters, one a place in each array; all arrays read-only.

    Attributes:
        name: of the painter.
        school: to which the painter is counted.
        scores: for composition, drawing, colour and expression, ``(painters, 4)``, 0 to 20.
    """

    SCORES = ("composition", "drawing", "colour", "expression")

    name: npt.NDArray[np.str_]
    school: npt.NDArray[np.str_]
    scores: Floats

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True)
class Films:
    """Films that a critic rated, one a place in each array; all arrays read-only.

    Attributes:
        title: of the film.
        rating: by the critic, 1 to 4 stars, in steps of a half.
        year: in which it came out.
        minutes: that it lasts.
        cast: how many actors the critic's guide names.
        lines: that the guide gives to it.
    """

    title: npt.NDArray[np.str_]
    rating: Floats
    year: Floats
    minutes: Floats
    cast: Floats
    lines: Floats

    def __len__(self) -> int:
        return len(self.title)


@cache
def painters() -> Painters:
    """The scores that Roger de Piles gave to painters in his *Cours de peinture par principes* (1708).

    From ``MASS::painters``, which has 54 of them.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("MASS", "painters")
    scores = _fixed([columns[name.capitalize()] for name in Painters.SCORES]).T
    school = np.array([_SCHOOLS[letter] for letter in columns["School"]])
    school.flags.writeable = False
    return Painters(columns["rownames"], school, scores)


@cache
def films() -> Films:
    """A random sample of a hundred films from Leonard Maltin's *Movie and Video Guide* of 1996 (Moore 2006).

    From ``Stat2Data::Film``.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("Stat2Data", "Film")
    title = np.array([each.replace("_", " ") for each in columns["Title"]])
    title.flags.writeable = False
    return Films(title, *(_fixed(columns[name]) for name in ("Rating", "Year", "Time", "Cast", "Description")))


@cache
def tastings() -> Floats:
    """How bitter nine tasters found eight bottles of white wine (Randall 1989), from ``ordinal::wine``.

    Returns:
        ``(8, 9)``, bottles by tasters, 0 to 100, read-only.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("ordinal", "wine")
    bitter = np.full((8, 9), np.nan)
    bitter[columns["bottle"] - 1, columns["judge"] - 1] = columns["response"]
    return _fixed(bitter)


def _fixed(values: npt.ArrayLike) -> Floats:
    numbers = np.array(values, dtype=np.float64)
    numbers.flags.writeable = False
    return numbers
