"""Ways from one picture to another: fading, and moving the ink (book chapter ``film``)."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from artbook.data.keyboard import is_whole

Floats = npt.NDArray[np.float64]

MAX_SIDE = 1024
# How far a grain's ink spreads, in pixels, and how sharp the edge of the ink is drawn.
_BLUR = 0.8
_CONTRAST = 4.0


def cross_fade(first: npt.ArrayLike, last: npt.ArrayLike, steps: int) -> Floats:
    """Each pixel goes straight from its value in the first picture to that in the last.

    Args:
        first: ink, ``(H, W)``, 0 to 1; sides of 2 to 1,024 pixels.
        last: the same for the other end.
        steps: how many pictures, both ends among them, 2 to 1,000.

    Returns:
        The pictures ``(steps, H, W)``.

    Raises:
        ValueError: these are no two pictures of one size, or the number of steps is out of range.
    """
    begin, end = _pictures(first, last, steps)
    t = np.linspace(0, 1, steps)[:, np.newaxis, np.newaxis]
    return (1 - t) * begin + t * end


def transport(first: npt.ArrayLike, last: npt.ArrayLike, steps: int, grains: int = 800) -> Floats:
    """The ink moves: each grain of it goes straight to a place in the last picture, by the shortest ways in all.

    The grains are assigned so that the sum of the squared distances is the least possible: optimal transport between
    two clouds of equal points, whose path is McCann's interpolation (Peyré and Cuturi 2019).

    Args:
        first: as in ``cross_fade``, with some ink.
        last: as in ``cross_fade``, with some ink.
        steps: as in ``cross_fade``.
        grains: into how many the ink is divided, 2 to 4,000.

    Returns:
        The pictures ``(steps, H, W)``; their ink goes about evenly from that of the first to that of the last.

    Raises:
        ValueError: as ``cross_fade``; a picture without ink; or the number of grains is out of range.
    """
    begin, end = _pictures(first, last, steps)
    if not is_whole(grains, 2, 4000):
        raise ValueError(f"2 to 4000 grains were wanted; {grains!r} was given")
    if not begin.any() or not end.any():
        raise ValueError("two pictures with ink were wanted; one is blank")
    here, there = _grains(begin, grains), _grains(end, grains)
    cost = ((here[:, np.newaxis] - there) ** 2).sum(axis=-1)
    here, there = (each[order] for each, order in zip((here, there), linear_sum_assignment(cost), strict=True))
    path = np.linspace(0, 1, steps)
    ink = (1 - path) * begin.sum() + path * end.sum()
    return np.stack(
        [_scattered((1 - t) * here + t * there, begin.shape, each) for t, each in zip(path, ink, strict=True)]
    )


def greyness(pictures: npt.ArrayLike) -> Floats:
    """How much of the ink is neither ink nor paper: the sum of 4 v (1 - v) over that of v.

    Args:
        pictures: ``(..., H, W)``, 0 to 1, each with some ink.

    Returns:
        ``(...)``: zero if each pixel is 0 or 1, two if all ink is a grey of one half.
    """
    values = np.asarray(pictures, dtype=np.float64)
    return (4 * values * (1 - values)).sum(axis=(-2, -1)) / values.sum(axis=(-2, -1))


def _pictures(first: npt.ArrayLike, last: npt.ArrayLike, steps: int) -> tuple[Floats, Floats]:
    shapes = np.shape(first), np.shape(last)
    if shapes[0] != shapes[1] or len(shapes[0]) != 2 or not all(2 <= side <= MAX_SIDE for side in shapes[0]):
        raise ValueError(f"two pictures of one size, sides of 2 to {MAX_SIDE} pixels, were wanted; {shapes} were given")
    if not is_whole(steps, 2, 1000):
        raise ValueError(f"2 to 1000 steps were wanted; {steps!r} was given")
    begin, end = np.asarray(first, dtype=np.float64), np.asarray(last, dtype=np.float64)
    if not all(((each >= 0) & (each <= 1)).all() for each in (begin, end)):
        raise ValueError("ink from 0 to 1 was wanted; a picture holds other values, or NaN")
    return begin, end


def _grains(picture: Floats, count: int) -> Floats:
    """Places in a picture, ``(count, 2)``, as many wherever there is as much ink."""
    ink = picture.ravel().cumsum() / picture.sum()
    share = (np.arange(count) + 0.5) / count
    number = np.minimum(np.searchsorted(ink, share), picture.size - 1)
    # Within a pixel the grains lie on a lattice that never repeats, so that they do not fall on each other.
    within = np.arange(count)[:, np.newaxis] * np.array([0.7548776662, 0.5698402910]) % 1 - 0.5
    return np.stack(np.divmod(number, picture.shape[1]), axis=1) + within


def _scattered(places: Floats, shape: tuple[int, ...], ink: float) -> Floats:
    """The picture of grains: ink where they lie densest, and as much of it as is due."""
    dots, _ = np.histogramdd(places, bins=shape, range=[(-0.5, side - 0.5) for side in shape])
    density = gaussian_filter(dots, _BLUR, mode="constant")
    edge = np.quantile(density, 1 - ink / density.size)
    return np.clip(0.5 + _CONTRAST * (density - edge) / density.max(), 0, 1)
