"""The Colab edition: what it says, and that it runs on Colab's versions and leaves them alone."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from artbook.press.book import Book
from artbook.press.colab import DIRECTIVES, SET_UP, Edition, write_edition
from artbook.press.dependencies import imported_names, modules_of

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/owner/art-book"
SITE = "https://owner.github.io/art-book"
COLAB = ROOT / "tests" / "colab-versions.txt"

CONFIG = "title: A book\nrepository:\n  url: https://github.com/x/y\n  branch: colab\n"
TOC = "root: index\nparts:\n  - caption: One\n    chapters:\n      - file: one/first\n      - file: one/second\n"
REFERENCES = r"""
@article{ada, author = {Lovelace, Ada}, title = {Notes}, year = {1843}}
@article{pair, author = {G{\"o}del, Kurt and von Neumann, John}, title = {Two}, year = {1931}}
@article{crowd, author = {A, B and C, D and E, F}, title = {Three}, year = {2000}}
@misc{office, title = {The office}}
"""
GLOSSARY = "# Glossary\n\n```{glossary}\nPiano roll\n  (…) A table of keys and steps.\n```\n"


def chapter(*cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return new_notebook(cells=list(cells))


def code(source: str, *tags: str, **metadata: object) -> nbformat.NotebookNode:
    return new_code_cell(source, metadata={"tags": list(tags), **metadata})


def make_book(root: Path, *cells: nbformat.NotebookNode) -> Book:
    """A book of two chapters, of which the first has the cells."""
    pages = root / "book"
    (pages / "one").mkdir(parents=True)
    (root / "_config.yml").write_text(CONFIG)
    (root / "_toc.yml").write_text(TOC)
    (pages / "references.bib").write_text(REFERENCES)
    (pages / "glossary.md").write_text(GLOSSARY)
    (pages / "index.md").write_text("# The front\n\n(a-place)=\n## A place\n")
    second = chapter(
        new_markdown_cell("# The second\n\n(there_too)=\n## There\n\n$$\na = b\n$$ (eq-there)"),
        code("2", mystnb={"figure": {"name": "fig-there", "caption": "That."}}),
    )
    nbformat.write(chapter(*cells), pages / "one" / "first.ipynb")
    nbformat.write(second, pages / "one" / "second.ipynb")
    return Book(root)


def keep_executed(book: Book, **glued: object) -> None:
    prefix = "application/papermill.record/"
    outputs = [
        new_output(
            "display_data",
            data={prefix + "text/plain": repr(value)},
            metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        )
        for name, value in glued.items()
    ]
    path = book.executed("one/first", "cpu")
    path.parent.mkdir(parents=True)
    cell = new_code_cell("glue", outputs=outputs, execution_count=1)
    nbformat.write(chapter(cell), path)


def edition_of(tmp_path: Path, *cells: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The chapter's cells in the Colab edition, without the note and the set-up."""
    book = make_book(tmp_path, *cells)
    return Edition(book, REPOSITORY).notebook("one/first", "artbook").cells[2:]


def translated(tmp_path: Path, text: str) -> str:
    return "\n---\n".join(cell.source for cell in edition_of(tmp_path, new_markdown_cell(text)))


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("Plain $x_1$ and `code`.", "Plain $x_1$ and `code`."),
        ("{term}`piano roll`", f"[piano roll]({SITE}/glossary.html#term-Piano-roll)"),
        ("{term}`rolls <piano roll>`", f"[rolls]({SITE}/glossary.html#term-Piano-roll)"),
        ("{doc}`second`", f"[The second]({SITE}/one/second.html)"),
        ("{doc}`/index`", f"[The front]({SITE}/index.html)"),
        ("{doc}`that <../index>`", f"[that]({SITE}/index.html)"),
        ("{ref}`a-place`", f"[A place]({SITE}/index.html#a-place)"),
        ("{ref}`here\n<there_too>`", f"[here]({SITE}/one/second.html#there-too)"),
        ("{numref}`fig-there`", f"[The second]({SITE}/one/second.html#fig-there)"),
        ("{numref}`Figure %s <fig-there>`", f"[The second]({SITE}/one/second.html#fig-there)"),
        ("{eq}`eq-there`", f"[The second]({SITE}/one/second.html#eq-there)"),
        ("{cite:p}`ada,crowd`", f"[(Lovelace, 1843; A et al., 2000)]({SITE}/references.html)"),
        ("{cite:t}`pair`", f"[Gödel and von Neumann (1931)]({SITE}/references.html)"),
        ("{cite:t}`office`", f"[The office (n.d.)]({SITE}/references.html)"),
        ("{math}`x^2`", "$x^2$"),
        (
            "[there](second.md#x) and [out](https://a.b/c.md)",
            f"[there]({SITE}/one/second.html#x) and [out](https://a.b/c.md)",
        ),
        ("(label)=\n## Heading\n% a comment\n+++\nText", "## Heading\n\nText"),
        ("$$\ny = x\n$$ (eq-y)\n\nBy {eq}`eq-y`.", "$$\ny = x \\tag{1}\n$$\n\nBy (1)."),
        ("```{math}\n:label: eq-y\ny = x\n```", "$$\ny = x \\tag{1}\n$$"),
        ("```{math}\ny = x\n```", "$$\ny = x\n$$"),
        ("```python\n{term}`x`\n:::\n```", "```python\n{term}`x`\n:::\n```"),
        (":::{note}\nOne.\n\nTwo.\n:::", "> **Note**\n>\n> One.\n>\n> Two."),
        (
            "```{headlines} one-cost other\n```",
            f"The table that belongs here is on [the page]({SITE}/one/first.html).",
        ),
        (
            "```{copying}\n```",
            f"The table that belongs here is on [the page]({SITE}/one/first.html).",
        ),
        (
            "::::{admonition} Before you start\n:class: tip\n**Run time**\n```{measured-run}\n```\n::::\nAfter.",
            "> **Before you start**\n>\n> **Run time**\n>\n"
            "> This chapter has not been run in the profile that these pages were made from.\n\nAfter.",
        ),
        ("```{prf:theorem} Chain rule\nText.\n```", "> **Theorem. Chain rule**\n>\n> Text."),
        (
            ":::{dropdown} Two\nRight. See {doc}`second`.\n:::",
            f"<details><summary>Two</summary>\n\nRight. See [The second]({SITE}/one/second.html).\n\n</details>",
        ),
        (
            "```{exercise} Try\n:label: ex-a\nDo it.\n```\n```{solution-start} ex-a\n:class: dropdown\n```",
            "**Exercise 1. Try**\n\nDo it.\n\n**Solution of Exercise 1**: unfold the next cell.",
        ),
        (
            "````{solution-start} ex-b\n:class: dropdown\n````\n\nThus {math}`x`:\n\n```text\n1\n```\n"
            "````{solution-end}\n````\n````{exercise} B\n:label: ex-b\n````",
            "**Solution of Exercise 1**: unfold the next cell.\n\n<details><summary>In words</summary>\n\n"
            "Thus $x$:\n\n```text\n1\n```\n\n</details>\n\n**Exercise 1. B**",
        ),
        ("```{glue} sound\n```", f"A cell below makes it; [the page]({SITE}/one/first.html) shows it here."),
        ("```{mermaid}\ngraph LR\n```", f"The diagram that belongs here is on [the page]({SITE}/one/first.html)."),
        ("```{table} Shapes\n| a |\n| --- |\n```", "*Shapes*\n\n| a |\n| --- |"),
        ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
        (
            "```{glue:figure} loss\n:name: fig-loss\nThe loss.\n```\nIn {numref}`fig-loss`",
            "**Figure 1.** The loss.\n\nA cell below makes it; "
            f"[the page]({SITE}/one/first.html#fig-loss) shows it here.\n\nIn Figure 1",
        ),
        ("- one\n\n  ```{note}\n  inner\n  ```", "- one\n\n  > **Note**\n  >\n  > inner"),
    ],
)
def test_myst_becomes_what_colab_shows(tmp_path: Path, myst: str, markdown: str) -> None:
    assert translated(tmp_path, myst) == markdown


def test_a_cell_of_which_nothing_is_left_is_dropped(tmp_path: Path) -> None:
    assert edition_of(tmp_path, new_markdown_cell("```{solution-end}\n```")) == []


@pytest.mark.parametrize(
    ("myst", "what"),
    [
        ("```{grid} 2\n```", "directive 'grid'"),
        ("{kbd}`x`", "role 'kbd'"),
        ("{ref}`nowhere`", "label 'nowhere'"),
        ("{doc}`third`", "page 'one/third'"),
        ("{cite:p}`nobody`", "nobody"),
    ],
)
def test_what_colab_cannot_show_is_named(tmp_path: Path, myst: str, what: str) -> None:
    with pytest.raises(ValueError, match=rf"one/first.*{what}"):
        translated(tmp_path, myst)


def test_measured_values_come_from_the_executed_chapter(tmp_path: Path) -> None:
    text = "{glue:text}`loss:.2f` and {glue:text}`count` and {glue:text}`word`"
    book = make_book(tmp_path, new_markdown_cell(text))
    assert Edition(book, REPOSITORY).notebook("one/first", "a").cells[2].source == " and ".join(
        ["*(run the cells below)*"] * 3
    )
    keep_executed(book, loss=0.12345, count=3, word="Bach")
    assert Edition(book, REPOSITORY).notebook("one/first", "a").cells[2].source == "0.12 and 3 and Bach"


def test_code_cells_keep_their_code_lose_their_output_and_fold(tmp_path: Path) -> None:
    run = code("1 + 1", "nbval-check-output", "keep_output")
    run.outputs, run.execution_count = [new_output("stream", text="2")], 7
    figure = code("draw()", "hide-input", mystnb={"figure": {"name": "fig-a", "caption": "As in {doc}`second`."}})
    kept, drawn, caption, solution, parameters = edition_of(
        tmp_path, run, figure, code("answer", "solution"), code('profile: str = "cpu"', "parameters")
    )
    assert (kept.source, kept.outputs, kept.execution_count) == ("1 + 1", [], None)
    assert drawn.metadata.cellView == solution.metadata.cellView == "form"
    assert drawn.source.endswith('{ display-mode: "form" }\ndraw()')
    assert solution.source == '#@title Solution { display-mode: "form" }\nanswer'
    assert caption.source == f"**Figure 1.** As in [The second]({SITE}/one/second.html)."
    assert parameters.metadata.tags == ["parameters"]
    assert "cellView" not in kept.metadata


def test_the_note_leads_to_page_source_and_colab(tmp_path: Path) -> None:
    book = make_book(tmp_path, new_markdown_cell("# The first"))
    (first, second) = write_edition(book, "artbook @ git+https://x", f"{REPOSITORY}.git", tmp_path / "out")
    assert first == tmp_path / "out" / "one" / "first.ipynb"
    assert second.is_file()
    notebook = nbformat.read(first, as_version=4)
    note, set_up, title = notebook.cells
    assert f"[The first]({SITE}/one/first.html)" in note.source
    assert f"{REPOSITORY}/blob/HEAD/book/one/first.ipynb" in note.source
    assert "https://colab.research.google.com/github/owner/art-book/blob/colab/one/first.ipynb" in note.source
    assert "'artbook @ git+https://x'" in set_up.source
    assert title.source == "# The first"
    assert notebook.metadata.accelerator == "GPU"


@pytest.mark.parametrize("repository", ["", "owner/name", "https://example.org/owner/name", "https://github.com/owner"])
def test_a_wrong_repository_is_refused(tmp_path: Path, repository: str) -> None:
    with pytest.raises(ValueError, match=r"https://github\.com/OWNER/NAME"):
        write_edition(make_book(tmp_path), "artbook", repository, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["", "  ", "--upgrade", "artbook\nkeras"])
def test_a_wrong_package_is_refused(tmp_path: Path, package: str) -> None:
    with pytest.raises(ValueError, match="one requirement"):
        write_edition(make_book(tmp_path), package, REPOSITORY, tmp_path / "out")


def uv(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "uv", *map(str, arguments)], check=True)


# The book itself.


def book_of_the_checkout() -> Book:
    return Book(ROOT)


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory, package: str) -> dict[str, Path]:
    """The book's own Colab edition, by chapter."""
    book = book_of_the_checkout()
    return dict(
        zip(book.chapters, write_edition(book, package, REPOSITORY, tmp_path_factory.mktemp("colab")), strict=True)
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The package as pip is to install it: a wheel of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    # By way of a source archive: built in the checkout, a wheel leaves a folder there and takes up what is in it.
    uv("build", "-q", "--out-dir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    return f"artbook @ {wheel.as_uri()}"


LEFT_OVER = re.compile(
    r"^\s*(?:`{3,}|:{3,})\{|^\s*:{3,}|\{[\w:.-]+\}`|^\([\w-]+\)=|\$\$[ ]*\([\w-]+\)|^:[\w-]+:|^%|^\+\+\+", re.MULTILINE
)


def left_over(text: str) -> list[str]:
    """MyST's own syntax outside listings."""
    return LEFT_OVER.findall(re.sub(r"^```(?!\{).*?^```", "", text, flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("name", book_of_the_checkout().chapters)
def test_no_myst_is_left_in_a_chapter(edition: dict[str, Path], name: str) -> None:
    notebook = nbformat.read(edition[name], as_version=4)
    nbformat.validate(notebook)
    prose = [left_over(cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    assert [found for found in prose if found] == []
    assert len(prose) > 10
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_the_leftover_check_finds_leftovers() -> None:
    for name in DIRECTIVES:
        assert left_over(f"Text.\n```{{{name}}} x\nText.\n```")
    for text in (":::{note}", "a {term}`b`", "(x)=", "$$ (eq)", ":label: x", "% note", "+++"):
        assert left_over(text), text
    assert left_over("```text\n{term}`b`\n```\n> **Note**\n$$\nx\n$$\n<details> {x} `y` (z) = 50 %") == []


@pytest.mark.parametrize("name", book_of_the_checkout().chapters)
def test_links_lead_to_rendered_pages_and_their_anchors(edition: dict[str, Path], name: str, profile: str) -> None:
    site = book_of_the_checkout().site(profile)
    if not site.is_dir():
        why = "the pages are not rendered: call make book"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    notebook = nbformat.read(edition[name], as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = set(re.findall(rf"\]\({SITE}/([^)#]+)(?:#([^)]+))?\)", prose))
    assert len(links) > 10
    ids = {page: set(re.findall(r'\bid="([^"]+)"', (site / page).read_text(encoding="utf-8"))) for page, _ in links}
    assert {(page, anchor) for page, anchor in links if anchor and anchor not in ids[page]} == set()


# On Colab's versions.


def python_313() -> str | None:
    """An interpreter of Colab's Python, or ``None``; one that pyenv holds back counts too."""
    candidates = [Path(sys.executable)] if sys.version_info[:2] == (3, 13) else []
    candidates += [Path(found) for found in [shutil.which("python3.13")] if found]
    candidates += sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.13*/bin/python3.13")
    )
    for candidate in candidates:
        asked = subprocess.run(
            [candidate, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == "(3, 13)":
            return str(candidate)
    return None


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The interpreter of an environment with Colab's versions, and nothing of the book in it."""
    base = python_313()
    if base is None:
        why = "no Python 3.13, which is Colab's, on this machine"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    folder = ROOT / ".venv-colab"
    folder.mkdir(exist_ok=True)
    key = hashlib.sha256(COLAB.read_bytes() + base.encode()).hexdigest()
    # The environment is kept between calls; what an earlier call added is taken out again.
    with FileLock(folder / ".turn"):
        stamp, python = folder / ".key", folder / "env" / "bin" / "python"
        if not stamp.is_file() or stamp.read_text() != key:
            uv("venv", "-q", "--clear", "--python", base, folder / "env")
        uv("pip", "sync", "-q", "--python", python, COLAB)
        stamp.write_text(key)
        yield python


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of data that is empty at first, as on Colab; the chapters share it."""
    return tmp_path_factory.mktemp("data")


def freeze(python: Path) -> set[str]:
    """What is installed, name and version."""
    command = [python, "-m", "pip", "list", "--format=freeze"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_what_would_replace_a_version_is_refused(colab: Path) -> None:
    before = freeze(colab)
    done = run_set_up(colab, package="numpy>2.1.3")
    assert done.returncode != 0
    assert "RuntimeError: pip could not add the book's package" in done.stderr
    assert "The user requested (constraint) numpy==2.1.3" in done.stderr
    assert freeze(colab) == before


def run_set_up(python: Path | str, package: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up cell; at its end it prints the profile."""
    code = SET_UP.format(package=package) + "print(os.environ.get('ARTBOOK_PROFILE'))"
    kept = {name: value for name, value in os.environ.items() if name != "ARTBOOK_PROFILE"}
    return subprocess.run([python, "-c", code], env=kept | environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("answer", "given", "profile"),
    [(0, {}, "gpu"), (0, {"ARTBOOK_PROFILE": "smoke"}, "smoke"), (9, {}, "None"), (None, {}, "None")],
    ids=["a GPU", "a profile is chosen", "a GPU that does not answer", "no GPU"],
)
def test_a_gpu_chooses_the_profile(tmp_path: Path, answer: int | None, given: dict[str, str], profile: str) -> None:
    if answer is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nexit {answer}\n")
        program.chmod(0o755)
    done = run_set_up(sys.executable, "artbook", PATH=str(tmp_path), **given)
    assert (done.stdout.strip(), done.stderr) == (profile, "")


def packages_of(book: Book, chapter: str) -> frozenset[str]:
    """The packages, not of Python nor of the book, that a chapter imports, itself or by a module of the book."""
    cells = "\n".join(
        cell.source for cell in nbformat.read(book.notebook(chapter), 4).cells if cell.cell_type == "code"
    )
    texts = [cells, *(path.read_text(encoding="utf-8") for path in modules_of(cells).values())]
    names = {name.split(".")[0] for text in texts for name in imported_names(text)}
    return frozenset(names - sys.stdlib_module_names - {"artbook"})


def chapters_to_run() -> list[str]:
    """Few chapters that together import all packages that chapters do; every one with ``ARTBOOK_COLAB=all``."""
    book = book_of_the_checkout()
    if os.environ.get("ARTBOOK_COLAB") == "all":
        return list(book.chapters)
    needed = {chapter: packages_of(book, chapter) for chapter in book.chapters}
    chosen: list[str] = []
    missing = frozenset.union(*needed.values())
    while missing:
        # The one that brings the most of what is missing; of several, the last.
        chosen.append(max(reversed(book.chapters), key=lambda chapter: len(needed[chapter] & missing)))
        missing -= needed[chosen[-1]]
    return sorted(chosen)


@pytest.mark.parametrize("name", chapters_to_run())
def test_a_chapter_runs_alone_on_colabs_versions_and_changes_none(
    edition: dict[str, Path], colab: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pinned = {line for line in COLAB.read_text().splitlines() if line and not line.startswith("#")}
    before = freeze(colab)
    assert {"tensorflow==2.20.0", "keras==3.13.2", "numpy==2.1.3", "matplotlib==3.10.0"} <= before & pinned
    kernel = {
        "argv": [str(colab), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab",
        "language": "python",
    }
    folder = tmp_path / "jupyter" / "kernels" / "colab"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("ARTBOOK_PROFILE", "smoke")
    monkeypatch.setenv("ARTBOOK_CACHE", str(data))
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    alone = tmp_path / "empty"
    alone.mkdir()

    notebook = nbformat.read(edition[name], as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="colab", resources={"metadata": {"path": alone}}).execute()

    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "Python 3.13" in printed
    assert "Keras 3.13.2 on tensorflow 2.20.0 · NumPy 2.1.3" in printed
    after = freeze(colab)
    assert before <= after
    assert any(line.startswith("artbook==") for line in after)
