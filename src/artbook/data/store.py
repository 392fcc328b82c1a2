"""The cache on the reader's disk: where it is, and how a file comes into it whole or not at all."""

import os
from pathlib import Path
from uuid import uuid4

from platformdirs import user_cache_path


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
