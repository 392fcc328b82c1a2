"""Notebooks as files: read and write them, know their parameters, keep the outputs that are checked."""

import ast
import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode

CHECKED = frozenset({"nbval-check-output", "keep_output"})
PARAMETER_TYPES: Mapping[str, type] = {"str": str, "int": int, "float": float, "bool": bool}

_KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# What an author writes into a cell's metadata; everything else there is written by programs.
_AUTHORED = ("mystnb", "tags")
_PAPERMILL_TAGS = frozenset({"injected-parameters", "papermill-error-cell-tag"})


class CellError(NamedTuple):
    """Where a run of a notebook stopped, and why.

    Attributes:
        number: of the cell, from 1, papermill's own cells not counted.
        excerpt: the cell's first line that says something.
        name: of the exception, for example ``ValueError``.
        message: of the exception.
    """

    number: int
    excerpt: str
    name: str
    message: str

    def __str__(self) -> str:
        return f"cell {self.number}, {self.excerpt!r}: {self.name}: {self.message}"


def read(path: Path) -> NotebookNode:
    """Read a notebook and refuse a broken one.

    Args:
        path: the file.

    Returns:
        The notebook, version 4.5 or a later 4.

    Raises:
        ValueError: the file is no such notebook, or its cells have no ids or share one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = (content["nbformat"], content["nbformat_minor"])
        if not (4, 5) <= version < (5, 0):
            raise ValueError(f"it has version {version[0]}.{version[1]}, 4.5 or a later 4 was wanted")
        ids = [cell.get("id") for cell in content["cells"]]
        # Checked here, because nbformat's own check repairs ids with random ones.
        if None in ids or len(set(ids)) < len(ids):
            wrong = sorted({str(each) for each in ids if each is None or ids.count(each) > 1})
            raise ValueError(f"each cell has an id of its own; wrong are: {', '.join(wrong)}")
        nbformat.validate(content)
    except (KeyError, TypeError, AttributeError, ValueError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} is not a notebook: {error}") from error
    return nbformat.v4.to_notebook(content)


def as_text(notebook: NotebookNode) -> str:
    """The notebook as JSON text, the same for equal notebooks: sorted keys, one space a level, a newline at the end.

    Raises:
        ValueError: it is not a valid notebook.
    """
    try:
        nbformat.validate(deepcopy(notebook))
    except nbformat.ValidationError as error:
        raise ValueError(f"this notebook cannot be written: {error}") from error
    return nbformat.v4.writes(notebook) + "\n"


def tags(cell: NotebookNode) -> frozenset[str]:
    """The tags of a cell."""
    return frozenset(cell.metadata.get("tags", ()))


def is_checked(cell: NotebookNode) -> bool:
    """Whether the cell's output is stored in the source notebook, for nbval to compare with a new run."""
    return tags(cell) >= CHECKED


def code_of(notebook: NotebookNode) -> list[str]:
    """The sources of the code cells that the author wrote, in their order."""
    return [cell.source for cell in _own_cells(notebook) if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """The outputs of all cells of a notebook, in their order."""
    for cell in notebook.cells:
        yield from cell.get("outputs", ())


def with_outputs(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """A chapter as its page shows it: the words of today with the outputs of the last run of the same code.

    Args:
        source: the notebook as its author left it.
        executed: a finished run of it.

    Returns:
        A copy of ``source`` with the outputs and counts of the run; where the code has changed since the
        run, ``executed`` as it is, because its words belong to its numbers.
    """
    if code_of(source) != code_of(executed):
        return executed
    page = deepcopy(source)
    runs = (cell for cell in _own_cells(executed) if cell.cell_type == "code")
    for cell, run in zip((cell for cell in page.cells if cell.cell_type == "code"), runs, strict=True):
        cell.outputs, cell.execution_count = run.outputs, run.execution_count
    return page


def without_traces(executed: NotebookNode) -> NotebookNode:
    """A copy of an executed notebook without what papermill and its clocks left in it.

    Args:
        executed: as papermill wrote it.

    Returns:
        The notebook with the cells of its source, their outputs and counts; pieces of a stream are joined.
    """
    clean = deepcopy(executed)
    clean.cells = _own_cells(clean)
    clean.metadata = nbformat.from_dict(_KERNEL)
    for cell in clean.cells:
        cell.metadata = _authored(cell)
        if cell.cell_type == "code":
            cell.outputs = with_whole_streams(cell.outputs)
    return clean


def keep_checked_outputs(source: NotebookNode, executed: NotebookNode) -> NotebookNode:
    """The source notebook as it is stored: with the outputs of its checked cells and no others.

    Args:
        source: the notebook as its author left it.
        executed: a finished run of it, from papermill; cells are matched by their ids.

    Returns:
        A copy of ``source``. The cells tagged ``nbval-check-output`` and ``keep_output`` have output and
        count of the run, all others have none, and nothing that a program wrote is left in the metadata.

    Raises:
        ValueError: a checked cell has changed since the run, was not run, failed or printed nothing.
    """
    runs = {cell.id: cell for cell in without_traces(executed).cells}
    stored = without_traces(source)
    for number, cell in enumerate(stored.cells, 1):
        if cell.cell_type != "code":
            continue
        if is_checked(cell):
            run = _finished(number, cell, runs.get(cell.id))
            cell.outputs, cell.execution_count = run.outputs, run.execution_count
        else:
            cell.outputs, cell.execution_count = [], None
    return stored


def with_whole_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """A cell's outputs, with the pieces of a stream joined: where a stream is cut is a matter of timing."""
    merged: list[NotebookNode] = []
    for output in deepcopy(outputs):
        last = merged[-1] if merged else None
        if last and last.output_type == output.output_type == "stream" and last.name == output.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


def first_error(notebook: NotebookNode) -> CellError | None:
    """The first cell of an executed notebook that raised or whose kernel died, or ``None`` if all is well.

    Args:
        notebook: as papermill wrote it.
    """
    for number, cell in enumerate(_own_cells(notebook), 1):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return CellError(number, _excerpt(cell), output.ename, output.evalue)
        # A kernel that was killed leaves no error, only a cell that was sent and never answered.
        times = cell.metadata.get("execution")
        if times is not None and "shell.execute_reply" not in times:
            return CellError(number, _excerpt(cell), "DeadKernelError", "the kernel died while it ran this cell")
    return None


def parameters(notebook: NotebookNode) -> dict[str, tuple[type, Any]]:
    """The parameters that a notebook takes.

    Args:
        notebook: one with a cell tagged ``parameters`` of lines like ``seed: int = 0``.

    Returns:
        Type and default by name.

    Raises:
        ValueError: there is not exactly one such cell, or one of its lines has another form.
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "parameters" in tags(cell)]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} cells are tagged 'parameters', one was wanted")
    try:
        statements = ast.parse(cells[0].source).body
    except SyntaxError as error:
        raise ValueError(f"the parameters cell is not Python: {error}") from error
    return dict(_parameter(statement) for statement in statements)


def check_parameters(notebook: NotebookNode, given: Mapping[str, Any]) -> None:
    """Refuse parameters that a notebook does not take; papermill by itself would only mention them.

    Args:
        notebook: one with a cell tagged ``parameters``.
        given: values by name.

    Raises:
        ValueError: a name is unknown or a value has another type, or the notebook's own cell is wrong.
    """
    wanted = parameters(notebook)
    for name, value in given.items():
        if name not in wanted:
            raise ValueError(f"the parameter {name!r} was given; the notebook takes {', '.join(wanted) or 'none'}")
        kind = wanted[name][0]
        if type(value) is not kind:
            raise ValueError(
                f"the parameter {name!r} is of type {kind.__name__}; {value!r}, {type(value).__name__}, was given"
            )


def _parameter(statement: ast.stmt) -> tuple[str, tuple[type, Any]]:
    match statement:
        case ast.AnnAssign(target=ast.Name(name), annotation=ast.Name(kind), value=ast.expr() as value) if (
            kind in PARAMETER_TYPES
        ):
            try:
                default = ast.literal_eval(value)
            except ValueError:
                default = None
            if type(default) is PARAMETER_TYPES[kind]:
                return name, (PARAMETER_TYPES[kind], default)
    given = ast.unparse(statement)
    raise ValueError(f"a parameter is written 'name: type = value', type one of {', '.join(PARAMETER_TYPES)}: {given}")


def _own_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if not tags(cell) & _PAPERMILL_TAGS]


def _authored(cell: NotebookNode) -> NotebookNode:
    kept = {key: cell.metadata[key] for key in _AUTHORED if cell.metadata.get(key)}
    return nbformat.from_dict(kept)


def _excerpt(cell: NotebookNode) -> str:
    lines = [line.strip() for line in cell.source.splitlines()]
    return next((line[:60] for line in lines if line and not line.startswith("#")), "")


def _finished(number: int, cell: NotebookNode, run: NotebookNode | None) -> NotebookNode:
    if run is None or run.source != cell.source:
        why = "has changed since the run"
    elif run.execution_count is None:
        why = "was not run"
    elif any(output.output_type == "error" for output in run.outputs):
        why = "failed"
    elif not run.outputs:
        why = "printed nothing"
    else:
        return run
    raise ValueError(f"cell {number}, {_excerpt(cell)!r}, is to be checked but {why}")
