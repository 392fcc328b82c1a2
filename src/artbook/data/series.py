"""Real series of an audience: nights of visitors, arrivals of travellers, sales of a shop, songs in the charts."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.rdatasets import table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Numbers at equal steps of time.

    Attributes:
        name: what is counted.
        values: above zero, ``(n,)``, read-only.
        start: the first year; the series begins with its first quarter or month.
        season: steps in a year: 4 or 12.
    """

    name: str
    values: Floats
    start: int
    season: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def years(self) -> Floats:
        """The time of each step in years, ``(n,)``."""
        return self.start + np.arange(len(self.values)) / self.season


@cache
def visitor_nights() -> tuple[Series, ...]:
    """Nights that visitors spent in each of twenty regions of Australia, millions a quarter, 1998 to 2016.

    Tourism Research Australia; from ``fpp2::visnights``.

    Returns:
        Twenty series of 76 quarters.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("fpp2", "visnights")
    return tuple(_series(name, values, 1998, 4) for name, values in columns.items() if name != "rownames")


@cache
def arrivals() -> tuple[Series, ...]:
    """Travellers who arrive in Australia, thousands a quarter, 1981 to 2012, by the country that they come from.

    From ``fpp3::aus_arrivals``.

    Returns:
        Four series of 127 quarters: Japan, New Zealand (``NZ``), the United Kingdom (``UK``) and the United States
        (``US``).

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("fpp3", "aus_arrivals")
    origins = dict.fromkeys(columns["Origin"].tolist())
    return tuple(_series(name, columns["Arrivals"][columns["Origin"] == name] / 1000, 1981, 4) for name in origins)


@cache
def souvenirs() -> Series:
    """What a souvenir shop on the wharf of a beach resort in Queensland sold a month, in thousands, 1987 to 1993.

    Makridakis, Wheelwright and Hyndman (1998); from ``fpp3::souvenirs``.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    return _series("souvenirs", table("fpp3", "souvenirs")["Sales"] / 1000, 1987, 12)


@dataclass(frozen=True)
class Charts:
    """Songs that stood in the Billboard Hot 100, the weekly list of hits in the United States, in the year 2000.

    Attributes:
        artist, title: of each song, ``(songs,)``.
        rank: in each week since it entered, 1 to 100, NaN when it is not on the list, ``(songs, weeks)``.
    """

    artist: npt.NDArray[np.str_]
    title: npt.NDArray[np.str_]
    rank: Floats


@cache
def charts() -> Charts:
    """The songs of the year 2000 in the Billboard Hot 100, some of which entered in 1999, from ``tidyr::billboard``.

    Returns:
        317 songs, 65 weeks or as many as any song has.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("tidyr", "billboard")
    weeks = [columns[f"wk{week}"].astype(float) for week in range(1, 77)]
    rank = np.stack(weeks, axis=1)
    rank = rank[:, : 1 + np.flatnonzero(~np.isnan(rank).all(axis=0)).max()]
    rank.flags.writeable = False
    return Charts(columns["artist"], columns["track"], rank)


def _series(name: str, values: npt.NDArray, start: int, season: int) -> Series:
    numbers = np.array(values, dtype=float)
    numbers.flags.writeable = False
    return Series(name, numbers, start, season)
