"""A Sphinx extension that puts onto the pages what the runs measured and made.

The staged source (see ``render``) has beside each executed notebook the record of its run, so every
directive reads only files of the source folder and notes them as what its page depends on.
"""

import html
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import nbformat
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import BracketStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

from artbook.data.manifest import Corpus, corpora
from artbook.gallery.entries import Entry
from artbook.gallery.page import figure, wall
from artbook.press import Profile, claims, copying, notebooks
from artbook.press.book import Book, Record
from artbook.press.claims import Claim, Verdict
from artbook.press.hanging import EXHIBITION, WORKS
from artbook.press.headline import Headline

_LOG = logging.getLogger(__name__)

NOT_RUN = "This chapter has not been run in the profile that these pages were made from."
NO_WORKS = "No chapter has made a work in the profile that these pages were made from."


def duration(seconds: float) -> str:
    """A time in words: ``45 s``, or from two minutes on ``3 min 5 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def measured_run(record: Record) -> str:
    """What one run took, as a sentence.

    Args:
        record: the run.

    Returns:
        MyST text.
    """
    return (
        f"Measured in the profile `{record.profile}`: {duration(record.seconds)}, of which the processor worked"
        f" {duration(record.cpu_seconds)}, and at most {record.peak_memory / 1e9:.1f} GB of memory."
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A MyST table; the first column is aligned left, the others as they come.

    Args:
        caption: above the table.
        head: the columns' names.
        rows: the cells, MyST text on one line.

    Returns:
        MyST text.
    """
    lines = [head, ["---"] * len(head), *rows]
    cells = "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in lines)
    return f"```{{table}} {caption}\n:align: left\n\n{cells}\n```\n"


def headline_table(headline: Headline, profile: str) -> str:
    """One headline with its claim, its baselines and the published values.

    Args:
        headline: the result.
        profile: of the run; a smoke run is too short to be held to a claim.

    Returns:
        MyST text, with a citation for each published value.
    """
    verdict = "holds" if headline.holds else "**does not hold**"
    if profile == Profile.SMOKE:
        verdict = "not asked of a run in `smoke`"
    rows = [["**this book**", f"**{headline.value:.4g}**", f"claimed: {headline.claim}; {verdict}"]]
    rows += [[name, f"{value:.4g}", "baseline, measured here"] for name, value in headline.baselines.items()]
    for name, published in headline.published.items():
        remark = f"published: {{cite:t}}`{published.citation}`"
        rows.append([name, f"{published.value:g}", f"{remark}; {published.note}" if published.note else remark])
    return table(f"{headline.title} ({headline.unit})", ["Model", "Value", "Remark"], rows)


def chosen_works(names: Sequence[str], entries: Iterable[Entry], records: Mapping[str, Record | None]) -> list[Entry]:
    """Some works of the gallery.

    Args:
        names: of the works, in the order of the result.
        entries: all works of the gallery.
        records: by chapter; ``None`` for one that has not been run.

    Returns:
        The works; one whose chapter may be among those that have not been run is left out.

    Raises:
        LookupError: all chapters have been run, and none made such a work.
    """
    found = {entry.work.name: entry for entry in entries}
    missing = [name for name in names if name not in found]
    if missing and None not in records.values():
        raise LookupError(f"no chapter made the work {missing[0]!r}")
    return [found[name] for name in names if name in found]


def chosen_headlines(names: Iterable[str], records: Mapping[str, Record | None]) -> str:
    """Some headlines of the book, a row each, with the chapter that each comes from.

    Args:
        names: of the headlines, in the order of the rows.
        records: by chapter; ``None`` for one that has not been run.

    Returns:
        MyST text; it says how many of the headlines are missing because their chapters have not been run.

    Raises:
        LookupError: all chapters have been run, and none recorded such a headline.
    """
    found = {each.name: (chapter, each) for chapter, record in records.items() if record for each in record.headlines}
    rows, missing = [], 0
    for name in names:
        if name in found:
            chapter, each = found[name]
            rows.append([f"{each.title} ({{doc}}`/{chapter}`)", f"{each.value:.4g} {each.unit}", each.claim])
        elif None in records.values():
            rows.append([f"`{name}`", "not run", ""])
            missing += 1
        else:
            raise LookupError(f"no chapter recorded the headline {name!r}")
    text = table("Results of the chapters", ["Result", "Value", "Claimed"], rows)
    if missing:
        text += f"\nMissing, because their chapters were not run for these pages: {missing} of {len(rows)}.\n"
    if any(record and record.profile == Profile.SMOKE for record in records.values()):
        text += "\nThe runs were of the profile `smoke`, which is too short to be held to a claim.\n"
    return text


def executions_table(records: Mapping[str, Record | None]) -> str:
    """Time, processor time and memory of each chapter's run, and their sums.

    Args:
        records: by chapter; ``None`` for one that has not been run.

    Returns:
        MyST text.
    """
    made = [record for record in records.values() if record]
    rows = []
    for chapter, record in records.items():
        cells = _execution_cells(record) if record else ["not run", "", "", "", ""]
        rows.append([f"{{doc}}`/{chapter}`", *cells])
    total = [f"{sum(r.seconds for r in made):.0f}", f"{sum(r.cpu_seconds for r in made):.0f}"]
    rows.append(["**together**", "", *total, "", ""])
    head = ["Chapter", "Profile", "Seconds", "CPU seconds", "Peak memory, MB", "Finished (UTC)"]
    return table("What each chapter's run took", head, rows)


def _execution_cells(record: Record) -> list[str]:
    finished = record.finished[:16].replace("T", " ")
    return [
        record.profile,
        f"{record.seconds:.0f}",
        f"{record.cpu_seconds:.0f}",
        f"{record.peak_memory / 1e6:.0f}",
        finished,
    ]


def versions_table(records: Iterable[Record]) -> str:
    """The versions that the chapters ran with.

    Args:
        records: the runs; where two ran with different versions, both are listed.

    Returns:
        MyST text.
    """
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.versions.items():
            versions.setdefault(name, set()).add(version)
    return table(
        "What they ran on", ["Package", "Version"], [[name, ", ".join(sorted(versions[name]))] for name in versions]
    )


def corpus_table(corpus: Corpus) -> str:
    """One entry of the data manifest.

    Args:
        corpus: the entry.

    Returns:
        MyST text.
    """
    rows = [
        ["Version", corpus.version],
        ["Authors", corpus.authors],
        ["Licence", corpus.licence],
        ["Source", f"`{corpus.source}`"],
        ["File", f"`{corpus.file}`, {corpus.size / 1e6:.1f} MB"],
        ["SHA\N{NON-BREAKING HYPHEN}256", f"`{corpus.sha256}`"],
    ]
    return table(f"{corpus.name}: {corpus.used_for}", ["Name", corpus.name], rows)


def claims_table(article: str, found: Sequence[Claim], address: Callable[[str], str], titles: Mapping[str, str]) -> str:
    """How often each verdict was given, and a table of the claims.

    Args:
        article: ``first`` or ``second``.
        found: its claims.
        address: of a page, from the page with the table.
        titles: of the pages.
    """
    counts = Counter(claim.verdict for claim in found)
    given = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)
    rows = [
        (
            claim.section,
            claim.text,
            claim.verdict,
            f'<a class="reference internal" href="{address(claim.page)}#{claim.anchor}">{titles[claim.page]}</a>',
        )
        for claim in found
    ]
    head = ("Section", "It says", "Verdict", "Shown in")
    return f"{len(found)} claims: {given}.\n\n" + table(f"The claims of the {article} article", head, rows)


def title_of(notebook: NotebookNode) -> str:
    """The title of a chapter, as its first line has it."""
    return notebook.cells[0].source.splitlines()[0].removeprefix("# ")


def glued_output(notebook: NotebookNode, name: str) -> dict[str, str]:
    """What an executed notebook has glued under a name.

    Args:
        notebook: the notebook.
        name: the name that ``glue`` was called with.

    Returns:
        The output's data by media type.

    Raises:
        LookupError: nothing is glued under that name.
    """
    for output in notebooks.outputs(notebook):
        glued = output.get("metadata", {}).get("scrapbook", {})
        if glued.get("name") == name:
            return {media.removeprefix(glued["mime_prefix"]): data for media, data in output.data.items()}
    raise LookupError(f"nothing is glued under {name!r}")


class _Made(SphinxDirective):
    """A directive whose content is made from the runs: MyST text, parsed as if it stood on the page."""

    def run(self) -> list[nodes.Node]:
        return self.parsed(self._text())

    def _text(self) -> str:
        raise NotImplementedError

    def parsed(self, text: str) -> list[nodes.Node]:
        parent = nodes.Element()
        parent.document = self.state.document
        lines = StringList(text.splitlines(), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.content_offset, parent, match_titles=True)
        return parent.children

    def staged(self, name: str) -> str | None:
        path = Path(self.env.srcdir, name)
        self.env.note_dependency(str(path))
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def record_of(self, chapter: str) -> Record | None:
        text = self.staged(f"{chapter}.json")
        return Record.from_json(text) if text else None

    def records(self) -> dict[str, Record | None]:
        return {chapter: self.record_of(chapter) for chapter in Book.here(Path(self.env.srcdir)).chapters}

    def notebook_of(self, chapter: str) -> NotebookNode:
        return nbformat.reads(self.staged(f"{chapter}.ipynb"), as_version=4)


class MeasuredRun(_Made):
    """``{measured-run}``: what this chapter's run took."""

    def _text(self) -> str:
        record = self.record_of(self.env.docname)
        return measured_run(record) if record else NOT_RUN


class Headlines(_Made):
    """``{headlines}``: a section for each chapter, with a table for each of its headline results.

    ``{headlines} first-model-nll large-forecast``: one table with these.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def _text(self) -> str:
        if self.arguments:
            try:
                return chosen_headlines(self.arguments[0].split(), self.records())
            except LookupError as error:
                raise self.error(str(error)) from error
        sections = []
        for chapter, record in self.records().items():
            # Sphinx knows the titles only when all pages are read, too late for a heading.
            title = title_of(self.notebook_of(chapter))
            tables = [headline_table(each, record.profile) for each in record.headlines] if record else [NOT_RUN]
            sections += [f"## {title}", f"From {{doc}}`/{chapter}`.", *tables]
        return "\n\n".join(sections)


class Gallery(_Made):
    """``{gallery}``: a section for each chapter that made works, with its works and how each was made.

    ``{gallery} chorale island``: these works beside one another.
    """

    optional_arguments = 1
    final_argument_whitespace = True

    def _text(self) -> str:
        if self.arguments:
            try:
                chosen = chosen_works(self.arguments[0].split(), self._entries(), self.records())
            except LookupError as error:
                raise self.error(str(error)) from error
            return self._wall(chosen) if chosen else NO_WORKS
        sections = []
        for chapter, entries in groupby(self._entries(), lambda entry: entry.chapter):
            title = title_of(self.notebook_of(chapter))
            sections += [f"## {title}", self._wall(entries)]
        return "\n\n".join(sections) or NO_WORKS

    def _wall(self, entries: Iterable[Entry]) -> str:
        shown = wall(figure(entry, "works/", self._link(entry.chapter)) for entry in entries)
        return f"~~~~~~{{raw}} html\n{shown}\n~~~~~~"

    def _link(self, chapter: str) -> str:
        address = self.env.app.builder.get_relative_uri(self.env.docname, chapter)
        title = title_of(self.notebook_of(chapter))
        return f'<a class="reference internal" href="{address}">{html.escape(title)}</a>'

    def _entries(self) -> Iterator[Entry]:
        for facts in json.loads(self.staged(EXHIBITION) or "[]"):
            path = Path(self.env.srcdir, WORKS, facts["file"])
            self.env.note_dependency(str(path))
            yield Entry.from_facts(facts, path.read_bytes())


class Executions(_Made):
    """``{executions}``: what each chapter's run took, and the versions it ran with."""

    def _text(self) -> str:
        records = self.records()
        return executions_table(records) + "\n" + versions_table(filter(None, records.values()))


class Corpora(_Made):
    """``{corpora}``: all that the book downloads or reads, from the data manifest."""

    def _text(self) -> str:
        self.env.note_dependency(str(files("artbook.data") / "manifest.json"))
        return "\n".join(corpus_table(each) for each in corpora())


class Claims(_Made):
    """``{claims} first``: every claim of an article with our verdict and a link to where the book shows it."""

    required_arguments = 1

    def _text(self) -> str:
        path = Path(self.env.srcdir, "claims.yml")
        self.env.note_dependency(str(path))
        article = self.arguments[0]
        found = [claim for claim in claims.read(path) if claim.article == article]
        if not found:
            raise self.error(f"no claim is of an article {article!r}")
        address = partial(self.env.app.builder.get_relative_uri, self.env.docname)
        titles = {page: self._title_of(page) for page in {claim.page for claim in found}}
        return claims_table(article, found, address, titles)

    def _title_of(self, page: str) -> str:
        text = self.staged(f"{page}.md")
        if text is None:
            return title_of(self.notebook_of(page))
        return next(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))


class Copying(_Made):
    """``{copying}``: what each generative chapter measured of copying, beside the same of real works."""

    def _text(self) -> str:
        path = Path(self.env.srcdir, "copying.yml")
        self.env.note_dependency(str(path))
        head = ("Chapter", "Works and measure", "The model", "Real works")
        return table("Copying, as each chapter measured it", head, copying.rows(copying.read(path), self._number))

    def _number(self, chapter: str, name: str) -> float | None:
        if self.record_of(chapter) is None:
            return None
        return float(glued_output(self.notebook_of(chapter), name)["text/plain"])


class FromChapter(_Made):
    """``{from-chapter} music/first-model::sample``: what a chapter glued, with the content as its caption.

    MyST-NB's own glue across documents knows neither alternative texts nor what a page depends on.
    """

    required_arguments = 1
    has_content = True
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """The output in a figure without a number: it has one already, in its chapter."""
        chapter, _, name = self.arguments[0].partition("::")
        if self.record_of(chapter) is None:
            return self.parsed(NOT_RUN)
        try:
            output = glued_output(self.notebook_of(chapter), name)
        except LookupError as error:
            _LOG.warning("%s: %s", chapter, error, location=self.get_location())
            return []
        return [nodes.figure("", self._shown(output), nodes.legend("", *self.parsed("\n".join(self.content))))]

    def _shown(self, output: Mapping[str, str]) -> nodes.Node:
        for media in ("text/html", "image/svg+xml"):
            if media in output:
                return nodes.raw("", output[media], format="html")
        data = "".join(output["image/png"].split())
        return nodes.image(uri=f"data:image/png;base64,{data}", alt=self.options.get("alt", ""))


@dataclass
class RoundBrackets(AuthorYearReferenceStyle):
    """Citations by author and year in round brackets: "Bai et al. (2018)", "(Bai et al., 2018)"."""

    bracket_textual: BracketStyle = field(default_factory=lambda: BracketStyle("(", ")"))
    bracket_parenthetical: BracketStyle = field(default_factory=lambda: BracketStyle("(", ")"))


def set_numbers(text: str) -> str:
    """Numbers as a printer sets them: signs of per cent and bounds that stay with them, powers of ten, minus signs.

    Args:
        text: of prose, with numbers as Python writes them, for example ``-2.5e-07``, ``95 %`` or ``95%``.
    """
    text = re.sub(r" (?=%)|(?<=\d)(?=%(?!\w))|(?<=[≤≥]) ", "\N{NO-BREAK SPACE}", text)
    text = re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)e([+-]\d+)\b", _power, text)
    return re.sub(r"(?<![^\s(\[])-(?=\d)", "\N{MINUS SIGN}", text)


def _power(number: re.Match[str]) -> str:
    mantissa, exponent = number.groups()
    raised = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"10{raised}" if mantissa == "1" else f"{mantissa}·10{raised}"


class SetNumbers(SphinxPostTransform):
    """The numbers of the prose are set as ``set_numbers`` does it."""

    # After the numbers of the runs have been put into the text.
    default_priority = 990

    def run(self, **_: Any) -> None:
        """Set them; code and formulas stay as they are."""
        for text in list(self.document.findall(nodes.Text)):
            if isinstance(text.parent, (nodes.literal, nodes.math, nodes.FixedTextElement)):
                continue
            if (changed := set_numbers(text)) != text:
                text.parent.replace(text, nodes.Text(changed))


class KeepMarks(SphinxPostTransform):
    """A full stop or another mark stays in the line of the formula that it follows."""

    default_priority = SetNumbers.default_priority + 1

    def run(self, **_: Any) -> None:
        """Put each formula and its mark into one piece that is not broken."""
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            if isinstance(after, nodes.Text) and (mark := re.match(r"[.,;:?!)]+", after)):
                whole = nodes.inline(classes=["unbroken"])
                formula.parent.replace(after, nodes.Text(after[mark.end() :]))
                formula.parent.replace(formula, whole)
                whole += [formula, nodes.Text(mark[0])]


def mend_page(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any) -> None:
    """Mend what Sphinx and its extensions write onto a page, before it is written.

    The entries of the bibliography get the role of list items; the one that docutils gives them is
    deprecated. mermaid is loaded as a plain script, because no browser imports a module into a page
    that was opened from the disk, and only where there is a diagram.
    """
    context["body"] = context.get("body", "").replace('role="doc-biblioentry"', 'role="listitem"')
    scripts = context["script_files"]
    for script in list(scripts):
        body = script.attributes.get("body", "")
        if body.startswith("import mermaid"):
            if doctree is None:
                scripts.remove(script)
            else:
                script.attributes["body"] = body.partition(";")[2]
                app.add_js_file(app.config.mermaid_use_local)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, the transform and the style of the citations with Sphinx."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "round_brackets", RoundBrackets)
    for name, directive in {
        "measured-run": MeasuredRun,
        "headlines": Headlines,
        "executions": Executions,
        "corpora": Corpora,
        "claims": Claims,
        "copying": Copying,
        "gallery": Gallery,
        "from-chapter": FromChapter,
    }.items():
        app.add_directive(name, directive)
    app.add_post_transform(SetNumbers)
    app.add_post_transform(KeepMarks)
    app.connect("html-page-context", mend_page, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
