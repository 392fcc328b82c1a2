"""Counted successions of tokens: the rival without a network that every model of a sequence has to beat.

Interpolated Kneser-Ney smoothing (Kneser and Ney 1995; Chen and Goodman 1999), with one discount an order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class _Table(NamedTuple):
    """The counts of one order; a row of tokens is kept as one number."""

    grams: Whole
    counts: Whole
    contexts: Whole
    totals: Whole
    followers: Whole
    discount: float


@dataclass(frozen=True)
class NGram:
    """An n-gram model: the next token's probabilities from the ``order`` - 1 tokens before it.

    Attributes:
        vocabulary: how many tokens there are; they are numbered from 0.
        order: n, at least 1.
    """

    vocabulary: int
    order: int
    _tables: tuple[_Table, ...]

    @classmethod
    def fit(cls, sequences: Sequence[npt.ArrayLike], vocabulary: int, order: int) -> "NGram":
        """Count the successions in some sequences, each with its beginning.

        Args:
            sequences: whole tokens from 0 to ``vocabulary`` - 1, (length,) each, at least one token in all.
            vocabulary: how many tokens there are, at least 1.
            order: n, at least 1, with (vocabulary + 1)ⁿ below 2⁶³.

        Raises:
            ValueError: an argument is not as above.
        """
        if order < 1 or (vocabulary + 1) ** order >= 2**63:
            raise ValueError(f"an order from 1, (vocabulary + 1)^order below 2^63, was wanted; {order} was given")
        rows = np.concatenate([_rows(each, vocabulary, order) for each in sequences])
        if not len(rows):
            raise ValueError("at least one token was wanted; none was given")
        tables = [_table(*np.unique(_number(rows, vocabulary), return_counts=True), vocabulary)]
        for _ in range(order - 1):
            # A shorter succession counts once for each token that was seen before it (Kneser and Ney 1995).
            longer, width = tables[-1].grams, (vocabulary + 1) ** (order - len(tables))
            tables.append(_table(*np.unique(longer % width, return_counts=True), vocabulary))
        return cls(vocabulary, order, tuple(reversed(tables)))

    def costs(self, tokens: npt.ArrayLike) -> Floats:
        """The negative log-likelihood of each token of a sequence, from its beginning, in nats, (length,).

        Args:
            tokens: whole, from 0 to ``vocabulary`` - 1, (length,).

        Raises:
            ValueError: these are not such tokens.
        """
        return -np.log(self._probabilities(_rows(tokens, self.vocabulary, self.order)))

    def following(self, tokens: npt.ArrayLike) -> Floats:
        """The probability of every token to come next after a sequence, (vocabulary,), which sum to one.

        Args:
            tokens: whole, from 0 to ``vocabulary`` - 1, (length,); none at the beginning.

        Raises:
            ValueError: these are not such tokens.
        """
        last = _rows([*np.asarray(tokens), 0], self.vocabulary, self.order)[-1:]
        base, found = self.vocabulary + 1, np.full(self.vocabulary, 1 / self.vocabulary)
        for order, table in enumerate(self._tables, 1):
            # What was seen after the context stands together in the table.
            context = _number(last[:, self.order - order : -1], self.vocabulary)[0]
            first, end = np.searchsorted(table.grams, [context * base, (context + 1) * base])
            if first < end:
                counts = table.counts[first:end]
                found *= table.discount * len(counts)
                found[table.grams[first:end] % base] += np.maximum(counts - table.discount, 0.0)
                found /= counts.sum()
        return found

    def after(self, contexts: npt.ArrayLike) -> Floats:
        """The probability of every token to come next after each of many contexts, (n, vocabulary); rows sum to one.

        Args:
            contexts: the ``order`` - 1 tokens before each place, (n, order - 1), whole, from 0 to ``vocabulary``,
                which stands for what is before the beginning.

        Raises:
            ValueError: these are not such contexts.
        """
        given = np.asarray(contexts)
        if given.ndim != 2 or given.shape[1] != self.order - 1 or given.dtype.kind not in "iu":
            wanted = f"whole contexts (n, {self.order - 1})"
            raise ValueError(f"{wanted} were wanted; {given.dtype} {given.shape} was given")
        if given.size and not (given.min() >= 0 and given.max() <= self.vocabulary):
            raise ValueError(
                f"tokens from 0 to {self.vocabulary} were wanted; {given.min()} to {given.max()} were given"
            )
        return self._after(_number(given, self.vocabulary), self.order)

    def _after(self, contexts: Whole, order: int) -> Floats:
        """The same, by the lowest ``order`` orders, after contexts that are kept as numbers, each asked for once."""
        if order == 0:
            return np.full((len(contexts), self.vocabulary), 1 / self.vocabulary)
        base, table = self.vocabulary + 1, self._tables[order - 1]
        distinct, where = np.unique(contexts, return_inverse=True)
        found = self._after(distinct % base ** max(order - 2, 0), order - 1)
        at = np.minimum(np.searchsorted(table.contexts, distinct), len(table.contexts) - 1)
        seen = np.flatnonzero(table.contexts[at] == distinct)
        followers, totals = table.followers[at[seen]], table.totals[at[seen]]
        found[seen] *= (table.discount * followers / totals)[:, None]
        # What was seen after a context stands together in the table.
        first = np.searchsorted(table.grams, distinct[seen] * base)
        place = np.repeat(first - followers.cumsum() + followers, followers) + np.arange(followers.sum())
        kept = np.maximum(table.counts[place] - table.discount, 0.0) / np.repeat(totals, followers)
        found[np.repeat(seen, followers), table.grams[place] % base] += kept
        return found[where]

    def _probabilities(self, rows: Whole) -> Floats:
        """Of the last token of each row after the others, (rows,)."""
        found = np.full(len(rows), 1 / self.vocabulary)
        for order, table in enumerate(self._tables, 1):
            grams = _number(rows[:, self.order - order :], self.vocabulary)
            contexts = grams // (self.vocabulary + 1)
            totals = _looked_up(table.contexts, table.totals, contexts)
            left = table.discount * _looked_up(table.contexts, table.followers, contexts)
            seen = _looked_up(table.grams, table.counts, grams)
            kept = np.maximum(seen - table.discount, 0.0)
            with np.errstate(invalid="ignore"):
                found = np.where(totals > 0, (kept + left * found) / totals, found)
        return found


def _rows(tokens: npt.ArrayLike, vocabulary: int, order: int) -> Whole:
    """Each token with the ``order`` - 1 before it, (length, order); before the beginning stands ``vocabulary``."""
    given = np.asarray(tokens)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"whole tokens (length,) were wanted; {given.dtype} {given.shape} was given")
    if given.size and not (given.min() >= 0 and given.max() < vocabulary):
        raise ValueError(f"tokens from 0 to {vocabulary - 1} were wanted; {given.min()} to {given.max()} were given")
    if not given.size:
        return np.empty((0, order), dtype=np.int64)
    padded = np.concatenate([np.full(order - 1, vocabulary), given]).astype(np.int64)
    return np.lib.stride_tricks.sliding_window_view(padded, order)


def _number(rows: Whole, vocabulary: int) -> Whole:
    """The rows as numbers in base ``vocabulary`` + 1, (rows,)."""
    return rows @ (vocabulary + 1) ** np.arange(rows.shape[1] - 1, -1, -1, dtype=np.int64)


def _table(grams: Whole, counts: Whole, vocabulary: int) -> _Table:
    contexts, where = np.unique(grams // (vocabulary + 1), return_inverse=True)
    once, twice = ((counts == times).sum() for times in (1, 2))
    # Ney, Essen and Kneser (1994); a half where nothing was seen once and the estimate would be nought.
    discount = once / (once + 2 * twice) if once else 0.5
    totals = np.bincount(where, weights=counts).astype(np.int64)
    return _Table(grams, counts, contexts, totals, np.bincount(where), float(discount))


def _looked_up(keys: Whole, values: Whole, wanted: Whole) -> Whole:
    """The values of the wanted keys, 0 where there is none."""
    where = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[where] == wanted, values[where], 0)
