"""The chapters keep the rules of ``notebook_lint``, as they are stored and as they come out of a run."""

import os
import subprocess
import sys
from pathlib import Path

import notebook_lint as lint
import pytest
import yaml
from conftest import ROOT
from nbformat import NotebookNode

from artbook.press import notebooks
from artbook.press.book import Book

BOOK = Book(ROOT)


def named(rule: object) -> str:
    return getattr(rule, "__name__", str(rule))


def stored(chapter: str) -> NotebookNode:
    return notebooks.read(BOOK.notebook(chapter))


@pytest.fixture(scope="session")
def executed(profile: str) -> dict[str, NotebookNode]:
    """The chapters after a run; those that have not changed since their last one are not run again."""
    command = [sys.executable, "-m", "artbook", "run", "--profile", profile]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return {chapter: BOOK.page(chapter, profile) for chapter in BOOK.chapters}


def test_everything_in_the_table_of_contents_is_here():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [contents["root"], *(entry["file"] for part in contents["parts"] for entry in part["chapters"])]
    files = [path.relative_to(BOOK.pages) for form in ("*.ipynb", "*.md") for path in BOOK.pages.rglob(form)]
    # JupyterLab keeps copies in hidden folders.
    pages = [file for file in files if not any(part.startswith(".") for part in file.parts)]
    assert sorted(file.with_suffix("").as_posix() for file in pages) == sorted(listed)
    assert len(BOOK.chapters) >= 4


@pytest.mark.parametrize("rule", lint.SOURCE, ids=named)
@pytest.mark.parametrize("chapter", BOOK.chapters)
def test_a_stored_chapter_keeps(chapter, rule):
    assert list(rule(stored(chapter))) == []


@pytest.mark.parametrize("rule", lint.EXECUTED, ids=named)
@pytest.mark.parametrize("chapter", BOOK.chapters)
def test_an_executed_chapter_keeps(chapter, rule, executed):
    assert list(rule(executed[chapter])) == []


@pytest.mark.parametrize("chapter", BOOK.chapters)
def test_a_chapter_is_stored_as_artbook_checked_writes_it(chapter, executed):
    text = BOOK.notebook(chapter).read_text(encoding="utf-8")
    assert text == notebooks.as_text(notebooks.keep_checked_outputs(stored(chapter), executed[chapter]))


@pytest.mark.parametrize("rule", lint.SHELF, ids=named)
def test_the_stored_chapters_together_keep(rule):
    assert list(rule({chapter: stored(chapter) for chapter in BOOK.chapters})) == []


@pytest.mark.parametrize("rule", lint.EXECUTED_SHELF, ids=named)
def test_the_executed_chapters_together_keep(rule, executed):
    assert list(rule(executed)) == []


def until_first_checked(notebook: NotebookNode) -> NotebookNode:
    """The notebook as far as its first checked cell."""
    last = next(number for number, cell in enumerate(notebook.cells) if notebooks.is_checked(cell))
    notebook.cells = notebook.cells[: last + 1]
    return notebook


@pytest.mark.parametrize("altered", [False, True], ids=["as stored", "altered"])
def test_nbval_compares_the_checked_cells(tmp_path: Path, altered: bool):
    notebook = until_first_checked(stored(BOOK.chapters[0]))
    if altered:
        notebook.cells[-1].outputs[0].text += "something else\n"
    path = tmp_path / "copy.ipynb"
    path.write_text(notebooks.as_text(notebook), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-p", "no:cacheprovider", path.name]
    environment = os.environ | {"ARTBOOK_PROFILE": "smoke"}
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == int(altered), run.stdout + run.stderr
    assert ("something else" in run.stdout) == altered
