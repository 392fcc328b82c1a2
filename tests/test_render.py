"""Rendering: what is staged, what stops it, what a failure leaves; what the directives write."""

import io
import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from docutils import nodes
from docutils.utils import new_document
from mariadb_server import MariaDB
from PIL import Image
from sqlalchemy import text

from artbook.data.manifest import corpora
from artbook.data.store import write_atomically
from artbook.gallery.catalogue import opened
from artbook.gallery.entries import Entry, Source
from artbook.gallery.works import WORK_MIME, Work
from artbook.press import directives, render
from artbook.press.book import Book, Record
from artbook.press.dependencies import inputs_of, settings_of
from artbook.press.headline import Headline, Published

VERSIONS = {"python": "3.11.7", "keras": "3.15.1"}


def a_headline(value: float = 5.0, **others: object) -> Headline:
    fields = {
        "name": "one-cost",
        "title": "Cost on held-out pieces",
        "unit": "nats per frame",
        "better": "lower",
        "bound": 6.0,
    }
    return Headline(**{**fields, "value": value, **others})


def a_record(chapter: str = "music/one", profile: str = "cpu", **others: object) -> Record:
    fields = {
        "chapter": chapter,
        "profile": profile,
        "seed": 0,
        "inputs": {},
        "seconds": 61.2,
        "cpu_seconds": 185.0,
        "peak_memory": 1_234_000_000,
        "finished": "2026-11-22T09:20:11+00:00",
        "versions": VERSIONS,
        "headlines": (a_headline(),),
    }
    return Record(**{**fields, **others})


GLUED = nbformat.v4.new_output(
    "display_data",
    {"application/papermill.record/text/plain": "0.25", "application/papermill.record/text/html": "<b>a quarter</b>"},
    metadata={"scrapbook": {"name": "quarter", "mime_prefix": "application/papermill.record/"}},
)

MOON = Work("moon", "The Moon", "A poem of one line about the moon.", "text/plain", b"A bright moon", ("kanjivg",))


@pytest.fixture
def book(toy_book: Callable[..., Book], monkeypatch: pytest.MonkeyPatch) -> Book:
    """A book of one chapter, not run yet, whose libraries are one file."""
    made = toy_book(music_one=("# # One\n\n```{measured-run}\n```", "1 + 1"))
    (made.root / "_config.yml").write_text((render_settings()), encoding="utf-8")
    toc = (made.root / "_toc.yml").read_text()
    (made.root / "_toc.yml").write_text(toc + "  - chapters:\n      - file: results\n      - file: gallery\n")
    (made.pages / "gallery.md").write_text("# Gallery\n\n```{gallery}\n```\n")
    (made.pages / "index.md").write_text("# A toy book\n\nSee {doc}`music/one`.\n\n```{gallery} moon\n```\n")
    (made.pages / "results.md").write_text(
        "# Results\n\n```{headlines}\n```\n\n```{headlines} one-cost\n```\n\n"
        "```{executions}\n```\n\n```{corpora}\n```\n\n"
        "```{from-chapter} music/one::quarter\n:alt: a quarter\n\nA *quarter*.\n```\n\n```{bibliography}\n```\n"
    )
    (made.pages / "references.bib").write_text(
        "@article{key2018, author = {Key, Ann}, title = {On Keys}, journal = {Keys}, year = {2018}}\n"
    )
    monkeypatch.setattr(render, "libraries", lambda: {"_vendor/_static/vendor/one.js": b"1"})
    return made


def render_settings() -> str:
    """The book's own settings, without its pictures."""
    text = (Book.here(Path(__file__)).root / "_config.yml").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.strip().startswith(("logo: _", "favicon:")))


def keep_run(book: Book, profile: str = "smoke", works: Iterable[Work] = (MOON,), **others: object) -> None:
    """Keep a run of the chapter, as if it had been made."""
    source = nbformat.read(book.notebook("music/one"), as_version=4)
    handed_over = [nbformat.v4.new_output("display_data", {WORK_MIME: work.to_json()}) for work in works]
    source.cells[-1].outputs = [GLUED, *handed_over]
    source.cells[-1].execution_count = 1
    inputs = settings_of(profile, 0) | inputs_of(book, "music/one")
    book.keep(a_record(profile=profile, **{"inputs": inputs} | others), nbformat.writes(source))


# Staging.


def test_a_chapter_that_was_run_is_staged_executed_and_with_its_record(book: Book) -> None:
    source = book.notebook("music/one").read_bytes()
    assert render.staged_files(book, "smoke")["music/one.ipynb"] == source
    keep_run(book)
    files = render.staged_files(book, "smoke")
    assert b"a quarter" in files["music/one.ipynb"]
    assert Record.from_json(files["music/one.json"].decode()) == book.record("music/one", "smoke")
    assert files["_vendor/_static/vendor/one.js"] == b"1"
    assert render.staged_files(book, "cpu")["music/one.ipynb"] == source


def test_two_works_of_one_name_are_refused(book: Book) -> None:
    keep_run(book, works=(MOON, replace(MOON, title="Another moon")))
    with pytest.raises(ValueError, match="given were moon of music/one and moon of music/one"):
        render.staged_files(book, "smoke")


def test_a_page_has_the_words_of_today_and_the_numbers_of_the_run(book: Book) -> None:
    keep_run(book)
    path = book.notebook("music/one")
    path.write_text(path.read_text().replace("# One", "# Today"))
    staged = render.staged_files(book, "smoke")["music/one.ipynb"]
    assert b"# Today" in staged
    assert b"a quarter" in staged
    # With other code, the words of the run are shown: they belong to its numbers.
    path.write_text(path.read_text().replace("1 + 1", "1 + 2"))
    staged = render.staged_files(book, "smoke")["music/one.ipynb"]
    assert b"# Today" not in staged
    assert b"a quarter" in staged


def test_a_profile_that_there_is_not_is_refused(book: Book) -> None:
    with pytest.raises(ValueError, match="'large' was given"):
        render.staged_files(book, "large")


def test_checkpoints_are_not_staged(book: Book) -> None:
    checkpoint = book.pages / "music" / ".ipynb_checkpoints" / "one-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_text("{}")
    assert not any("checkpoint" in name for name in render.staged_files(book, "cpu"))


def test_staging_touches_only_what_differs_and_removes_what_is_stale(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    render.stage({"a.md": b"a", "music/b.md": b"b", "old/c.md": b"c"}, folder)
    for path in folder.rglob("*.md"):
        os.utime(path, (1, 1))
    render.stage({"a.md": b"a", "music/b.md": b"other"}, folder)
    assert (folder / "a.md").stat().st_mtime == 1
    assert (folder / "music" / "b.md").stat().st_mtime > 1
    assert (folder / "music" / "b.md").read_bytes() == b"other"
    assert sorted(path.name for path in folder.rglob("*")) == ["a.md", "b.md", "music"]


def test_the_libraries_are_whole_and_without_maps() -> None:
    files = render.libraries()
    names = {name.removeprefix("_vendor/_static/vendor/") for name in files}
    assert {"mathjax/tex-chtml.js", "mermaid/mermaid.min.js"} <= names
    assert any(name.endswith(".woff") for name in names)
    assert not any(name.endswith(".map") for name in names)
    assert 1e6 < sum(map(len, files.values())) < 1e7


# Rendering. Each call of Sphinx takes seconds, so one test tells one whole story.


def test_a_book_is_rendered_and_rendered_again(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    page = render.render(book, "smoke")
    assert page == book.build / "html-smoke" / "index.html"
    assert "Never run in the profile smoke" in capsys.readouterr().out
    chapter, results = (page.parent / name for name in ("music/one.html", "results.html"))
    assert directives.NOT_RUN in chapter.read_text()
    gallery = page.parent / "gallery.html"
    assert all(directives.NO_WORKS in each.read_text() for each in (gallery, page))

    published = {"Other": Published(5.5, "key2018", "other data")}
    keep_run(book, headlines=(a_headline(baselines={"mean rate": 9.1}, published=published),))
    render.render(book, "smoke")
    assert capsys.readouterr().out == ""
    assert "61 s" in chapter.read_text()
    shown = results.read_text()
    for words in ("Cost on held-out pieces", "mean rate", ">2018</a>", "other data", "<b>a quarter</b>", "3.15.1"):
        assert words in shown, words
    assert all(each.name in shown for each in corpora())
    assert 'role="doc-biblioentry"' not in shown
    assert (page.parent / "_static" / "vendor" / "one.js").read_text() == "1"
    for words in (
        "The Moon",
        "A bright moon",
        'href="works/moon.txt"',
        '<a class="reference internal" href="music/one',
    ):
        assert words in gallery.read_text(), words
        assert words in page.read_text(), words
    assert (page.parent / "works" / "moon.txt").read_bytes() == MOON.content
    facts = json.loads((page.parent / "works" / "moon.json").read_text())
    settings = {"profile": "smoke", "seed": 0} | VERSIONS
    sources = (Source.of("kanjivg"),)
    assert Entry.from_facts(facts, MOON.content) == Entry(MOON, "music/one", settings, sources)

    # Nothing changed, so Sphinx writes nothing; then one result changes, and its page with it.
    made = book.build / "render" / "smoke" / "work" / "_build" / "html" / "results.html"
    before = made.stat().st_mtime_ns
    render.render(book, "smoke")
    assert made.stat().st_mtime_ns == before
    keep_run(book, seconds=45.0, inputs={"cells": "others"})
    render.render(book, "smoke")
    assert "45 s" in chapter.read_text()
    assert "Changed since they were run, so shown as they were then: music/one." in capsys.readouterr().out


def test_the_gallery_on_sqlite_and_on_a_server_gives_the_same_page(
    book: Book, server: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = io.BytesIO()
    Image.frombytes("L", (512, 512), random.Random(0).randbytes(512 * 512)).save(noise, "png")
    dots = replace(MOON, name="dots", title="Dots", media="image/png", content=noise.getvalue(), data=())
    settings = {"temperature": 0.1, "a prompt": "月 & 🌙", "draws": 10**12, "greedy": True}
    poem = replace(MOON, name="poem", content="床前明月光 🌙".encode(), parameters=settings, weights="ab" * 32)
    # The server has a history: works that were, an edition that comes back.
    url = server.new_url()
    monkeypatch.setenv("ARTBOOK_GALLERY", url)
    for works in ((poem,), (replace(poem, title="Poem"), MOON)):
        keep_run(book, works=works)
        render.staged_files(book, "smoke")

    keep_run(book, works=(MOON, poem, dots))
    made = {}
    for name, where in {"server": url, "sqlite": ""}.items():
        monkeypatch.setenv("ARTBOOK_GALLERY", where)
        shutil.rmtree(book.build / "render", ignore_errors=True)
        site = render.render(book, "smoke").parent
        made[name] = {path.name: path.read_bytes() for path in (site / "gallery.html", *(site / "works").iterdir())}
    assert made["server"] == made["sqlite"]
    assert sorted(made["sqlite"]) == ["dots.json", "dots.png", "gallery.html", *both("moon"), *both("poem")]
    page = made["sqlite"]["gallery.html"].decode()
    assert all(work.title in page for work in (MOON, poem, dots))
    with opened(url).connect() as connection:
        names = connection.execute(text("SELECT name FROM works ORDER BY name")).scalars().all()
        assert names == ["dots", "moon", "poem", "poem"]


def both(name: str) -> list[str]:
    return [f"{name}.json", f"{name}.txt"]


def test_a_failure_leaves_the_last_good_site_and_is_not_forgotten(book: Book) -> None:
    keep_run(book)
    page = render.render(book, "smoke")
    index = book.pages / "index.md"
    index.write_text("# A toy book\n\nSee {doc}`music/none`.\n")
    for _ in range(2):
        # The second time Sphinx has no page to read anew, and must not take the warning for mended.
        with pytest.raises(render.RenderError, match=r"book/index\.md.*unknown document.*music/none"):
            render.render(book, "smoke")
    assert "music/one" in page.read_text()
    assert sorted(each.name for each in book.build.glob(".html*")) == []
    index.write_text("# A toy book\n\nMended.\n")
    assert "Mended" in render.render(book, "smoke").read_text()


def test_a_name_that_nothing_is_glued_under_is_a_failure(book: Book) -> None:
    keep_run(book)
    results = book.pages / "results.md"
    results.write_text(results.read_text().replace("one::quarter", "one::half"))
    with pytest.raises(render.RenderError, match="nothing is glued under 'half'"):
        render.render(book, "smoke")
    assert not book.site("smoke").exists()


def test_warnings_are_told_where_a_chapter_was_never_run(book: Book, capsys: pytest.CaptureFixture[str]) -> None:
    (book.pages / "index.md").write_text("# A toy book\n\n{ref}`nowhere`\n")
    render.render(book, "smoke")
    said = capsys.readouterr().out
    assert "undefined label: 'nowhere'" in said
    assert str(book.build) not in said
    assert not (book.build / "render" / "smoke" / "work" / "clean").exists()


def test_a_changed_style_reaches_pages_that_did_not_change(book: Book) -> None:
    keep_run(book)
    style = book.pages / "_static" / "book.css"
    for colour in ("red", "green"):
        write_atomically(style, f"p {{ color: {colour} }}".encode())
        site = render.render(book, "smoke").parent
        assert colour in (site / "_static" / "book.css").read_text()


def test_an_interrupted_rendering_leaves_nothing_half_written(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_run(book)
    page = render.render(book, "smoke")
    before = page.read_bytes()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            render.render(book, "smoke")
    with monkeypatch.context() as patch:
        patch.setattr(render.shutil, "copytree", interrupt)
        with pytest.raises(KeyboardInterrupt):
            render.render(book, "smoke")
    assert page.read_bytes() == before
    assert render.render(book, "smoke") == page


# What the directives write.


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (125, "2 min 5 s"),
        (3600, "60 min 0 s"),
        (179.7, "3 min 0 s"),
        (119.6, "2 min 0 s"),
    ],
)
def test_durations_are_told_in_words(seconds: float, words: str) -> None:
    assert directives.duration(seconds) == words


def test_a_run_is_told_in_a_sentence() -> None:
    assert directives.measured_run(a_record()) == (
        "Measured in the profile `cpu`: 61 s, of which the processor worked 3 min 5 s, and at most 1.2 GB of memory."
    )


def test_a_table_keeps_bars_in_its_cells() -> None:
    assert directives.table("Caption", ["a", "b"], [["x|y", ""]]) == (
        "```{table} Caption\n:align: left\n\n| a | b |\n| --- | --- |\n| x\\|y |  |\n```\n"
    )


@pytest.mark.parametrize(
    ("value", "profile", "verdict"),
    [(5.0, "cpu", "≤ 6; holds"), (7.0, "cpu", "≤ 6; **does not hold**"), (7.0, "smoke", "≤ 6; not asked of a run in")],
)
def test_a_claim_is_held_against_the_value(value: float, profile: str, verdict: str) -> None:
    assert verdict in directives.headline_table(a_headline(value), profile)


def test_executions_are_summed_and_the_missing_named() -> None:
    text = directives.executions_table({"music/one": a_record(), "music/two": None})
    assert "| {doc}`/music/one` | cpu | 61 | 185 | 1234 | 2026-11-22 09:20 |" in text
    assert "| {doc}`/music/two` | not run |  |  |  |  |" in text
    assert "| **together** |  | 61 | 185 |  |  |" in text


def test_two_versions_of_a_package_are_both_listed() -> None:
    other = a_record(versions={"python": "3.11.7", "keras": "3.13.2"})
    text = directives.versions_table([a_record(), other])
    assert "| keras | 3.13.2, 3.15.1 |" in text
    assert "| python | 3.11.7 |" in text


def test_a_glued_output_is_found_by_its_name() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell("1", outputs=[GLUED])]
    )
    assert directives.glued_output(notebook, "quarter") == {"text/plain": "0.25", "text/html": "<b>a quarter</b>"}
    with pytest.raises(LookupError, match="'half'"):
        directives.glued_output(notebook, "half")


def test_a_picture_keeps_its_alternative_text() -> None:
    directive = SimpleNamespace(options={"alt": "a dot"})
    image = directives.FromChapter._shown(directive, {"image/png": "iVBO\nRw0K\n", "text/plain": "Figure"})
    assert isinstance(image, nodes.image)
    assert (image["uri"], image["alt"]) == ("data:image/png;base64,iVBORw0K", "a dot")


def test_a_sign_of_per_cent_stays_with_its_number_in_prose_and_is_left_alone_in_code() -> None:
    document = new_document("page")
    measured = nodes.paragraph("", "", nodes.inline("", "95"), nodes.Text(" % of 7 %"), nodes.literal("", "7 % 2"))
    document += [measured, nodes.literal_block("", "8 % 3"), nodes.math_block("", "a % b")]
    directives.SetNumbers(document).run()
    assert document.astext() == "95\N{NO-BREAK SPACE}% of 7\N{NO-BREAK SPACE}%7 % 2\n\n8 % 3\n\na % b"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("2.665e-07 of the loss (claimed: ≤ 1e-05)", "2.665·10⁻⁷ of the loss (claimed: ≤\N{NO-BREAK SPACE}10⁻⁵)"),
        ("1.5e+10", "1.5·10¹⁰"),
        (
            "5% or 5 %, not %20 or 3%2F",
            "5\N{NO-BREAK SPACE}% or 5\N{NO-BREAK SPACE}%, not\N{NO-BREAK SPACE}%20 or 3%2F",
        ),
        ("-0.144 (-1 to 2), not 3-5, x-1 or 2026-11-30", "−0.144 (−1 to 2), not 3-5, x-1 or 2026-11-30"),
        ("the hash 05e1234567, 8e14, a1e-05", "the hash 05e1234567, 8e14, a1e-05"),
    ],
)
def test_powers_of_ten_and_minus_signs_are_set(written: str, wanted: str) -> None:
    assert directives.set_numbers(written) == wanted


def test_a_mark_stays_with_the_formula_before_it() -> None:
    document = new_document("page")
    formulas = [nodes.math("", letter) for letter in "abc"]
    paragraph = nodes.paragraph(
        "", "", formulas[0], nodes.Text("), and "), formulas[1], nodes.Text(" or "), formulas[2]
    )
    document += paragraph
    directives.KeepMarks(document).run()
    assert document.astext() == "a), and b or c"
    assert [type(each) for each in paragraph] == [nodes.inline, nodes.Text, nodes.math, nodes.Text, nodes.math]
    assert (paragraph[0].astext(), paragraph[0]["classes"]) == ("a),", ["unbroken"])


def test_a_diagram_needs_no_module_and_only_its_page_loads_it() -> None:
    class Script(SimpleNamespace):
        pass

    def page(doctree: object) -> tuple[list[Script], list[str]]:
        scripts = [Script(attributes={"body": 'import mermaid from "./m.js";\nrun();'}), Script(attributes={})]
        added: list[str] = []
        app = SimpleNamespace(config=SimpleNamespace(mermaid_use_local="m.js"), add_js_file=added.append)
        directives.mend_page(app, "page", "page.html", {"script_files": scripts}, doctree)
        return scripts, added

    scripts, added = page(nodes.document)
    assert scripts[0].attributes["body"] == "\nrun();"
    assert added == ["m.js"]
    scripts, added = page(None)
    assert len(scripts) == 1
    assert added == []


def test_chosen_works_come_in_the_order_of_their_names() -> None:
    moon, sun = (Entry(replace(MOON, name=name), "music/one", {"seed": 0}, ()) for name in ("moon", "sun"))
    ran: dict[str, Record | None] = {"music/one": a_record()}
    assert directives.chosen_works(["sun", "moon"], [moon, sun], ran) == [sun, moon]
    assert directives.chosen_works(["star", "moon"], [moon, sun], ran | {"music/two": None}) == [moon]
    with pytest.raises(LookupError, match="the work 'star'"):
        directives.chosen_works(["star", "moon"], [moon, sun], ran)


def test_chosen_headlines_are_a_row_each_with_their_chapter() -> None:
    ran = {"music/one": a_record()}
    text = directives.chosen_headlines(["one-cost"], ran)
    assert "| Cost on held-out pieces ({doc}`/music/one`) | 5 nats per frame | ≤ 6 |" in text
    assert "not run" not in text and "smoke" not in text
    without = directives.chosen_headlines(["other", "one-cost"], ran | {"music/two": None})
    assert "| `other` | not run |" in without and "not run for these pages: 1 of 2." in without
    assert "held to a claim" in directives.chosen_headlines(["one-cost"], {"music/one": a_record(profile="smoke")})
    with pytest.raises(LookupError, match="no chapter recorded the headline 'other'"):
        directives.chosen_headlines(["one-cost", "other"], ran)


def test_the_record_survives_the_way_to_the_page() -> None:
    record = a_record(headlines=(a_headline(published={"Other": Published(5.5, "key2018")}),))
    assert json.loads(record.to_json())["headlines"][0]["published"]["Other"]["citation"] == "key2018"
    assert Record.from_json(record.to_json()) == record
