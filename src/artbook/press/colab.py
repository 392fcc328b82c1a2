"""The Colab edition: each chapter as a notebook that stands alone, in the Markdown that Colab shows.

Colab has its own TensorFlow, Keras and NumPy. The set-up cell pins every version that it finds, so pip
can add packages and replace none.
"""

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from posixpath import dirname, join, normpath

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from pybtex.database import BibliographyData, Entry, parse_file

from artbook.data.store import write_atomically
from artbook.press import notebooks
from artbook.press.book import Book
from artbook.press.directives import NOT_RUN, glued_output, measured_run

SET_UP = """\
#@title Set up: add the book's package, change nothing that is there {{ display-mode: "form" }}
import importlib.util, os, pathlib, shutil, subprocess, sys, tempfile

def pip(*arguments):
    done = subprocess.run([sys.executable, "-m", "pip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not add the book's package:\\n{{done.stdout}}{{done.stderr}}")
    return done.stdout

if importlib.util.find_spec("artbook") is None:
    installed = pathlib.Path(tempfile.mkdtemp(), "installed.txt")
    installed.write_text(pip("list", "--format=freeze"))
    pip("install", "--constraint", str(installed), {package!r})
    importlib.invalidate_caches()

# With a GPU the chapter runs in the profile gpu; without these two lines, in the one that is named below.
if shutil.which("nvidia-smi") and subprocess.run(["nvidia-smi"], capture_output=True).returncode == 0:
    os.environ.setdefault("ARTBOOK_PROFILE", "gpu")
"""
NOTE = """\
This is the Colab edition of [{title}]({page}), a chapter of a book. \
Its source is [in the book's repository]({source}); [this link]({colab}) opens it in Colab.

Run the cell below first: it adds the book's package and leaves the versions that Colab has as they are. \
With a GPU (Runtime, Change runtime type) the chapter runs in the profile `gpu`: its models are larger and better.
"""
_METADATA = {
    "accelerator": "GPU",
    "colab": {"gpuType": "T4", "provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# Cells that the page folds are folded in Colab too, under a title.
_FOLDED = {"solution": "Solution", "hide-input": "Code of what is shown", "remove-input": "Code of what is shown"}

_FENCE = re.compile(r"(?P<indent>\s*)(?P<fence>:{3,}|`{3,})(?:\{(?P<name>[\w:.-]+)\}(?P<argument>.*))?")
_OPTION = re.compile(r"\s*:(?P<key>[\w-]+):\s*(?P<value>.*)")
_ROLE = re.compile(r"(?<!`)\{(?P<name>[\w:.+-]+)\}`(?P<text>[^`]+)`")
# What announces a solution, and its words up to the next code cell.
_SOLUTION = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{solution-start\}[ ]*(?P<exercise>\S+)\n.*?^(?P=fence)[ ]*$"
    r"(?P<words>.*?)(?=^(?:`{3,}|:{3,})\{solution-end\}|\Z)",
    re.DOTALL | re.MULTILINE,
)
_EQUATION = re.compile(r"\$\$(?P<body>.+?)\$\$[ ]*\((?P<label>[\w:-]+)\)", re.DOTALL)
_PAGE_LINK = re.compile(r"\]\((?![a-z]+:|#)(?P<page>[^)#\s]+)\.(?:md|ipynb)(?P<anchor>#[^)\s]*)?\)")
_SECTION = re.compile(r"^\((?P<label>[\w:.-]+)\)=[ ]*$", re.MULTILINE)
_LABELLED = re.compile(
    r"\{(?P<name>[\w:.-]+)\}[^\n]*\n(?:[ ]*:[\w-]+:[^\n]*\n)*?[ ]*:(?:label|name):[ ]*(?P<label>\S+)"
)
_HEADING = re.compile(r"^#+[ ]+(?P<text>.+?)[ ]*$", re.MULTILINE)
_KINDS = {
    "figure": "Figure",
    "glue:figure": "Figure",
    "mermaid": "Figure",
    "table": "Table",
    "exercise": "Exercise",
    "math": "Equation",
}


def write_edition(book: Book, package: str, repository: str, out: Path) -> list[Path]:
    """Write each chapter's notebook for Colab.

    Args:
        book: the checkout; values and times come from its executed chapters of the profile ``cpu``, if there.
        package: what pip installs, for example ``artbook @ git+https://…@v1``.
        repository: its address, ``https://github.com/OWNER/NAME``.
        out: the folder to write to; the notebooks stand in it as the chapters do in the book.

    Returns:
        The files that were written.

    Raises:
        ValueError: ``package`` or ``repository`` is not of that form, or a chapter has MyST that Colab cannot show.
    """
    if not package.strip() or package.startswith("-") or "\n" in package:
        raise ValueError(f"the package is one requirement for pip; {package!r} was given")
    edition = Edition(book, repository)
    texts = {chapter: notebooks.as_text(edition.notebook(chapter, package)) for chapter in book.chapters}
    paths = [out / f"{chapter}.ipynb" for chapter in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_atomically(path, text.encode())
    return paths


@dataclass(frozen=True)
class Target:
    """What a label stands for.

    Attributes:
        page: where it is, for example ``music/first-model``.
        kind: ``Section``, ``Figure``, ``Table``, ``Exercise`` or ``Equation``.
        text: of a section its heading, of all else its number on the page.
    """

    page: str
    kind: str
    text: str


@dataclass(frozen=True)
class Page:
    """A page of the book, or a chapter's notebook, as its source cells.

    Attributes:
        name: for example ``music/first-model``.
        cells: a page in Markdown is one cell.
    """

    name: str
    cells: tuple[NotebookNode, ...]

    @classmethod
    def read(cls, folder: Path, path: Path) -> "Page":
        """The page in the file ``path`` below the book's ``folder``."""
        name = path.relative_to(folder).with_suffix("").as_posix()
        if path.suffix == ".ipynb":
            return cls(name, tuple(notebooks.read(path).cells))
        return cls(name, (new_markdown_cell(path.read_text(encoding="utf-8")),))

    @property
    def title(self) -> str:
        """The first heading."""
        headings = (_HEADING.search(cell.source) for cell in self.cells if cell.cell_type == "markdown")
        return next((heading["text"] for heading in headings if heading), self.name)

    @cached_property
    def targets(self) -> dict[str, Target]:
        """The page's labels, each kind numbered in the order of the page."""
        found: dict[str, Target] = {}
        counts: dict[str, int] = {}
        for kind, label, heading in (each for cell in self.cells for each in _labels(cell)):
            counts[kind] = counts.get(kind, 0) + 1
            found[label] = Target(self.name, kind, heading or str(counts[kind]))
        return found


def _labels(cell: NotebookNode) -> Iterator[tuple[str, str, str]]:
    """Kind, label and, for a section, heading of what a cell labels, in the cell's order."""
    if cell.cell_type == "code":
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            yield "Figure", figure["name"], ""
        return
    found = [(match.start(), "Equation", match["label"], "") for match in _EQUATION.finditer(cell.source)]
    for match in _LABELLED.finditer(cell.source):
        if match["name"] in _KINDS:
            found.append((match.start(), _KINDS[match["name"]], match["label"], ""))
    for match in _SECTION.finditer(cell.source):
        heading = _HEADING.search(cell.source, match.end())
        found.append((match.start(), "Section", match["label"], heading["text"] if heading else match["label"]))
    for _, kind, label, text in sorted(found):
        yield kind, label, text


class Edition:
    """The book as Colab shows it.

    Args:
        book: the checkout.
        repository: ``https://github.com/OWNER/NAME``.

    Raises:
        ValueError: the repository's address has another form.
    """

    def __init__(self, book: Book, repository: str) -> None:
        parts = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?", repository)
        if parts is None:
            raise ValueError(f"the repository is https://github.com/OWNER/NAME; {repository!r} was given")
        self.book = book
        self.owner, self.name = parts.groups()

    @property
    def site(self) -> str:
        """Where the rendered pages are."""
        return f"https://{self.owner.lower()}.github.io/{self.name}"

    @cached_property
    def pages(self) -> dict[str, Page]:
        """Every page and chapter by name."""
        files = sorted(path for path in self.book.pages.rglob("*") if path.suffix in (".md", ".ipynb"))
        pages = [Page.read(self.book.pages, path) for path in files if ".ipynb_checkpoints" not in path.parts]
        return {page.name: page for page in pages}

    @cached_property
    def targets(self) -> dict[str, Target]:
        """What every label of the book stands for."""
        return {label: target for page in self.pages.values() for label, target in page.targets.items()}

    @cached_property
    def references(self) -> BibliographyData:
        """The entries of ``references.bib``."""
        return parse_file(str(self.book.pages / "references.bib"))

    @cached_property
    def terms(self) -> dict[str, str]:
        """The glossary's terms as it writes them, by themselves in lower case."""
        lines = (line for cell in self.pages["glossary"].cells for line in cell.source.splitlines())
        return {line.lower(): line for line in lines if re.match(r"\w", line)}

    def notebook(self, chapter: str, package: str) -> NotebookNode:
        """A chapter for Colab: a note, the set-up cell, and the chapter's cells without outputs.

        Args:
            chapter: its name, for example ``music/first-model``.
            package: what pip installs.
        """
        page = self.pages[chapter]
        text = ChapterText(self, page)
        cells = [
            new_markdown_cell(self._note(page), id="colab-note"),
            new_code_cell(SET_UP.format(package=package), id="colab-set-up", metadata={"cellView": "form"}),
        ]
        for cell in page.cells:
            cells += _code(cell, text) if cell.cell_type == "code" else _markdown(cell, text)
        return nbformat.v4.new_notebook(cells=cells, metadata=nbformat.from_dict(_METADATA))

    def _note(self, page: Page) -> str:
        repository = f"{self.owner}/{self.name}"
        # The branch that the pages' Colab buttons lead to.
        branch = self.book.config["repository"]["branch"]
        return NOTE.format(
            title=page.title,
            page=f"{self.site}/{page.name}.html",
            source=f"https://github.com/{repository}/blob/HEAD/book/{page.name}.ipynb",
            colab=f"https://colab.research.google.com/github/{repository}/blob/{branch}/{page.name}.ipynb",
        )


def _markdown(cell: NotebookNode, text: "ChapterText") -> list[NotebookNode]:
    source = text.translate(cell.source)
    return [new_markdown_cell(source, id=cell.id)] if source else []


def _code(cell: NotebookNode, text: "ChapterText") -> list[NotebookNode]:
    tags = notebooks.tags(cell)
    source = cell.source
    metadata: dict[str, object] = {"tags": sorted(tags)} if tags else {}
    title = next((title for tag, title in _FOLDED.items() if tag in tags), None)
    if title:
        source = f'#@title {title} {{ display-mode: "form" }}\n{source}'
        metadata["cellView"] = "form"
    cells = [new_code_cell(source, id=cell.id, metadata=metadata)]
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" in figure:
        cells.append(
            new_markdown_cell(text.caption(figure.get("name"), figure["caption"]), id=f"{cell.id[:56]}-caption")
        )
    return cells


@dataclass(frozen=True)
class Directive:
    """A MyST directive: what stands behind its name, its options, its content."""

    name: str
    argument: str
    options: Mapping[str, str]
    body: str

    @classmethod
    def parse(cls, name: str, argument: str, lines: list[str]) -> "Directive":
        """The directive with these lines between its fences."""
        matches = itertools.takewhile(bool, (_OPTION.fullmatch(line) for line in lines))
        options = {match["key"]: match["value"].strip() for match in matches if match}
        return cls(name, argument.strip(), options, "\n".join(lines[len(options) :]).strip("\n"))

    @property
    def label(self) -> str | None:
        """The name under which it is referred to."""
        return self.options.get("label") or self.options.get("name")


class ChapterText:
    """Turns a chapter's MyST into what Colab's Markdown shows.

    Args:
        edition: the book as Colab shows it.
        page: the chapter.
    """

    def __init__(self, edition: Edition, page: Page) -> None:
        self.edition = edition
        self.page = page

    @cached_property
    def executed(self) -> NotebookNode | None:
        """The chapter as it ran in the profile ``cpu``, or ``None`` if it has not."""
        return self.edition.book.page(self.page.name, "cpu")

    def translate(self, text: str) -> str:
        """Markdown without MyST's own syntax.

        Args:
            text: MyST.

        Returns:
            The Markdown; it is empty where nothing is left to show.

        Raises:
            ValueError: a directive or role has no form here.
        """
        parts: list[str] = []
        prose: list[str] = []
        lines = iter(_SOLUTION.sub(_solution, text).splitlines())
        for line in lines:
            opening = _FENCE.match(line)
            if opening is None:
                prose.append(line)
                continue
            parts.append(self._prose("\n".join(prose)))
            prose = []
            block = list(_until_closed(lines, opening["fence"]))
            parts.append(self._block(opening, line, block))
        parts.append(self._prose("\n".join(prose)))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(part for part in parts if part)).strip("\n")

    def caption(self, label: str | None, text: str) -> str:
        """A caption with its figure's number."""
        number = f"**Figure {self.edition.targets[label].text}.** " if label else ""
        return f"{number}{self.translate(text)}"

    def page_link(self, page: str, text: str, anchor: str = "") -> str:
        """A link to a rendered page."""
        return f"[{text}]({self.edition.site}/{page}.html{anchor})"

    def _block(self, opening: re.Match[str], line: str, block: list[str]) -> str:
        if opening["name"] is None:
            return "\n".join([line, *block, opening["indent"] + opening["fence"]])
        inner = [each.removeprefix(opening["indent"]) for each in block]
        directive = Directive.parse(opening["name"], opening["argument"], inner)
        if directive.name not in DIRECTIVES:
            raise ValueError(f"{self.page.name}: the directive {directive.name!r} has no form in Colab")
        shown = DIRECTIVES[directive.name](self, directive)
        return "\n" + "\n".join(opening["indent"] + each if each else "" for each in shown.splitlines()) + "\n"

    def _prose(self, text: str) -> str:
        text = _SECTION.sub("", text)
        text = re.sub(r"^(%.*|\+\+\+.*)$", "", text, flags=re.MULTILINE)
        text = _EQUATION.sub(lambda match: self._equation(match["body"], match["label"]), text)
        text = _PAGE_LINK.sub(lambda match: f"]({self._address(match['page'])}{match['anchor'] or ''})", text)
        return _ROLE.sub(self._role, text)

    def _equation(self, body: str, label: str | None) -> str:
        tag = f" \\tag{{{self.edition.targets[label].text}}}" if label else ""
        return f"$${body.rstrip()}{tag}\n$$"

    def _address(self, page: str) -> str:
        return f"{self.edition.site}/{self._page(page)}.html"

    def _page(self, path: str) -> str:
        """The name of the page at a path: from the book's folder if it begins with ``/``, else from this page's."""
        return normpath(join("/", dirname(self.page.name), path)).lstrip("/")

    def _role(self, match: re.Match[str]) -> str:
        explicit = re.fullmatch(r"(.*?)\s*<([^<>]+)>", match["text"], re.DOTALL)
        text, target = explicit.groups() if explicit else (None, match["text"])
        if match["name"] not in ROLES:
            raise ValueError(f"{self.page.name}: the role {match['name']!r} has no form in Colab")
        return ROLES[match["name"]](self, " ".join(target.split()), text)

    # Directives.

    def boxed(self, directive: Directive) -> str:
        """An admonition or a theorem: a bold title, in a quotation."""
        title = directive.argument
        if directive.name != "admonition":
            word = directive.name.removeprefix("prf:").capitalize()
            title = f"{word}. {title}" if title else word
        return _quoted(f"**{self.translate(title)}**\n\n{self.translate(directive.body)}")

    def exercise(self, directive: Directive) -> str:
        """An exercise, with its number."""
        number = f" {self.edition.targets[directive.label].text}" if directive.label else ""
        return f"**Exercise{number}. {self.translate(directive.argument)}**\n\n{self.translate(directive.body)}"

    def dropdown(self, directive: Directive) -> str:
        """What unfolds at a click."""
        summary, body = self.translate(directive.argument), self.translate(directive.body)
        return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"

    def glued_figure(self, directive: Directive) -> str:
        """A figure that a cell further down makes: its place on the page."""
        anchor = f"#{directive.label}" if directive.label else ""
        link = self.page_link(self.page.name, "the page", anchor)
        caption = self.caption(directive.label, directive.body) if directive.body else ""
        return f"{caption}\n\nA cell below makes it; {link} shows it here.".strip()

    def drawing(self, directive: Directive) -> str:
        """A diagram, which Colab does not draw."""
        link = self.page_link(self.page.name, "the page")
        return self.caption(directive.label, f"The diagram that belongs here is on {link}.")

    def measured(self, directive: Directive) -> str:
        """What the chapter's run took."""
        record = self.edition.book.record(self.page.name, "cpu")
        return measured_run(record) if record else NOT_RUN

    def others(self, directive: Directive) -> str:
        """Results of other chapters, which a notebook by itself does not know."""
        return f"The table that belongs here is on {self.page_link(self.page.name, 'the page')}."

    def math(self, directive: Directive) -> str:
        """An equation."""
        return self._equation(f"\n{directive.body}", directive.label)

    def code(self, directive: Directive) -> str:
        """Code that is shown and not run."""
        return f"```{directive.argument}\n{directive.body}\n```"

    def table(self, directive: Directive) -> str:
        """A Markdown table under its caption."""
        return f"*{self.translate(directive.argument)}*\n\n{self.translate(directive.body)}"

    def nothing(self, directive: Directive) -> str:
        """What only the page needs."""
        return ""

    # Roles.

    def document(self, target: str, text: str | None) -> str:
        """``{doc}``."""
        name = self._page(target)
        if name not in self.edition.pages:
            raise ValueError(f"{self.page.name}: the book has no page {name!r}")
        return self.page_link(name, text or self.edition.pages[name].title)

    def term(self, target: str, text: str | None) -> str:
        """``{term}``."""
        term = self.edition.terms.get(target.lower(), target)
        anchor = "#term-" + re.sub(r"[^a-zA-Z0-9._]+", "-", term).strip("-")
        return self.page_link("glossary", text or target, anchor)

    def reference(self, label: str, text: str | None) -> str:
        """``{ref}`` and ``{numref}``: by number on this page, with a link to any other."""
        target = self.edition.targets.get(label)
        if target is None:
            raise ValueError(f"{self.page.name}: no page defines the label {label!r}")
        numbered = target.kind != "Section"
        if numbered and target.page == self.page.name:
            return (text or f"{target.kind} %s").replace("%s", target.text).replace("{number}", target.text)
        shown = None if text and "%s" in text else text
        elsewhere = self.edition.pages[target.page].title if numbered else target.text
        return self.page_link(target.page, shown or self.translate(elsewhere), f"#{label.replace('_', '-').lower()}")

    def equation(self, label: str, text: str | None) -> str:
        """``{eq}``: (1) on this page, a link to any other."""
        target = self.edition.targets.get(label)
        here = target is not None and target.page == self.page.name
        return f"({target.text})" if target and here else self.reference(label, text)

    def cited(self, keys: str, text: str | None) -> str:
        """``{cite:p}``: (Author, year)."""
        works = "; ".join(f"{_authors(work)}, {_year(work)}" for work in self._works(keys))
        return self.page_link("references", f"({works})")

    def cited_in_text(self, keys: str, text: str | None) -> str:
        """``{cite:t}``: Author (year)."""
        works = " and ".join(f"{_authors(work)} ({_year(work)})" for work in self._works(keys))
        return self.page_link("references", works)

    def _works(self, keys: str) -> list[Entry]:
        entries = self.edition.references.entries
        wanted = [key.strip() for key in keys.split(",")]
        missing = [key for key in wanted if key not in entries]
        if missing:
            raise ValueError(f"{self.page.name}: references.bib has no {', '.join(missing)}")
        return [entries[key] for key in wanted]

    def glued(self, target: str, text: str | None) -> str:
        """``{glue:text}``: the value that the chapter measured in the profile ``cpu``."""
        if self.executed is None:
            return "*(run the cells below)*"
        name, _, form = target.partition(":")
        shown = "".join(glued_output(self.executed, name)["text/plain"])
        try:
            value = ast.literal_eval(shown)
        except (ValueError, SyntaxError):
            return shown
        return format(value, form)

    def inline_math(self, target: str, text: str | None) -> str:
        """``{math}``."""
        return f"${target}$"


def _solution(match: re.Match[str]) -> str:
    """Where a solution begins, with its words folded as its code is."""
    announced = f"**Solution of {{ref}}`{match['exercise']}`**: unfold the next cell.\n"
    words = match["words"].strip()
    return f"{announced}\n::::::::{{dropdown}} In words\n{words}\n::::::::\n" if words else announced


def _until_closed(lines: Iterator[str], fence: str) -> Iterator[str]:
    closing = re.compile(rf"\s*{re.escape(fence[0])}{{{len(fence)},}}\s*")
    for line in lines:
        if closing.fullmatch(line):
            return
        yield line


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _authors(work: Entry) -> str:
    people = work.persons.get("author") or work.persons.get("editor") or []
    names = [" ".join(str(part) for part in (*person.rich_prelast_names, *person.rich_last_names)) for person in people]
    if not names:
        return work.fields["title"]
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def _year(work: Entry) -> str:
    return work.fields.get("year", "n.d.")


_BOXES = (
    *(
        "admonition",
        "attention",
        "caution",
        "danger",
        "error",
        "hint",
        "important",
        "note",
        "seealso",
        "tip",
        "warning",
    ),
    *(f"prf:{kind}" for kind in ("algorithm", "corollary", "definition", "example", "lemma", "proof", "theorem")),
)
DIRECTIVES: Mapping[str, Callable[[ChapterText, Directive], str]] = {
    **dict.fromkeys(_BOXES, ChapterText.boxed),
    "dropdown": ChapterText.dropdown,
    "exercise": ChapterText.exercise,
    "solution-end": ChapterText.nothing,
    "glue": ChapterText.glued_figure,
    "glue:figure": ChapterText.glued_figure,
    "mermaid": ChapterText.drawing,
    "measured-run": ChapterText.measured,
    "headlines": ChapterText.others,
    "copying": ChapterText.others,
    "math": ChapterText.math,
    "code-block": ChapterText.code,
    "table": ChapterText.table,
}
ROLES: Mapping[str, Callable[[ChapterText, str, str | None], str]] = {
    "doc": ChapterText.document,
    "term": ChapterText.term,
    "ref": ChapterText.reference,
    "numref": ChapterText.reference,
    "eq": ChapterText.equation,
    "cite:p": ChapterText.cited,
    "cite:t": ChapterText.cited_in_text,
    "glue:text": ChapterText.glued,
    "math": ChapterText.inline_math,
}
