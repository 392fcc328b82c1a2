"""One brush hand from another: kernel ridge regression, and how written characters are judged (chapter ``style``).

Characters are pictures ``(n, size, size)``, paper 0, ink 1.
"""

import numpy as np
import numpy.typing as npt
from scipy import linalg, ndimage

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


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


def _squared_distances(rows: Floats, others: Floats) -> Floats:
    norms = np.square(rows).sum(axis=1)[:, np.newaxis] + np.square(others).sum(axis=1)
    return np.maximum(norms - 2 * rows @ others.T, 0)


def _characters(given: npt.ArrayLike) -> Floats:
    array = np.asarray(given)
    if array.ndim != 3 or not array.size or array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"finite pictures (n, size, size) were wanted; {array.dtype} {array.shape} was given")
    return array
