from pathlib import Path

import pytest

from artbook.press import notebooks
from artbook.press.dependencies import (
    imported_names,
    inputs_of,
    module_file,
    modules_of,
    other_code,
    settings_of,
    what_changed,
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the same shape as the book's: music and images both stand on data."""
    files = {
        "__init__.py": "",
        "data/__init__.py": "",
        "data/store.py": "",
        "data/manifest.json": "{}",
        "music/__init__.py": "",
        "music/midi.py": "def read():\n    from artbook.data import store\n    return store\n",
        "images/__init__.py": "",
        "images/pictures.py": "import artbook.data.store as store\n",
        "show.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "artbook" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "artbook"


def test_names_are_found_wherever_the_import_stands():
    source = "import numpy as np\nif True:\n    def f():\n        from artbook.music import midi as m\n"
    assert set(imported_names(source)) == {"numpy", "artbook.music", "artbook.music.midi"}


def test_a_relative_import_is_refused():
    with pytest.raises(ValueError, match="line 1 has a relative import"):
        list(imported_names("from .data import store"))


def test_modules_are_followed_to_the_end_with_their_packages(package: Path):
    found = modules_of("from artbook.music.midi import read", package)
    assert set(found) == {"artbook", "artbook.music", "artbook.music.midi", "artbook.data", "artbook.data.store"}
    assert found["artbook.data.store"] == package / "data" / "store.py"


def test_names_from_elsewhere_and_unknown_ones_have_no_file(package: Path):
    assert module_file("numpy", package) is None
    assert module_file("artbook.nothing", package) is None


def test_a_change_counts_only_where_it_is_imported(toy_book, package: Path):
    book = toy_book(music_one=("from artbook.music import midi",), images_two=("from artbook.images import pictures",))

    def inputs() -> tuple[dict, dict]:
        return tuple(dict(inputs_of(book, name, package)) for name in book.chapters)

    music, images = inputs()
    (package / "images" / "pictures.py").write_text("import artbook.data.store as store\nSIZE = 32\n")
    assert what_changed(music, inputs()[0]) == []
    assert what_changed(images, inputs()[1]) == ["artbook.images.pictures"]
    (package / "data" / "store.py").write_text("LIMIT = 1\n")
    assert what_changed(music, inputs()[0]) == ["artbook.data.store"]
    (package / "data" / "manifest.json").write_text('{"new": 1}')
    assert "data/manifest.json" in what_changed(music, inputs()[0])
    (book.root / "requirements.lock").write_text("numpy==2.4.7\n")
    assert "lock" in what_changed(music, inputs()[0])


def test_a_chapter_without_data_does_not_depend_on_the_manifest(toy_book, package: Path):
    book = toy_book(music_one=("from artbook import show",))
    before = inputs_of(book, "music/one", package)
    (package / "data" / "manifest.json").write_text('{"new": 1}')
    assert what_changed(before, inputs_of(book, "music/one", package)) == []


def test_settings_and_cells_count(toy_book, monkeypatch):
    book = toy_book(music_one=("1 + 1",))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    settings = settings_of("smoke", 0)
    assert what_changed(settings, settings_of("cpu", 1)) == ["profile", "seed"]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert what_changed(settings, settings_of("smoke", 0)) == ["backend"]
    before = inputs_of(book, "music/one")
    path = book.notebook("music/one")
    path.write_text(path.read_text().replace("1 + 1", "1 + 2"))
    assert "cells" in what_changed(before, inputs_of(book, "music/one"))


def test_prose_and_captions_do_not_count(toy_book):
    book = toy_book(music_one=("# One", "1 + 1"))
    before = inputs_of(book, "music/one")
    path = book.notebook("music/one")
    notebook = notebooks.read(path)
    notebook.cells[1].source = "# Another title"
    notebook.cells[2].metadata = {"tags": ["hide-input"]}
    path.write_text(notebooks.as_text(notebook))
    assert what_changed(before, inputs_of(book, "music/one")) == []


def test_notebook_magics_are_understood(toy_book):
    book = toy_book(music_one=("%matplotlib inline\nfrom artbook import music",))
    assert "artbook.music" in inputs_of(book, "music/one")


def test_other_modules_and_other_tables_are_named(toy_book, package: Path):
    book = toy_book(music_one=("from artbook.music import midi",))
    inputs = inputs_of(book, "music/one", package)
    assert other_code(inputs, package) == []
    (package / "music" / "midi.py").unlink()
    (package / "data" / "manifest.json").write_text('{"new": 1}')
    assert other_code(inputs, package) == ["artbook.music.midi", "data/manifest.json"]


def test_a_chapter_depends_on_the_studies_that_its_code_names(toy_book, package: Path):
    (package / "studies").mkdir()
    for name in ("__init__.py", "growth.json", "decay.json"):
        (package / "studies" / name).write_text("")
    reads = 'from artbook import studies\nstudies.read("growth")'
    book = toy_book(music_one=(reads,), music_two=('print("growth")',))
    reader, other = (inputs_of(book, name, package) for name in book.chapters)
    (package / "studies" / "growth.json").write_text("{}")
    (package / "studies" / "decay.json").write_text("{}")
    assert what_changed(reader, inputs_of(book, "music/one", package)) == ["studies/growth.json"]
    assert what_changed(other, inputs_of(book, "music/two", package)) == []
    assert other_code(reader, package) == ["studies/growth.json"]


def test_a_table_beside_a_module_counts_with_it(toy_book, package: Path):
    (package / "music" / "midi.json").write_text("[]")
    book = toy_book(music_one=("from artbook.music import midi",), music_two=("from artbook import show",))
    reader, other = (inputs_of(book, name, package) for name in book.chapters)
    (package / "music" / "midi.json").write_text("[1]")
    assert what_changed(reader, inputs_of(book, "music/one", package)) == ["music/midi.json"]
    assert what_changed(other, inputs_of(book, "music/two", package)) == []
    assert other_code(reader, package) == ["music/midi.json"]
