"""Checkpoints from which a training goes on: whole or not there, and read without running what is in them.

The chapter ``distributed-training`` kills a worker and goes on from one. A checkpoint is a NumPy archive of plain
arrays, written under another name and renamed when it is complete.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from artbook.data.store import write_atomically

_NAME = re.compile(r"step-(\d{8})\.npz")


class Checkpoint(NamedTuple):
    """A state of a training.

    Attributes:
        step: how many steps had been made, from 0.
        arrays: weights, optimiser's state and whatever else the next step depends on, by name.
    """

    step: int
    arrays: dict[str, npt.NDArray]


def save(folder: Path, step: int, arrays: Mapping[str, npt.ArrayLike], keep: int = 2) -> Path:
    """Write a checkpoint, and then remove all but the newest.

    Args:
        folder: of this training's checkpoints; made if it is missing.
        step: how many steps have been made, from 0 to 99,999,999.
        arrays: what is kept, by name; none of Python objects.
        keep: how many checkpoints remain, at least 1.

    Returns:
        The file.

    Raises:
        ValueError: a number is not as above, or an array holds Python objects.
        OSError: the disk is full or the folder cannot be written; the older checkpoints are still there.
    """
    if not 0 <= step < 10**8 or keep < 1:
        raise ValueError(f"a step from 0 to 99,999,999 and at least 1 to keep were wanted; {step}, {keep} were given")
    held = {name: np.asarray(array) for name, array in arrays.items()}
    if objects := [name for name, array in held.items() if array.dtype.hasobject]:
        raise ValueError(f"arrays of numbers were wanted; {', '.join(objects)} hold Python objects")
    content = io.BytesIO()
    np.savez(content, **held)  # type: ignore[arg-type]  # a name of an array is no option
    path = folder / f"step-{step:08d}.npz"
    write_atomically(path, content.getvalue())
    for old in _found(folder)[keep:]:
        old.unlink(missing_ok=True)
    return path


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole; a damaged one is passed over for the one before it.

    Args:
        folder: as in ``save``; it may be missing.

    Returns:
        The checkpoint, or ``None`` where there is none.
    """
    for path in _found(folder):
        try:
            # Reading an array also compares its checksum, which the archive keeps.
            with np.load(path, allow_pickle=False) as stored:
                return Checkpoint(int(path.stem[5:]), {name: stored[name] for name in stored})
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            continue
    return None


def _found(folder: Path) -> list[Path]:
    """The files of complete checkpoints, the newest first."""
    there = folder.iterdir() if folder.is_dir() else []
    return sorted((path for path in there if _NAME.fullmatch(path.name)), reverse=True)
