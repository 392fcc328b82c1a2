"""Can one read what was drawn? Measures of ink on paper that need no reader (chapter ``adversarial-brush``).

Pictures are ``(n, side, side)``, from 0, paper, to 1, ink.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float32]

SMALLEST, LARGEST = 8, 1024
MOST_PIXELS = 2**26
_WITH_DIAGONALS = np.ones((3, 3))


@dataclass(frozen=True)
class Legibility:
    """What is seen of each picture's strokes, ``(n,)`` each.

    Attributes:
        ink: the share of ink, the mean of all pixels.
        grey: the share of pixels that are neither ink nor paper, from 0.1 to 0.9.
        width: of the strokes, in pixels: twice the area over the length of the edge; 0 without ink.
        pieces: how many pieces of ink there are; pixels that touch at a corner are one piece.
        holes: how many pieces of paper are enclosed by ink.
        checkerboard: the share of the variance that alternates from pixel to pixel, along rows, along columns or
            along both; 1 for a checkerboard, 0 for a picture of one colour.
    """

    ink: npt.NDArray[np.float64]
    grey: npt.NDArray[np.float64]
    width: npt.NDArray[np.float64]
    pieces: npt.NDArray[np.int64]
    holes: npt.NDArray[np.int64]
    checkerboard: npt.NDArray[np.float64]


def legibility(pictures: npt.ArrayLike) -> Legibility:
    """Measure pictures.

    Args:
        pictures: from 0, paper, to 1, ink, ``(n, side, side)``; a side of 8 to 1,024 pixels.

    Returns:
        The measures of each picture.

    Raises:
        ValueError: as ``check_pictures``.
    """
    checked = check_pictures(pictures).astype(np.float64)
    dark = np.pad(checked > 0.5, ((0, 0), (1, 1), (1, 1)))
    edges = sum(np.count_nonzero(np.diff(dark, axis=axis), axis=(1, 2)) for axis in (1, 2))
    area = dark.sum(axis=(1, 2))
    return Legibility(
        checked.mean(axis=(1, 2)),
        ((checked > 0.1) & (checked < 0.9)).mean(axis=(1, 2)),
        2 * area / np.maximum(edges, 1),
        np.array([ndimage.label(picture, _WITH_DIAGONALS)[1] for picture in dark]),
        # Around the picture lies a frame of paper, so that all paper which is not enclosed is one piece.
        np.array([ndimage.label(~picture)[1] - 1 for picture in dark]),
        _checkerboard(checked),
    )


def check_pictures(pictures: npt.ArrayLike) -> Floats:
    """Refuse what is no batch of square pictures.

    Args:
        pictures: anything.

    Returns:
        It, as float32 ``(n, side, side)``.

    Raises:
        ValueError: these are not numbers of that shape, there is none, a side is not 8 to 1,024 pixels, all pixels
            together are more than 2**26, or a value is not from 0 to 1.
    """
    given = np.asarray(pictures)
    if given.ndim != 3 or given.shape[1] != given.shape[2] or given.dtype.kind not in "biuf":
        raise ValueError(
            f"square pictures (n, side, side) of numbers were wanted; {given.dtype} {given.shape} was given"
        )
    if not len(given):
        raise ValueError("at least one picture was wanted; none was given")
    if not SMALLEST <= given.shape[1] <= LARGEST:
        raise ValueError(f"a side of {SMALLEST} to {LARGEST} pixels was wanted; {given.shape[1]} was given")
    if given.size > MOST_PIXELS:
        raise ValueError(f"at most {MOST_PIXELS:,} pixels in all were wanted; {given.size:,} were given")
    low, high = given.min(), given.max()
    # A value that is no number makes both comparisons false.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"values from 0, paper, to 1, ink, were wanted; {low} to {high} were given")
    return given.astype(np.float32)


def _checkerboard(pictures: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    side = pictures.shape[1]
    alternating, even = (-1.0) ** np.arange(side), np.ones(side)
    waves = ((alternating, even), (even, alternating), (alternating, alternating))
    # The share of a wave of height one in the mean square is the square of the mean product with it.
    power = sum((np.einsum("nij,i,j->n", pictures, *wave) / side**2) ** 2 for wave in waves)
    variance = pictures.var(axis=(1, 2))
    return np.where(variance > 0, power / np.maximum(variance, 1e-12), 0.0)
