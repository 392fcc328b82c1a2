import platform
from pathlib import Path

import pytest
from conftest import ROOT
from typer.testing import CliRunner

from artbook.press import cli, doctor
from artbook.press.book import Book

LOCK = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:01
Types_PyYAML==6.0
"""


def test_locked_versions_are_those_of_this_python():
    newer = tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 12)
    assert doctor.locked_versions(LOCK) == {"numpy": "2.5.5" if newer else "2.4.6", "types-pyyaml": "6.0"}


def test_all_is_well_in_the_books_own_environment():
    findings = {finding.subject: finding for finding in doctor.examine(Book(ROOT))}
    assert [finding for finding in findings.values() if not finding.well] == []
    assert "Keras" in findings["backend"].text


def test_other_versions_are_named(toy_book):
    book = toy_book(music_one=("1",))
    (book.root / "requirements.lock").write_text("rich==0.1\nnot-there==1.0\n")
    finding = next(each for each in doctor.examine(book) if each.subject == "packages")
    assert not finding.well
    assert "not 0.1" in finding.text
    assert "not-there None, not 1.0" in finding.text


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path / "file"))
    finding = next(each for each in doctor.examine(Book(ROOT)) if each.subject == "cache")
    assert not finding.well
    assert "set ARTBOOK_CACHE" in finding.text


@pytest.mark.parametrize(("well", "code"), [(True, 0), (False, 1)])
def test_the_command_ends_with_a_code_that_says_how_it_is(monkeypatch, well, code):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(doctor, "LOOKS", (lambda book: doctor.Finding("thing", well, "seen [so]"),))
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert result.exit_code == code
    assert "thing: seen [so]" in result.stdout
