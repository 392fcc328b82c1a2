"""Judging a list of works: recall, NDCG, coverage. Chapter ``recommendation``."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def top(scores: npt.ArrayLike, k: int, known: npt.ArrayLike | None = None) -> npt.NDArray[np.int64]:
    """The k works with the highest scores of each visitor, best first.

    Args:
        scores: ``(visitors, works)``, no NaN.
        k: 1 to the number of works.
        known: works that are not to be recommended again, bool ``(visitors, works)``; they come after all others.

    Returns:
        Works ``(visitors, k)``.

    Raises:
        ValueError: these are not as described.
    """
    values = np.array(scores, dtype=float)
    if values.ndim != 2 or np.isnan(values).any() or not 1 <= k <= values.shape[1]:
        raise ValueError(f"scores (visitors, works) without NaN and k from 1 were wanted; {values.shape}, {k!r} given")
    if known is not None:
        values[np.asarray(known, dtype=bool)] = -np.inf
    best = np.argpartition(-values, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(values, best, axis=1), axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1)


def recall(lists: npt.ArrayLike, relevant: npt.ArrayLike) -> Floats:
    """The share of each visitor's relevant works that is in the list.

    Args:
        lists: different works, ``(visitors, k)``.
        relevant: bool ``(visitors, works)``.

    Returns:
        0 to 1 a visitor, NaN for a visitor without a relevant work, ``(visitors,)``.

    Raises:
        ValueError: the shapes do not fit.
    """
    hits, wanted = _hits(lists, relevant)
    with np.errstate(invalid="ignore"):
        return hits.sum(axis=1) / wanted


def ndcg(lists: npt.ArrayLike, relevant: npt.ArrayLike) -> Floats:
    """The normalised discounted cumulative gain of each list (Järvelin and Kekäläinen 2002).

    A hit at place p, counted from 1, is worth ``1 / log2(p + 1)``; the sum is divided by that of the best list.

    Args:
        lists: different works, ``(visitors, k)``.
        relevant: bool ``(visitors, works)``.

    Returns:
        0 to 1 a visitor, NaN for a visitor without a relevant work, ``(visitors,)``.

    Raises:
        ValueError: the shapes do not fit.
    """
    hits, wanted = _hits(lists, relevant)
    worth = 1 / np.log2(np.arange(hits.shape[1]) + 2)
    best = np.concatenate([[0], worth.cumsum()])[np.minimum(wanted, hits.shape[1])]
    with np.errstate(invalid="ignore"):
        return hits @ worth / best


def coverage(lists: npt.ArrayLike, works: int) -> float:
    """The share of a catalogue of so many works that is in anybody's list."""
    return len(np.unique(np.asarray(lists))) / works


def effective_number(lists: npt.ArrayLike) -> float:
    """How many works there would be if all were recommended alike: the exponential of the entropy of their shares."""
    shares = np.unique(np.asarray(lists), return_counts=True)[1] / np.size(lists)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _hits(lists: npt.ArrayLike, relevant: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    given, wanted = np.asarray(lists), np.asarray(relevant, dtype=bool)
    if given.ndim != 2 or wanted.ndim != 2 or len(given) != len(wanted) or given.shape[1] < 1:
        raise ValueError(
            f"lists (visitors, k) and relevant works (visitors, works) were wanted; {given.shape}, {wanted.shape} given"
        )
    return np.take_along_axis(wanted, given, axis=1), wanted.sum(axis=1)
