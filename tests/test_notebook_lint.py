"""Every rule of the lint passes on a sound chapter and objects to a broken one."""

import base64
import io
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache

import notebook_lint as lint
import numpy as np
import pytest
import soundfile
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from artbook.press.headline import HEADLINE_MIME
from artbook.press.notebooks import keep_checked_outputs

CHECKED = ("nbval-check-output", "keep_output")
ALT = "A line that falls from left to right and then stays level"
OPENING = """# A small chapter

You will have drawn a line that falls.

```{glue:figure} line
:alt: A line that falls from left to right
  and then stays level
:name: fig-opening

The line of {numref}`fig-line`, {glue:text}`slope:.2f` steep.
```

:::{admonition} Before you start
:class: tip

**Prerequisites** None. Python 3.11, 3.12 or 3.13.

**Run time**

```{measured-run}
```

**Download** Nothing.

**Covers** The first article, sections 4.1 and 4.2; the second, §4.1, §4.2 and 4.3.
:::"""
QUESTION = """**{number}. How steep is it, given $z = 0.5$?**

:::{{dropdown}} Not at all
{first} Look at {{numref}}`fig-line`.
:::

:::{{dropdown}} As steep as the code `0.25` says
{second} It falls.
:::

:::{{dropdown}} One cannot know
No. It was measured.
:::"""
EXERCISE = "```{{exercise}} Bend the line\n:label: ex-small-{name}\n\nMake it bend.\n```"
START = "```{{solution-start}} ex-small-{name}\n:class: dropdown\n```"


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def shown(**data):
    return new_output("display_data", data={key.replace("_", "/", 1): value for key, value in data.items()})


def glued(name):
    scrapbook = {"scrapbook": {"name": name, "mime_prefix": lint.GLUED}}
    return new_output("display_data", data={f"{lint.GLUED}text/plain": "1"}, metadata=scrapbook)


def headline(name="small-slope"):
    return new_output("display_data", data={HEADLINE_MIME: {"name": name}, "text/markdown": "**slope**: 1"})


@cache
def sound(seconds=0.3, form="OGG"):
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(22050 * seconds)), 22050, format=form)
    return base64.b64encode(file.getvalue()).decode()


def player(data, label="A line, plucked"):
    return f'<audio controls aria-label="{label}" src="data:audio/ogg;base64,{data}"></audio>'


def code(source, *tagged, outputs=(), **mystnb):
    metadata = ({"tags": list(tagged)} if tagged else {}) | ({"mystnb": mystnb} if mystnb else {})
    return new_code_cell(source, metadata=metadata, outputs=list(outputs))


def figure(name="fig-line", alt=ALT, caption="The line, {glue:text}`slope:.2f` steep"):
    return {"figure": {"caption": caption, "name": name}, "image": {"alt": alt}}


def exercise_cells(name):
    return [
        new_markdown_cell(EXERCISE.format(name=name)),
        code("answer = ...\ncheck(answer, 2)", "exercise", outputs=[stream("No answer yet: replace them.\n")]),
        new_markdown_cell(START.format(name=name)),
        code("answer = 1 + 1", "solution"),
        code("check(answer, one + one)", "solution", outputs=[stream("Right: 2.\n")]),
        new_markdown_cell("```{solution-end}\n```"),
    ]


@cache
def _executed_chapter() -> NotebookNode:
    """A small chapter without a fault, as it is after a run."""
    right, wrong = "Right.", "No."
    cells = [
        new_markdown_cell(OPENING),
        code(lint.PARAMETERS, "parameters"),
        code("import numpy as np\n\nfrom artbook.press.chapter import begin, check, glue, record"),
        code("run = begin(profile, seed)", outputs=[stream("Python 3.11 · profile smoke\n")]),
        new_markdown_cell(
            "## What is a line?\n\nIts slope is {glue:text}`slope:.2f`, $0.25$ by hand, `0.3` in code.\n\n"
            "Others have 0.31 {cite:p}`line`.\n\n| Model | Loss |\n|---|---|\n| {cite:t}`line` | 8.70 |\n\n"
            "```{math}\n0.5\n```\n\n[A link 3](https://example.org/1.5)"
        ),
        code('glue("slope", 0.25)', outputs=[glued("slope")]),
        code('glue("line", line)', outputs=[glued("line")]),
        code("draw()", "hide-input", outputs=[shown(image_png="iVBO", text_plain="<Figure>"), glued("f")], **figure()),
        new_markdown_cell("## What does it sound like?\n\nListen."),
        code("play()", outputs=[shown(text_html=player(sound()))]),
        *(code(f"print({n})", *CHECKED, outputs=[stream(f"{n}\n")]) for n in range(3)),
        new_markdown_cell("## Against the articles\n\nThe first says otherwise: {ref}`err-a-4-2`."),
        new_markdown_cell("## Results"),
        code('record("small-slope", "slope", 0.25)', outputs=[headline()]),
        new_markdown_cell("## Exercises\n\nFour."),
        *(cell for name in ("one", "two", "three", "four") for cell in exercise_cells(name)),
        new_markdown_cell("## Quiz"),
        *(
            new_markdown_cell(QUESTION.format(number=n, first=(right, wrong)[n % 2], second=(wrong, right)[n % 2]))
            for n in range(1, 6)
        ),
        new_markdown_cell("## What to remember\n\n- One.\n- Two.\n- Three."),
        new_markdown_cell("## Where to read on\n\n{cite:t}`line` says more."),
    ]
    count = 0
    for number, cell in enumerate(cells):
        cell.id = f"small-{number}"
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return new_notebook(cells=cells, metadata=metadata)


def executed_chapter() -> NotebookNode:
    return deepcopy(_executed_chapter())


def stored_chapter() -> NotebookNode:
    """The same chapter as it is stored."""
    return keep_checked_outputs(executed_chapter(), executed_chapter())


def cell_with(notebook: NotebookNode, text: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if text in cell.source)


def drop(text: str) -> Callable[[NotebookNode], None]:
    """Break a chapter by leaving a cell out."""
    return lambda notebook: notebook.cells.remove(cell_with(notebook, text))


def swap(old: str, new: str) -> Callable[[NotebookNode], None]:
    """Break a chapter by writing ``new`` where ``old`` stands first."""

    def broken(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, old)
        cell.source = cell.source.replace(old, new, 1)

    return broken


def put(text: str, **fields: object) -> Callable[[NotebookNode], None]:
    """Break a chapter by setting fields of a cell; ``metadata`` is added to."""

    def broken(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, text)
        metadata = cell.metadata | fields.pop("metadata", {})
        cell.update(from_dict(fields | {"metadata": metadata}))

    return broken


def prints(text: str, *outputs: NotebookNode) -> Callable[[NotebookNode], None]:
    """Break an executed chapter by giving a cell other outputs."""
    return put(text, outputs=list(outputs))


def meta(**values: object) -> Callable[[NotebookNode], None]:
    """Break a chapter's own metadata."""
    return lambda notebook: notebook.metadata.update(from_dict(values))


def same_id(notebook: NotebookNode) -> None:
    notebook.cells[3].id = notebook.cells[4].id


def long_median(notebook: NotebookNode) -> None:
    for _, cell in lint.code_cells(notebook):
        cell.source = "\n".join("abcdefghij")


def same_place(notebook: NotebookNode) -> None:
    for number in range(1, 6):
        cell = cell_with(notebook, f"**{number}. How")
        cell.source = QUESTION.format(number=number, first="Right.", second="No.")


@dataclass(frozen=True)
class Fault:
    """A way to break a sound chapter, the rule that must object and what it must say."""

    rule: lint.Rule
    broken: Callable[[NotebookNode], None]
    says: str


SOURCE_FAULTS = [
    Fault(lint.kernel, meta(kernelspec={"name": "julia"}), "metadata is"),
    Fault(lint.kernel, meta(papermill={}), "papermill"),
    Fault(lint.metadata_is_authored, put("draw()", metadata={"papermill": {}, "trust": 1}), "papermill, trust"),
    Fault(lint.cell_ids, same_id, "2 cells have the id"),
    Fault(lint.plain_python, swap("print(1)", "%time print(1)"), "not plain Python"),
    Fault(lint.plain_python, swap("print(1)", "!pip install artbook"), "not plain Python"),
    Fault(lint.opening_cells, drop("profile: str"), "tagged 'parameters'"),
    Fault(lint.opening_cells, swap("seed: int = 0", "seed: int = 1"), "tagged 'parameters'"),
    Fault(lint.opening_cells, put("print(1)", metadata={"tags": ["parameters"]}), "tagged 'parameters'"),
    Fault(lint.opening_cells, drop("from artbook"), "imports artbook.press.chapter"),
    Fault(lint.opening_cells, swap("begin(profile, seed)", 'begin("cpu", 0)'), "begins with 'run = begin"),
    Fault(lint.opening_cells, lambda notebook: notebook.cells.clear(), "fewer than three"),
    Fault(lint.quiet_keras, swap("import numpy as np", "import keras"), "keras is imported before"),
    Fault(lint.quiet_keras, swap("import numpy as np", "from tensorflow.math import exp"), "tensorflow.math is"),
    Fault(lint.backend_left_open, swap("print(1)", "keras.config.set_backend('jax')"), "set_backend chooses"),
    Fault(lint.section_order, swap("# A small", "A small"), "'# Title'"),
    Fault(lint.section_order, swap("## Quiz", "# Quiz"), "'# Title'"),
    Fault(lint.section_order, drop("## Results"), "the last sections are"),
    Fault(lint.section_order, swap("## Quiz", "### Quiz"), "the last sections are"),
    Fault(lint.section_order, drop("## What is"), "at least two sections"),
    Fault(lint.section_order, swap("## What does it sound like?", "## What is a line?"), "no name twice"),
    Fault(lint.opening, swap("{admonition}", "{note}"), "no box"),
    Fault(lint.opening, swap("{admonition} Before", "{admonition} When"), "Before you start"),
    Fault(lint.opening, swap(":class: tip", ":class: note"), "class tip"),
    Fault(lint.opening, swap("**Download**", "Download"), "bold labels Prerequisites"),
    Fault(lint.opening, swap("{measured-run}", "{note}"), "measured-run"),
    Fault(lint.opening, swap("{glue:figure}", "{code}"), "a picture of"),
    Fault(lint.opening, swap("You will have drawn a line that falls.", ""), "a sentence on"),
    Fault(lint.cell_lengths, swap("print(1)", "x = 1\n" * 26), "26 lines"),
    Fault(lint.cell_lengths, long_median, "the median cell has 10 lines"),
    Fault(lint.checked_cells, drop("print(1)"), "2 checked cells"),
    Fault(lint.checked_cells, put("print(1)", execution_count=None), "without count"),
    Fault(lint.checked_cells, put("print(1)", outputs=[]), "without output"),
    Fault(lint.checked_cells, prints("print(1)", shown(image_png="iVBO")), "not image/png"),
    Fault(lint.checked_cells, prints("print(1)", stream("x", "stderr")), "not stream"),
    Fault(lint.checked_cells, prints("print(1)", new_output("error", ename="E", evalue="", traceback=[])), "not error"),
    Fault(lint.checked_cells, prints("print(1)", glued("slope")), "not application/papermill"),
    Fault(lint.only_checked_outputs, put("draw()", execution_count=7), "stores an output or a count"),
    Fault(lint.only_checked_outputs, prints("draw()", stream("x")), "stores an output or a count"),
    Fault(lint.only_checked_outputs, put("print(1)", metadata={"tags": ["keep_output"]}), "has both tags"),
    Fault(lint.nothing_ignored, put("draw()", metadata={"tags": ["nbval-skip"]}), "without a comment"),
    Fault(lint.nothing_ignored, put("draw()", metadata={"tags": ["nbval-ignore-output"]}), "without a comment"),
    Fault(lint.nothing_ignored, put("draw()", metadata={"tags": ["raises-exception"]}), "catch the exception"),
    Fault(lint.machine_paths, swap("Listen.", "See /home/anna/book."), "'/home/a' belongs"),
    Fault(lint.machine_paths, swap("play()", 'open("C:\\\\Users\\\\anna")'), "C:"),
    Fault(lint.machine_paths, prints("print(1)", stream("<object at 0x7f3a2b1c>")), "at 0x7f3a2b1c"),
    Fault(lint.typed_numbers, swap("Listen.", "Its slope is 0.25."), "0.25 is typed"),
    Fault(lint.typed_numbers, swap("Listen.", "Its slope is 0.25.\n\nAs in {cite:p}`line`."), "0.25 is typed"),
    Fault(lint.typed_numbers, swap("Listen.", "- one\n- -0.25"), "-0.25 is typed"),
    Fault(lint.typed_numbers, swap("Listen.", "| a |\n|---|\n| 0.25 |"), "0.25 is typed"),
    Fault(lint.typed_numbers, swap("Listen.", "At 0.25 in Python 3.11."), "0.25 is typed"),
    Fault(lint.typed_numbers, swap("Bend the line", "Bend it by 0.25"), "0.25 is typed"),
    Fault(lint.typed_numbers, swap("None. Python", "It takes 3.5 s. Python"), "3.5 is typed"),
    Fault(lint.typed_numbers, swap("Not at all", "It is 0.25"), "0.25 is typed"),
    Fault(lint.typed_numbers, put("draw()", metadata={"mystnb": figure(caption="It is 0.5.")}), "0.5 is typed"),
    Fault(lint.errata_linked, swap("{ref}`err-a-4-2`", "{ref}`results`"), "no link to the errata"),
    Fault(lint.three_to_remember, swap("- Two.\n", ""), "three lines, here 1 of 2"),
    Fault(lint.three_to_remember, swap("- Two.\n", "\nTwo.\n\n"), "three lines, here 2 of 2"),
    Fault(lint.reading_cited, swap("{cite:t}`line` says more.", "The library says more."), "cites nothing"),
    Fault(lint.results_recorded, swap("record(", "print("), "no call of record"),
    Fault(lint.glued_figures, swap(":alt: A line that falls from left to right\n", ""), "alternative text"),
    Fault(lint.glued_figures, swap("and then stays level", "as in line.png"), "alternative text"),
    Fault(lint.glued_figures, swap(":name: fig-opening", ":name: opening"), "has a name such as 'fig-loss'"),
    Fault(lint.glued_figures, swap("The line of {numref}`fig-line`, {glue:text}`slope:.2f` steep.", ""), "no caption"),
    Fault(lint.exercise_form, drop("ex-small-one"), "3 exercises"),
    Fault(lint.exercise_form, swap("{exercise} Bend the line", "{exercise}"), "has a title and a label"),
    Fault(lint.exercise_form, swap("ex-small-one", "small_one"), "has a title and a label"),
    Fault(lint.exercise_form, swap("answer = ...", "answer = 2"), "with '...' in it"),
    Fault(lint.exercise_form, swap("...\ncheck(answer, 2)", "...\ncheck(answer, 2)\nanswer"), "as its last line"),
    Fault(lint.exercise_form, put("answer = ...", metadata={"tags": []}), "tagged 'exercise'"),
    Fault(lint.exercise_form, drop("answer = ..."), "is followed by one cell"),
    Fault(lint.exercise_form, drop("solution-start"), "stands between"),
    Fault(lint.exercise_form, drop("solution-end"), "stands between"),
    Fault(lint.exercise_form, swap("{solution-start} ex-small-one", "{solution-start} ex-a-b"), "names its label"),
    Fault(lint.exercise_form, swap("\n:class: dropdown", ""), "class dropdown"),
    Fault(lint.exercise_form, put("answer = 1 + 1", metadata={"tags": []}), "tagged 'solution' and no others"),
    Fault(lint.exercise_form, swap("check(answer, one + one)", "answer"), "calls check"),
    Fault(lint.quiz, drop("**3. How"), "4 are here"),
    Fault(lint.quiz, swap("**3. How", "**2. How"), "five questions"),
    Fault(lint.quiz, swap("Right. It falls.", "No. It falls."), "three or four answers"),
    Fault(lint.quiz, swap("No. It was measured.", "Right. It was measured."), "three or four answers"),
    Fault(lint.quiz, swap("No. It was measured.", "It was measured."), "three or four answers"),
    Fault(lint.quiz, swap(":::{dropdown} One cannot know", ":::{note}"), "three or four answers"),
    Fault(lint.quiz, swap("{dropdown} One cannot know", "{dropdown}"), "three or four answers"),
    Fault(lint.quiz, same_place, "same place each time"),
]

TRACE = "File /home/anna/.venv/lib/python3.11/site-packages/numpy/core.py"
SVG = '<figure role="img" aria-label="{label}"><svg></svg></figure>'
EXECUTED_FAULTS = [
    Fault(lint.no_errors, put("draw()", execution_count=None), "was not run"),
    Fault(lint.no_errors, prints("draw()", stream("careful", "stderr")), "stderr: careful"),
    Fault(lint.no_errors, prints("draw()", new_output("error", ename="Oh", evalue="no", traceback=[])), "error: Oh"),
    Fault(lint.machine_paths, prints("print(1)", stream(TRACE)), "'/home/a' belongs"),
    Fault(lint.machine_paths, prints("print(1)", shown(text_html="<p>/tmp/x</p>")), "'/tmp/x' belongs"),
    Fault(lint.tidy_outputs, prints("print(1)", stream("x" * 4001)), "4001 characters of stdout"),
    Fault(lint.tidy_outputs, prints("print(1)", shown(text_plain="1/2\r2/2")), "a progress bar"),
    Fault(lint.tidy_outputs, prints("print(1)", stream("32/32 ━━━━ 0s 1ms/step")), "a progress bar"),
    Fault(lint.notebook_size, prints("draw()", shown(image_png="x" * 4_000_000)), "bytes, at most"),
    Fault(lint.figures, put("draw()", metadata={"mystnb": {}}), "has a name such as 'fig-loss'"),
    Fault(lint.figures, put("draw()", metadata={"mystnb": figure(name="line")}), "has a name such as 'fig-loss'"),
    Fault(lint.figures, put("draw()", metadata={"mystnb": figure(alt="A line")}), "no alternative text"),
    Fault(
        lint.figures,
        put("draw()", metadata={"mystnb": figure(alt="chapter_7_0_line.png")}),
        "no alternative text",
    ),
    Fault(lint.figures, put("draw()", metadata={"mystnb": {"figure": {"name": "fig-line"}}}), "no caption"),
    Fault(lint.figures, prints("draw()", shown(image_png="iVBO"), headline()), "displays one picture and nothing else"),
    Fault(lint.figures, prints("draw()", stream("no picture")), "not 0"),
    Fault(lint.figures, prints("print(1)", shown(text_html=SVG.format(label=ALT))), "has a name such as"),
    Fault(lint.figures, prints("print(1)", shown(text_html=SVG.format(label="A score"))), "no alternative text"),
    Fault(lint.figures, prints("print(1)", shown(text_html="<img src='x'>")), "no alternative text"),
    Fault(lint.sounds, prints("play()", shown(text_html=player(sound()) * 2)), "2 players in one cell"),
    Fault(lint.sounds, prints("play()", shown(text_html=player(sound(11)))), "a sound of 11.0 s"),
    Fault(lint.sounds, prints("play()", shown(text_html=player(sound(11, "WAV")))), "bytes, at most 200000"),
    Fault(lint.sounds, prints("play()", shown(text_html=player(sound(), label=""))), "an aria-label"),
    Fault(lint.sounds, prints("play()", shown(text_html="<audio controls src='a.ogg'>")), "not in a data URI"),
    Fault(lint.sounds, prints("draw()", stream("no picture")), "no score or piano roll"),
    Fault(lint.glued_names, prints('glue("slope"', stream("")), "'slope' is shown, and no cell glues it"),
    Fault(lint.glued_names, prints('glue("line"', stream("")), "'line' is shown, and no cell glues it"),
    Fault(lint.glued_names, prints('glue("line"', glued("slope"), glued("line")), "2 cells glue 'slope'"),
    Fault(lint.glued_names, swap("Listen.", "{glue}`sound`"), "'sound' is shown"),
    Fault(lint.glued_names, put("draw()", metadata={"mystnb": figure(caption="{glue}`a`")}), "'a' is shown"),
    Fault(lint.exercises_answered, prints("answer = ...", stream("Right: 2.\n")), "unanswered, it prints"),
    Fault(lint.exercises_answered, prints("answer = ..."), "unanswered, it prints ''"),
    Fault(lint.exercises_answered, prints("one + one", stream("Not yet. Yours: 3\n")), "prints"),
    Fault(lint.exercises_answered, swap("{solution-start}", "{note}"), "its solution prints ''"),
    Fault(lint.headline_shown, prints("record(", stream("")), "no headline"),
]


def identified(fault: Fault) -> str:
    return f"{fault.rule.__name__}-{fault.says}"


@pytest.mark.parametrize("rule", lint.SOURCE, ids=lambda rule: rule.__name__)
def test_a_sound_stored_chapter_passes(rule):
    assert list(rule(stored_chapter())) == []


@pytest.mark.parametrize("rule", lint.EXECUTED, ids=lambda rule: rule.__name__)
def test_a_sound_executed_chapter_passes(rule):
    assert list(rule(executed_chapter())) == []


@pytest.mark.parametrize("fault", SOURCE_FAULTS, ids=identified)
def test_a_fault_of_a_stored_chapter_is_found(fault):
    notebook = stored_chapter()
    fault.broken(notebook)
    complaints = list(fault.rule(notebook))
    assert any(fault.says in complaint for complaint in complaints), complaints


@pytest.mark.parametrize("fault", EXECUTED_FAULTS, ids=identified)
def test_a_fault_of_an_executed_chapter_is_found(fault):
    notebook = executed_chapter()
    fault.broken(notebook)
    complaints = list(fault.rule(notebook))
    assert any(fault.says in complaint for complaint in complaints), complaints


def test_every_rule_has_been_seen_to_fail():
    assert {fault.rule for fault in SOURCE_FAULTS} == set(lint.SOURCE)
    assert {fault.rule for fault in EXECUTED_FAULTS} == set(lint.EXECUTED)


def test_what_is_no_measured_number_may_be_typed():
    notebook = stored_chapter()
    fine = (
        "BWV 26.6 and bwv26.6, CC BY-SA 4.0, version 3.11.7, TensorFlow 2.20 or 2.21, see sections 4.2, 4.3, and 5.1, "
        "figure 2.1, §§4.2–4.3, ${\\ln 2} = 0.693$, `0.5`, <span title='0.5'>x</span>, [here](a-1.5.md), 12 and 3,600"
    )
    swap("Listen.", fine)(notebook)
    assert list(lint.typed_numbers(notebook)) == []


def test_two_chapters_share_no_code_and_no_name():
    one, two = stored_chapter(), stored_chapter()
    for cell in two.cells:
        cell.source = cell.source.replace("ex-small-", "ex-other-").replace("fig-", "fig-other-")
        if "mystnb" in cell.metadata:
            cell.metadata.mystnb.figure.name = "fig-other-line"
    shelf = {"part/small": one, "part/other": two}
    assert [list(rule(shelf)) for rule in lint.SHELF] == [[], []]
    lines = "".join(f"x{n} = {n}\n" for n in range(6))
    swap("print(1)", f"a = 1\n{lines}")(one)
    swap("print(2)", f"b = 2\n\nimport os\n{lines}")(two)
    assert [complaint.split(":")[0] for complaint in lint.shared_code(shelf)] == ["part/other, cell 13"]
    swap("x5 = 5", "x5 = 6")(two)
    assert list(lint.shared_code(shelf)) == []
    two.cells[7].metadata.mystnb.figure.name = "fig-line"
    assert list(lint.names_unique(shelf)) == ["part/other: 'fig-line' is a name in part/small already"]
    swap("ex-other-two", "ex-small-five")(two)
    assert "part/other: the label 'ex-small-five' begins with ex-other-" in lint.names_unique(shelf)


def test_headlines_are_unique_in_the_book():
    one, two = executed_chapter(), executed_chapter()
    assert list(lint.headlines_unique({"one": one, "two": two})) == ["2 headlines have the name 'small-slope'"]
    prints("record(", headline("other-slope"))(two)
    assert list(lint.headlines_unique({"one": one, "two": two})) == []


def test_breaking_a_chapter_leaves_the_next_one_whole():
    before = deepcopy(stored_chapter())
    put("draw()", metadata={"tags": []})(stored_chapter())
    assert stored_chapter() == before
