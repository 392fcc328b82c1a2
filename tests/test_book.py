from pathlib import Path

import pytest

from artbook.press import book as books
from artbook.press.book import Book, Record
from artbook.press.headline import Headline, Published


def a_record(**changes: object) -> Record:
    headline = Headline(
        "toy", "toy error", 0.5, "nats", "lower", 1.0, {"chance": 2.0}, {"RNN": Published(8.71, "bl2012")}
    )
    fields = {
        "chapter": "music/one",
        "profile": "cpu",
        "seed": 0,
        "inputs": {"cells": "0"},
        "seconds": 1.5,
        "cpu_seconds": 1.0,
        "peak_memory": 10**8,
        "finished": "2026-01-01T00:00:00+00:00",
        "versions": {"python": "3.11.7"},
        "headlines": (headline,),
    }
    return Record(**fields | changes)


def test_the_book_is_found_from_any_folder_below(toy_book):
    book = toy_book(music_one=("1",))
    assert Book.here(book.pages / "music") == book
    assert book.config == {"title": "A toy"}


def test_a_selection_is_made_of_parts_chapters_and_short_names(toy_book):
    book = toy_book(mathematics_forward=("1",), music_notes=("1",), music_model=("1",))
    assert book.select([]) == book.chapters == ("mathematics/forward", "music/notes", "music/model")
    assert book.select(["music"]) == ("music/notes", "music/model")
    assert book.select(["model", "mathematics/forward"]) == ("mathematics/forward", "music/model")
    with pytest.raises(ValueError, match="'poetry' is neither a part nor a chapter; there are mathematics/forward"):
        book.select(["music", "poetry"])


def test_an_unknown_profile_has_no_folder(toy_book):
    with pytest.raises(ValueError, match="'laptop' was given"):
        toy_book(music_one=("1",)).executed("music/one", "laptop")


def test_the_book_is_the_full_run_and_other_profiles_stand_beside_it(tmp_path: Path):
    assert Book(tmp_path).site("cpu") == tmp_path / "_build" / "html"
    assert Book(tmp_path).site("smoke") == tmp_path / "_build" / "html-smoke"


def test_a_record_comes_back_as_it_was(toy_book):
    book = toy_book(music_one=("1",))
    assert book.record("music/one", "cpu") is None
    book.keep(a_record(), "{}")
    assert book.record("music/one", "cpu") == a_record()
    book.keep(a_record(seed=4, seconds=2.0), "{}")
    assert book.record("music/one", "cpu", 4).seconds == 2.0
    assert book.record("music/one", "cpu").seconds == 1.5


def test_a_record_that_cannot_be_read_counts_as_none(toy_book):
    book = toy_book(music_one=("1",))
    book.keep(a_record(), "{}")
    path = book.executed("music/one", "cpu").with_suffix(".json")
    for text in ("{", "[]", '{"chapter": "music/one"}', path.read_text().replace("seconds", "minutes")):
        path.write_text(text)
        assert book.record("music/one", "cpu") is None


def test_only_a_full_run_is_held_to_its_claims():
    missed = Headline("toy", "toy error", 1.5, "nats", "lower", 1.0)
    assert a_record(headlines=(missed,)).broken_claims == (missed,)
    assert a_record(headlines=(missed,), profile="smoke").broken_claims == ()
    assert a_record().broken_claims == ()


def test_an_old_record_never_vouches_for_a_new_notebook(toy_book, monkeypatch):
    book = toy_book(music_one=("1",))
    book.keep(a_record(), "{}")
    write = books.write_atomically

    def full(path: Path, content: bytes) -> None:
        if path.suffix == ".json":
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(books, "write_atomically", full)
    with pytest.raises(OSError, match="No space left"):
        book.keep(a_record(), '{"new": 1}')
    assert book.record("music/one", "cpu") is None
