"""Image quilting: a texture sewn together from pieces of a picture (Efros and Freeman 2001; chapter ``worlds``)."""

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float32]

LARGEST = 2048


def quilt(
    source: npt.ArrayLike,
    blocks: tuple[int, int],
    block: int,
    overlap: int,
    rng: np.random.Generator,
    *,
    tiles: bool = False,
    tolerance: float = 0.1,
) -> Floats:
    """Sew pieces of a picture together along the seams where they differ least.

    A piece is chosen among those that fit what is there nearly as well as the best; a seam is the path of the
    smallest squared difference through the overlap, found by dynamic programming.

    Args:
        source: ``(H, W)`` or ``(H, W, C)``, each side at least ``block`` and at most 2,048.
        blocks: how many pieces below and beside one another, at least 2 each.
        block: the side of a piece, at least 4.
        overlap: of two pieces, from 2 to half of ``block``.
        rng: chooses.
        tiles: whether the result fits to itself on all sides: the last pieces are then sewn to the first ones too.
        tolerance: a piece may be this much worse than the best, as a share, zero or more.

    Returns:
        A picture; ``blocks`` times ``block - overlap`` a side, or ``overlap`` more if it need not fit to itself.

    Raises:
        ValueError: one of these is not as above.
    """
    picture = np.asarray(source, dtype=np.float32)
    given = picture.shape
    if picture.ndim not in (2, 3) or max(given[:2]) > LARGEST or min(given) < 1 or not np.isfinite(picture).all():
        raise ValueError(f"a picture (H, W) or (H, W, C) of at most {LARGEST} a side was wanted; {given} was given")
    if not 4 <= block <= min(given[:2]) or not 2 <= overlap <= block // 2 or min(blocks) < 2 or not tolerance >= 0:
        raise ValueError(
            f"a block from 4 to {min(given[:2])}, an overlap from 2 to half of it, 2 blocks a side and a tolerance"
            f" from 0 were wanted; {block}, {overlap}, {blocks} and {tolerance} were given"
        )
    picture = picture.reshape(*given[:2], -1)
    step = block - overlap
    size = [n * step + overlap for n in blocks]
    made = np.zeros((*size, picture.shape[2]), dtype=np.float32)
    known = np.zeros(size, dtype=bool)
    for row in range(blocks[0]):
        for column in range(blocks[1]):
            part = np.s_[row * step : row * step + block, column * step : column * step + block]
            if tiles:
                _repeat(made, known, row == blocks[0] - 1, column == blocks[1] - 1, overlap)
            piece = _fitting(picture, made[part], known[part], tolerance, rng)
            keep = _kept(made[part], piece, known[part], overlap)
            made[part] = np.where(keep[..., np.newaxis], made[part], piece)
            known[part] = True
            if tiles:
                _carry(made, row == blocks[0] - 1, column == blocks[1] - 1, overlap)
    if tiles:
        made = made[: size[0] - overlap, : size[1] - overlap]
    return made.reshape(*made.shape[:2], *given[2:])


def _repeat(made: Floats, known: npt.NDArray[np.bool_], last_row: bool, last_column: bool, overlap: int) -> None:
    """Before the last pieces of a row or column: what lies beyond the end is what lies at the beginning."""
    if last_row:
        made[-overlap:], known[-overlap:] = made[:overlap], known[:overlap]
    if last_column:
        made[:, -overlap:], known[:, -overlap:] = made[:, :overlap], known[:, :overlap]


def _carry(made: Floats, last_row: bool, last_column: bool, overlap: int) -> None:
    """After the last pieces: the seam runs beyond the end, so what it changed there goes back to the beginning."""
    if last_row:
        made[:overlap] = made[-overlap:]
    if last_column:
        made[:, :overlap] = made[:, -overlap:]


def _fitting(
    picture: Floats, there: Floats, known: npt.NDArray[np.bool_], tolerance: float, rng: np.random.Generator
) -> Floats:
    """One of the pieces that differ least from what is known, squared and summed over the known places."""
    block = len(known)
    mask = known.astype(np.float32)
    errors = np.zeros((picture.shape[0] - block + 1, picture.shape[1] - block + 1), dtype=np.float32)
    if known.any():
        for channel in range(picture.shape[2]):
            # The squares of differences, of all places at once: a^2 - 2 a b + b^2.
            layer, wanted = picture[..., channel], there[..., channel] * mask
            errors += signal.fftconvolve(np.square(layer), mask[::-1, ::-1], "valid")
            errors -= 2 * signal.fftconvolve(layer, wanted[::-1, ::-1], "valid")
            errors += np.square(wanted).sum()
    # Rounding of the transform must not make one error negative and so rule out all others.
    errors = np.maximum(errors, 1e-6 * (1 + np.abs(errors).max()))
    fit = np.argwhere(errors <= (1 + tolerance) * errors.min())
    i, j = fit[rng.integers(len(fit))]
    return picture[i : i + block, j : j + block]


def _kept(there: Floats, piece: Floats, known: npt.NDArray[np.bool_], overlap: int) -> npt.NDArray[np.bool_]:
    """Which places keep what they have: those on the far side of the seams along the edges that are known."""
    differ = np.square(there - piece).sum(axis=2)
    keep = np.zeros_like(known)
    # Each edge in turn is brought to the left, and the seam runs from top to bottom.
    for turns in range(4):
        edge, cost, side = np.rot90(known, turns), np.rot90(differ, turns), np.rot90(keep, turns)
        if edge[:, 0].all():
            places = np.arange(overlap)
            side[:, :overlap] |= places < seam(cost[:, :overlap])[:, np.newaxis]
    return keep & known


def seam(costs: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The path of the smallest sum from the first row to the last, from row to row at most one column aside.

    Args:
        costs: ``(n, m)``, finite.

    Returns:
        The column in each row, ``(n,)``.

    Raises:
        ValueError: there are no costs.
    """
    given = np.asarray(costs, dtype=np.float64)
    if given.ndim != 2 or not given.size or not np.isfinite(given).all():
        raise ValueError(f"finite costs (n, m) were wanted; {given.shape} was given")
    total = given.copy()
    for row in range(1, len(total)):
        wide = np.pad(total[row - 1], 1, constant_values=np.inf)
        total[row] += np.minimum(np.minimum(wide[:-2], wide[1:-1]), wide[2:])
    path = np.empty(len(total), dtype=np.int64)
    path[-1] = total[-1].argmin()
    for row in range(len(total) - 2, -1, -1):
        first = max(path[row + 1] - 1, 0)
        path[row] = first + total[row, first : path[row + 1] + 2].argmin()
    return path


def border_steps(tile: npt.ArrayLike) -> tuple[float, float]:
    """The mean absolute difference of neighbouring pixels across the border of a repeated picture, and inside it.

    Args:
        tile: ``(H, W)`` or ``(H, W, C)``, at least 3 a side.

    Returns:
        Across the border and inside, in the unit of the pixels. A picture that fits to itself has nearly equal ones.

    Raises:
        ValueError: it is no such picture.
    """
    z = np.asarray(tile, dtype=np.float64)
    if z.ndim not in (2, 3) or min(z.shape[:2]) < 3:
        raise ValueError(f"a picture (H, W) or (H, W, C), at least 3 a side, was wanted; {z.shape} was given")
    across = np.concatenate([np.abs(z[0] - z[-1]).ravel(), np.abs(z[:, 0] - z[:, -1]).ravel()])
    inside = np.concatenate([np.abs(np.diff(z, axis=axis)).ravel() for axis in (0, 1)])
    return float(across.mean()), float(inside.mean())
