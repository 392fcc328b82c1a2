"""Pictures that lie in an archive of the manifest, as arrays."""

import io
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from artbook.data.manifest import Corpus


def decoded(
    source: Corpus, files: Mapping[str, bytes], path: str, name: str, mode: str = "RGB"
) -> npt.NDArray[np.uint8]:
    """A picture of an archive.

    Args:
        source: the archive's entry in the manifest.
        files: what lies in the archive, as ``artbook.data.fetch.contents`` gives it.
        path: where the picture lies in it.
        name: what an error calls the picture.
        mode: Pillow's name for the colours that are wanted: ``RGB``, or ``L`` for grey.

    Returns:
        The picture, ``(H, W, 3)``, or ``(H, W)`` in grey.

    Raises:
        ValueError: the picture is missing or damaged.
    """
    try:
        with Image.open(io.BytesIO(files[path])) as picture:
            return np.asarray(picture.convert(mode))
    except (LookupError, OSError, UnidentifiedImageError) as error:
        raise ValueError(f"{source.file}: the picture {name!r} was wanted; {error!r}") from error
