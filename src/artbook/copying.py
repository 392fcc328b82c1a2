"""Who resembles whom: the nearest known work of a text, a melody or a picture (chapter ``originality``).

Texts and melodies are sequences of whole numbers, one a word or a step; the caller makes them blind to what does not
count, such as the key. Each function gives a score, higher for nearer; what score makes a copy is for real works that
were held out to say.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Passage(NamedTuple):
    """The longest passage of a work that stands, symbol by symbol, in a known work.

    Attributes:
        length: in symbols; 0 if they have none in common.
        start: its first symbol in the work.
        known: the number of the known work.
        known_start: its first symbol there.
    """

    length: int
    start: int
    known: int
    known_start: int


def longest_passages(works: Sequence[npt.ArrayLike], known: Sequence[npt.ArrayLike]) -> list[Passage]:
    """For each work the longest passage that some known work has too.

    Passages grow symbol by symbol, in all works at once; a place is dropped as soon as nothing known is the same.

    Args:
        works: those to look at, whole symbols ``(length,)`` each.
        known: the works that may have been copied, likewise.

    Returns:
        The longest passage of each work, the first of several.

    Raises:
        ValueError: a work is no such sequence, or nothing is known.
    """
    rows = [*_sequences(works, "works"), *_sequences(known, "known")]
    if not known:
        raise ValueError("at least one known work was wanted; none was given")
    lengths = np.array([len(row) for row in rows])
    owner = np.repeat(np.arange(len(rows)), lengths)
    step = np.arange(len(owner)) - np.repeat(lengths.cumsum() - lengths, lengths)
    symbols = np.unique(np.concatenate(rows), return_inverse=True)[1]
    best = [Passage(0, 0, 0, 0)] * len(works)
    places, names = np.arange(len(symbols)), symbols
    for length in count(1):
        asked = owner[places] < len(works)
        common = np.intersect1d(names[asked], names[~asked])
        if not len(common):
            return best
        kept = np.isin(names, common)
        places, names, asked = places[kept], names[kept], asked[kept]
        sources = places[~asked][np.unique(names[~asked], return_index=True)[1]]
        for work, first in zip(*np.unique(owner[places[asked]], return_index=True), strict=True):
            there = sources[np.searchsorted(common, names[asked][first])]
            here = places[asked][first]
            best[work] = Passage(length, int(step[here]), int(owner[there]) - len(works), int(step[there]))
        whole = step[places] + length < lengths[owner[places]]
        places, names = places[whole], names[whole]
        names = np.unique(names * len(symbols) + symbols[places + length], return_inverse=True)[1]
    raise AssertionError("a passage does not grow for ever")


class Source(NamedTuple):
    """The known work with which a work has most short passages in common.

    Attributes:
        share: of the work's different passages that stand in it, 0 to 1.
        known: its number.
    """

    share: float
    known: int


def closest_sources(
    works: Sequence[npt.ArrayLike], known: Sequence[npt.ArrayLike], length: int, common: int = 3
) -> list[Source]:
    """For each work the known work that has most of its passages of one length.

    A passage that more than ``common`` known works have is common property and counts for none of them; one that the
    work repeats counts once. Unlike the longest passage the share survives a change here and there.

    Args:
        works: those to look at, whole symbols ``(length,)`` each.
        known: the works that may have been copied, likewise.
        length: of a passage, in symbols, at least 1.
        common: at least 1.

    Returns:
        The source of each work; a share of 0 for a work that is shorter than a passage.

    Raises:
        ValueError: an argument is not as above, or nothing is known.
    """
    if not is_whole(length, 1, 10**6) or not is_whole(common, 1, 10**6):
        raise ValueError(f"a length and a number of works from 1 were wanted; {length!r} and {common!r} were given")
    if not known:
        raise ValueError("at least one known work was wanted; none was given")
    holders: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, row in enumerate(_sequences(known, "known")):
        for passage in set(_passages(row, length)):
            holders[passage].append(number)
    found = []
    for row in _sequences(works, "works"):
        passages = set(_passages(row, length))
        votes = Counter(
            number for each in passages if len(holds := holders.get(each, ())) <= common for number in holds
        )
        number, most = max(votes.items(), key=lambda vote: (vote[1], -vote[0]), default=(0, 0))
        found.append(Source(most / max(1, len(passages)), number))
    return found


class Neighbours(NamedTuple):
    """The nearest known picture of each picture.

    Attributes:
        likeness: the correlation of the pixels of the two, -1 to 1, ``(n,)``.
        lead: by how much it is above the mean likeness of the next ten known pictures, ``(n,)``; 0 if there is no
            other. Noise makes all of them less like and leaves the copy ahead (after Carlini et al. 2023).
        known: the number of the known picture, ``(n,)``.
    """

    likeness: Floats
    lead: Floats
    known: Whole


def nearest_pictures(
    pictures: npt.ArrayLike,
    known: npt.ArrayLike,
    shift: int = 0,
    mirrored: bool = False,
    inverted: bool = False,
) -> Neighbours:
    """For each picture the known picture that correlates best with it, pixel by pixel.

    A correlation does not change when a picture is made lighter, darker or weaker.

    Args:
        pictures: finite numbers ``(n, H, W)``, grey; none of them all of one shade.
        known: finite numbers ``(m, H, W)``, likewise.
        shift: try every move by so many pixels up, down, left and right too; what comes in is the edge again.
        mirrored: try the mirrored picture too.
        inverted: count a negative as a copy: take the magnitude of the correlation.

    Raises:
        ValueError: an argument is not as above.
    """
    asked, others = _grey(pictures, "pictures"), _grey(known, "known")
    if asked.shape[1:] != others.shape[1:]:
        raise ValueError(f"pictures of one size were wanted; {asked.shape} and {others.shape} were given")
    if not is_whole(shift, 0, min(asked.shape[1:]) - 1):
        raise ValueError(f"a shift of 0 to {min(asked.shape[1:]) - 1} pixels was wanted; {shift!r} was given")
    height, width = asked.shape[1:]
    rows = _standard(others)
    likeness = np.full((len(asked), len(others)), -np.inf, dtype=np.float32)
    for side in (asked, asked[:, :, ::-1])[: 1 + mirrored]:
        padded = np.pad(side, ((0, 0), (shift, shift), (shift, shift)), mode="edge")
        for top, left in np.ndindex(2 * shift + 1, 2 * shift + 1):
            alike = _standard(padded[:, top : top + height, left : left + width]) @ rows.T
            np.maximum(likeness, np.abs(alike) if inverted else alike, out=likeness)
    likeness = likeness.clip(-1, 1).astype(np.float64)
    first = likeness.argmax(axis=1)
    best = likeness.max(axis=1)
    # The best and the next ten, as far as there are so many, in any order.
    count = min(11, len(others))
    leaders = np.partition(likeness, len(others) - count, axis=1)[:, -count:]
    lead = best - (leaders.sum(axis=1) - best) / (count - 1) if count > 1 else np.zeros_like(best)
    return Neighbours(best, lead, first)


def _sequences(rows: Sequence[npt.ArrayLike], what: str) -> list[Whole]:
    found = []
    for row in rows:
        given = np.asarray(row)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise ValueError(f"{what}: whole symbols (length,) were wanted; {given.dtype} {given.shape} was given")
        found.append(given.astype(np.int64))
    return found


def _passages(row: Whole, length: int) -> list[bytes]:
    return [row[start : start + length].tobytes() for start in range(len(row) - length + 1)]


def _grey(pictures: npt.ArrayLike, what: str) -> npt.NDArray[np.float32]:
    given = np.asarray(pictures)
    if given.ndim != 3 or not given.size or given.dtype.kind not in "biuf" or not np.isfinite(given).all():
        raise ValueError(f"{what}: finite numbers (n, H, W) were wanted; {given.dtype} {given.shape} was given")
    flat = given.reshape(len(given), -1)
    if (plain := flat.min(axis=1) == flat.max(axis=1)).any():
        raise ValueError(f"{what}: pictures with more than one shade were wanted; {plain.sum()} have one")
    return given.astype(np.float32)


def _standard(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Pictures as rows of mean zero and length one, or zeros where a move has left one shade."""
    rows = pictures.reshape(len(pictures), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
