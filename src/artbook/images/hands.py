"""One brush hand from another: kernel ridge regression, collages, how writing is judged (chapter ``style``).

Characters are pictures ``(n, size, size)``, paper 0, ink 1.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, ndimage

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

# Pixels around a tile in which its ink is judged, and to either side of a border where two tiles have to fit.
_MARGIN, _BORDER = 2, 3
# How often each tile of a collage is reconsidered.
_ROUNDS = 6


class KernelRidge:
    """Kernel ridge regression with a Gaussian kernel: each prediction is a weighted sum of all training targets.

    Saunders, Gammerman and Vovk (1998). The kernel is ``exp(-|a - b|**2 / (width * m))``, where m is the median of
    the squared distances between sources.

    Args:
        sources: finite, ``(n, ...)``, at least two different rows.
        width: of the kernel, above zero.
        ridge: how much of the targets is taken for noise, above zero.

    Raises:
        ValueError: one of these is not as described.
    """

    def __init__(self, sources: npt.ArrayLike, width: float = 0.5, ridge: float = 0.1) -> None:
        self._sources = _rows("sources", sources)
        if not (np.isfinite([width, ridge]).all() and width > 0 and ridge > 0):
            raise ValueError(f"a width and a ridge above zero were wanted; {width} and {ridge} were given")
        squares = _squared_distances(self._sources, self._sources)
        self._scale = width * float(np.median(squares))
        if not self._scale > 0:
            raise ValueError("sources that differ were wanted; more than half of the pairs given are the same")
        kernel = np.exp(-squares / self._scale)
        kernel[np.diag_indices_from(kernel)] += ridge
        self._inverse = linalg.inv(kernel, overwrite_a=True)

    def fit(self, targets: npt.ArrayLike) -> "KernelRidge":
        """Learn targets ``(n, ...)``, one for each source; the sources' own work is done once for all targets."""
        rows = _rows("targets", targets)
        if len(rows) != len(self._sources):
            raise ValueError(f"{len(self._sources)} targets were wanted, one a source; {len(rows)} were given")
        self._shape, self._targets, self._mean = np.shape(targets)[1:], rows, rows.mean(axis=0)
        self._weights = self._inverse @ (rows - self._mean)
        return self

    def predict(self, sources: npt.ArrayLike) -> Floats:
        """The predictions for other sources ``(m, ...)``: ``(m, ...)`` of the targets' form, not bounded."""
        rows = _rows("sources", sources)
        if rows.shape[1] != self._sources.shape[1]:
            raise ValueError(f"rows of {self._sources.shape[1]} numbers were wanted; {rows.shape} was given")
        kernel = np.exp(-_squared_distances(rows, self._sources) / self._scale)
        return (kernel @ self._weights + self._mean).reshape(-1, *self._shape)

    def left_out(self) -> Floats:
        """What each target would be predicted as, had it not been learnt: a closed form, without a second fit."""
        errors = self._weights / np.diag(self._inverse)[:, np.newaxis]
        return (self._targets - errors).reshape(-1, *self._shape)


class Collage:
    """Characters put together from tiles of known ones, so that they look like, and what is side by side fits.

    Image analogies (Hertzmann and others 2001) with the seams of image quilting (Efros and Freeman 2001). A tile of a
    known character costs the sum of three: what its ink costs by a forecast, in nats; ``likeness`` times the squared
    distance of the regular forms around it, in medians of that distance; ``seam`` times the squared difference from
    the tiles beside it, at their borders. Tile after tile becomes the cheapest, given the others (Besag 1986).

    Args:
        sources: known characters in the hand that is given, ``(n, size, size)``.
        targets: the same in the hand that is wanted; a character may occur twice, in two wanted hands.
        tile: the side of a tile in pixels, at least 4, a divisor of ``size``.
        reach: how far around the middle of a tile forms are compared: the standard deviation of a Gaussian, in pixels.
        candidates: of each tile so many known characters are tried, the most alike, at most n.
        likeness: 0 or more.
        seam: 0 or more.

    Raises:
        ValueError: one of these is not as described.
    """

    def __init__(
        self,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        tile: int = 8,
        reach: float = 4.0,
        candidates: int = 60,
        likeness: float = 200.0,
        seam: float = 1.0,
    ) -> None:
        self._sources, self._targets = _characters(sources).astype(np.float32), _characters(targets).astype(np.float32)
        if self._sources.shape != self._targets.shape:
            raise ValueError(
                f"pictures of one shape were wanted; {self._sources.shape} and {self._targets.shape} were given"
            )
        count, self._size, _ = self._sources.shape
        if tile < 4 or self._size % tile:
            raise ValueError(f"tiles of 4 pixels or more that divide {self._size} were wanted; {tile} was given")
        if not 1 <= candidates <= count:
            raise ValueError(f"1 to {count} candidates were wanted; {candidates} was given")
        if not (reach > 0 and likeness >= 0 and seam >= 0):
            raise ValueError(
                "a reach above zero, a likeness and a seam of zero or more were wanted;"
                f" {reach}, {likeness} and {seam} were given"
            )
        self._tile, self._candidates, self._likeness, self._seam = tile, candidates, likeness, seam
        self._places = list(np.ndindex(self._size // tile, self._size // tile))
        away = np.arange(self._size) + 0.5 - tile * (np.arange(self._size // tile) + 0.5)[:, np.newaxis]
        self._near = np.exp(-np.square(away) / (4 * reach**2)).astype(np.float32)
        # Tiles fade into one another within the two pixels at their border.
        shares = np.clip((tile / 2 + 1 - abs(away)) / 2, 0, 1).astype(np.float32)
        self._shares = shares / shares.sum(axis=0)

    def choose(self, sources: npt.ArrayLike, forecast: npt.ArrayLike) -> Rows:
        """Choose known characters for the tiles of others.

        Args:
            sources: characters in the hand that is given, ``(m, size, size)``.
            forecast: of the same, how probable ink is in the hand that is wanted.

        Returns:
            For each tile the number of a known character, ``(m, size / tile, size / tile)``.

        Raises:
            ValueError: these are no such pictures, or not as many.
        """
        asked, probable = _characters(sources).astype(np.float32), _characters(forecast).astype(np.float32)
        if asked.shape != probable.shape or asked.shape[1:] != self._sources.shape[1:]:
            raise ValueError(
                f"pictures {self._sources.shape[1:]} and as many forecasts were wanted;"
                f" {asked.shape} and {probable.shape} were given"
            )
        probable = probable.clip(0.02, 0.98)
        tried = {place: self._alike(place, asked) for place in self._places}
        alone = {
            place: self._likeness * distances + self._ink(place, nearest, probable)
            for place, (nearest, distances) in tried.items()
        }
        chosen = {place: _entries(tried[place][0], cost.argmin(axis=1)) for place, cost in alone.items()}
        for place in self._places * _ROUNDS:
            nearest, cost = tried[place][0], alone[place].copy()
            for other in self._beside(place):
                border = self._targets[:, *self._border(place, other)]
                gaps = border[nearest] - border[chosen[other]][:, np.newaxis]
                cost += self._seam * np.square(gaps).sum(axis=(2, 3))
            chosen[place] = _entries(nearest, cost.argmin(axis=1))
        sides = self._size // self._tile
        return np.stack([chosen[place] for place in self._places], axis=1).reshape(-1, sides, sides)

    def paint(self, chosen: Rows) -> Floats:
        """The characters ``(m, size, size)`` of tiles that ``choose`` has chosen."""
        painted = np.zeros((len(chosen), self._size, self._size), dtype=np.float32)
        for row, column in self._places:
            painted += np.outer(self._shares[row], self._shares[column]) * self._targets[chosen[:, row, column]]
        return painted

    def _alike(self, place: tuple[int, int], asked: Floats) -> tuple[Rows, Floats]:
        """The candidates for a tile, ``(m, candidates)``, and the distances of the forms around it."""
        window = np.outer(*self._near[list(place)])
        ours, theirs = ((window * each).reshape(len(each), -1) for each in (asked, self._sources))
        distances = _squared_distances(ours, theirs)
        nearest = np.argpartition(distances, self._candidates - 1, axis=1)[:, : self._candidates]
        return nearest, _entries(distances, nearest) / max(float(np.median(distances)), 1e-9)

    def _ink(self, place: tuple[int, int], nearest: Rows, probable: Floats) -> Floats:
        """What the ink of candidates costs by a forecast, in a tile and a little around it."""
        around = [slice(max(0, each * self._tile - _MARGIN), (each + 1) * self._tile + _MARGIN) for each in place]
        known, here = self._targets[:, *around], probable[:, *around]
        paper = -np.log(1 - here)
        ink = -np.log(here) - paper
        return np.einsum("mkij,mij->mk", known[nearest], ink) + paper.sum(axis=(1, 2))[:, np.newaxis]

    def _beside(self, place: tuple[int, int]) -> list[tuple[int, int]]:
        row, column = place
        near = ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
        return [other for other in near if other in self._places]

    def _border(self, place: tuple[int, int], other: tuple[int, int]) -> list[slice]:
        """Where two tiles that are side by side meet: rows and columns."""
        spans = []
        for one, two in zip(place, other, strict=True):
            edge = max(one, two) * self._tile
            spans.append(slice(edge, edge + self._tile) if one == two else slice(edge - _BORDER, edge + _BORDER))
        return spans


def overlap(written: npt.ArrayLike, real: npt.ArrayLike) -> Floats:
    """Of the places with ink in either picture, the share with ink in both; ink is what is above one half.

    Args:
        written: characters ``(n, size, size)``.
        real: the same characters, as they should be.

    Returns:
        For each character 0 to 1; 1 if neither has ink.

    Raises:
        ValueError: these are no such pictures, or not as many.
    """
    ours, theirs = _characters(written) > 0.5, _characters(real) > 0.5
    if ours.shape != theirs.shape:
        raise ValueError(f"pictures of one shape were wanted; {ours.shape} and {theirs.shape} were given")
    both, either = (ours & theirs).sum(axis=(1, 2)), (ours | theirs).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def legible(written: npt.ArrayLike, real: npt.ArrayLike, blur: float = 1.0) -> Bools:
    """Whether a reader who knows only the real hand finds each written character: it is nearest to its own.

    Pictures are blurred a little, what is common to the real ones is taken away, and the nearest is the one with
    the largest correlation.

    Args:
        written: characters ``(n, size, size)``.
        real: the same characters in the hand that was aimed at, all different.
        blur: the standard deviation of the blur in pixels, zero or more.

    Returns:
        For each written character whether it was found, ``(n,)``; by chance one in n is.

    Raises:
        ValueError: these are no such pictures, or not as many.
    """
    ours, theirs = _characters(written), _characters(real)
    if ours.shape != theirs.shape:
        raise ValueError(f"pictures of one shape were wanted; {ours.shape} and {theirs.shape} were given")
    if not 0 <= blur < ours.shape[1]:
        raise ValueError(f"a blur from 0 to below the picture's side was wanted; {blur} was given")
    rows = [ndimage.gaussian_filter(each, (0, blur, blur)).reshape(len(each), -1) for each in (ours, theirs)]
    ours, theirs = (each - rows[1].mean(axis=0) for each in rows)
    lengths = np.linalg.norm(theirs, axis=1)
    return (ours @ theirs.T / np.maximum(lengths, 1e-9)).argmax(axis=1) == np.arange(len(ours))


def _rows(name: str, given: npt.ArrayLike) -> Floats:
    array = np.asarray(given)
    if array.ndim < 2 or len(array) < 1 or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"{name}: finite numbers (n, ...) were wanted; {array.dtype} {array.shape} was given")
    return array.reshape(len(array), -1).astype(np.float32)


def _entries(table: npt.NDArray[Any], columns: Rows) -> npt.NDArray[Any]:
    """Of each row the entry in its column, or the entries in its columns."""
    return np.take_along_axis(table, columns.reshape(len(table), -1), axis=1).reshape(columns.shape)


def _squared_distances(rows: Floats, others: Floats) -> Floats:
    norms = np.square(rows).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    return np.maximum(norms - 2 * rows @ others.T, 0)


def _characters(given: npt.ArrayLike) -> Floats:
    array = np.asarray(given)
    if array.ndim != 3 or not array.size or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"finite pictures (n, size, size) were wanted; {array.dtype} {array.shape} was given")
    return array
