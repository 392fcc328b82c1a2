"""Names beside points: none covers a point, a line or another name, whatever the axes."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from artbook import show
from artbook.labels import write_names


@pytest.fixture
def axes():
    show.use_style()
    figure, made = plt.subplots(figsize=(5.4, 6.2))
    yield made
    plt.close(figure)


def crowd(seed, count=25):
    """Points of a falling band over three powers of ten, many of them close together."""
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(0, 3, count)
    return {f"recipe {n}": (x[n], 2 - 0.1 * np.log10(x[n]) + 0.1 * rng.random()) for n in range(count)}


@pytest.mark.parametrize("seed", range(5))
def test_names_cover_neither_points_nor_lines_nor_each_other(axes, seed):
    places = crowd(seed)
    for place in places.values():
        axes.plot(*place, "o", markersize=5)
    axes.axhline(1.9, linestyle=":")
    axes.set(xscale="log", xlabel="cost", ylabel="loss")
    axes.margins(0.08)
    names = write_names(axes, places)
    axes.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(name) for name in names]
    points = axes.transData.transform([*places.values()])
    line = axes.transData.transform((1, 1.9))[1]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert not any(box.contains(*point) for box in boxes for point in points)
    assert not any(box.y0 <= line <= box.y1 for box in boxes)
    assert all(axes.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_a_name_alone_stands_close_to_its_point(axes):
    axes.plot(0.5, 0.5, "o")
    (name,) = write_names(axes, {"alone": (0.5, 0.5)})
    axes.figure.draw_without_rendering()
    box, point = Text.get_window_extent(name), axes.transData.transform((0.5, 0.5))
    assert 0 < box.x0 - point[0] < 20 and box.y0 < point[1] < box.y1


def test_a_name_does_not_stand_beside_another_point(axes):
    places = {"the left one": (0.5, 0.5), "the right one": (0.62, 0.5)}
    axes.set(xlim=(0, 1), ylim=(0, 1))
    left, right = write_names(axes, places)
    axes.figure.draw_without_rendering()
    points = axes.transData.transform([*places.values()])
    assert Text.get_window_extent(left).x1 < points[0][0] and Text.get_window_extent(right).x0 > points[1][0]


def test_bad_input_is_refused(axes):
    axes.set(xlim=(0, 1), ylim=(0, 1))
    with pytest.raises(ValueError, match=r"within the limits of the axes was wanted; \(2, 0\.5\)"):
        write_names(axes, {"outside": (2, 0.5)})
    with pytest.raises(ValueError, match="a name that fits into the axes was wanted"):
        write_names(axes, {"w" * 200: (0.5, 0.5)})
