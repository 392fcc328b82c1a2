"""The cache on the reader's disk: where it is, and how a file comes into it whole or not at all."""

import io
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

Arrays = dict[str, npt.NDArray]


def cache_folder() -> Path:
    """The folder of fetched and parsed data: ``ARTBOOK_CACHE``, or the platform's cache folder for the user.

    Raises:
        ValueError: ``ARTBOOK_CACHE`` is no absolute path; each chapter runs in a folder of its own.
    """
    chosen = os.environ.get("ARTBOOK_CACHE")
    if not chosen:
        return user_cache_path("artbook", appauthor=False)
    if not Path(chosen).is_absolute():
        raise ValueError(f"an absolute path was wanted as ARTBOOK_CACHE; {chosen!r} was given")
    return Path(chosen)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside ``path``, then rename it: readers see it whole or not at all.

    Args:
        path: the file; its folder is made if it is missing.
        content: the bytes.

    Raises:
        OSError: the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with temporary.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def cached_arrays(name: str, make: Callable[[], Arrays]) -> Arrays:
    """The arrays that the cache keeps under a name; made first if they are not there, or damaged.

    Args:
        name: of the file, without its ending; it names all that the arrays depend on: source, size, reader's version.
        make: makes the arrays, none of them of Python objects.

    Returns:
        The arrays by name, as read from the file. They are shared by whoever asks, so nobody may write into them.

    Raises:
        ValueError: ``make`` refuses its source; nothing is kept.
        OSError: ``make`` does not get its source, or the cache cannot be written; nothing is kept.
    """
    path = cache_folder() / f"{name}.npz"
    if path.is_file():
        try:
            return _read_arrays(path)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            # The file was damaged after it was written.
            path.unlink()
    content = io.BytesIO()
    np.savez_compressed(content, **make())  # type: ignore[arg-type]  # a name of an array is no option
    write_atomically(path, content.getvalue())
    return _read_arrays(path)


def _read_arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
