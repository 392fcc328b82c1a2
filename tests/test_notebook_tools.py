"""Notebooks are read strictly, written deterministically, and keep the outputs that are checked."""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from artbook.press import notebooks

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
PARAMETERS = 'profile: str = "cpu"\nseed: int = 0'


def code(source, *tags, outputs=(), count=None, **metadata):
    metadata |= {"tags": list(tags)} if tags else {}
    return new_code_cell(source, metadata=metadata, outputs=list(outputs), execution_count=count)


def notebook(*cells):
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return new_notebook(cells=list(cells), metadata={"kernelspec": KERNEL})


def text(words, name="stdout"):
    return new_output("stream", name=name, text=words)


def error(name="ValueError", message="no"):
    return new_output("error", ename=name, evalue=message, traceback=[])


CHECKED = ("nbval-check-output", "keep_output")


# Reading and writing


def test_what_is_written_is_read_back_the_same(tmp_path):
    there = notebook(new_markdown_cell("# Zwölftonmusik\n\n音"), code("print(1)", outputs=[text("1\n")], count=3))
    path = tmp_path / "there.ipynb"
    path.write_text(notebooks.as_text(there), encoding="utf-8")
    assert notebooks.read(path) == there


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=80), max_size=5))
def test_writing_is_deterministic_and_reading_loses_nothing(tmp_path_factory, sources):
    there = notebook(*(new_markdown_cell(source) for source in sources))
    written = notebooks.as_text(there)
    path = tmp_path_factory.mktemp("notebook") / "there.ipynb"
    path.write_text(written, encoding="utf-8", newline="")
    assert notebooks.as_text(notebooks.read(path)) == written


def test_text_is_sorted_indented_by_one_and_ends_a_line():
    written = notebooks.as_text(notebook(new_markdown_cell("a")))
    assert written.startswith('{\n "cells": [\n  {\n   "cell_type"')
    assert written.endswith("}\n")
    assert written == json.dumps(json.loads(written), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_an_invalid_notebook_is_not_written():
    broken = notebook(new_markdown_cell("a"))
    broken.cells[0].cell_type = "tune"
    with pytest.raises(ValueError, match="cannot be written"):
        notebooks.as_text(broken)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "Expecting value"),
        ("[]", "list indices"),
        ("{}", "nbformat"),
        ('{"nbformat": 4, "nbformat_minor": 5', "Expecting"),
        ('{"nbformat": 3, "nbformat_minor": 0, "worksheets": [], "metadata": {}}', "version 3.0"),
        ('{"nbformat": 4, "nbformat_minor": 4, "cells": [], "metadata": {}}', "version 4.4"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "cells"),
        ('{"nbformat": 4, "nbformat_minor": 5, "cells": [3], "metadata": {}}', "'int' object"),
        ('{"nbformat": 4, "nbformat_minor": 5, "cells": [], "metadata": 3}', "not of type 'object'"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path, content, why):
    path = tmp_path / "broken.ipynb"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"broken\.ipynb is not a notebook.*" + why):
        notebooks.read(path)


@pytest.mark.parametrize("ids", [["a", "a"], ["a", None]])
def test_ids_are_refused_rather_than_repaired(tmp_path, ids):
    cells = [{"cell_type": "markdown", "metadata": {}, "source": ""} | ({"id": each} if each else {}) for each in ids]
    path = tmp_path / "ids.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    with pytest.raises(ValueError, match=f"an id of its own; wrong are: {'a' if None not in ids else 'None'}"):
        notebooks.read(path)


def test_a_missing_file_is_missed(tmp_path):
    with pytest.raises(FileNotFoundError):
        notebooks.read(tmp_path / "none.ipynb")


def test_tags():
    assert notebooks.tags(code("x", "a", "b")) == {"a", "b"}
    assert notebooks.tags(new_markdown_cell("x")) == frozenset()
    assert notebooks.is_checked(code("x", *CHECKED, "hide-input"))
    assert not notebooks.is_checked(code("x", "keep_output"))


# Checked outputs


def source_and_run():
    source = notebook(
        new_markdown_cell("# Title"),
        code(PARAMETERS, "parameters"),
        code("print(1)", *CHECKED, "hide-input", mystnb={"figure": {"name": "fig-a"}}),
        code("print(2)"),
    )
    executed = nbformat.from_dict(json.loads(json.dumps(source)))
    executed.metadata["papermill"] = {"duration": 1}
    executed.cells.insert(2, new_code_cell('profile = "smoke"', metadata={"tags": ["injected-parameters"]}))
    for count, cell in enumerate(executed.cells[1:], 1):
        cell.execution_count = count
        cell.metadata |= {"papermill": {"duration": 1}, "execution": {"shell.execute_reply": "now"}}
    executed.cells[3].outputs = [text("1\n")]
    executed.cells[4].outputs = [text("2\n")]
    return source, executed


def test_only_checked_outputs_are_kept():
    source, executed = source_and_run()
    stored = notebooks.keep_checked_outputs(source, executed)
    assert [cell.source for cell in stored.cells] == [cell.source for cell in source.cells]
    assert [cell.get("execution_count") for cell in stored.cells] == [None, None, 3, None]
    assert stored.cells[2].outputs == [text("1\n")]
    assert stored.cells[3].outputs == []
    assert stored.cells[2].metadata == source.cells[2].metadata
    assert source.cells[2].outputs == [], "the source itself stays as it was"


def test_keeping_twice_changes_nothing():
    source, executed = source_and_run()
    once = notebooks.keep_checked_outputs(source, executed)
    assert notebooks.as_text(notebooks.keep_checked_outputs(once, executed)) == notebooks.as_text(once)


def test_what_programs_wrote_is_stripped():
    source, executed = source_and_run()
    source.metadata |= {"papermill": {}, "jupytext": {}, "widgets": {}, "language_info": {"version": "3.11.7"}}
    source.cells[3].metadata |= {"papermill": {}, "execution": {}, "collapsed": False, "tags": []}
    source.cells[3] |= {"outputs": [text("old")], "execution_count": 9}
    source.cells.insert(2, new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]}))
    stored = notebooks.keep_checked_outputs(source, executed)
    assert stored.metadata.keys() == {"kernelspec", "language_info"}
    assert stored.metadata.language_info == {"name": "python"}
    assert stored.metadata.kernelspec.name == "python3"
    assert len(stored.cells) == 4
    assert (stored.cells[3].metadata, stored.cells[3].outputs, stored.cells[3].execution_count) == ({}, [], None)


def test_pieces_of_a_stream_are_joined():
    source, executed = source_and_run()
    executed.cells[3].outputs = [text("a\n"), text("b\n"), text("c\n", "stderr"), text("d\n")]
    outputs = notebooks.keep_checked_outputs(source, executed).cells[2].outputs
    assert [(each.name, each.text) for each in outputs] == [("stdout", "a\nb\n"), ("stderr", "c\n"), ("stdout", "d\n")]
    assert executed.cells[3].outputs[0].text == "a\n", "the run itself stays as it was"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run, cell: run.cells.remove(cell), "has changed since the run"),
        (lambda run, cell: cell.update(source="print(7)"), "has changed since the run"),
        (lambda run, cell: cell.update(execution_count=None), "was not run"),
        (lambda run, cell: cell.update(outputs=[error()]), "failed"),
        (lambda run, cell: cell.update(outputs=[]), "printed nothing"),
    ],
)
def test_a_run_that_cannot_vouch_is_refused(change, why):
    source, executed = source_and_run()
    change(executed, executed.cells[3])
    with pytest.raises(ValueError, match=rf"cell 3, 'print\(1\)', is to be checked but {why}"):
        notebooks.keep_checked_outputs(source, executed)


def test_a_page_shows_whole_what_was_printed_in_pieces():
    source, executed = source_and_run()
    executed.cells[4].outputs = [text("25"), text(" triples\n")]
    page = notebooks.with_outputs(source, notebooks.without_traces(executed))
    assert [each.text for each in page.cells[3].outputs] == ["25 triples\n"]


def test_an_executed_notebook_without_traces_has_its_outputs_and_nothing_of_papermill():
    source, executed = source_and_run()
    executed.cells.insert(0, new_markdown_cell("An Exception", metadata={"tags": ["papermill-error-cell-tag"]}))
    clean = notebooks.without_traces(executed)
    assert [cell.source for cell in clean.cells] == [cell.source for cell in source.cells]
    assert [cell.metadata for cell in clean.cells] == [cell.metadata for cell in source.cells]
    assert clean.cells[3].outputs == [text("2\n")]
    assert clean.metadata.keys() == {"kernelspec", "language_info"}
    assert "papermill" in executed.metadata, "the executed notebook itself stays as it was"


# Errors


def test_the_first_error_is_named_by_its_place_among_the_notebooks_own_cells():
    _, executed = source_and_run()
    assert notebooks.first_error(executed) is None
    executed.cells[3].source = "# why\n\n  divide(1, 0)  \nmore"
    executed.cells[3].outputs += [error("ZeroDivisionError", "by zero")]
    executed.cells[4].outputs = [error()]
    found = notebooks.first_error(executed)
    assert found == (3, "divide(1, 0)", "ZeroDivisionError", "by zero")
    assert str(found) == "cell 3, 'divide(1, 0)': ZeroDivisionError: by zero"


def test_a_killed_kernel_is_an_error_of_the_cell_it_died_in(tmp_path):
    lines = [PARAMETERS, "print(1)", "import os, signal, time\nos.kill(os.getpid(), 9)\ntime.sleep(9)", "print(3)"]
    dying = notebook(*(code(line) for line in lines))
    dying.cells[0].metadata["tags"] = ["parameters"]
    source, target = tmp_path / "dying.ipynb", tmp_path / "dead.ipynb"
    source.write_text(notebooks.as_text(dying), encoding="utf-8")
    command = [sys.executable, "-m", "papermill", source, target, "--no-progress-bar", "-r", "profile", "smoke"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert run.returncode != 0
    found = notebooks.first_error(notebooks.read(target))
    assert found is not None
    assert found[:3] == (3, "import os, signal, time", "DeadKernelError")


# Parameters


def test_parameters_have_types_and_defaults():
    many = notebook(code(f"{PARAMETERS}\nrate: float = -0.5\nquick: bool = True", "parameters"))
    assert notebooks.parameters(many) == {
        "profile": (str, "cpu"),
        "seed": (int, 0),
        "rate": (float, -0.5),
        "quick": (bool, True),
    }


@pytest.mark.parametrize(
    "line",
    [
        "seed = 0",
        "seed: int",
        "seed: list = []",
        'seed: int = "0"',
        "seed: int = True",
        "seed: float = 0",
        "seed: int = int(0)",
        "run.seed: int = 0",
        "import os",
        "seed: int = = 0",
    ],
)
def test_another_form_of_parameter_is_refused(line):
    with pytest.raises(ValueError, match=r"a parameter is written 'name: type = value'|is not Python"):
        notebooks.parameters(notebook(code(line, "parameters")))


@pytest.mark.parametrize("number", [0, 2])
def test_there_is_one_parameters_cell(number):
    cells = [code(PARAMETERS, "parameters") for _ in range(number)]
    with pytest.raises(ValueError, match=f"{number} cells are tagged 'parameters', one was wanted"):
        notebooks.parameters(notebook(*cells, code("pass")))


def test_given_parameters_are_checked_by_name_and_type():
    takes = notebook(code(PARAMETERS, "parameters"))
    notebooks.check_parameters(takes, {"profile": "smoke", "seed": 3})
    notebooks.check_parameters(takes, {})
    with pytest.raises(ValueError, match="'profil' was given; the notebook takes profile, seed"):
        notebooks.check_parameters(takes, {"profil": "smoke"})
    for value in ("3", 3.0, True, None):
        with pytest.raises(ValueError, match=r"'seed' is of type int; .* was given"):
            notebooks.check_parameters(takes, {"seed": value})
