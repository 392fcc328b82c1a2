"""What the run of a chapter depends on, computed: cells, imported modules, lock, data manifest, settings."""

import ast
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

import artbook
from artbook.press import notebooks
from artbook.press.book import Book

PACKAGE = Path(artbook.__file__).parent


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def module_file(name: str, package: Path = PACKAGE) -> Path | None:
    """The file of ``artbook`` or one of its modules, or ``None`` if there is no such module.

    Args:
        name: dotted, for example ``artbook.music.midi``.
        package: the folder of ``artbook``.
    """
    first, *rest = name.split(".")
    if first != package.name:
        return None
    stem = package.joinpath(*rest)
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def other_code(inputs: Mapping[str, str], package: Path = PACKAGE) -> list[str]:
    """The modules, data tables and studies among some inputs of which another version is installed here, or none."""
    files = {name: module_file(name, package) for name in inputs if name.split(".")[0] == package.name}
    files |= {name: package / name for name in inputs if name.endswith(".json")}
    found = {name: digest(path.read_bytes()) for name, path in files.items() if path and path.is_file()}
    return [name for name in files if found.get(name) != inputs[name]]


@cache
def imported_names(source: str) -> tuple[str, ...]:
    """Every dotted name that a Python text may import, wherever in it the import stands.

    ``from a.b import c`` gives both ``a.b`` and ``a.b.c``, since ``c`` may be a module. A text is parsed once: most
    modules serve many chapters.

    Raises:
        ValueError: an import is relative; the package's own style has none.
    """
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ValueError(f"line {node.lineno} has a relative import; imports start with 'artbook.'")
            found += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(found)


def modules_of(source: str, package: Path = PACKAGE) -> dict[str, Path]:
    """The modules of ``artbook`` that a Python text imports, followed to the end.

    Args:
        source: the text of a notebook's cells or of a module.
        package: the folder of ``artbook``.

    Returns:
        The modules' files by dotted name; a package's ``__init__`` stands with each of its modules.
    """
    found: dict[str, Path] = {}
    waiting = list(imported_names(source))
    while waiting:
        name = waiting.pop()
        if name in found or (path := module_file(name, package)) is None:
            continue
        found[name] = path
        waiting += imported_names(path.read_text(encoding="utf-8"))
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return dict(sorted(found.items()))


def _code(notebook: NotebookNode) -> str:
    """The code cells as one text of plain Python, without IPython's magics."""
    plain = TransformerManager().transform_cell
    return "\n".join(map(plain, notebooks.code_of(notebook)))


def settings_of(profile: str, seed: int) -> dict[str, str]:
    """The settings of a run by name: its profile, its seed, and the backend that Keras is told to use here."""
    return {"profile": profile, "seed": str(seed), "backend": os.environ.get("KERAS_BACKEND", "tensorflow")}


def inputs_of(book: Book, chapter: str, package: Path = PACKAGE) -> dict[str, str]:
    """The files that a run of a chapter depends on.

    Args:
        book: the checkout.
        chapter: its name, for example ``music/first-model``.
        package: the folder of ``artbook``.

    Returns:
        A digest by the name of each input. Two runs with the same inputs and settings have the same
        result, so the second one need not be made.
    """
    notebook = notebooks.read(book.notebook(chapter))
    code = _code(notebook)
    modules = modules_of(code, package)
    # Prose, captions and stored outputs are not run: the page takes them from the notebook as it is.
    cells = "\0".join(notebooks.code_of(notebook))
    tables = sorted((package / "data").glob("*.json")) if "artbook.data" in modules else []
    # A table may stand beside the module that reads it, under its name.
    tables += [path for module in modules.values() if (path := module.with_suffix(".json")).is_file()]
    if "artbook.studies" in modules:
        # A chapter reads the studies that its code names.
        tables += [path for path in sorted((package / "studies").glob("*.json")) if path.stem in code]
    kept = {path.relative_to(package).as_posix(): path for path in tables}
    files = modules | kept | {"lock": book.root / "requirements.lock"}
    return {"cells": digest(cells.encode())} | {name: digest(path.read_bytes()) for name, path in files.items()}


def what_changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """The names of the inputs in which two runs differ."""
    return [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
