"""Characters as their strokes in writing order: KanjiVG by Ulrich Apel and its contributors.

Each file is an SVG drawing, one path a stroke. Of SVG only what these files use is read: paths of the
commands M, C, S, L and their relative forms. Curves become polylines, and the arrays are cached.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import PurePosixPath
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.store import Arrays, cached_arrays

Stroke = npt.NDArray[np.float32]

# The side of the square in which KanjiVG draws, and the width of its pen.
BOX = 109
PEN = 3

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
_PATH = "{http://www.w3.org/2000/svg}path"
_TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COORDINATES = {"M": 2, "L": 2, "C": 6, "S": 4}
_STEPS_PER_CURVE = 8
_SUPERSAMPLING = 4


@cache
def load() -> dict[str, list[Stroke]]:
    """The characters of KanjiVG, each as its strokes in the order in which they are written.

    Returns:
        By character, the strokes: polylines ``(points, 2)`` of x to the right and y downwards, in a square of
        side 109. Read-only, because they are shared.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or a drawing cannot be read.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("kanjivg")
    stored = cached_arrays(f"kanji-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    strokes = iter(np.split(stored["points"], np.cumsum(stored["points_per_stroke"])[:-1]))
    counts = zip(stored["character"].tolist(), stored["strokes_per_character"].tolist(), strict=True)
    return {character: [next(strokes) for _ in range(count)] for character, count in counts}


def draw(
    strokes: Sequence[npt.NDArray], size: int, upto: float | None = None, pen: float = PEN
) -> npt.NDArray[np.uint8]:
    """Draw strokes with a round pen.

    Args:
        strokes: polylines ``(points, 2)`` in the square of side 109.
        size: of the picture's side, 8 to 1,024 pixels.
        upto: how many strokes are drawn, all of them if ``None``; of 2.5 strokes, the third is drawn to the half
            of its length.
        pen: width of the line, in units of the square of side 109.

    Returns:
        The picture ``(size, size)``: paper 0, ink 255.

    Raises:
        ValueError: a size, a number of strokes or a pen out of range, or a stroke that is no finite polyline.
    """
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 8 <= size <= 1024:
        raise ValueError(f"a size of 8 to 1024 pixels was wanted; {size!r} was given")
    shown = len(strokes) if upto is None else upto
    if not 0 <= shown <= len(strokes):
        raise ValueError(f"0 to {len(strokes)} strokes were wanted; upto={upto!r} was given")
    if not 0 < pen <= BOX:
        raise ValueError(f"a pen above 0 and up to {BOX} was wanted; {pen!r} was given")
    scale = size * _SUPERSAMPLING / BOX
    radius = scale * pen / 2
    picture = Image.new("L", (size * _SUPERSAMPLING, size * _SUPERSAMPLING), 0)
    canvas = ImageDraw.Draw(picture)
    for number, stroke in enumerate(strokes[: int(np.ceil(shown))]):
        points = [(x * scale, y * scale) for x, y in _beginning(stroke, min(1.0, shown - number)).tolist()]
        canvas.line(points, fill=255, width=max(1, round(2 * radius)))
        # A line has flat ends and gaps at its bends; a pen is round.
        for x, y in points:
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(picture.reduce(_SUPERSAMPLING))


def _beginning(stroke: npt.NDArray, share: float) -> npt.NDArray:
    """The first ``share`` of a polyline's length."""
    points = np.asarray(stroke, dtype=float)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise ValueError(f"a stroke of two finite points or more was wanted; shape {points.shape} was given")
    length = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    end = share * length[-1]
    last = [np.interp(end, length, points[:, axis]) for axis in (0, 1)]
    return np.concatenate([points[length < end], [last]])


def _read(source: Corpus) -> Arrays:
    drawings = {}
    for name, content in contents(fetch(source), "kanji/").items():
        stem = PurePosixPath(name).stem
        # What follows a dash is a variant of the character, written in another way.
        if name.endswith(".svg") and "-" not in stem:
            drawings[chr(int(stem, 16))] = read_drawing(stem, content)
    strokes = [stroke for drawing in drawings.values() for stroke in drawing]
    if not strokes:
        raise ValueError(f"{source.file}: drawings of characters were wanted; it has none")
    return {
        "character": np.array(list(drawings)),
        "strokes_per_character": np.array([len(drawing) for drawing in drawings.values()]),
        "points_per_stroke": np.array([len(stroke) for stroke in strokes]),
        "points": np.concatenate(strokes),
    }


def read_drawing(name: str, content: bytes) -> list[Stroke]:
    """The strokes of one SVG drawing of KanjiVG, in its order.

    Args:
        name: what to call it.
        content: the bytes of the file.

    Returns:
        The strokes as polylines ``(points, 2)``, in the drawing's own units.

    Raises:
        ValueError: the file is no such drawing, or it declares an entity.
    """
    try:
        text = content.decode()
        # Decoded, a document cannot hide this word; without entities, XML can neither swell nor fetch.
        if "<!ENTITY" in text:
            raise ValueError("it declares an entity")
        paths = [path.get("d", "") for path in ElementTree.fromstring(text).iter(_PATH)]
        strokes = [np.array(list(_polyline(path)), dtype=np.float32) for path in paths]
        if not strokes:
            raise ValueError("it has no strokes")
    except (ValueError, ElementTree.ParseError) as error:
        raise ValueError(f"{name}: a drawing with one path a stroke was wanted; {error}") from error
    return strokes


def _polyline(path: str) -> Iterator[npt.NDArray]:
    """The points along an SVG path, a cubic curve in eight steps (https://www.w3.org/TR/SVG11/paths.html)."""
    if _TOKEN.sub("", path).strip(" ,\t\n"):
        raise ValueError(f"the path {path!r} has something else than commands and numbers")
    here = control = np.zeros(2)
    for command, numbers in _commands(path):
        points = numbers.reshape(-1, 2) + (here if command.islower() else 0)
        if command in "Cc":
            yield from _cubic(here, *points)
        elif command in "Ss":
            # The first control point is the last one of the curve before, reflected in the point where it ended.
            yield from _cubic(here, 2 * here - control, *points)
        else:
            yield points[0]
        here = points[-1]
        control = points[-2] if command in "CcSs" else here


def _commands(path: str) -> Iterator[tuple[str, npt.NDArray]]:
    """Each command of a path with its numbers, also where its letter is left out because it repeats."""
    tokens = _TOKEN.findall(path)
    if not tokens or tokens[0] not in "Mm":
        raise ValueError(f"a path that starts with a move was wanted; {path!r} was given")
    command, place = "", 0
    while place < len(tokens):
        if tokens[place].isalpha():
            command, place = tokens[place], place + 1
        elif command in "Mm":
            # Further pairs after a move are lines.
            command = "L" if command == "M" else "l"
        count = _COORDINATES.get(command.upper())
        numbers = tokens[place : place + (count or 0)]
        if count is None or len(numbers) != count or any(token.isalpha() for token in numbers):
            raise ValueError(f"the command {command} of the path {path!r} is unknown or lacks a number")
        yield command, np.array(numbers, dtype=float)
        place += count


def _cubic(*corners: npt.NDArray) -> npt.NDArray:
    """Points along a cubic Bézier curve of four control points, without the first."""
    t = np.arange(1, _STEPS_PER_CURVE + 1)[:, np.newaxis] / _STEPS_PER_CURVE
    start, first, second, end = corners
    return (1 - t) ** 3 * start + 3 * (1 - t) ** 2 * t * first + 3 * (1 - t) * t**2 * second + t**3 * end
