"""Run the studies, a process for each cell, keep what has finished, and know which studies are out of date."""

import ast
import hashlib
import importlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Any

from artbook.data.store import write_atomically
from artbook.press.book import Book
from artbook.press.dependencies import PACKAGE, modules_of, settings_of, what_changed
from artbook.press.run import environment_of
from artbook.studies import Cell, Study, read

_PACKAGES = ("keras", "tensorflow", "jax", "numpy", "scipy", "music21")


@dataclass(frozen=True)
class Task:
    """One cell of a study to be made.

    Attributes:
        module: the study, dotted.
        case: one of its cases.
        seed: one of its seeds.
        made_with: what else the figures depend on: ``code``, ``backend`` and ``versions``.
    """

    module: str
    case: str
    seed: int
    made_with: dict[str, Any]


def tasks_of(name: str, package: Path = PACKAGE) -> list[Task]:
    """The cells of a study, each case with each seed.

    Args:
        name: of the study, a module in the package's folder ``studies``.
        package: the folder of ``artbook``.

    Raises:
        ValueError: there is no such study, or it lacks ``CASES`` or ``SEEDS``, or a case has an unfit name.
    """
    there = sorted(path.stem for path in (package / "studies").glob("[!_]*.py"))
    if name not in there:
        raise ValueError(f"{name!r} is no study; there are {', '.join(there) or 'none'}")
    module = importlib.import_module(f"{package.name}.studies.{name}")
    cases, seeds = _cells_of(module)
    backend = settings_of("", 0)["backend"]
    made_with = {"code": code_of(name, package), "backend": backend, "versions": _versions()}
    return [Task(module.__name__, case, seed, made_with) for case in cases for seed in seeds]


def _cells_of(module: ModuleType) -> tuple[list[str], list[int]]:
    cases, seeds = list(getattr(module, "CASES", ())), list(getattr(module, "SEEDS", ()))
    if not cases or not seeds:
        raise ValueError(f"{module.__name__} was to have CASES, functions of a seed by name, and SEEDS, whole numbers")
    if unfit := [case for case in cases if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", case)]:
        raise ValueError(f"a case's name is of small letters, digits and hyphens; {', '.join(unfit)} was given")
    return cases, seeds


def _versions() -> dict[str, str]:
    installed = {each.name: each.version for each in distributions()}
    return {"python": platform.python_version()} | {name: installed[name] for name in _PACKAGES if name in installed}


def code_of(name: str, package: Path = PACKAGE) -> dict[str, str]:
    """A digest of each module that a study imports, loaders aside, and of its own; see ``digest_of_code``.

    Args:
        name: of the study.
        package: the folder of ``artbook``.
    """
    modules = modules_of(f"import {package.name}.studies.{name}", package)
    # It reads what studies have left and has no part in what they find.
    modules.pop(f"{package.name}.studies", None)
    return {
        module: digest_of_code(path.read_text(encoding="utf-8"))
        for module, path in modules.items()
        # What the loaders return is held by the manifest's digests and by their own tests.
        if not f"{module}.".startswith(f"{package.name}.data.")
    }


def digest_of_code(source: str) -> str:
    """SHA-256 of what a Python text does: comments, docstrings and layout do not count, nor the version of Python."""
    return hashlib.sha256(repr(_plain(ast.parse(source))).encode()).hexdigest()


def _plain(node: object) -> object:
    """A syntax tree as nested lists, without docstrings and without the fields that are empty."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        node.body = node.body[1:]
    fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
    return [type(node).__name__, *fields]


def finished(book: Book, task: Task) -> Cell | None:
    """The cell that was made for a task before, or ``None`` if there is none or something has changed since."""
    path = _kept(book, task)
    if not path.is_file():
        return None
    made_with, cell = json.loads(path.read_text(encoding="utf-8"))
    return Cell(**cell) if made_with == task.made_with else None


def _kept(book: Book, task: Task) -> Path:
    return folder_of(book, task.module.rpartition(".")[2]) / f"{task.case}-{task.seed}.json"


def folder_of(book: Book, name: str) -> Path:
    """Where the finished cells of a study are kept."""
    return book.build / "studies" / name


def execute(book: Book, task: Task) -> Cell:
    """Make one cell, in a process of its own with one thread, and keep it.

    Raises:
        RuntimeError: the process failed; the end of what it said is the message.
    """
    command = [sys.executable, "-m", "artbook.press.study_cell", task.module, task.case, str(task.seed)]
    environment = environment_of(KERAS_BACKEND=task.made_with["backend"])
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise RuntimeError(process.stderr.strip()[-2000:] or f"its process ended with {process.returncode}")
    cell = Cell(task.case, task.seed, **json.loads(process.stdout))
    write_atomically(_kept(book, task), json.dumps([task.made_with, asdict(cell)]).encode())
    return cell


def run(book: Book, tasks: list[Task], where: Executor, watch: Callable[[Task, str, str], None]) -> list[Cell]:
    """Make the cells of a study that are not finished yet; whatever stops the rest, what has finished stays.

    Args:
        book: the checkout that keeps the cells.
        tasks: the cells in question.
        where: the executor.
        watch: told of each cell: ``kept``, ``done`` or ``failed``, and its CPU-seconds or the error.

    Returns:
        The finished cells, in the order of the tasks; if there are fewer, some have failed.
    """
    futures = {}
    for task in tasks:
        if cell := finished(book, task):
            watch(task, "kept", f"{cell.cpu_seconds} CPU-seconds")
        else:
            futures[where.submit(execute, book, task)] = task
    for future in as_completed(futures):
        if error := future.exception():
            watch(futures[future], "failed", str(error))
        else:
            watch(futures[future], "done", f"{future.result().cpu_seconds} CPU-seconds")
    return [cell for task in tasks if (cell := finished(book, task))]


def write(book: Book, name: str, tasks: list[Task], cells: list[Cell], package: Path = PACKAGE) -> Path:
    """Write the figures of a whole study beside its module.

    Args:
        book: the checkout.
        name: of the study.
        tasks: all its cells as they were to be made.
        cells: all its cells as they were made.
        package: the folder of ``artbook``.

    Returns:
        The file.
    """
    study = Study(
        study=name,
        command=f"artbook study {name}",
        date=datetime.now(UTC).date().isoformat(),
        commit=_commit(book),
        cpu_seconds=round(sum(cell.cpu_seconds for cell in cells), 1),
        cells=tuple(cells),
        **tasks[0].made_with,
    )
    path = package / "studies" / f"{name}.json"
    write_atomically(path, (json.dumps(asdict(study), indent=1, ensure_ascii=False) + "\n").encode())
    return path


def _commit(book: Book) -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    said = subprocess.run(command, cwd=book.root, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def stale(name: str, package: Path = PACKAGE) -> list[str]:
    """The modules whose code has changed since the figures of a study were made, or none.

    Args:
        name: of the study.
        package: the folder of ``artbook``.

    Raises:
        ValueError: no figures of such a study are kept.
    """
    return what_changed(read(name, package / "studies").code, code_of(name, package))
