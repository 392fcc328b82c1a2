"""Damage to pictures, and the classical ways to repair it (chapter ``restoration``).

Pictures are grey, ``(height, width)``, from 0 to 1. What is lost is a mask of the same shape, true where nothing is
known.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage, sparse
from scipy.sparse import linalg

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

LARGEST = 2**24
# How much the edge of a hole bulges, as a share of its radius, for each of three waves.
_BULGE = 0.15
_STEPS = 6


class Reading(NamedTuple):
    """What a reader takes each written character for, ``(n,)`` each.

    Attributes:
        character: the place of the nearest character in the lexicon.
        likeness: the correlation with it, -1 to 1.
        margin: by how much it is above the correlation with the next best.
    """

    character: npt.NDArray[np.int64]
    likeness: npt.NDArray[np.float64]
    margin: npt.NDArray[np.float64]


def scratches(shape: tuple[int, int], rng: np.random.Generator, count: int, widest: int = 3) -> Bools:
    """Long thin lines that bend a little, as on glass plates and films.

    Args:
        shape: of the picture, height and width, each at least one.
        rng: draws where they run.
        count: how many, zero or more. Parts of them may run outside the picture.
        widest: the largest width in pixels, at least one; widths are drawn evenly.

    Returns:
        The mask of what is lost, ``shape``.

    Raises:
        ValueError: an argument is not as above.
    """
    height, width = _shape(shape)
    if count < 0 or widest < 1:
        raise ValueError(f"a count from 0 and a width from 1 were wanted; {count} and {widest} were given")
    sheet = Image.new("1", (width, height), 0)
    pen = ImageDraw.Draw(sheet)
    for _ in range(count):
        place, angle = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0, np.pi)
        stride = rng.uniform(0.3, 1) * max(shape) / _STEPS
        points = [tuple(place)]
        for turn in rng.normal(0, 0.15, _STEPS):
            angle += turn
            place = place + stride * np.array([np.cos(angle), np.sin(angle)])
            points.append(tuple(place))
        pen.line(points, fill=1, width=int(rng.integers(1, widest + 1)))
    return np.array(sheet, dtype=bool)


def holes(shape: tuple[int, int], rng: np.random.Generator, count: int, radius: float) -> Bools:
    """Round flecks with an uneven edge, as where a layer has flaked off.

    Args:
        shape: of the picture, height and width, each at least one.
        rng: draws where they are.
        count: how many, zero or more.
        radius: the largest mean radius in pixels, above zero; radii are drawn evenly from half of it.

    Returns:
        The mask of what is lost, ``shape``.

    Raises:
        ValueError: an argument is not as above.
    """
    height, width = _shape(shape)
    if count < 0 or not 0 < radius < np.inf:
        raise ValueError(f"a count from 0 and a radius above 0 were wanted; {count} and {radius} were given")
    down, right = np.mgrid[:height, :width]
    lost = np.zeros(shape, dtype=bool)
    for _ in range(count):
        top, left = rng.uniform(0, 1, 2) * shape
        angle = np.arctan2(down - top, right - left)
        phases = rng.uniform(0, 2 * np.pi, 3)
        bulge = sum(np.cos((wave + 2) * angle + phase) for wave, phase in enumerate(phases))
        lost |= np.hypot(down - top, right - left) < rng.uniform(0.5, 1) * radius * (1 + _BULGE * bulge)
    return lost


def harmonic(picture: npt.ArrayLike, lost: npt.ArrayLike) -> Floats:
    """Fill what is lost so that each lost pixel is the mean of its neighbours above, below, left and right.

    The discrete Laplace equation with the known pixels as its boundary; at the picture's edge a pixel has only the
    neighbours that exist. A sparse linear system, solved exactly.

    Args:
        picture: as above; what stands in it where it is lost does not count.
        lost: the mask.

    Returns:
        The picture, filled; known pixels are as they were.

    Raises:
        ValueError: these are no such arrays, or nothing is known.
    """
    pixels, gone = _checked(picture, lost)
    filled = pixels.copy()
    if not gone.any():
        return filled
    number = np.full(gone.shape, -1)
    number[gone] = np.arange(gone.sum())
    rows, columns, known, degree = [], [], np.zeros(gone.sum()), np.zeros(gone.sum())
    places = np.argwhere(gone)
    for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        there = places + step
        inside = ((there >= 0) & (there < gone.shape)).all(axis=1)
        neighbour = number[tuple(there[inside].T)]
        here = np.flatnonzero(inside)
        degree[here] += 1
        rows.append(here[neighbour >= 0])
        columns.append(neighbour[neighbour >= 0])
        known[here[neighbour < 0]] += pixels[tuple(there[inside][neighbour < 0].T)]
    row, column = np.concatenate(rows), np.concatenate(columns)
    minus = sparse.coo_matrix((np.full(len(row), -1.0), (row, column)), shape=(len(places), len(places)))
    filled[gone] = linalg.spsolve((minus + sparse.diags(degree)).tocsc(), known)
    return filled


def shrink(picture: npt.ArrayLike, factor: int = 2) -> Floats:
    """A smaller picture: each pixel is the mean of a square of ``factor`` by ``factor``; a rest at the edge is cut.

    Raises:
        ValueError: this is no picture as above, or the factor is not a whole number from one to its shorter side.
    """
    pixels, _ = _checked(picture, np.zeros(np.shape(picture), dtype=bool))
    if not isinstance(factor, int) or not 1 <= factor <= min(pixels.shape):
        raise ValueError(f"a whole factor of 1 to {min(pixels.shape)} was wanted; {factor!r} was given")
    height, width = (side // factor for side in pixels.shape)
    squares = pixels[: height * factor, : width * factor].reshape(height, factor, width, factor)
    return squares.mean(axis=(1, 3))


def enlarge(picture: npt.ArrayLike, factor: int = 2, method: Image.Resampling = Image.Resampling.BICUBIC) -> Floats:
    """A larger picture, by Pillow's interpolation; bicubic if nothing else is said. Values may leave 0 to 1.

    Raises:
        ValueError: this is no picture as above, or the factor is not a whole number from one.
    """
    pixels, _ = _checked(picture, np.zeros(np.shape(picture), dtype=bool))
    if not isinstance(factor, int) or factor < 1:
        raise ValueError(f"a whole factor from 1 was wanted; {factor!r} was given")
    height, width = pixels.shape
    return np.array(Image.fromarray(pixels).resize((width * factor, height * factor), method), dtype=np.float32)


def marked(picture: npt.ArrayLike, invented: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The picture with what was invented tinted, so that nobody takes it for the work.

    Args:
        picture: grey, ``(height, width)``, from 0 to 1.
        invented: true where a program made up what stands there.

    Returns:
        Red, green and blue, ``(height, width, 3)``: grey where known; where invented, from a
        dark to a light magenta.

    Raises:
        ValueError: these are no such arrays.
    """
    pixels, here = _checked(picture, invented, all_lost=True)
    colour = np.repeat(pixels[..., np.newaxis].clip(0, 1), 3, axis=-1)
    # From black over magenta to a light pink, so that light and dark stay apart.
    tint = np.array([0.35, 0.0, 0.35]) + pixels[..., np.newaxis].clip(0, 1) * np.array([0.65, 0.75, 0.65])
    return np.round(255 * np.where(here[..., np.newaxis], tint, colour)).astype(np.uint8)


class Reader:
    """Takes each written character for the known one with the largest correlation, after a little blur.

    The mean of the known ones is taken off first, as in ``artbook.images.hands.legible``, which says only whether
    the right one was found among the written ones.

    Args:
        lexicon: the characters that the reader knows, paper 0, ink 1, ``(m, size, size)``, at least two.
        blur: the standard deviation of the blur in pixels, zero or more.

    Raises:
        ValueError: these are no such pictures, or the blur is out of range.
    """

    def __init__(self, lexicon: npt.ArrayLike, blur: float = 1.0) -> None:
        known = _characters("a lexicon", lexicon)
        if len(known) < 2:
            raise ValueError(f"a lexicon of at least two characters was wanted; {len(known)} was given")
        if not 0 <= blur < known.shape[1]:
            raise ValueError(f"a blur from 0 to below the picture's side was wanted; {blur} was given")
        self._side, self._blur = known.shape[1:], blur
        rows = _blurred(known, blur)
        self._mean = rows.mean(axis=0)
        self._rows = rows - self._mean

    def read(self, written: npt.ArrayLike, lost: npt.ArrayLike | None = None) -> Reading:
        """What each written character is taken for.

        With a mask the reader looks at what is left and at nothing else: blurred is what is known alone, each place
        with the weights of its known neighbours (normalised convolution, Knutsson and Westin 1993), and lost places
        do not count in the correlation.

        Args:
            written: characters ``(n, size, size)``.
            lost: what the reader leaves out, true or false, ``(n, size, size)``; nothing if it is not given.

        Returns:
            The nearest of the lexicon, for each.

        Raises:
            ValueError: these are no such pictures.
        """
        ours = _characters("characters", written)
        if ours.shape[1:] != self._side:
            raise ValueError(f"characters of {self._side} pixels were wanted; {ours.shape} was given")
        gone = np.zeros(ours.shape, dtype=bool) if lost is None else np.asarray(lost)
        if gone.shape != ours.shape or gone.dtype.kind != "b":
            raise ValueError(f"a mask {ours.shape} was wanted; {gone.dtype} {gone.shape} was given")
        known = (~gone).astype(np.float32)
        amount = np.maximum(_blurred(known, self._blur), 1e-6)
        known_rows = known.reshape(len(known), -1)
        rows = known_rows * (_blurred(ours * known, self._blur) / amount - self._mean)
        lengths = np.sqrt(np.square(rows).sum(axis=1, keepdims=True) * (known_rows @ np.square(self._rows).T))
        likeness = rows @ self._rows.T / np.maximum(lengths, 1e-9)
        best = likeness.argmax(axis=1)
        two = np.partition(likeness, -2, axis=1)[:, -2:].astype(np.float64)
        return Reading(best, two[:, 1], two[:, 1] - two[:, 0])


def _characters(name: str, given: npt.ArrayLike) -> Floats:
    array = np.asarray(given, dtype=np.float32)
    if array.ndim != 3 or not array.size:
        raise ValueError(f"{name} (n, size, size) was wanted; {array.shape} was given")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} of finite pictures was wanted; some values given are not")
    return array


def _blurred(pictures: Floats, blur: float) -> Floats:
    return ndimage.gaussian_filter(pictures, (0, blur, blur)).reshape(len(pictures), -1)


def _shape(shape: tuple[int, int]) -> tuple[int, int]:
    if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] > LARGEST:
        raise ValueError(f"a height and a width from 1, at most {LARGEST} pixels, were wanted; {shape} was given")
    return shape


def _checked(picture: npt.ArrayLike, lost: npt.ArrayLike, all_lost: bool = False) -> tuple[Floats, Bools]:
    pixels, gone = np.asarray(picture), np.asarray(lost)
    if pixels.ndim != 2 or not 0 < pixels.size <= LARGEST or pixels.dtype.kind != "f":
        raise ValueError(
            f"a grey picture (height, width) of at most {LARGEST} numbers was wanted;"
            f" {pixels.dtype} {pixels.shape} was given"
        )
    if gone.shape != pixels.shape or gone.dtype.kind != "b":
        raise ValueError(
            f"a mask of the picture's shape {pixels.shape} was wanted; {gone.dtype} {gone.shape} was given"
        )
    if not np.isfinite(pixels[~gone]).all():
        raise ValueError("known pixels that are finite were wanted; some are not")
    if gone.all() and not all_lost:
        raise ValueError("at least one known pixel was wanted; all are lost")
    return pixels.astype(np.float32), gone
