"""What several tests share: a small book of quick chapters, in a folder of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from hypothesis import settings

from artbook.press import PROFILES, notebooks
from artbook.press.book import Book

ROOT = Path(__file__).parents[1]

# How long an example takes depends on what else the machine does.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

# What the tests hang must not come into a catalogue of the reader's.
os.environ.pop("ARTBOOK_GALLERY", None)

# A shell lets what it starts in the background ignore interrupts, and so would the programs that the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--profile``: whose runs and pages the tests look at."""
    parser.addoption("--profile", default="smoke", choices=PROFILES)


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> str:
    """The profile of the runs and pages that the tests look at."""
    return pytestconfig.getoption("--profile")


PARAMETERS = 'profile: str = "cpu"\nseed: int = 0'


def write_chapter(path: Path, *cells: str) -> None:
    """A notebook with the book's parameters cell, and ``cells``; one that starts with ``#`` and a space is prose."""
    made = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}, id="parameters")]
    for number, source in enumerate(cells):
        new = nbformat.v4.new_markdown_cell if source.startswith("# ") else nbformat.v4.new_code_cell
        made.append(new(source, id=f"cell-{number}"))
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebooks.as_text(nbformat.v4.new_notebook(cells=made, metadata=metadata)), encoding="utf-8")


@pytest.fixture
def toy_book(tmp_path: Path) -> Callable[..., Book]:
    """Make a book: each keyword is a chapter (``music_one`` is ``music/one``), its value the chapter's cells."""

    def make(**chapters: tuple[str, ...]) -> Book:
        names = [name.replace("_", "/", 1) for name in chapters]
        for name, cells in zip(names, chapters.values(), strict=True):
            write_chapter(tmp_path / "book" / f"{name}.ipynb", *cells)
        listed = "".join(f"      - file: {name}\n" for name in names)
        (tmp_path / "_toc.yml").write_text(f"format: jb-book\nroot: index\nparts:\n  - chapters:\n{listed}")
        (tmp_path / "_config.yml").write_text("title: A toy\n")
        (tmp_path / "requirements.lock").write_text("numpy==2.4.6\n")
        return Book(tmp_path)

    return make


def passes_on_the_other_backend(file: str, without: str = "") -> None:
    """Whether the tests of a file pass on the backend that is not in use; in that run the caller is skipped.

    Args:
        file: of the tests.
        without: the tests with these words in their names are left out, as ``pytest -k`` reads it.
    """
    import keras  # here, so that tests without Keras need not load it

    other = {"tensorflow": "jax", "jax": "tensorflow"}[keras.backend.backend()]
    if "ARTBOOK_ONE_BACKEND" in os.environ:
        pytest.skip("this is the run on the other backend")
    environment = os.environ | {"KERAS_BACKEND": other, "ARTBOOK_ONE_BACKEND": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
    command += ["-k", f"not ({without})"] if without else []
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " 1 skipped" in done.stdout


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A server that runs; a test that kills it starts it again."""
    from mariadb_server import MariaDB, program  # here, so that tests without a database need not load SQLAlchemy

    if not (program("mariadbd") and program("mariadb-install-db")):
        why = "no MariaDB server was found; looked for mariadbd and mariadb-install-db"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    made = MariaDB(tmp_path_factory.mktemp("mariadb"))
    made.start()
    yield made
    made.kill()
