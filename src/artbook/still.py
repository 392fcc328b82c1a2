"""A still picture of a 3D model, drawn from its file: what the viewer shows before anybody has turned it.

An orthographic view with a depth buffer (Catmull 1974), in NumPy. Used by the chapter ``worlds`` and by the gallery.
"""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from artbook import gltf

Floats = npt.NDArray[np.float64]

LARGEST = 2048
# The viewer's own background, in book.css.
BACKGROUND = (0xE9, 0xEE, 0xF2)
# Light from above and behind the viewer's left shoulder; the rest comes from everywhere.
_LIGHT = np.array([-0.35, 0.8, 0.5]) / np.linalg.norm([-0.35, 0.8, 0.5])
_AMBIENT = 0.62
_MARGIN = 0.04
# Each pixel is the mean of so many by so many rays.
_RAYS = 2
# How many rays may be tried at once.
_BATCH = 2**21


def drawn(file: bytes, width: int = 640, turn: float = 10.0, tilt: float = 66.0) -> npt.NDArray[np.uint8]:
    """A model as it is seen from far away, as high as it needs to be.

    Args:
        file: a ``.glb`` file as ``artbook.gltf.write`` makes it.
        width: of the picture in pixels, 16 to 2,048.
        turn: the viewer's place around the model in degrees: 0 is in the south, 90 in the east.
        tilt: how far the viewer looks down, in degrees: 0 from the side to 90 from above.

    Returns:
        Red, green and blue, ``(height, width, 3)``; around the model the viewer's background.

    Raises:
        ValueError: it is no such file, or a number is out of range.
    """
    if not 16 <= width <= LARGEST or not np.isfinite(turn) or not 0 <= tilt <= 90:
        raise ValueError(
            f"a width of 16 to {LARGEST} and a tilt of 0 to 90 were wanted; {width}, {turn} and {tilt} were given"
        )
    mesh, skin = gltf.mesh_of(file), np.asarray(Image.open(io.BytesIO(gltf.skin_of(file))).convert("RGB"))
    flat, depth = _projected(mesh.positions.astype(np.float64), turn, tilt)
    low, span = flat.min(axis=0), np.ptp(flat, axis=0)
    scale = _RAYS * width * (1 - 2 * _MARGIN) / max(span[0], 1e-9)
    margin = _RAYS * width * _MARGIN
    height = min(round((scale * span[1] + 2 * margin) / _RAYS), LARGEST)
    points = (flat - low) * scale + margin
    seen, weights = _nearest(points, depth, mesh.triangles, (_RAYS * max(height, 1), _RAYS * width))
    colours = np.tile(np.array(BACKGROUND, dtype=np.float64), (*seen.shape, 1))
    there = seen >= 0
    corners = mesh.triangles[seen[there]]
    share = weights[there][..., np.newaxis]
    places = (mesh.places[corners] * share).sum(axis=1)
    facing = (mesh.normals[corners] * share).sum(axis=1) @ _LIGHT
    colours[there] = _worn(skin, places) * (_AMBIENT + (1 - _AMBIENT) * facing.clip(0, 1))[:, np.newaxis]
    rays = colours.reshape(height, _RAYS, width, _RAYS, 3)
    return np.round(rays.mean(axis=(1, 3))).astype(np.uint8)


def _projected(positions: Floats, turn: float, tilt: float) -> tuple[Floats, Floats]:
    """Where each vertex is seen, to the right and downwards, and how far behind the origin it lies."""
    around, down = np.radians([turn, tilt])
    right = np.array([np.cos(around), 0, -np.sin(around)])
    to_viewer = np.array([np.sin(around) * np.cos(down), np.sin(down), np.cos(around) * np.cos(down)])
    upwards = np.cross(to_viewer, right)
    return np.stack([positions @ right, -positions @ upwards], axis=1), -positions @ to_viewer


def _nearest(
    points: Floats, depth: Floats, triangles: npt.NDArray[Any], shape: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """For each ray the triangle that it meets first, -1 for none, and the shares of its corners there."""
    corners = points[triangles]
    a, b, c = (corners[:, k] for k in range(3))
    # Twice the area; in pixels, whose rows run downwards, the front of a triangle runs clockwise.
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    front = np.flatnonzero(area < -1e-9)
    first = np.floor(corners[front].min(axis=1)).astype(int)
    side = 1 + (np.ceil(corners[front].max(axis=1)).astype(int) - first).max(axis=1)
    buffer, seen = np.full(shape, np.inf), np.full(shape, -1)
    weights = np.zeros((*shape, 3))
    size = 1 << np.ceil(np.log2(side)).astype(int)
    for square in np.unique(size):
        at_once = max(_BATCH // int(square) ** 2, 1)
        group = np.flatnonzero(size == square)
        for start in range(0, len(group), at_once):
            some = group[start : start + at_once]
            _drop(front[some], first[some], int(square), (a, b, c), area, depth[triangles], buffer, seen, weights)
    return seen, weights


def _drop(
    numbers: npt.NDArray[np.int64],
    first: npt.NDArray[np.int64],
    square: int,
    corners: tuple[Floats, Floats, Floats],
    area: Floats,
    depths: Floats,
    buffer: Floats,
    seen: npt.NDArray[np.int64],
    weights: Floats,
) -> None:
    """Draw triangles of one size of bounding square into the buffers, those that are nearest."""
    a, b, c = (each[numbers][:, np.newaxis, np.newaxis] for each in corners)
    step = np.arange(square)
    x = (first[:, 0, np.newaxis, np.newaxis] + step[np.newaxis, np.newaxis]) + 0.5
    y = (first[:, 1, np.newaxis, np.newaxis] + step[np.newaxis, :, np.newaxis]) + 0.5

    def share(p: Floats, q: Floats) -> Floats:
        """Of the area, what lies between an edge and the ray."""
        return ((q - p)[..., 0] * (y - p[..., 1]) - (q - p)[..., 1] * (x - p[..., 0])) / area[numbers, None, None]

    shares = np.stack([share(b, c), share(c, a), share(a, b)], axis=-1)
    inside = (shares >= -1e-9).all(axis=-1)
    inside &= (x >= 0) & (x < buffer.shape[1]) & (y >= 0) & (y < buffer.shape[0])
    which, row, column = np.nonzero(inside)
    shares = shares[inside]
    far = (shares * depths[numbers[which]]).sum(axis=1)
    rows, columns = row + first[which, 1], column + first[which, 0]
    # Of those at one place the nearest comes last, and stays.
    order = np.argsort(-far, kind="stable")
    order = order[far[order] < buffer[rows[order], columns[order]]]
    at = rows[order], columns[order]
    buffer[at], seen[at], weights[at] = far[order], numbers[which[order]], shares[order]


def _worn(skin: npt.NDArray[np.uint8], places: Floats) -> Floats:
    """The colours of a picture between its pixels, ``(n, 3)``."""
    h, w = skin.shape[:2]
    x, y = places[:, 0] * w - 0.5, places[:, 1] * h - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, low = (x - left)[:, np.newaxis], (y - top)[:, np.newaxis]

    def at(i: npt.NDArray[np.int64], j: npt.NDArray[np.int64]) -> Floats:
        return skin[i.clip(0, h - 1), j.clip(0, w - 1)].astype(np.float64)

    upper = at(top, left) * (1 - right) + at(top, left + 1) * right
    lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right
    return upper * (1 - low) + lower * low
