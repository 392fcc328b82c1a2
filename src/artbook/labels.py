"""Names beside the points of a plot, where they cover neither points, nor lines, nor one another.

The chapter ``training-costs`` names with it the recipes of its two charts.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

# In pixels: between a point and its name, about a drawn point, and about a name.
_GAPS, _POINT, _MARGIN = (7, 12, 18, 26, 36, 48, 64, 90), 5, 3
# From a point to the middle of its name, in halves of the name: first to the right and left, then above and below.
_SIDES = [(x, y) for x in (1, -1) for y in (0, 0.5, -0.5, 1, -1)] + [(x, y) for y in (1, -1) for x in (0.5, 0, -0.5)]
# How often each name may look for a better place, now that the others have theirs.
_ROUNDS = 4


class _Place(NamedTuple):
    """Where a name may stand: its box with a margin, the way from its point, and how bad it is without other names."""

    box: Bbox
    way: Path
    harm: float


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
    taken = [_dot(spot) for spot in spots]
    leader = {"arrowstyle": "-", "color": "0.6", "shrinkB": 0, "linestyle": ":"}
    points = axes.transData.transform([*places.values()])
    names: list[Annotation] = []
    choices: list[list[_Place]] = []
    for (name, place), point in zip(places.items(), points, strict=True):
        if not axes.bbox.contains(*point):
            raise ValueError(f"{name}: a point within the limits of the axes was wanted; {place} was given")
        names.append(axes.annotate(name, place, (0, 0), textcoords="offset points", arrowprops=leader))
        # Where a line must lead through a name, it is interrupted by it.
        names[-1].set(fontsize=size, va="bottom", zorder=1, path_effects=[withStroke(linewidth=3, foreground="white")])
        half = np.array(Text.get_window_extent(names[-1]).size) / 2
        others = points[(points != point).any(axis=1)]
        choices.append(_around(point, half, others, taken, axes.bbox))
        if not choices[-1]:
            raise ValueError(f"a name that fits into the axes was wanted; {name!r} was given")
    chosen: dict[int, _Place] = {}
    for _ in range(_ROUNDS):
        for number, tries in enumerate(choices):
            chosen[number] = _best(tries, [place for other, place in chosen.items() if other != number])
    for number, written in enumerate(names):
        written.set_position((np.array(chosen[number].box.min) + _MARGIN - points[number]) * 72 / figure.dpi)
    return names


def _around(
    point: np.ndarray, half: np.ndarray, others: np.ndarray, taken: Sequence[Bbox], frame: Bbox
) -> list[_Place]:
    """The places in the frame for a name about its point, the nearest first; ``half`` of its size, all in pixels."""
    dots = [_dot(spot) for spot in others]
    found = []
    for middle in (point + np.array(side) * (gap + half) for gap in _GAPS for side in _SIDES):
        box, way = Bbox(np.array([middle - half, middle + half])).padded(_MARGIN), Path([point, middle])
        if not all(frame.contains(*end) for end in (box.min, box.max)):
            continue
        misleads = (_distance(box, others) <= _distance(box, point[np.newaxis])).any()
        crossed = sum(way.intersects_bbox(dot, filled=False) for dot in dots)
        # The worst is to cover a point or to come from another one, then to seem another one's.
        harm = box.count_overlaps(taken) + 20 * (box.count_overlaps(dots) + crossed) + 5 * bool(misleads)
        found.append(_Place(box, way, harm))
    return found


def _best(tries: Sequence[_Place], rest: Sequence[_Place]) -> _Place:
    """The first of those places that do the least harm beside the places of the other names."""
    boxes = [other.box for other in rest]
    harm = np.array([each.harm + 100 * each.box.count_overlaps(boxes) for each in tries])
    best, least = tries[0], np.inf
    for number in np.argsort(harm, kind="stable"):
        if harm[number] >= least:
            break
        total = harm[number] + 10 * sum(_tangled(tries[number], other) for other in rest)
        if total < least:
            best, least = tries[number], total
    return best


def _tangled(one: _Place, other: _Place) -> bool:
    """Whether the line of one name leads through the other name, or their lines cross."""
    through = one.way.intersects_bbox(other.box, filled=False) or other.way.intersects_bbox(one.box, filled=False)
    return bool(through or one.way.intersects_path(other.way, filled=False))


def _dot(spot: np.ndarray) -> Bbox:
    return Bbox(np.array([spot - _POINT, spot + _POINT]))


def _distance(box: Bbox, points: np.ndarray) -> np.ndarray:
    """How far points ``(n, 2)`` lie from a box, in pixels, ``(n,)``."""
    return np.linalg.norm(np.maximum(np.maximum(box.min - points, points - box.max), 0), axis=1)
