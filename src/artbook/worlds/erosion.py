"""Rivers: how water finds its way out of a map, and how it carves the map (chapter ``worlds``)."""

import heapq

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

LARGEST = 512


def drainage(heights: npt.ArrayLike, sea: npt.ArrayLike | None = None) -> tuple[Whole, Whole]:
    """Where the water of each cell goes: to the neighbour from which a flood that rises from the edge comes first.

    The priority flood of Barnes, Lehman and Mulla (2014). From a slope water goes to the lowest neighbour; a pit
    fills until it spills.

    Args:
        heights: ``(H, W)``, 3 to 512 a side.
        sea: bool ``(H, W)``; water leaves the map there, as it does at the edge.

    Returns:
        The number of the receiver of each cell, ``(H * W,)``, row by row, its own where the water leaves; and all
        cells in an order in which receivers come first, ``(H * W,)``.

    Raises:
        ValueError: it is no such map.
    """
    receiver, order, _ = _flooded(heights, sea)
    return receiver, order


def flood(heights: npt.ArrayLike, sea: npt.ArrayLike | None = None) -> Floats:
    """The level of the water if every hollow is full: the height at which it spills, and elsewhere the ground.

    Args:
        heights: as in ``drainage``.
        sea: likewise.

    Returns:
        ``(H, W)`` in metres, nowhere below the ground.

    Raises:
        ValueError: it is no such map.
    """
    return _flooded(heights, sea)[2]


def lakes(heights: npt.ArrayLike) -> float:
    """The share of a map that lies under water when every hollow is full.

    Args:
        heights: ``(H, W)`` in metres, 3 to 512 a side. Water of a metre or less does not count, since heights are
            whole metres.

    Raises:
        ValueError: it is no such map.
    """
    return float((flood(heights) - np.asarray(heights) > 1).mean())


def _flooded(heights: npt.ArrayLike, sea: npt.ArrayLike | None) -> tuple[Whole, Whole, Floats]:
    z = np.asarray(heights, dtype=np.float64)
    outlets = _outlets(z.shape, sea)
    if z.ndim != 2 or not 3 <= min(z.shape) <= max(z.shape) <= LARGEST or not np.isfinite(z).all():
        raise ValueError(f"a map (H, W) of finite heights, 3 to {LARGEST} a side, was wanted; {z.shape} was given")
    h, w = z.shape
    level = z.ravel().tolist()
    reached = outlets.ravel().tolist()
    receiver = list(range(h * w))
    around = [i * w + j for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    queue = [(level[cell], cell) for cell in np.flatnonzero(outlets).tolist()]
    heapq.heapify(queue)
    order = []
    while queue:
        height, cell = heapq.heappop(queue)
        order.append(cell)
        # Only outlets can lie at the edge, where a step may lead around the map.
        outlet = receiver[cell] == cell
        for step in around:
            other = cell + step
            if outlet and (not 0 <= other < h * w or abs(other % w - cell % w) > 1):
                continue
            if not reached[other]:
                reached[other] = True
                receiver[other] = cell
                # What lies deeper than where the flood comes from is under water.
                level[other] = max(level[other], height)
                heapq.heappush(queue, (level[other], other))
    return np.array(receiver), np.array(order), np.array(level).reshape(z.shape)


def catchment(receiver: Whole, order: Whole) -> Floats:
    """How many cells drain through each cell, itself among them.

    Args:
        receiver: as ``drainage`` gives it.
        order: likewise.

    Returns:
        ``(H * W,)``, at least 1.
    """
    cells = [1.0] * len(receiver)
    towards = receiver.tolist()
    for cell in reversed(order.tolist()):
        if towards[cell] != cell:
            cells[towards[cell]] += cells[cell]
    return np.array(cells)


def erode(
    heights: npt.ArrayLike,
    spacing: tuple[float, float],
    strength: float,
    steps: int,
    creep: float = 0.0,
    uplift: npt.ArrayLike = 0.0,
    power: float = 0.45,
    sea: npt.ArrayLike | None = None,
) -> Floats:
    """Let rivers carve a map.

    In a step, a cell sinks towards its receiver by ``strength * area**power * slope``, the stream power law; the
    step is implicit, so that it is stable however strong (Braun and Willett 2013). Then the ground creeps: each
    cell goes a share ``creep`` of the way to the mean of its neighbours. Edge and sea stay as they are.

    Args:
        heights: ``(H, W)`` in metres, 3 to 512 a side.
        spacing: metres from cell to cell, to the south and to the east.
        strength: zero or more, in metres a step, for one cell of catchment and a slope of one.
        steps: 1 to 1,000.
        creep: 0 to 1.
        uplift: in metres a step, one number or ``(H, W)``.
        power: of the catchment, 0 to 1.
        sea: bool ``(H, W)``, as in ``drainage``.

    Returns:
        The carved map.

    Raises:
        ValueError: one of these is not as above.
    """
    if not strength >= 0 or steps not in range(1, 1001) or not 0 <= creep <= 1 or not 0 <= power <= 1:
        raise ValueError(
            "a strength from 0, 1 to 1,000 steps, a creep and a power from 0 to 1 were wanted;"
            f" {strength}, {steps}, {creep} and {power} were given"
        )
    z = np.array(heights, dtype=np.float64)
    land = ~_outlets(z.shape, sea)
    rise = np.where(land, uplift, 0.0)
    for _ in range(steps):
        receiver, order = drainage(z, sea)
        z = _carved(z + rise, receiver, order, spacing, strength, power)
        z[land] += creep * (ndimage.uniform_filter(z, 3, mode="nearest") - z)[land]
    return z


def _outlets(shape: tuple[int, ...], sea: npt.ArrayLike | None) -> npt.NDArray[np.bool_]:
    outlets = np.ones(shape, dtype=bool)
    if len(shape) == 2:
        outlets[1:-1, 1:-1] = False
    if sea is None:
        return outlets
    given = np.asarray(sea)
    if given.dtype != bool or given.shape != shape:
        raise ValueError(f"a sea bool {shape} was wanted; {given.dtype} {given.shape} was given")
    return outlets | given


def _carved(
    z: Floats, receiver: Whole, order: Whole, spacing: tuple[float, float], strength: float, power: float
) -> Floats:
    w = z.shape[1]
    rows, columns = np.divmod(np.arange(z.size), w)
    away = np.hypot((rows - receiver // w) * spacing[0], (columns - receiver % w) * spacing[1])
    away[away == 0] = np.inf
    pull = (strength * catchment(receiver, order) ** power / away).tolist()
    level, towards = z.ravel().tolist(), receiver.tolist()
    for cell in order.tolist():
        level[cell] = (level[cell] + pull[cell] * level[towards[cell]]) / (1 + pull[cell])
    return np.array(level).reshape(z.shape)
