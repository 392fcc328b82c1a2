"""Terrain: fractal noise, and what tells a real map from a made one (chapter ``worlds``)."""

import numpy as np
import numpy.typing as npt
from matplotlib.colors import LightSource, LinearSegmentedColormap
from scipy import ndimage

Floats = npt.NDArray[np.float64]

LARGEST = 2048

# Meadow, forest, heath, rock, snow, and what lies at or below the sea.
_LAND = LinearSegmentedColormap.from_list("land", ["#7f9f5f", "#4f7f4a", "#7d7a4f", "#8f8577", "#f4f4f2"])
_SEA = np.array([0x3B, 0x6E, 0x8F]) / 255


def fractal(shape: tuple[int, int], exponent: float, rng: np.random.Generator) -> Floats:
    """Fractal noise: a Gaussian field whose power falls with frequency ``f`` as ``f ** -exponent``.

    It is cut from a field of twice the size, so that opposite edges need not fit (Voss 1985; the spectral synthesis
    of Saupe 1988).

    Args:
        shape: rows and columns, 2 to 2,048 each.
        exponent: 0 for white noise, 2 to 4 for mountains; at most 6.
        rng: draws.

    Returns:
        Heights with mean 0 and standard deviation 1.

    Raises:
        ValueError: the shape or the exponent is out of range.
    """
    if not 2 <= min(shape) <= max(shape) <= LARGEST or not 0 <= exponent <= 6:
        raise ValueError(f"2 to {LARGEST} cells a side, an exponent 0 to 6 were wanted; {shape}, {exponent} were given")
    h, w = 2 * shape[0], 2 * shape[1]
    frequency = np.hypot(np.fft.fftfreq(h)[:, np.newaxis], np.fft.rfftfreq(w))
    frequency[0, 0] = np.inf
    noise = np.fft.rfft2(rng.normal(size=(h, w))) * frequency ** (-exponent / 2)
    field = np.fft.irfft2(noise, s=(h, w))[: shape[0], : shape[1]]
    return (field - field.mean()) / field.std()


def spectrum(heights: npt.ArrayLike, bands: int = 10) -> tuple[Floats, Floats]:
    """The mean power of a map in bands of frequency, in whatever direction.

    Args:
        heights: ``(H, W)``, at least 16 a side.
        bands: how many, equally wide in the logarithm, 2 to 50.

    Returns:
        The middle of each band in cycles per cell, and the power there, in square units of the heights.

    Raises:
        ValueError: it is no such map, or another number of bands.
    """
    z = _map(heights, 16)
    if bands not in range(2, 51):
        raise ValueError(f"2 to 50 bands were wanted; {bands!r} was given")
    # The slope from edge to edge would look like power at all frequencies, and so would the edges.
    rows, columns = (np.linspace(-1, 1, n) for n in z.shape)
    plane = np.stack([np.ones(z.shape), *np.meshgrid(rows, columns, indexing="ij")], axis=-1).reshape(-1, 3)
    flat = z - (plane @ np.linalg.lstsq(plane, z.ravel(), rcond=None)[0]).reshape(z.shape)
    window = np.outer(*map(np.hanning, z.shape))
    power = np.abs(np.fft.fft2(flat * window)) ** 2 / np.square(window).sum()
    frequency = np.hypot(np.fft.fftfreq(z.shape[0])[:, np.newaxis], np.fft.fftfreq(z.shape[1]))
    edges = np.geomspace(2.5 / min(z.shape), 0.5, bands + 1)
    band = np.digitize(frequency, edges) - 1
    means = [power[band == k].mean() if (band == k).any() else np.nan for k in range(bands)]
    return np.sqrt(edges[1:] * edges[:-1]), np.array(means)


def slopes(heights: npt.ArrayLike, spacing: tuple[float, float]) -> Floats:
    """How steep the ground is, from central differences.

    Args:
        heights: ``(H, W)`` in metres.
        spacing: metres from cell to cell, to the south and to the east.

    Returns:
        Rise over run ``(H, W)``: 1 is 45 degrees.

    Raises:
        ValueError: it is no map.
    """
    return np.hypot(*np.gradient(_map(heights, 2), *spacing))


def pits(heights: npt.ArrayLike) -> float:
    """The share of inner cells that lie below all eight neighbours: rain that falls there finds no way out.

    Args:
        heights: ``(H, W)``, at least 3 a side.

    Returns:
        0 to 1.

    Raises:
        ValueError: it is no map.
    """
    z = _map(heights, 3)
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    lowest = ndimage.minimum_filter(z, footprint=ring)
    return float((z < lowest)[1:-1, 1:-1].mean())


def shaded(
    heights: npt.ArrayLike, spacing: tuple[float, float], low: float, high: float, sea: float | None = None
) -> npt.NDArray[np.uint8]:
    """A picture of a map from above, coloured by height and lit from the north-west.

    Args:
        heights: ``(H, W)`` in metres.
        spacing: metres from cell to cell, to the south and to the east.
        low: the height of the lowest colour.
        high: that of the highest, above ``low``.
        sea: the level of the sea; without it there is none.

    Returns:
        ``(H, W, 3)``, red, green, blue.

    Raises:
        ValueError: it is no map, or ``high`` is not above ``low``.
    """
    z = _map(heights, 2)
    if not high > low:
        raise ValueError(f"a highest colour above {low:g} m was wanted; {high:g} m was given")
    if sea is not None:
        z = np.maximum(z, sea)
    colours = _LAND(np.clip((z - low) / (high - low), 0, 1))[..., :3]
    if sea is not None:
        colours[z <= sea] = _SEA
    light = LightSource(315, 45).hillshade(z, dx=spacing[1], dy=spacing[0])[..., np.newaxis]
    return np.round(255 * np.clip(colours * (0.35 + 0.9 * light), 0, 1)).astype(np.uint8)


def _map(heights: npt.ArrayLike, least: int) -> Floats:
    z = np.asarray(heights, dtype=np.float64)
    if z.ndim != 2 or not least <= min(z.shape) <= max(z.shape) <= LARGEST or not np.isfinite(z).all():
        raise ValueError(
            f"a map (H, W) of finite heights, {least} to {LARGEST} a side, was wanted; {z.shape} was given"
        )
    return z
