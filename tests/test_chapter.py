"""What every chapter calls, seen through the outputs that it leaves in a notebook."""

import subprocess
import sys

import numpy as np
import pytest

from artbook.press import chapter
from artbook.press.chapter import Published, begin, check, glue, record
from artbook.press.headline import HEADLINE_MIME, Headline


@pytest.fixture
def shown(monkeypatch) -> list[tuple[dict, dict]]:
    """What the code under test displays: bundles by media type, with their metadata."""
    caught: list[tuple[dict, dict]] = []
    monkeypatch.setattr(chapter, "display", lambda data, raw, metadata: caught.append((data, metadata)))
    return caught


def test_begin_seeds_numpy_and_keras_and_says_what_it_runs_on(capsys):
    run = begin("cpu", 7)
    first = np.random.rand(), float(chapter.keras.random.uniform(()))
    begin("cpu", 7)
    assert first == (np.random.rand(), float(chapter.keras.random.uniform(())))
    said = capsys.readouterr().out
    for part in (
        "Python 3.",
        f"Keras {chapter.keras.__version__} on",
        f"NumPy {np.__version__}",
        "profile cpu",
        "seed 7",
    ):
        assert part in said
    assert run.pick(smoke=1, cpu=2, gpu=3) == 2
    assert run.rng().random() == np.random.default_rng(7).random()


def test_the_environment_overrules_the_profile(monkeypatch):
    monkeypatch.setenv("ARTBOOK_PROFILE", "smoke")
    assert begin("cpu", 0).profile == "smoke"
    monkeypatch.setenv("ARTBOOK_PROFILE", "laptop")
    with pytest.raises(ValueError, match="'laptop' was given"):
        begin("cpu", 0)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "0"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed is a whole number"):
        begin("smoke", seed)


def test_keras_is_loaded_without_a_notice():
    run = subprocess.run(
        [sys.executable, "-c", "from artbook.press.chapter import begin; begin('smoke', 0)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stderr == ""


def test_notices_are_let_through_when_the_block_fails():
    code = (
        "import os\nfrom artbook.press.chapter import _notices_withheld\n"
        "with _notices_withheld():\n    os.write(2, b'why it failed')\n    raise OSError('no backend')"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "why it failed" in run.stderr


@pytest.mark.parametrize(("value", "text"), [(np.float64(0.25), "0.25"), (3, "3"), ("a chord", "'a chord'")])
def test_glue_writes_what_myst_nb_writes(shown, value, text, monkeypatch):
    glue("a-name", value)
    [(ours, our_metadata)] = shown
    assert ours["application/papermill.record/text/plain"] == text
    myst_nb = pytest.importorskip("myst_nb.ext.glue")
    theirs: list[tuple[dict, dict]] = []
    monkeypatch.setattr(myst_nb, "ipy_display", lambda data, raw, metadata: theirs.append((data, metadata)))
    myst_nb.glue("a-name", value.item() if isinstance(value, np.generic) else value, display=False)
    assert (ours, our_metadata) == theirs[0]


def test_record_glues_shows_and_keeps_the_headline(shown):
    record(
        "toy-nll",
        "held-out loss",
        np.float32(0.5),
        unit="nats",
        better="lower",
        bound=1,
        baselines={"chance": np.float64(2.0)},
        published={"RNN": Published(8.71, "bl2012")},
    )
    (glued, _), (kept, _) = shown
    assert glued["application/papermill.record/text/plain"] == "0.5"
    assert kept["text/markdown"] == "**held-out loss**: 0.5 nats (claimed: ≤ 1)"
    assert kept[HEADLINE_MIME]["published"]["RNN"] == {"value": 8.71, "citation": "bl2012", "note": ""}
    assert type(kept[HEADLINE_MIME]["baselines"]["chance"]) is float


@pytest.mark.parametrize(
    ("better", "value", "holds"), [("lower", 2.0, False), ("higher", 2.0, True), ("higher", 0.5, False)]
)
def test_a_claim_holds_or_not(better, value, holds):
    assert Headline("n", "t", value, "u", better, 1.0).holds is holds


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": float("nan")}, "value is nan"),
        ({"bound": float("inf")}, "bound is inf"),
        ({"baselines": {"chance": float("nan")}}, "chance is nan"),
        ({"better": "smaller"}, "'smaller' was given"),
    ],
)
def test_a_headline_that_says_nothing_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Headline(**{"name": "n", "title": "t", "value": 1.0, "unit": "u", "better": "lower", "bound": 1.0} | changes)


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        (..., 1, "No answer yet: replace the three dots, then run the cell again.\n"),
        (None, 1, "No answer yet: replace the three dots, then run the cell again.\n"),
        (0.1 + 0.2, 0.3, "Right: 0.3.\n"),
        ([1, 2], np.array([1.0, 2.0]), "Right: [1 2].\n"),
        ([1, 2], [1, 3], "Not yet. Yours: [1 2]; true value: [1 3].\n"),
        ([1, 2], [[1, 2]], "Not yet. Yours: [1 2]; true value: [[1 2]].\n"),
        ("C", "C", "Right: 'C'.\n"),
        ("C", 1, "Not yet. Yours: 'C'; true value: 1.\n"),
        (np.nan, 1, "Not yet. Yours: nan; true value: 1.\n"),
        ({60}, {60}, "Right: {60}.\n"),
        (4, lambda value: value % 2 == 0, "Right.\n"),
        (5, lambda value: value % 2 == 0, "Not yet. Yours: 5.\n"),
        (["C", "E"], ["C", "E"], "Right: ['C', 'E'].\n"),
        (("C", 1), ("C", 2), "Not yet. Yours: ('C', 1); true value: ('C', 2).\n"),
        ([[1], [2, 3]], [1, 2], "Not yet. Yours: [[1], [2, 3]]; true value: [1 2].\n"),
        (True, True, "Right: True.\n"),
        (object, 1, f"Not yet. Yours: {object!r}; true value: 1.\n"),
    ],
)
def test_check_says_whether_an_answer_is_right(capsys, answer, expected, said):
    check(answer, expected)
    assert capsys.readouterr().out == said
