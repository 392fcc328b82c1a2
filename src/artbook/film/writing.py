"""A character being written, as a film on a page of 24 by 24 pixels (book chapter ``film``).

A frame has two channels, the ink and the pen. The pen moves at about the same speed along each stroke and leaves
a line of ink one pixel wide; between strokes it is lifted, which takes one frame. So a frame follows from the one
before and from the *move* of the pen: a line to a place nearby, a lift to the start of a stroke, or the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.data.kanji import BOX

PAGE = 24
# How far the pen goes in a frame, in pixels. A short stroke is one line, at most half as long again.
STEP = 2.5
REACH = 4
_SIDE = 2 * REACH + 1
# Moves: 81 lines by the place where they end, seen from the pen; then the two that are no line.
LIFT, DONE = _SIDE**2, _SIDE**2 + 1
MOVES = _SIDE**2 + 2
# The camera that follows the pen sees this many pixels to every side.
SIGHT = 6

Bools = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clip:
    """A film of writing, as the path of its pen.

    Attributes:
        pen: row and column of the pen in each frame, whole, ``(T, 2)``, 0 to 23.
        starts: where the pen was set down anew, bool ``(T,)``; the first always is.

    Raises:
        ValueError: it is empty, leaves the page, draws a line longer than the reach, or does not begin with a start.
    """

    pen: Whole
    starts: Bools

    def __post_init__(self) -> None:
        if self.pen.ndim != 2 or self.pen.shape[1:] != (2,) or self.starts.shape != self.pen.shape[:1]:
            raise ValueError(
                "a pen of shape (T, 2) and starts of shape (T,) were wanted;"
                f" {self.pen.shape} and {self.starts.shape} were given"
            )
        if not len(self.pen) or not self.starts[0]:
            raise ValueError("a clip that begins with the start of a stroke was wanted; it is empty or does not")
        if not ((self.pen >= 0) & (self.pen < PAGE)).all():
            raise ValueError(f"places from 0 to {PAGE - 1} were wanted; the pen leaves the page")
        longest = abs(np.diff(self.pen, axis=0)).max(axis=1)[~self.starts[1:]].max(initial=0)
        if longest > REACH:
            raise ValueError(f"lines of at most {REACH} pixels a frame were wanted; one has {longest}")

    def __len__(self) -> int:
        return len(self.pen)


def trace(strokes: Sequence[npt.NDArray]) -> Clip:
    """The film of a character that is written stroke by stroke.

    Args:
        strokes: polylines ``(points, 2)`` of x and y in the square of side 109, in writing order, as
            ``artbook.data.kanji`` has them.

    Raises:
        ValueError: there is no stroke, or one is no finite polyline in that square.
    """
    if not len(strokes):
        raise ValueError("at least one stroke was wanted; none was given")
    paths = [_steps(stroke) for stroke in strokes]
    starts = np.concatenate([np.arange(len(path)) == 0 for path in paths])
    return Clip(np.concatenate(paths), starts)


def _steps(stroke: npt.NDArray) -> Whole:
    """The pixels of the pen along a stroke, at equal distances."""
    points = np.asarray(stroke, dtype=float)
    if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 2:
        raise ValueError(f"a stroke of shape (points, 2) was wanted; the shape {points.shape} was given")
    if not ((points >= -1) & (points <= BOX + 1)).all():
        raise ValueError(f"points in the square of side {BOX} were wanted; a stroke leaves it or is not finite")
    points = points * PAGE / BOX
    length = np.append(0.0, np.hypot(*np.diff(points, axis=0).T).cumsum())
    at = np.linspace(0, length[-1], max(1, round(length[-1] / STEP)) + 1)
    places = np.stack([np.interp(at, length, points[:, axis]) for axis in (1, 0)], axis=1)
    return np.clip(np.floor(places), 0, PAGE - 1).astype(np.int64)


def line(start: npt.ArrayLike, end: npt.ArrayLike) -> tuple[Whole, Whole]:
    """Rows and columns of the pixels on a line, both ends among them."""
    first, last = np.asarray(start), np.asarray(end)
    count = max(abs(last - first).max(), 1)
    places = np.floor(first + np.arange(count + 1)[:, np.newaxis] / count * (last - first) + 0.5).astype(np.int64)
    return places[:, 0], places[:, 1]


def frames(clip: Clip) -> npt.NDArray[np.uint8]:
    """The frames of a film, from the blank page on.

    Returns:
        uint8 ``(T + 1, 24, 24, 2)``: ink and pen, 0 or 1. On the blank page there is no pen.
    """
    film = np.zeros((len(clip) + 1, PAGE, PAGE, 2), dtype=np.uint8)
    for t, (place, starts) in enumerate(zip(clip.pen, clip.starts, strict=True)):
        film[t + 1, ..., 0] = film[t, ..., 0]
        rows, columns = line(place if starts else clip.pen[t - 1], place)
        film[t + 1, rows, columns, 0] = 1
        film[t + 1, *place, 1] = 1
    return film


def moves(clip: Clip) -> tuple[Whole, Whole]:
    """What the pen does after each frame, as numbers that a model can predict.

    Returns:
        The move, ``(T + 1,)``, 0 to 82, the last one ``DONE``; and after ``LIFT`` the place of the new start, row
        times 24 plus column, else 0.
    """
    before = np.concatenate([clip.pen[:1], clip.pen[:-1]])
    lines = (clip.pen - before + REACH) @ np.array([_SIDE, 1])
    move = np.append(np.where(clip.starts, LIFT, lines), DONE)
    place = np.append(np.where(clip.starts, clip.pen @ np.array([PAGE, 1]), 0), 0)
    return move, place


def step(place: npt.ArrayLike, move: int) -> Whole:
    """Where a line ends that is drawn from a place: kept on the page.

    Args:
        place: row and column of the pen.
        move: number of a line, 0 to 80.
    """
    offset = np.array(divmod(int(move), _SIDE)) - REACH
    return np.clip(np.asarray(place) + offset, 0, PAGE - 1)


def sights(film: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What a camera sees that follows the pen: the ink around it, and which of that is new in this frame.

    Args:
        film: ink and pen, ``(T, 24, 24, 2)``; the first frame counts as if nothing were new in it.

    Returns:
        uint8 ``(T, 13, 13, 2)``, 0 or 1; nothing where there is no pen.
    """
    side = 2 * SIGHT + 1
    seen = np.zeros((len(film), side, side, 2), dtype=np.uint8)
    ink = np.pad(film[..., 0], ((0, 0), (SIGHT, SIGHT), (SIGHT, SIGHT)))
    fresh = np.concatenate([np.zeros_like(ink[:1]), ink[1:] - ink[:-1]])
    for t, row, column in np.argwhere(film[..., 1]):
        seen[t, ..., 0] = ink[t, row : row + side, column : column + side]
        seen[t, ..., 1] = fresh[t, row : row + side, column : column + side]
    return seen
