"""The studies: the machinery on a small one, and whether those that are kept were made by the code of today."""

import json
import os
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from artbook import studies
from artbook.press import cli
from artbook.press import run as runner
from artbook.press import studies as press
from artbook.press.book import Book

KEPT = sorted(path.stem for path in studies.FOLDER.glob("*.json"))
MODULES = sorted(path.stem for path in studies.FOLDER.glob("[!_]*.py"))

STUDY = '''"""How a number grows."""

import os

import numpy as np
from PACKAGE.helper import double


def doubled(seed):
    """It prints, and gives NumPy's numbers back."""
    print("a word")
    return {"value": np.float32(double(seed)), "list": np.arange(2)}


def environment(seed):
    return {"backend": os.environ["KERAS_BACKEND"], "threads": os.environ["OMP_NUM_THREADS"]}


CASES = {"doubled": doubled, "environment": environment}
SEEDS = (0, 2)
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package, of a name of its own, with one study and a module that it imports."""
    name = f"toy_{tmp_path.name}"
    files = {
        "__init__.py": "",
        "helper.py": "def double(x):\n    return 2 * x\n",
        "studies/__init__.py": "",
        "studies/growth.py": STUDY.replace("PACKAGE", name),
    }
    for file, text in files.items():
        path = tmp_path / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path / name


@pytest.fixture
def book(toy_book, monkeypatch: pytest.MonkeyPatch, package: Path) -> Book:
    """A book in which the command ``artbook study`` sees the studies of the small package."""
    book = toy_book(music_one=("1",))
    monkeypatch.chdir(book.root)
    monkeypatch.setattr(press, "tasks_of", partial(press.tasks_of, package=package))
    monkeypatch.setattr(press, "write", partial(press.write, package=package))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    return book


def study(name: str = "growth") -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, ["study", name], catch_exceptions=False)
    return result.exit_code, result.stdout


def test_a_study_leaves_its_figures_and_how_they_came_about(book: Book, package: Path):
    code, said = study()
    assert code == 0, said
    assert said.count("done ") == 4
    kept = studies.read("growth", package / "studies")
    assert kept.figures("doubled") == [{"value": 0.0, "list": [0, 1]}, {"value": 4.0, "list": [0, 1]}]
    assert kept.figures("environment") == 2 * [{"backend": "jax", "threads": "1"}]
    assert [(cell.case, cell.seed) for cell in kept.cells[:2]] == [("doubled", 0), ("doubled", 2)]
    assert kept.command == "artbook study growth"
    assert kept.commit == "unknown", "the small book is in no repository"
    assert kept.date.startswith("20")
    assert kept.backend == "jax"
    assert {"python", "keras", "numpy"} <= set(kept.versions)
    assert set(kept.code) == {package.name, f"{package.name}.helper", f"{package.name}.studies.growth"}
    assert kept.cpu_seconds == pytest.approx(sum(cell.cpu_seconds for cell in kept.cells))
    assert press.stale("growth", package) == []


def test_finished_cells_are_kept_until_the_code_changes(book: Book, package: Path):
    assert study()[1].count("done ") == 4
    assert study()[1].count("kept ") == 4
    next(press.folder_of(book, "growth").glob("doubled-2.json")).unlink()
    (package / "helper.py").write_text('"""Says what it does."""\n\n\ndef double(x):\n    # Twice.\n    return 2 * x\n')
    said = study()[1]
    assert (said.count("kept "), said.count("done ")) == (3, 1)
    assert press.stale("growth", package) == []
    (package / "helper.py").write_text("def double(x):\n    return x + x\n")
    assert press.stale("growth", package) == [f"{package.name}.helper"]
    assert study()[1].count("done ") == 4
    assert press.stale("growth", package) == []


def test_a_cell_that_fails_is_named_and_the_others_are_kept(book: Book, package: Path):
    path = package / "studies" / "growth.py"
    path.write_text(path.read_text().replace("double(seed)", "1 / seed"))
    code, said = study()
    assert code == 1
    assert "failed doubled, seed 0: " in said
    assert "ZeroDivisionError" in said
    assert said.count("done ") == 3
    assert not path.with_suffix(".json").exists()


def test_a_figure_that_is_no_number_is_refused(book: Book, package: Path):
    path = package / "studies" / "growth.py"
    path.write_text(path.read_text().replace("np.float32(double(seed))", "float('nan')"))
    assert "not JSON compliant" in study()[1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("SEEDS = (0, 2)", "", "was to have CASES, functions of a seed by name, and SEEDS"),
        ('"doubled": ', '"../up": ', r"a case's name is of small letters, digits and hyphens; \.\./up was given"),
    ],
)
def test_a_study_of_another_form_is_refused(package: Path, old: str, new: str, message: str):
    path = package / "studies" / "growth.py"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=message):
        press.tasks_of("growth", package)


def test_what_is_not_there_is_refused_by_name(package: Path):
    with pytest.raises(ValueError, match="'decay' is no study; there are growth"):
        press.tasks_of("decay", package)
    with pytest.raises(ValueError, match="no figures of a study 'growth' are kept; there are none"):
        studies.read("growth", package / "studies")
    cell = studies.Cell("doubled", 0, 1.0, {})
    kept = studies.Study("growth", "", "", "", {}, "jax", 1.0, {}, (cell,))
    with pytest.raises(ValueError, match="'halved' is no case of the study 'growth'; there are doubled"):
        kept.figures("halved")


def test_an_interrupt_keeps_what_has_finished(book: Book, package: Path):
    def interrupt(task: press.Task, state: str, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), runner.executor(1) as where:
        press.run(book, press.tasks_of("growth"), where, interrupt)
    assert study()[1].count("kept ") >= 1


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("x = 1  # one\n\n\ny = (2)\n", True),
        ('"""A docstring."""\nx = 1\ny = 2\n', True),
        ("x = 1\ny = 3\n", False),
        ("x = 1\ny = '2'\n", False),
        ("x = 1\n'a text that is no docstring'\ny = 2\n", False),
    ],
)
def test_only_what_the_code_does_counts(other: str, same: bool):
    assert (press.digest_of_code("x = 1\ny = 2\n") == press.digest_of_code(other)) == same


def test_the_digest_is_the_same_in_every_python():
    source = 'async def f(x: int = 1, /) -> str:\n    return f"{x!r:>8} and {1.5:.2f}" or b"\\n"\n'
    assert press.digest_of_code(source).startswith("8ad9e698695db5da")


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_study_was_made_by_the_code_of_today(name: str):
    changed = press.stale(name)
    assert changed == [], f"{', '.join(changed)} changed since the study was made; call artbook study {name}"


@pytest.mark.parametrize("name", MODULES)
def test_the_figures_of_every_study_are_kept_whole(name: str):
    cells = [(cell.case, cell.seed) for cell in studies.read(name).cells]
    assert cells == [(task.case, task.seed) for task in press.tasks_of(name)]


@pytest.mark.parametrize("name", KEPT)
def test_kept_figures_are_small_and_name_no_path(name: str):
    text = (studies.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert len(text) < 200_000
    assert str(Path.home()) not in text
    assert json.loads(text)["study"] == name
