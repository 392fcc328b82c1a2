"""Names beside the points of a plot, where they cover neither points, nor lines, nor one another.

The chapter ``training-costs`` names with it the recipes of its two charts.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

# In pixels: between a point and its name, about a drawn point, and about a name.
_GAPS, _POINT, _MARGIN = (7, 12, 18, 26, 36, 48, 64, 90), 5, 3
# From a point to the middle of its name, in halves of the name: first to the right and left, then above and below.
_SIDES = [(x, y) for x in (1, -1) for y in (0, 0.5, -0.5, 1, -1)] + [(x, y) for y in (1, -1) for x in (0.5, 0, -0.5)]


def write_names(axes: Axes, places: Mapping[str, tuple[float, float]], size: float = 9) -> list[Annotation]:
    """Write a name beside each point, at the nearest place that covers nothing and is nearer to no other point.

    A name that finds no such place stands where it misleads least. A dotted line leads from each name to its point.

    Args:
        axes: all points and lines are drawn, and limits and labels are set.
        places: of each name the point, in data coordinates, within the limits.
        size: of the letters, in points.

    Returns:
        The names, in the order of ``places``.

    Raises:
        ValueError: a point lies outside the axes, or a name does not fit into them.
    """
    # The layout is settled by drawing: only then is it known which pixel a point has.
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    drawn = [line.get_transform().transform_path(line.get_path()).interpolated(20) for line in axes.lines]
    spots = np.concatenate([np.empty((0, 2)), *(np.asarray(path.vertices) for path in drawn)])
    taken = [Bbox(np.array([spot - _POINT, spot + _POINT])) for spot in spots]
    leader = {"arrowstyle": "-", "color": "0.6", "shrinkB": 0, "linestyle": ":"}
    points = axes.transData.transform([*places.values()])
    names: list[Annotation] = []
    written: list[Bbox] = []
    for (name, place), point in zip(places.items(), points, strict=True):
        if not axes.bbox.contains(*point):
            raise ValueError(f"{name}: a point within the limits of the axes was wanted; {place} was given")
        names.append(axes.annotate(name, place, (0, 0), textcoords="offset points", arrowprops=leader))
        names[-1].set(fontsize=size, va="bottom", zorder=1)
        half = np.array(Text.get_window_extent(names[-1]).size) / 2
        middles = [point + np.array(side) * (gap + half) for gap in _GAPS for side in _SIDES]
        tries = [(Bbox(np.array([at - half, at + half])).padded(_MARGIN), Path([point, at])) for at in middles]
        inside = [each for each in tries if all(axes.bbox.contains(*end) for end in (each[0].min, each[0].max))]
        if not inside:
            raise ValueError(f"a name that fits into the axes was wanted; {name!r} was given")
        others = points[(points != point).any(axis=1)]
        dots = [Bbox(np.array([spot - _POINT, spot + _POINT])) for spot in others]
        # The worst are names that cover one another, then a line that leads through one, then to seem another point's.
        misled = [
            box.count_overlaps(taken)
            + 100 * box.count_overlaps(written)
            + 10 * sum(way.intersects_bbox(other, filled=False) for other in written)
            + 5 * sum(way.intersects_bbox(dot, filled=False) for dot in dots)
            + 5 * bool((_distance(box, others) <= _distance(box, point[np.newaxis])).any())
            for box, way in inside
        ]
        box, way = inside[int(np.argmin(misled))]
        names[-1].set_position((np.array(box.min) + _MARGIN - point) * 72 / figure.dpi)
        spots = np.asarray(way.interpolated(10).vertices)
        taken += [Bbox(np.array([spot, spot])).padded(1) for spot in spots]
        written.append(box)
    return names


def _distance(box: Bbox, points: np.ndarray) -> np.ndarray:
    """How far points ``(n, 2)`` lie from a box, in pixels, ``(n,)``."""
    return np.linalg.norm(np.maximum(np.maximum(box.min - points, points - box.max), 0), axis=1)
