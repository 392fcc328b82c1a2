"""One source for two backends: every chapter runs on JAX as it does on TensorFlow, the default."""

import nbformat
import pytest
from conftest import ROOT

from artbook.press import run as runner
from artbook.press.book import Book

BOOK = Book(ROOT)


@pytest.mark.parametrize("chapter", BOOK.chapters)
def test_a_chapter_runs_on_jax_too(chapter, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    [job] = runner.jobs_for(BOOK, [chapter], ["smoke"], [0])
    outcome = runner.execute(job)
    assert outcome.error == ""
    executed = nbformat.reads(outcome.notebook, as_version=4)
    printed = [output for cell in executed.cells for output in cell.get("outputs", ())]
    assert any("on jax" in output.get("text", "") for output in printed)
    assert [output.text for output in printed if output.get("name") == "stderr"] == []
