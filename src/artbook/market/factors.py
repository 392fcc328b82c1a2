"""Matrix factorisation of likes by alternating least squares. Chapter ``recommendation``.

Hu, Koren and Volinsky (2008), Collaborative Filtering for Implicit Feedback Datasets: each visitor and each work is a
vector, and their product says how well they go together. A like is a 1 with a high weight; all that was not liked is
a 0 with the weight 1, because one who never saw a work has said nothing about it.
"""

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]


def weighted_rows(weights: sparse.csr_array, fixed: npt.ArrayLike, penalty: float) -> Floats:
    """The best vector of each row while the vectors of the columns stay: a weighted ridge regression a row.

    Row u minimises ``sum_i (1 + w_ui) (y_ui - x_u . fixed_i)**2 + penalty |x_u|**2`` with ``y_ui`` 1 where ``w_ui``
    is above zero and 0 elsewhere.

    Args:
        weights: w, zero or more, ``(rows, columns)``.
        fixed: the vectors of the columns, ``(columns, k)``.
        penalty: above zero.

    Returns:
        x, ``(rows, k)``.

    Raises:
        ValueError: the shapes do not fit, a weight is negative, or the penalty is not above zero.
    """
    columns = np.asarray(fixed, dtype=float)
    if columns.ndim != 2 or weights.shape[1] != len(columns):
        raise ValueError(f"a vector for each of {weights.shape[1]} columns was wanted; {columns.shape} was given")
    if not penalty > 0 or (weights.data < 0).any():
        raise ValueError(f"weights of 0 or more and a penalty above 0 were wanted; {penalty!r} was given")
    k = columns.shape[1]
    outer = (columns[:, :, np.newaxis] * columns[:, np.newaxis]).reshape(len(columns), k * k)
    # All products at the weight 1 are the same for each row; the likes come on top.
    squares = columns.T @ columns + penalty * np.eye(k) + (weights @ outer).reshape(-1, k, k)
    liked = weights.copy()
    liked.data = liked.data + (liked.data > 0)
    return np.linalg.solve(squares, (liked @ columns)[:, :, np.newaxis])[:, :, 0]


def factorise(
    weights: sparse.csr_array, k: int, penalty: float, rng: np.random.Generator, rounds: int = 8
) -> tuple[Floats, Floats]:
    """Vectors of rows and of columns by turns, from a random start.

    Args:
        weights: as in ``weighted_rows``.
        k: the length of a vector, at least 1.
        penalty: above zero.
        rng: draws the start.
        rounds: how often both sides have their turn, at least 1.

    Returns:
        Vectors ``(rows, k)`` and ``(columns, k)``.

    Raises:
        ValueError: a number is below 1, or what ``weighted_rows`` refuses.
    """
    if k < 1 or rounds < 1:
        raise ValueError(f"at least 1 factor and 1 round were wanted; {k!r} and {rounds!r} were given")
    turned = sparse.csr_array(weights.T)
    columns = rng.normal(scale=0.1, size=(weights.shape[1], k))
    for _ in range(rounds):
        rows = weighted_rows(weights, columns, penalty)
        columns = weighted_rows(turned, rows, penalty)
    return rows, columns
