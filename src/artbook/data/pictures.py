"""Six pictures in colour or grey that come with scikit-image: three photographs and three manners."""

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

# Name, file, what is to be seen, author and licence, as the documentation of scikit-image states them.
_WORKS = (
    ("cat", "chelsea.png", "Chelsea the cat", "Stéfan van der Walt", "CC0"),
    ("coffee", "coffee.png", "A cup of coffee", "Rachel Michetti", "CC0"),
    ("galaxies", "hubble_deep_field.jpg", "Hubble eXtreme Deep Field", "NASA", "public domain"),
    ("gravel", "gravel.png", "Gravel", "CC0Textures", "CC0"),
    ("coins", "coins.png", "Greek coins from Pompeii", "Brooklyn Museum", "no known restrictions"),
    ("tissue", "ihc.png", "Stained tissue", "Center for Microscopy And Molecular Imaging", "no known restrictions"),
)


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        name: what the book calls it.
        title: what is to be seen.
        author: who made it.
        licence: under which it may be used.
        pixels: uint8 ``(H, W, 3)``, red, green, blue. Read-only.
    """

    name: str
    title: str
    author: str
    licence: str
    pixels: npt.NDArray[np.uint8]


@cache
def load() -> dict[str, Picture]:
    """The six pictures, by name.

    Returns:
        Pictures whose longer side has 384 to 1,000 pixels.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or a picture in it is damaged.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("scikit-image")
    stored = cached_arrays(f"pictures-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    return {name: Picture(name, title, author, licence, stored[name]) for name, _, title, author, licence in _WORKS}


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), "skimage/data/")
    return {name: decoded(source, files, f"skimage/data/{file}", file) for name, file, *_ in _WORKS}
