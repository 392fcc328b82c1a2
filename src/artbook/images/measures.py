"""Numbers that have been taken for the beauty of a picture: complexity, order, and their quotient.

Pictures are ``(height, width, 3)``, red, green, blue from 0 to 1, with sides of at least 2 pixels. Chapter
``judging-art``.
"""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float64]

# The most pixels that are looked at.
LARGEST = 50_000_000


def complexity(picture: npt.ArrayLike) -> float:
    """How long a description of the picture is: the size of its PNG file, which can be read back without loss.

    Args:
        picture: as above.

    Returns:
        Bits a pixel, above zero.

    Raises:
        ValueError: it is no picture as above.
    """
    pixels = np.round(_checked(picture) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return 8 * len(file.getvalue()) / pixels[..., 0].size


def gradient_entropy(picture: npt.ArrayLike, bins: int = 64) -> float:
    """The entropy of how steeply brightness changes from a pixel to its neighbours below and to the right.

    Args:
        picture: as above.
        bins: into which the steepness, 0 to the square root of two, is sorted; at least 2.

    Returns:
        Bits, from 0 to the logarithm of the bins.

    Raises:
        ValueError: it is no picture as above, or there are fewer than two bins.
    """
    if bins < 2:
        raise ValueError(f"at least two bins were wanted; {bins!r} was given")
    grey = _checked(picture).mean(axis=-1)
    steep = np.hypot(np.diff(grey, axis=0)[:, :-1], np.diff(grey, axis=1)[:-1])
    counts = np.histogram(steep, bins, (0, np.sqrt(2)))[0]
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def symmetry(picture: npt.ArrayLike) -> float:
    """How much a picture is its own mirror image: the correlation of its brightness with that of its mirror image.

    Args:
        picture: as above.

    Returns:
        -1 to 1; 1 where left and right are the same, and for a picture of one brightness.

    Raises:
        ValueError: it is no picture as above.
    """
    grey = _checked(picture).mean(axis=-1)
    around = grey - grey.mean()
    power = np.square(around).sum()
    # Rounding leaves a little in a picture of one brightness.
    if power < 1e-12 * grey.size:
        return 1.0
    return float((around * around[:, ::-1]).sum() / power)


def birkhoff(picture: npt.ArrayLike) -> float:
    """Order divided by complexity, the *aesthetic measure* of Birkhoff (1933), in a form of our own for pixels.

    Order is the symmetry, from 0 for none; complexity is that of the PNG file. Birkhoff counted both by hand, by
    rules of its own for each kind of thing.

    Args:
        picture: as above.

    Returns:
        Zero or more, in pixels a bit.

    Raises:
        ValueError: it is no picture as above.
    """
    return max(symmetry(picture), 0) / complexity(picture)


def _checked(picture: npt.ArrayLike) -> Floats:
    values = np.asarray(picture)
    if values.ndim != 3 or values.shape[2] != 3 or min(values.shape[:2]) < 2 or values[..., 0].size > LARGEST:
        raise ValueError(
            f"a picture (height, width, 3) of sides of at least 2, at most {LARGEST} pixels, was wanted;"
            f" {values.shape} was given"
        )
    # A comparison with NaN is false, so NaN is refused too.
    if values.dtype.kind != "f" or not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(f"numbers from 0 to 1 were wanted; {values.dtype} {values.min()} to {values.max()} came")
    return values.astype(np.float64)
