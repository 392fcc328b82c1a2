"""Meshes from maps: a block of land from a map of heights, a building from a plan of tiles (chapter ``worlds``)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from artbook.gltf import Mesh, joined

Floats = npt.NDArray[np.float32]

LARGEST = 512


def relief(heights: npt.ArrayLike, spacing: tuple[float, float]) -> Mesh:
    """The surface of a map of heights: a vertex a cell, two triangles between four of them.

    Args:
        heights: ``(H, W)`` in metres, north first, 2 to 512 cells a side.
        spacing: metres from cell to cell, to the south and to the east, above zero.

    Returns:
        The surface, its middle at zero; it wears a picture of the map from above. The normals are those of
        the central differences.

    Raises:
        ValueError: it is no such map, or a spacing is not above zero.
    """
    z = _heights(heights)
    (h, w), (south, east) = z.shape, _spacing(spacing)
    rows, columns = np.mgrid[:h, :w].astype(np.float32)
    positions = np.stack([(columns - (w - 1) / 2) * east, z, (rows - (h - 1) / 2) * south], axis=-1)
    down, right = np.gradient(z, south, east)
    normals = np.stack([-right, np.ones_like(z), -down], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    places = np.stack([(columns + 0.5) / w, (rows + 0.5) / h], axis=-1)
    triangles = _grid(h, w)
    return Mesh(positions.reshape(-1, 3), normals.reshape(-1, 3), places.reshape(-1, 2), triangles)


def block(heights: npt.ArrayLike, spacing: tuple[float, float], base: float) -> Mesh:
    """A solid block of land: ``relief`` with four walls and a floor, so that it can be turned and even printed.

    Args:
        heights: as in ``relief``.
        spacing: as in ``relief``.
        base: the height of the floor in metres, below all heights.

    Returns:
        A closed surface. Walls and floor wear what the edge of the picture shows.

    Raises:
        ValueError: as in ``relief``, or the base is not below all heights.
    """
    z = _heights(heights)
    if not base < z.min():
        raise ValueError(f"a base below the lowest height, {z.min():g} m, was wanted; {base:g} m was given")
    top = relief(z, spacing)
    number = np.arange(z.size).reshape(z.shape)
    # Seen from outside, each edge runs from left to right.
    sides = {
        (0, 0, 1): number[-1],
        (1, 0, 0): number[::-1, -1],
        (0, 0, -1): number[0, ::-1],
        (-1, 0, 0): number[:, 0],
    }
    walls = [_wall(top, edge, normal, base) for normal, edge in sides.items()]
    corners = number[[0, 0, -1, -1], [0, -1, -1, 0]]
    positions = top.positions[corners].copy()
    positions[:, 1] = base
    down = np.tile(np.array([0, -1, 0], dtype=np.float32), (4, 1))
    floor = Mesh(positions, down, top.places[corners], np.array([[0, 1, 2], [0, 2, 3]]))
    return joined(top, *walls, floor)


def _wall(top: Mesh, edge: npt.NDArray[np.int64], normal: Sequence[float], base: float) -> Mesh:
    """From an edge of the top, given from left to right as seen from outside, down to the base."""
    upper = top.positions[edge]
    lower = upper.copy()
    lower[:, 1] = base
    n = len(edge)
    return Mesh(
        np.concatenate([upper, lower]),
        np.tile(np.array(normal, dtype=np.float32), (2 * n, 1)),
        np.tile(top.places[edge], (2, 1)),
        _grid(2, n),
    )


def _grid(h: int, w: int) -> npt.NDArray[np.int64]:
    """The triangles of a grid of vertices, row by row, counter-clockwise where rows run towards the eye."""
    number = np.arange(h * w).reshape(h, w)
    a, b, c, d = (each.ravel() for each in (number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]))
    return np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])


def building(plan: Sequence[str], wall: str, height: float, skins: Mapping[str, int], columns: int) -> Mesh:
    """A plan of tiles as a building without a roof: a square a tile, walls raised, their sides where they are seen.

    Args:
        plan: rows of equal length, a letter a tile of one metre, north first, at most 512 a side.
        wall: the letter of a wall.
        height: of the walls in metres, above zero.
        skins: the number of the picture that each letter wears from above, and under ``"side"`` that of the walls'
            sides, on a sheet of square pictures in ``columns`` columns and as many rows.
        columns: of the sheet, at least 1.

    Returns:
        The mesh; each square wears a picture of the sheet, upright on the sides of walls.

    Raises:
        ValueError: the plan is no rectangle, a letter has no skin, or a number is out of range.
    """
    widths = {len(row) for row in plan}
    if len(widths) != 1 or 0 in widths or max(*widths, len(plan)) > LARGEST:
        raise ValueError(f"rows of one length, 1 to {LARGEST} a side, were wanted; the lengths {widths} were given")
    if missing := {*"".join(plan), "side"} - skins.keys():
        raise ValueError(f"a skin for every letter and for 'side' was wanted; {sorted(missing)} have none")
    if not height > 0 or not all(0 <= skin < columns**2 for skin in skins.values()):
        raise ValueError(f"a height above 0 and skins 0 to {columns**2 - 1} were wanted; {height} and {skins} are")
    h, w = len(plan), len(plan[0])
    corners, normals, worn = [], [], []

    def solid(i: int, j: int) -> bool:
        return 0 <= i < h and 0 <= j < w and plan[i][j] == wall

    for i, row in enumerate(plan):
        for j, letter in enumerate(row):
            level = height if letter == wall else 0.0
            x, y = j - w / 2, i - h / 2
            corners.append([(x, level, y), (x + 1, level, y), (x + 1, level, y + 1), (x, level, y + 1)])
            normals.append((0, 1, 0))
            worn.append(skins[letter])
            if letter != wall:
                continue
            for (di, dj), (left, right) in _SIDES.items():
                if not solid(i + di, j + dj):
                    (a, b), (c, d) = left, right
                    ends = (x + a, y + b), (x + c, y + d)
                    low, high = ([(p, level, q) for p, q in ends] for level in (0.0, height))
                    corners.append([high[0], high[1], low[1], low[0]])
                    normals.append((dj, 0, di))
                    worn.append(skins["side"])
    return _squares(np.array(corners), np.array(normals), np.array(worn), columns)


# A neighbour to the south, east, north, west, and the left and right end of the side there, as seen from outside.
_SIDES = {
    (1, 0): ((0, 1), (1, 1)),
    (0, 1): ((1, 1), (1, 0)),
    (-1, 0): ((1, 0), (0, 0)),
    (0, -1): ((0, 0), (0, 1)),
}


def _squares(corners: npt.NDArray, normals: npt.NDArray, worn: npt.NDArray[np.int64], columns: int) -> Mesh:
    """Squares from upper left clockwise, each with one normal and one picture of the sheet."""
    n = len(corners)
    # A little inside, so that no neighbour's colours are mixed in.
    inside = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 0.98 + 0.01
    places = (np.stack([worn % columns, worn // columns], axis=1)[:, np.newaxis] + inside) / columns
    first = 4 * np.arange(n)[:, np.newaxis]
    triangles = np.concatenate([first + np.array(corner) for corner in ((0, 2, 1), (0, 3, 2))])
    return Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(normals, 4, axis=0).astype(np.float32),
        places.reshape(-1, 2).astype(np.float32),
        triangles,
    )


def _heights(heights: npt.ArrayLike) -> Floats:
    z = np.asarray(heights, dtype=np.float32)
    if z.ndim != 2 or not 2 <= min(z.shape) <= max(z.shape) <= LARGEST or not np.isfinite(z).all():
        raise ValueError(f"finite heights (H, W), 2 to {LARGEST} a side, were wanted; {z.shape} was given")
    return z


def _spacing(spacing: tuple[float, float]) -> tuple[float, float]:
    south, east = spacing
    if not 0 < south < np.inf or not 0 < east < np.inf:
        raise ValueError(f"two distances above zero were wanted; {spacing} was given")
    return float(south), float(east)
