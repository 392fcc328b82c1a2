"""Characters as codes: a few numbers a stroke, and back to strokes that a pen can draw (``adversarial-brush``)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from artbook.data import kanji
from artbook.data.keyboard import is_whole

Floats = npt.NDArray[np.float32]
Character = Sequence[npt.NDArray]

# Points along a stroke, at equal distances.
POINTS = 12
_MIDDLE = kanji.BOX / 2


@dataclass(frozen=True)
class StrokeCode:
    """A linear code of strokes: principal components of the points along them.

    The code of a character is ``(strokes, components)``: its strokes in the order of writing, then zeros.

    Attributes:
        strokes: the most that a character has.
        mean: of the points of all strokes, ``(2 * POINTS,)``, in half sides of KanjiVG's square.
        components: ``(components, 2 * POINTS)``, each as long as makes the code's deviation the square root of
            that of the points: the large ones, of place, do not drown the small ones, of form.
    """

    strokes: int
    mean: Floats
    components: Floats

    def encode(self, characters: Sequence[Character]) -> Floats:
        """The codes of characters.

        Args:
            characters: each 1 to ``strokes`` strokes, polylines in KanjiVG's square of side 109.

        Returns:
            float32 ``(n, strokes, components)``.

        Raises:
            ValueError: there is no character, or one that is not as described.
        """
        _check_characters(characters, self.strokes)
        inverse = np.linalg.pinv(self.components)
        codes = np.zeros((len(characters), self.strokes, len(self.components)), dtype=np.float32)
        for code, character in zip(codes, characters, strict=True):
            code[: len(character)] = (np.stack([_points(stroke) for stroke in character]) - self.mean) @ inverse
        return codes

    def decode(self, codes: npt.ArrayLike, counts: npt.ArrayLike) -> list[list[Floats]]:
        """The strokes of codes.

        Args:
            codes: finite, ``(n, strokes, components)``.
            counts: how many strokes each character has, whole numbers of 1 to ``strokes``, ``(n,)``.

        Returns:
            By character its strokes, polylines ``(POINTS, 2)`` in KanjiVG's square, which a code may lead out of.

        Raises:
            ValueError: these are not as described.
        """
        given, numbers = np.asarray(codes, dtype=np.float32), np.asarray(counts)
        shape = (self.strokes, len(self.components))
        if given.ndim != 3 or not len(given) or given.shape[1:] != shape or not np.isfinite(given).all():
            raise ValueError(f"finite codes of shape (n, {shape[0]}, {shape[1]}) were wanted; {given.shape} was given")
        if numbers.shape != given.shape[:1] or numbers.dtype.kind not in "iu":
            raise ValueError(f"{len(given)} whole numbers of strokes were wanted; {numbers.shape} was given")
        if numbers.min() < 1 or numbers.max() > self.strokes:
            raise ValueError(f"1 to {self.strokes} strokes were wanted; {numbers.min()} to {numbers.max()} were given")
        points = (given @ self.components + self.mean + 1) * _MIDDLE
        drawn = points.reshape(len(given), self.strokes, POINTS, 2)
        return [list(strokes[:count]) for strokes, count in zip(drawn, numbers, strict=True)]


def fit_code(characters: Sequence[Character], strokes: int, components: int) -> StrokeCode:
    """Fit a code to characters.

    Args:
        characters: at least one, each 1 to ``strokes`` strokes, polylines in KanjiVG's square; together at least
            as many strokes as ``components``.
        strokes: the most that a character may have, 1 to 64.
        components: numbers a stroke, 1 to twice ``POINTS``.

    Returns:
        The code.

    Raises:
        ValueError: one of these is not as described.
    """
    if not is_whole(strokes, 1, 64) or not is_whole(components, 1, 2 * POINTS):
        raise ValueError(
            f"1 to 64 strokes and 1 to {2 * POINTS} components were wanted; {strokes!r} and {components!r} were given"
        )
    _check_characters(characters, strokes)
    points = np.stack([_points(stroke) for character in characters for stroke in character])
    if len(points) < components:
        raise ValueError(f"at least {components} strokes in all were wanted; {len(points)} were given")
    mean = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - mean, full_matrices=False)
    deviation = np.maximum(spread[:components] / np.sqrt(len(points)), 1e-6)
    return StrokeCode(strokes, mean, (axes[:components] * np.sqrt(deviation)[:, None]).astype(np.float32))


def pictures(characters: Sequence[Character], size: int = 32, pen: float = 5.0) -> Floats:
    """Characters drawn with a round pen.

    Args:
        characters: at least one, each at least one stroke, polylines in KanjiVG's square.
        size: of a picture's side, 8 to 1,024 pixels.
        pen: width of the line, in units of KanjiVG's square of side 109.

    Returns:
        float32 ``(n, size, size)``: paper 0, ink 1.

    Raises:
        ValueError: these are not as described.
    """
    _check_characters(characters, 2**16)
    drawn = np.stack([kanji.draw(character, size, pen=pen) for character in characters])
    return (drawn / 255).astype(np.float32)


def _points(stroke: npt.NDArray) -> Floats:
    """Points at equal distances along a stroke, in half sides of the square around its middle, ``(2 * POINTS,)``."""
    points = np.asarray(stroke, dtype=np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise ValueError(f"a stroke of two finite points or more was wanted; shape {points.shape} was given")
    length = np.append(0.0, np.hypot(*np.diff(points, axis=0).T).cumsum())
    at = np.linspace(0.0, length[-1], POINTS)
    even = np.stack([np.interp(at, length, axis) for axis in points.T], axis=1)
    return (even / _MIDDLE - 1).astype(np.float32).ravel()


def _check_characters(characters: Sequence[Character], most: int) -> None:
    if not len(characters):
        raise ValueError("at least one character was wanted; none was given")
    counts = [len(character) for character in characters]
    if min(counts) < 1 or max(counts) > most:
        raise ValueError(f"characters of 1 to {most} strokes were wanted; {min(counts)} to {max(counts)} were given")
