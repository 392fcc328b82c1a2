"""Many pictures on one sheet, as one looks at what a model made (part *Pictures*)."""

import numpy as np
import numpy.typing as npt

from artbook.data.keyboard import is_whole
from artbook.images.legibility import check_pictures


def contact_sheet(pictures: npt.ArrayLike, columns: int) -> npt.NDArray[np.uint8]:
    """Lay pictures out in rows, black ink on white paper, with a grey line between them.

    Args:
        pictures: from 0, paper, to 1, ink, ``(n, side, side)``, as ``check_pictures`` wants them; none is left out.
        columns: pictures in a row, 1 to n; the last row may be shorter.

    Returns:
        Brightness ``(height, width)``, 0 black to 255 white.

    Raises:
        ValueError: these are not such pictures, or the number of columns is out of range.
    """
    checked = check_pictures(pictures)
    if not is_whole(columns, 1, len(checked)):
        raise ValueError(f"1 to {len(checked)} columns were wanted; {columns!r} was given")
    rows = -(-len(checked) // columns)
    paper = np.zeros((rows * columns - len(checked), *checked.shape[1:]), dtype=np.float32)
    bright = np.rint(255 * (1 - np.concatenate([checked, paper]))).astype(np.uint8)
    framed = np.pad(bright, ((0, 0), (1, 0), (1, 0)), constant_values=200)
    side = framed.shape[1]
    sheet = framed.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)
    return np.pad(sheet, ((0, 1), (0, 1)), constant_values=200)
