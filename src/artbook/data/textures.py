"""Three photographs of surfaces that come with scikit-image: brick, grass and gravel."""

from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.picture_files import decoded
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
NAMES = ("brick", "grass", "gravel")


@cache
def load() -> dict[str, npt.NDArray[np.uint8]]:
    """The surfaces, by name; all are CC0, as the documentation of scikit-image states.

    Returns:
        Grey pictures ``(512, 512)``. Read-only.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or a picture in it is damaged.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("scikit-image")
    stored = cached_arrays(f"textures-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    return {name: stored[name] for name in NAMES}


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), "skimage/data/")
    return {name: decoded(source, files, f"skimage/data/{name}.png", f"{name}.png", mode="L") for name in NAMES}
