"""The rules of a chapter, as CONTRIBUTING.md states them: each a small function that yields what it objects to.

Rules of ``SOURCE`` look at a notebook as it is stored, rules of ``EXECUTED`` at the same notebook after a
run, rules of ``SHELF`` at the stored notebooks of all chapters, rules of ``EXECUTED_SHELF`` at the executed ones.
"""

import ast
import base64
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

import soundfile
from bs4 import BeautifulSoup, Tag
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser
from nbformat import NotebookNode

from artbook.press.headline import HEADLINE_MIME
from artbook.press.notebooks import as_text, is_checked, tags, with_whole_streams

Complaints = Iterator[str]
Rule = Callable[[NotebookNode], Complaints]
ShelfRule = Callable[[Mapping[str, NotebookNode]], Complaints]

PARAMETERS = 'profile: str = "cpu"\nseed: int = 0'
CLOSING = ("Against the articles", "Results", "Exercises", "Quiz", "What to remember", "Where to read on")
BOX_LABELS = ("Prerequisites", "Run time", "Download", "Covers")
LONGEST_CELL, MEDIAN_CELL = 25, 10
LONGEST_TEXT = 4_000
LARGEST_NOTEBOOK = 4_000_000
LARGEST_SOUND, LONGEST_SOUND = 200_000, 10.1
SHORTEST_ALT = 20
GLUED = "application/papermill.record/"
SHARED_LINES = 6


# Reading a chapter: MyST tokens, directives, sections


@dataclass(frozen=True)
class Directive:
    """A MyST directive, for example ``{exercise} Title``."""

    name: str
    argument: str
    options: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Item:
    """What stands at one place of a chapter: a MyST token, a directive or a code cell, and its cell's number."""

    number: int
    what: Token | Directive | NotebookNode


_MYST = create_md_parser(
    MdParserConfig(enable_extensions={"amsmath", "colon_fence", "deflist", "dollarmath", "substitution"}), RendererHTML
)
_OPTION = re.compile(r":(?P<name>[\w-]+):(?P<value>.*)")
# Their bodies are code, addresses or mathematics, and no prose.
_NOT_PROSE = {"bibliography", "code", "code-block", "image", "literalinclude", "math", "mermaid", "raw", "toctree"}
_TITLED = {"admonition", "card", "dropdown", "exercise", "list-table", "tab-item", "table"}


def directive(token: Token) -> Directive | None:
    """The directive that a fence stands for, if it stands for one."""
    head = re.fullmatch(r"\{([^}]+)\}(.*)", token.info.strip(), re.DOTALL)
    if not head or token.type not in ("fence", "colon_fence"):
        return None
    options: dict[str, str] = {}
    lines = token.content.splitlines()
    while lines and (option := _OPTION.fullmatch(lines[0].strip())):
        del lines[0]
        value = [option["value"].strip()]
        while lines and lines[0].startswith("  "):
            value.append(lines.pop(0).strip())
        options[option["name"]] = " ".join(value)
    return Directive(head[1], head[2].strip(), options, "\n".join(lines).strip())


def items(notebook: NotebookNode) -> Iterator[Item]:
    """All that stands in a chapter, in reading order; after a directive come its title and its body."""
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            yield Item(number, cell)
        else:
            yield from (Item(number, what) for what in parsed(cell.source))


def parsed(text: str) -> Iterator[Token | Directive]:
    """MyST tokens and directives of a text, in reading order."""
    for token in _MYST.parse(text):
        found = directive(token)
        yield found or token
        if found and found.name in _TITLED:
            yield from _MYST.parse(found.argument)
        if found and found.name not in _NOT_PROSE:
            yield from parsed(found.body)


def sections(notebook: NotebookNode) -> list[tuple[str, list[Item]]]:
    """The chapter cut at its second-level headings: what stands before the first has the title ``""``."""
    found: list[tuple[str, list[Item]]] = [("", [])]
    heading = False
    for item in items(notebook):
        match item.what:
            case Token(type="heading_open", tag="h2"):
                heading = True
            case Token(type="inline", content=title) if heading:
                found.append((title, []))
                heading = False
            case _:
                found[-1][1].append(item)
    return found


def section(notebook: NotebookNode, title: str) -> list[Item]:
    """What stands in the section of that title; nothing if there is none."""
    return next((content for name, content in sections(notebook) if name == title), [])


def directives(content: Iterable[Item], *names: str) -> list[tuple[int, Directive]]:
    """The directives of those names among ``content``, each with its cell's number."""
    return [(it.number, it.what) for it in content if isinstance(it.what, Directive) and it.what.name in names]


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """The code cells, each with its number."""
    return [(number, cell) for number, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def roles(content: Iterable[Item]) -> Iterator[tuple[int, str, str]]:
    """The roles among ``content``: cell number, name, text."""
    for item in content:
        if isinstance(item.what, Token):
            for child in item.what.children or ():
                if child.type == "myst_role":
                    yield item.number, child.meta["name"], child.content


def statements(cell: NotebookNode) -> list[ast.stmt]:
    """The statements of a code cell; none if it is not Python, to which ``plain_python`` objects."""
    try:
        return ast.parse(cell.source).body
    except SyntaxError:
        return []


def calls(cell: NotebookNode, *names: str) -> list[ast.Call]:
    """The calls of functions of those names in a code cell."""
    nodes = (node for statement in statements(cell) for node in ast.walk(statement))
    return [n for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in names]


# Rules of the stored notebook: the frame


def kernel(notebook: NotebookNode) -> Complaints:
    """The kernel is ``python3`` and the metadata says nothing else."""
    wanted = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    if notebook.metadata != wanted:
        yield f"the notebook's metadata is {wanted}; here it is {dict(notebook.metadata)}"


def metadata_is_authored(notebook: NotebookNode) -> Complaints:
    """A cell's metadata has tags and ``mystnb``, nothing that a program wrote."""
    for number, cell in enumerate(notebook.cells, 1):
        if strange := sorted(cell.metadata.keys() - {"mystnb", "tags"}):
            yield f"cell {number}: metadata {', '.join(strange)}"


def cell_ids(notebook: NotebookNode) -> Complaints:
    """Each cell has an id of its own."""
    ids = Counter(cell.get("id") for cell in notebook.cells)
    yield from (f"{number} cells have the id {each!r}" for each, number in ids.items() if number > 1 or not each)


def plain_python(notebook: NotebookNode) -> Complaints:
    """Code cells are Python, without magics and shell commands."""
    for number, cell in code_cells(notebook):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield f"cell {number}: not plain Python: {error.msg}"


def opening_cells(notebook: NotebookNode) -> Complaints:
    """The code opens with the parameters, exactly as they are everywhere, then the imports, then ``begin``."""
    cells = code_cells(notebook)
    if len(cells) < 3:
        yield "there are fewer than three code cells"
        return
    (first, given), (second, imports), (third, begins) = cells[:3]
    tagged = [number for number, cell in cells if "parameters" in tags(cell)]
    if tagged != [first] or given.source != PARAMETERS:
        yield f"cell {first}: the first code cell, and it alone, is tagged 'parameters' and reads {PARAMETERS!r}"
    if "artbook.press.chapter" not in imported(imports):
        yield f"cell {second}: the second code cell imports artbook.press.chapter"
    body = statements(begins)
    if not body or ast.unparse(body[0]) != "run = begin(profile, seed)":
        yield f"cell {third}: the third code cell begins with 'run = begin(profile, seed)'"


def imported(cell: NotebookNode) -> list[str]:
    """The modules that a cell imports, in order."""
    names = []
    for statement in statements(cell):
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
    return names


def quiet_keras(notebook: NotebookNode) -> Complaints:
    """``artbook.press.chapter``, which loads Keras quietly, is imported before Keras and its backends."""
    for number, cell in code_cells(notebook):
        for module in imported(cell):
            if module == "artbook.press.chapter":
                return
            if module.split(".")[0] in ("keras", "tensorflow", "jax"):
                yield f"cell {number}: {module} is imported before artbook.press.chapter"


def backend_left_open(notebook: NotebookNode) -> Complaints:
    """The backend of Keras is chosen from outside: every chapter runs on TensorFlow and on JAX."""
    for number, cell in code_cells(notebook):
        if found := re.search("KERAS_BACKEND|set_backend", cell.source):
            yield f"cell {number}: {found[0]} chooses the backend of Keras"


def section_order(notebook: NotebookNode) -> Complaints:
    """One title, at least two sections of the chapter's own, then the closing sections in their order."""
    titles = [item.number for item in items(notebook) if isinstance(item.what, Token) and item.what.tag == "h1"]
    if titles != [1, 1] or not notebook.cells[0].source.startswith("# "):
        yield "the first cell, and no other, begins with the title: '# Title'"
    found = [title for title, _ in sections(notebook)][1:]
    closing = found[-len(CLOSING) :]
    if tuple(closing) != CLOSING:
        yield f"the last sections are {', '.join(CLOSING)}; here they are {', '.join(closing)}"
    elif len(found) < len(CLOSING) + 2 or len(set(found)) < len(found):
        yield f"at least two sections of other names come before {CLOSING[0]!r}, no name twice"


def opening(notebook: NotebookNode) -> Complaints:
    """After the title a paragraph and a picture, then the box with its four bold labels and the measured run."""
    start = sections(notebook)[0][1]
    boxes = [n for n, it in enumerate(start) if isinstance(it.what, Directive) and it.what.name == "admonition"]
    if not boxes:
        yield "no box '{admonition} Before you start' before the first section"
        return
    before, box = start[: boxes[0]], start[boxes[0]].what
    if not directives(before, "figure", "glue:figure", "image"):
        yield "between title and box stands a picture of what the reader will have made"
    if not any(token.type == "paragraph_open" for token in _MYST.parse(notebook.cells[0].source)):
        yield "between title and box stands a sentence on what the reader will have made"
    if (box.argument, box.options.get("class")) != ("Before you start", "tip"):
        yield "the first box is '{admonition} Before you start' of the class tip"
    labels = tuple(re.findall(r"^(?:[-*] )?\*\*([\w ]+?)[.:]?\*\*", box.body, re.MULTILINE))
    if labels != BOX_LABELS:
        yield f"the box has the bold labels {', '.join(BOX_LABELS)}; here they are {', '.join(labels)}"
    if not directives(start[boxes[0] :], "measured-run"):
        yield "the box has the directive {measured-run}"


def cell_lengths(notebook: NotebookNode) -> Complaints:
    """No code cell is longer than 25 lines, and half of them are under ten."""
    lengths = [(number, len(cell.source.strip().splitlines())) for number, cell in code_cells(notebook)]
    yield from (f"cell {number}: {length} lines" for number, length in lengths if length > LONGEST_CELL)
    if (middle := median(length for _, length in lengths)) >= MEDIAN_CELL:
        yield f"the median cell has {middle:g} lines"


# Rules of the stored notebook: what is stored and what is checked


def checked_cells(notebook: NotebookNode) -> Complaints:
    """At least three cells are checked: both tags, an output of text, and the count without which nbval skips it."""
    cells = [(number, cell) for number, cell in code_cells(notebook) if is_checked(cell)]
    if len(cells) < 3:
        yield f"{len(cells)} checked cells, at least 3 were wanted"
    for number, cell in cells:
        if not cell.outputs or cell.execution_count is None:
            yield f"cell {number}: checked, but without {'count' if cell.outputs else 'output'}; call artbook checked"
        for output in cell.outputs:
            kinds = set(output.get("data", ())) - {"text/plain", "text/markdown", "text/html", "text/latex"}
            if kinds or output.output_type == "error" or output.get("name") == "stderr":
                yield f"cell {number}: a checked output is text, not {', '.join(kinds) or output.output_type}"


def only_checked_outputs(notebook: NotebookNode) -> Complaints:
    """No other cell stores an output or a count, and none has one tag of the two."""
    for number, cell in code_cells(notebook):
        if is_checked(cell):
            continue
        if tags(cell) & {"nbval-check-output", "keep_output"}:
            yield f"cell {number}: a checked cell has both tags, nbval-check-output and keep_output"
        if cell.outputs or cell.execution_count is not None:
            yield f"cell {number}: stores an output or a count and is not checked; call artbook checked"


def nothing_ignored(notebook: NotebookNode) -> Complaints:
    """A cell that the checks leave out says why in its first line, and none is expected to raise."""
    for number, cell in code_cells(notebook):
        if tags(cell) & {"nbval-skip", "nbval-ignore-output"} and not cell.source.startswith("# "):
            yield f"cell {number}: left out of the checks without a comment that says why"
        if "raises-exception" in tags(cell):
            yield f"cell {number}: catch the exception and print its message; papermill stops at one that is not caught"


MACHINE = re.compile(
    r"(?<![\w.:/~-])/(?:home|root|Users|tmp|private|var|work|workspace|content|mnt|opt|usr)/[\w.]"
    r"|[A-Z]:\\+(?:Users|Windows|Program)|ipykernel_\d+|\bat 0x[0-9a-f]{6,}"
)


def machine_paths(notebook: NotebookNode) -> Complaints:
    """No path or address of the machine that made it, in sources or in text outputs."""
    for number, cell in enumerate(notebook.cells, 1):
        texts = [cell.source, *(text for _, text in text_outputs(cell))]
        for text in texts:
            if found := MACHINE.search(re.sub(r"base64,[\w+/=]+", "", text)):
                yield f"cell {number}: {found[0]!r} belongs to one machine"


# Rules of the stored notebook: prose


_DECIMAL = re.compile(r"(?<![\w.])[+-−]?\d+\.\d+(?![\d]*\.\d)")
_NUMBERED = (
    r"BWV|CC BY(?:-SA)?|CUDA|Jupyter Book|Keras|JAX|[Mm]atplotlib|MIDI|music21|MySQL|NumPy|Python|TensorFlow|Ubuntu"
    r"|§+|[Ss]ections?|[Cc]hapters?|[Ee]quations?|[Ff]igures?|[Tt]ables?"
)
_AND_MORE = r"(?:(?:, (?:and|or)|,| and| or| to|–|-)\s*§?\s*\d+(?:\.\d+)+)*"
# A version or the number of a section: "Python 3.11 to 3.13", "sections 4.2 and 4.3".
_NUMBER_OF = re.compile(rf"(?:{_NUMBERED})\s*\d+(?:\.\d+)*{_AND_MORE}")


def paragraphs(text: str) -> Iterator[list[Token]]:
    """The inline tokens of each paragraph, heading and title of a text; a table counts as one paragraph."""
    table: list[Token] | None = None
    for what in parsed(text):
        if isinstance(what, Directive):
            continue
        if what.type == "table_open":
            table = []
        elif what.type == "table_close":
            yield table or []
            table = None
        elif what.type == "inline" and table is not None:
            table += what.children or []
        elif what.type == "inline":
            yield what.children or []


def prose(cell: NotebookNode) -> str:
    """The MyST text of a cell: its source, or for a code cell its figure's caption."""
    if cell.cell_type != "code":
        return cell.source
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")


def typed_numbers(notebook: NotebookNode) -> Complaints:
    """A decimal number in prose is glued, or its paragraph cites where it comes from."""
    for number, cell in enumerate(notebook.cells, 1):
        for paragraph in paragraphs(prose(cell)):
            words = "".join(token.content if token.type == "text" else " " for token in paragraph)
            cited = any(token.type == "myst_role" and token.meta["name"].startswith("cite") for token in paragraph)
            # The box's line "Covers" lists sections of the articles.
            if cited or words.strip().startswith("Covers"):
                continue
            found = _DECIMAL.findall(_NUMBER_OF.sub(" ", words))
            yield from (f"cell {number}: the number {each} is typed" for each in found)


def errata_linked(notebook: NotebookNode) -> Complaints:
    """The section against the articles links to the errata."""
    content = section(notebook, "Against the articles")
    targets = [text for _, name, text in roles(content) if name == "ref"]
    targets += [
        str(child.attrs.get("href"))
        for item in content
        if isinstance(item.what, Token)
        for child in item.what.children or ()
    ]
    if not any(re.search(r"(?:^|<|#)err-[ab]-\d", target) for target in targets):
        yield "'Against the articles' has no link to the errata, such as {ref}`err-a-4-2`"


def three_to_remember(notebook: NotebookNode) -> Complaints:
    """What to remember is one list of exactly three lines."""
    kinds = [item.what.type for item in section(notebook, "What to remember") if isinstance(item.what, Token)]
    lists = kinds.count("bullet_list_open") + kinds.count("ordered_list_open")
    if (lists, kinds.count("list_item_open")) != (1, 3):
        yield f"'What to remember' is one list of three lines, here {lists} of {kinds.count('list_item_open')}"


def reading_cited(notebook: NotebookNode) -> Complaints:
    """Where to read on cites what it names."""
    if not any(name.startswith("cite") for _, name, _ in roles(section(notebook, "Where to read on"))):
        yield "'Where to read on' cites nothing"


def results_recorded(notebook: NotebookNode) -> Complaints:
    """The section of results records at least one headline."""
    cells = [item.what for item in section(notebook, "Results") if isinstance(item.what, NotebookNode)]
    if not any(calls(cell, "record") for cell in cells):
        yield "'Results' has no call of record"


def glued_figures(notebook: NotebookNode) -> Complaints:
    """A figure that is glued in has alternative text, a name and a caption, like every other."""
    for number, glued in directives(items(notebook), "glue:figure"):
        yield from figure_faults(
            number, glued.options.get("name", ""), glued.body, glued.options.get("alt", ""), glued.argument
        )


def figure_faults(number: int, name: str, caption: str, alt: str, what: str) -> Complaints:
    """What is wrong with a figure's name, caption and alternative text."""
    if not re.fullmatch(r"fig-[a-z0-9]+(-[a-z0-9]+)*", name):
        yield f"cell {number}: the figure {what!r} has a name such as 'fig-loss'; here it is {name!r}"
    if len(caption.strip()) < SHORTEST_ALT:
        yield f"cell {number}: the figure {what!r} has no caption"
    if len(alt.strip()) < SHORTEST_ALT or re.search(r"\.(?:png|svg|jpe?g)$", alt.strip()):
        yield f"cell {number}: the figure {what!r} has no alternative text of {SHORTEST_ALT} characters: {alt!r}"


# Rules of the stored notebook: exercises and quiz


@dataclass
class Exercise:
    """An exercise as it was found: its directive, the code before its solution, and the solution."""

    number: int
    label: str
    title: str
    attempts: list[tuple[int, NotebookNode]] = field(default_factory=list)
    solution: Directive | None = None
    answers: list[tuple[int, NotebookNode]] = field(default_factory=list)
    ended: bool = False


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a chapter, in order."""
    found: list[Exercise] = []
    for item in section(notebook, "Exercises"):
        match item.what:
            case Directive(name="exercise", argument=title, options=options):
                found.append(Exercise(item.number, options.get("label", ""), title))
            case Directive(name="solution-start") as start if found:
                found[-1].solution = start
            case Directive(name="solution-end") if found:
                found[-1].ended = found[-1].solution is not None
            case NotebookNode() as cell if found:
                cells = found[-1].attempts if found[-1].solution is None else found[-1].answers
                cells.append((item.number, cell))
    return found


def exercise_form(notebook: NotebookNode) -> Complaints:
    """At least four exercises, each with a cell to fill in that checks itself, and a folded solution."""
    found = exercises(notebook)
    if len(found) < 4:
        yield f"{len(found)} exercises, at least 4 were wanted"
    for each in found:
        where = f"cell {each.number}, exercise {each.label!r}"
        if not each.title or not re.fullmatch(r"ex-[a-z0-9]+(-[a-z0-9]+)+", each.label):
            yield f"{where}: has a title and a label such as 'ex-chapter-name'"
        if len(each.attempts) != 1 or not all(is_attempt(cell) for _, cell in each.attempts):
            yield f"{where}: is followed by one cell tagged 'exercise' with '...' in it and check(…) as its last line"
        if each.solution is None or not each.ended:
            yield f"{where}: its solution stands between {{solution-start}} and {{solution-end}}"
        elif (each.solution.argument, each.solution.options.get("class")) != (each.label, "dropdown"):
            yield f"{where}: {{solution-start}} names its label and has the class dropdown"
        if not each.answers or not all("solution" in tags(cell) for _, cell in each.answers):
            yield f"{where}: its solution has code, in cells tagged 'solution' and no others"
        if not any(calls(cell, "check") for _, cell in each.answers):
            yield f"{where}: its solution calls check"


def is_attempt(cell: NotebookNode) -> bool:
    """Whether a cell is one for the reader to fill in."""
    body = statements(cell)
    dots = (node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Constant))
    last = body[-1] if body else None
    checks = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and ast.unparse(last.value.func) == "check"
    return "exercise" in tags(cell) and checks and any(node.value is ... for node in dots)


def quiz(notebook: NotebookNode) -> Complaints:
    """Five numbered questions with three or four answers, of which exactly one is right, not always at one place."""
    questions: list[tuple[str, list[str]]] = []
    for item in section(notebook, "Quiz"):
        match item.what:
            case Token(type="inline", content=text) if re.fullmatch(r"\*\*\d\. .*\?\*\*", text, re.DOTALL):
                questions.append((text, []))
            case Directive(name="dropdown", argument=answer, body=feedback) if questions:
                questions[-1][1].append(re.split(r"\W", feedback)[0] if answer else "an answer without words")
    if [text[2] for text, _ in questions] != list("12345"):
        yield f"five questions '**1. …?**' to '**5. …?**' were wanted, {len(questions)} are here"
    for text, verdicts in questions:
        if len(verdicts) not in (3, 4) or sorted(verdicts) != ["No"] * (len(verdicts) - 1) + ["Right"]:
            yield f"{text}: three or four answers were wanted, one with feedback 'Right …', the others with 'No …'"
    places = {tuple(verdicts).index("Right") for _, verdicts in questions if "Right" in verdicts}
    if len(places) == 1:
        yield "the right answer stands at the same place each time"


# Rules of the executed notebook


def text_outputs(cell: NotebookNode) -> Iterator[tuple[str, str]]:
    """The textual outputs of a cell, glued ones too: mime type (or the stream's name) and text."""
    for output in with_whole_streams(cell.get("outputs", [])):
        if output.output_type == "stream":
            yield output.name, output.text
        elif output.output_type == "error":
            yield "error", "\n".join([output.ename, output.evalue, *output.traceback])
        else:
            data = {kind.removeprefix(GLUED): value for kind, value in output.data.items()}
            yield from ((kind, text) for kind, text in data.items() if kind.startswith("text/"))


def printed(cell: NotebookNode) -> str:
    """What a cell wrote to standard output."""
    return "".join(text for kind, text in text_outputs(cell) if kind == "stdout")


def audio(html: str) -> list[Tag]:
    """The audio players in an HTML text."""
    return BeautifulSoup(html, "html.parser").select("audio")


def drawn(data: Mapping[str, str]) -> list[Tag]:
    """The images inside the HTML of an output."""
    return BeautifulSoup(data.get("text/html", ""), "html.parser").select("img, svg")


def pictures(cell: NotebookNode) -> int:
    """How many of a cell's outputs are pictures: images, or HTML with images in it."""
    shown = [output.data for output in cell.get("outputs", ()) if "data" in output]
    return sum(any(kind.startswith("image/") for kind in data) or bool(drawn(data)) for data in shown)


def no_errors(notebook: NotebookNode) -> Complaints:
    """Every cell has run, and none raised or wrote to standard error."""
    for number, cell in code_cells(notebook):
        if cell.execution_count is None:
            yield f"cell {number}: was not run"
        for kind, text in text_outputs(cell):
            if kind in ("error", "stderr"):
                yield f"cell {number}: {kind}: {text[:200]}"


def tidy_outputs(notebook: NotebookNode) -> Complaints:
    """No output is longer than a page, and none is a progress bar."""
    for number, cell in code_cells(notebook):
        for kind, text in text_outputs(cell):
            if kind != "text/html" and len(text) > LONGEST_TEXT:
                yield f"cell {number}: {len(text)} characters of {kind}, at most {LONGEST_TEXT} were wanted"
            if re.search(r"[\r\b\x1b]|━━|it/s\b|s/step", text):
                yield f"cell {number}: a progress bar or control characters in {kind}"


def notebook_size(notebook: NotebookNode) -> Complaints:
    """An executed notebook can be opened and mailed."""
    if (size := len(as_text(notebook).encode())) > LARGEST_NOTEBOOK:
        yield f"{size} bytes, at most {LARGEST_NOTEBOOK} were wanted"


def figures(notebook: NotebookNode) -> Complaints:
    """A cell that shows a picture shows that alone, with a caption, a name and alternative text."""
    for number, cell in code_cells(notebook):
        shown = cell.metadata.get("mystnb", {})
        # What is glued is kept for elsewhere; each other output would become a figure of the same name.
        displays = [output for output in cell.outputs if "data" in output and "scrapbook" not in output.metadata]
        if "figure" in shown and (len(displays), pictures(cell)) != (1, 1):
            yield f"cell {number}: has a caption, so it displays one picture and nothing else, not {len(displays)}"
        if pictures(cell):
            figure = shown.get("figure", {})
            alt = shown.get("image", {}).get("alt", "") or html_alt(cell)
            yield from figure_faults(number, figure.get("name", ""), figure.get("caption", ""), alt, "of the cell")


def html_alt(cell: NotebookNode) -> str:
    """The shortest alternative text of the pictures inside a cell's HTML, empty if one has none."""
    texts = []
    for output in cell.outputs:
        for picture in drawn(output.get("data", {})):
            named = [picture, *picture.find_parents(attrs={"role": "img"})]
            texts.append(max((str(tag.get("alt") or tag.get("aria-label") or "") for tag in named), key=len))
    return min(texts, key=len, default="")


def sounds(notebook: NotebookNode) -> Complaints:
    """One player a cell, labelled, short and small, within three cells of a score or a piano roll."""
    glued = {number for number, _ in directives(items(notebook), "glue:figure")}
    seen = glued | {number for number, cell in code_cells(notebook) if pictures(cell)}
    for number, cell in code_cells(notebook):
        players = [player for kind, text in text_outputs(cell) if kind == "text/html" for player in audio(text)]
        if len(players) > 1:
            yield f"cell {number}: {len(players)} players in one cell"
        if players and not seen & set(range(number - 3, number + 4)):
            yield f"cell {number}: no score or piano roll within three cells of the player"
        for player in players:
            yield from (f"cell {number}: {fault}" for fault in player_faults(player))


def player_faults(player: Tag) -> Complaints:
    """What is wrong with an audio player."""
    if not player.has_attr("controls") or not player.get("aria-label"):
        yield "a player has controls and an aria-label"
    source = player.get("src") or next((each.get("src") for each in player.select("source")), "")
    head, _, encoded = str(source).partition("base64,")
    if not head.startswith("data:audio/"):
        yield "the sound is not in a data URI"
        return
    sound = base64.b64decode(encoded)
    if len(sound) > LARGEST_SOUND:
        yield f"a sound of {len(sound)} bytes, at most {LARGEST_SOUND} were wanted"
    seconds = soundfile.info(io.BytesIO(sound)).duration
    if not 0 < seconds <= LONGEST_SOUND:
        yield f"a sound of {seconds:.1f} s, at most 10 s were wanted"


def glued_names(notebook: NotebookNode) -> Complaints:
    """Every glued value that the text shows was glued by a cell, under a name of its own."""
    outputs = [output for _, cell in code_cells(notebook) for output in cell.outputs]
    glued = Counter(name for output in outputs if (name := output.get("metadata", {}).get("scrapbook", {}).get("name")))
    yield from (f"{number} cells glue {name!r}" for name, number in glued.items() if number > 1)
    for number, name in glue_uses(notebook):
        if name not in glued:
            yield f"cell {number}: {name!r} is shown, and no cell glues it"


def glue_uses(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Where the text shows glued values of its own chapter: cell number and name."""
    for number, cell in enumerate(notebook.cells, 1):
        content = [Item(number, what) for what in parsed(prose(cell))]
        yield from ((number, text.split(":")[0]) for _, name, text in roles(content) if name.startswith("glue"))
        for what in (item.what for item in content):
            if isinstance(what, Directive) and what.name.startswith("glue") and "doc" not in what.options:
                yield number, what.argument


def exercises_answered(notebook: NotebookNode) -> Complaints:
    """Every unanswered exercise says so, and every solution is right."""
    for each in exercises(notebook):
        said = "".join(printed(cell) for _, cell in each.attempts)
        if "No answer yet" not in said or "Right" in said or "Not yet" in said:
            yield f"cell {each.number}, exercise {each.label!r}: unanswered, it prints {said!r}"
        said = "".join(printed(cell) for _, cell in each.answers)
        if "Right" not in said or "Not yet" in said or "No answer yet" in said:
            yield f"cell {each.number}, exercise {each.label!r}: its solution prints {said!r}"


def headline_shown(notebook: NotebookNode) -> Complaints:
    """At least one headline was recorded."""
    if not headlines(notebook):
        yield "no headline was recorded"


def headlines(notebook: NotebookNode) -> list[str]:
    """The names of the headlines that an executed notebook recorded."""
    data = (output.get("data", {}) for _, cell in code_cells(notebook) for output in cell.outputs)
    return [each[HEADLINE_MIME]["name"] for each in data if HEADLINE_MIME in each]


# Rules over all chapters


def shared_code(shelf: Mapping[str, NotebookNode]) -> Complaints:
    """No six lines of code, imports aside, stand in two chapters."""
    seen: dict[tuple[str, ...], str] = {}
    for chapter, notebook in shelf.items():
        for number, cell in code_cells(notebook):
            lines = [line.rstrip() for line in cell.source.splitlines() if line.strip()]
            lines = [line for line in lines if not re.match(r"\s*(?:from .+ )?import ", line)]
            for first in range(len(lines) - SHARED_LINES + 1):
                run = tuple(lines[first : first + SHARED_LINES])
                if seen.setdefault(run, chapter) != chapter:
                    yield f"{chapter}, cell {number}: the lines from {run[0]!r} stand in {seen[run]} too"
                    break


def names_unique(shelf: Mapping[str, NotebookNode]) -> Complaints:
    """Figures and exercises have names of their own in the whole book; exercises name their chapter."""
    seen: dict[str, str] = {}
    for chapter, notebook in shelf.items():
        labels = [each.label for each in exercises(notebook)]
        own = f"ex-{chapter.split('/')[-1].split('-')[0]}-"
        foreign = [label for label in labels if not label.startswith(own)]
        yield from (f"{chapter}: the label {label!r} begins with {own}" for label in foreign)
        cells = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for _, cell in code_cells(notebook)]
        glued = [glued.options.get("name") for _, glued in directives(items(notebook), "glue:figure")]
        for name in filter(None, labels + cells + glued):
            if name in seen:
                yield f"{chapter}: {name!r} is a name in {seen[name]} already"
            seen[name] = chapter


def headlines_unique(shelf: Mapping[str, NotebookNode]) -> Complaints:
    """Headlines have names of their own in the whole book."""
    names = Counter(name for notebook in shelf.values() for name in headlines(notebook))
    yield from (f"{number} headlines have the name {name!r}" for name, number in names.items() if number > 1)


SOURCE: tuple[Rule, ...] = (
    kernel,
    metadata_is_authored,
    cell_ids,
    plain_python,
    opening_cells,
    quiet_keras,
    backend_left_open,
    section_order,
    opening,
    cell_lengths,
    checked_cells,
    only_checked_outputs,
    nothing_ignored,
    machine_paths,
    typed_numbers,
    errata_linked,
    three_to_remember,
    reading_cited,
    results_recorded,
    glued_figures,
    exercise_form,
    quiz,
)
EXECUTED: tuple[Rule, ...] = (
    no_errors,
    machine_paths,
    tidy_outputs,
    notebook_size,
    figures,
    sounds,
    glued_names,
    exercises_answered,
    headline_shown,
)
SHELF: tuple[ShelfRule, ...] = (shared_code, names_unique)
EXECUTED_SHELF: tuple[ShelfRule, ...] = (headlines_unique,)
