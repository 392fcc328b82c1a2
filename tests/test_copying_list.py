"""The list of what each generative chapter measured of copying, and the table that is made of it."""

import json

import pytest
from conftest import ROOT

from artbook.press import copying
from artbook.press.book import Book
from artbook.press.copying import Measured

BOOK = Book(ROOT)
LIST = copying.read(BOOK.pages / "copying.yml")


def test_every_chapter_that_hands_works_to_the_gallery_is_measured():
    # The chapter with the table measures its own cheap models in its text.
    sources = {
        chapter: BOOK.notebook(chapter).read_text(encoding="utf-8")
        for chapter in BOOK.chapters
        if chapter != "responsibility/originality"
    }
    assert {chapter for chapter, source in sources.items() if "exhibit(" in source} <= {each.chapter for each in LIST}


@pytest.mark.parametrize("each", LIST, ids=lambda each: f"{each.chapter}-{each.ours}")
def test_what_is_listed_is_in_the_book(each):
    assert {each.chapter, each.judge} <= set(BOOK.chapters)
    cells = json.loads(BOOK.notebook(each.judge).read_text(encoding="utf-8"))["cells"]
    assert any("glue(" in "".join(cell["source"]) for cell in cells)


def test_the_table_shows_numbers_what_is_expected_and_what_was_not_run():
    glued = {("words/poems", "ours"): 1.23456, ("words/poems", "theirs"): 50.0}
    measured = (
        Measured("words/poems", "poems", "lines, %", "ours", "theirs"),
        Measured("words/poems", "poems", "lines, %", "ours", 1),
        Measured("words/poems", "poems", "lines, in per cent of a share", "ours", 2, times=100),
        Measured("pictures/film", "films", "pages, %", "ours", "theirs", judged="pictures/style"),
    )
    assert copying.rows(measured, lambda chapter, name: glued.get((chapter, name))) == [
        ("{doc}`/words/poems`", "poems: lines, %", "1.23", "50"),
        ("{doc}`/words/poems`", "poems: lines, %", "1.23", "1 (expected)"),
        ("{doc}`/words/poems`", "poems: lines, in per cent of a share", "123", "2 (expected)"),
        ("{doc}`/pictures/film`", "films: pages, %", "not run", "not run"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: b", "a list of measures was wanted, dict was given"),
        (
            "- words",
            "a measure has chapter, judged, makes, measure, ours, real, times, of which judged and times may be left"
            " out; 'words'",
        ),
        ("- {chapter: a, makes: b, measure: c, ours: d}", "a measure has"),
        ("- {chapter: a, makes: b, measure: c, ours: d, real: 1, more: 2}", "a measure has"),
    ],
)
def test_another_form_is_refused(tmp_path, text, message):
    path = tmp_path / "copying.yml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        copying.read(path)
