"""The elevation of a part of the Appalachians around Jacksboro, Tennessee, which comes with matplotlib."""

import io
import zipfile
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.manifest import Corpus, corpus
from artbook.data.package_files import package_files
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
_FOLDER, _FILE = "matplotlib/mpl-data/sample_data/", "jacksboro_fault_dem.npz"

# Of the sphere whose surface is the Earth's (IUGG).
EARTH_RADIUS = 6_371_008.8


@dataclass(frozen=True)
class Elevation:
    """A map of heights.

    Attributes:
        heights: in whole metres above the sea, int16 ``(344, 403)``, north first, west first. Read-only.
        spacing: metres from a cell to the next, to the south and to the east.
        corner: latitude and longitude of the north-western corner, in degrees.
    """

    heights: npt.NDArray[np.int16]
    spacing: tuple[float, float]
    corner: tuple[float, float]


@cache
def load() -> Elevation:
    """The map: 344 by 403 cells, some 32 by 30 kilometres.

    Raises:
        ValueError: the file is not, byte for byte, that of the manifest, or damaged.
        OSError: it cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("matplotlib-elevation")
    stored = cached_arrays(f"elevation-{source.content_sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    south, east = stored["spacing"]
    latitude, longitude = stored["corner"]
    return Elevation(stored["heights"], (float(south), float(east)), (float(latitude), float(longitude)))


def _read(source: Corpus) -> Arrays:
    content = package_files(source, _FOLDER, [_FILE])[_FILE]
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            heights, north = stored["elevation"], max(float(stored["ymin"]), float(stored["ymax"]))
            west, step = float(stored["xmin"]), np.radians([float(stored["dy"]), float(stored["dx"])])
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{_FILE}: heights with their place were wanted; {error!r}") from error
    middle = np.radians(north) - step[0] * len(heights) / 2
    spacing = EARTH_RADIUS * step * np.array([1, np.cos(middle)])
    return {"heights": heights.astype(np.int16), "spacing": spacing, "corner": np.array([north, west])}
