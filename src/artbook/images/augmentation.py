"""Altered copies of pictures: turned, resized and shifted, a whole batch at a time (chapter ``preparing-data``)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def altered(
    images: npt.ArrayLike, angles: npt.ArrayLike = 0.0, scales: npt.ArrayLike = 1.0, shifts: npt.ArrayLike = (0.0, 0.0)
) -> npt.NDArray[np.float32]:
    """Turn, resize and shift pictures about their middle, with bilinear interpolation; outside them all is 0.

    What leaves the frame is lost: a scale above 1 or a shift crops the picture. The chapter ``preparing-data``
    does one by hand.

    Args:
        images: finite, ``(m, height, width)``; 0 is the background.
        angles: in degrees, anticlockwise as one sees the picture; one for all, or ``(m,)``.
        scales: above 0, at most 10: 2 doubles every length; one for all, or ``(m,)``.
        shifts: down and to the right, in pixels; one pair for all, or ``(m, 2)``.

    Returns:
        float32 ``(m, height, width)``, between the smallest and the largest of 0 and the given values.

    Raises:
        ValueError: an array of another shape, a value that is not finite, or a scale out of range.
    """
    pictures = np.asarray(images, dtype=np.float32)
    if pictures.ndim != 3 or not pictures.size:
        raise ValueError(f"pictures (m, height, width) were wanted; an array {pictures.shape} was given")
    count, height, width = pictures.shape
    turn = np.radians(_checked("angles", angles, (count,)))
    scale = _checked("scales", scales, (count,))
    shift = _checked("shifts", shifts, (count, 2))
    if not np.isfinite(pictures).all():
        raise ValueError(f"finite pixels were wanted; {np.count_nonzero(~np.isfinite(pictures))} are not")
    if not ((scale > 0) & (scale <= 10)).all():
        raise ValueError(f"scales above 0 and at most 10 were wanted; {scale.min():g} to {scale.max():g} were given")
    middle = np.array([(height - 1) / 2, (width - 1) / 2], dtype=np.float32)
    # Each pixel of the result asks where it comes from: the inverse of turn, scale and shift.
    down = np.arange(height, dtype=np.float32)[None, :, None] - middle[0] - shift[:, 0, None, None]
    right = np.arange(width, dtype=np.float32)[None, None, :] - middle[1] - shift[:, 1, None, None]
    cosine, sine = ((part(turn) / scale)[:, None, None] for part in (np.cos, np.sin))
    return _bilinear(pictures, middle[0] + cosine * down + sine * right, middle[1] - sine * down + cosine * right)


def _checked(name: str, given: npt.ArrayLike, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    values = np.asarray(given, dtype=np.float32)
    if values.shape not in (shape, shape[1:]):
        raise ValueError(f"{name} of the shape {shape} or {shape[1:]} were wanted; {values.shape} was given")
    if not np.isfinite(values).all():
        raise ValueError(f"finite {name} were wanted; {values[~np.isfinite(values)][0]} was given")
    return np.broadcast_to(values, shape)


def _bilinear(pictures: npt.NDArray[np.float32], rows: Floats, columns: Floats) -> npt.NDArray[np.float32]:
    """The pictures' values at places between their pixels, both ``(m, height, width)``; outside a frame, 0."""
    count, height, width = pictures.shape
    # With a border of zeros, and what is far outside moved into it, no place needs a case of its own.
    bordered = np.pad(pictures, ((0, 0), (1, 1), (1, 1)))
    rows, columns = np.clip(rows + 1, 0, height + 1), np.clip(columns + 1, 0, width + 1)
    top, left = np.minimum(rows.astype(np.int32), height), np.minimum(columns.astype(np.int32), width)
    low, far = rows - top, columns - left
    first = (np.arange(count)[:, None, None] * (height + 2) + top) * (width + 2) + left
    flat = bordered.ravel()
    above = flat[first] * (1 - far) + flat[first + 1] * far
    below = flat[first + width + 2] * (1 - far) + flat[first + width + 3] * far
    return (above * (1 - low) + below * low).astype(np.float32)
