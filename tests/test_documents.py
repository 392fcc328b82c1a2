"""What the documents at the top of the repository say is so: links, commands, paths, limits, versions."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from xml.etree import ElementTree

import notebook_lint as lint
import pytest
import typer
import yaml
from conftest import ROOT
from markdown_it import MarkdownIt
from pybtex.database import Entry, parse_file

from artbook.press import PROFILES, notebooks, setup
from artbook.press.book import Book
from artbook.press.cli import app

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PICTURE = ROOT / "book" / "_static" / "house.svg"
COMMANDS = typer.main.get_command(app)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def tokens(name: str) -> Iterator:
    for token in MarkdownIt().enable("table").parse(text_of(name)):
        yield token
        yield from token.children or ()


def links(name: str) -> list[str]:
    """Where the links and images of a document lead."""
    found = (token.attrs.get("href") or token.attrs.get("src") for token in tokens(name))
    return [str(target) for target in found if target]


def code_spans(name: str) -> list[str]:
    return [token.content for token in tokens(name) if token.type == "code_inline"]


def command_lines(name: str) -> list[list[str]]:
    """The commands that a document tells the reader to call, as words, comments and environment left out."""
    blocks = [token.content for token in tokens(name) if token.type == "fence" and token.info == "sh"]
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    lines += [span for span in code_spans(name) if re.match(r"(?:make|artbook|uv|\.venv/bin/\S+) ", span)]
    lines = [re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line.strip()) for line in lines]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def calls(program: str) -> list[tuple[str, list[str]]]:
    """The calls of a program in all documents: the document and the program's arguments."""
    found = ((name, words) for name in DOCUMENTS for words in command_lines(name))
    return [(name, words[1:]) for name, words in found if words[0].rpartition("/")[2] == program]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    targets = links(name)
    inside = [target for target in targets if not re.match(r"https?://", target)]
    assert [target for target in inside if not (ROOT / target).exists()] == []
    assert all(target.startswith("https://") for target in targets if target not in inside)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_paths_that_are_named_exist(name):
    spans = code_spans(name) + [word for words in command_lines(name) for word in words]
    form = re.compile(r"\.?(?:book|src|tests|ci|github)/[\w./-]+|[\w.-]+\.(?:md|yml|lock|toml|cff)")
    paths = {span for span in spans if form.fullmatch(span)}
    assert len(paths) >= 3
    assert {path for path in paths if not re.search("NAME|PART", path) and not (ROOT / path).exists()} == set()


def test_the_picture_of_the_house_is_small_and_speaks():
    assert PICTURE.stat().st_size < 60_000
    assert PICTURE.relative_to(ROOT).as_posix() in links("README.md")
    drawing = ElementTree.parse(PICTURE).getroot()
    names = [child.tag.rpartition("}")[2] for child in drawing]
    assert names[:2] == ["title", "desc"]
    assert drawing.get("role") == "img"
    words = {each.text for each in drawing.iter("{http://www.w3.org/2000/svg}text")}
    boxes = {each.text for each in drawing.iterfind(".//{*}g/{*}text[@class='t']")}
    assert len(boxes) == 10
    assert all(box.lower() in drawing[1].text.lower() for box in boxes), "the description names every box"
    assert words > boxes
    assert "href" not in PICTURE.read_text(encoding="utf-8")


def test_make_has_the_targets_and_variables_that_are_named():
    makefile = text_of("Makefile")
    assert len(calls("make")) >= 6
    for name, arguments in calls("make"):
        for word in arguments:
            variable, assigned, _ = word.partition("=")
            wanted = rf"^{variable} \?=" if assigned else rf"^{re.escape(word)}:"
            assert re.search(wanted, makefile, re.MULTILINE), f"{name}: make {word}"


def test_artbook_has_the_commands_and_options_that_are_named():
    assert len(calls("artbook")) >= 6
    for name, (command, *arguments) in calls("artbook"):
        assert command in COMMANDS.commands, f"{name}: artbook {command}"
        known = {option for each in COMMANDS.commands[command].params for option in each.opts}
        given = {word for word in arguments if word.startswith("--")}
        assert given <= known, f"{name}: artbook {command} {given - known}"
        takes_names = any(each.param_type_name == "argument" for each in COMMANDS.commands[command].params)
        assert takes_names or not [word for word in arguments if word in ("NAME", "first-model")]


def test_every_command_is_documented():
    text = "".join(map(text_of, DOCUMENTS))
    assert [command for command in COMMANDS.commands if f"artbook {command}" not in text] == []
    targets = re.search(r"^\.PHONY: (.*)$", text_of("Makefile"), re.MULTILINE)[1].split()
    assert {"book", "test", "lab"} <= set(targets)


def test_the_readme_lists_the_chapters_that_are_here_by_their_titles():
    rows = re.findall(r"^\| (.+?) \| \[(.+?)\]\((book/.+?\.ipynb)\) \|", text_of("README.md"), re.MULTILINE)
    book = Book(ROOT)
    contents = yaml.safe_load(text_of("_toc.yml"))["parts"]
    part_of = {entry["file"]: part["caption"] for part in contents for entry in part["chapters"]}
    first_cells = {chapter: notebooks.read(book.notebook(chapter)).cells[0].source for chapter in book.chapters}
    titles = {chapter: source.splitlines()[0].removeprefix("# ") for chapter, source in first_cells.items()}
    assert rows == [(part_of[each], titles[each], f"book/{each}.ipynb") for each in book.chapters]


def test_the_readme_names_the_supported_pythons():
    (_, first), (_, last) = setup.SUPPORTED
    *early, late = (f"3.{minor}" for minor in range(first, last + 1))
    assert f"Python {', '.join(early)} or {late}" in text_of("README.md")


def test_contributing_states_the_limits_of_the_lint():
    text = text_of("CONTRIBUTING.md")
    for words in (
        f"at most {lint.LONGEST_CELL} lines",
        "fewer than ten" if lint.MEDIAN_CELL == 10 else "",
        f"at most {lint.LONGEST_TEXT:,} characters",
        f"at most {lint.LONGEST_SOUND:.0f} s and {lint.LARGEST_SOUND // 1000} kB",
        f"at least {lint.SHORTEST_ALT} characters",
        {6: "No six lines"}[lint.SHARED_LINES],
        *(f"**{label}**" for label in lint.BOX_LABELS),
        *(f"`## {title}`" for title in lint.CLOSING),
        *(f"| `{profile}` |" for profile in PROFILES),
    ):
        assert words in text, words
    for line in lint.PARAMETERS.splitlines():
        assert f"`{line}`" in text


def test_what_contributing_writes_in_python_is_python():
    blocks = [token.content for token in tokens("CONTRIBUTING.md") if token.type == "fence" and token.info == "python"]
    assert blocks
    for block in blocks:
        ast.parse(block)


def test_the_citation_is_valid():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    check = subprocess.run([*command, ROOT / "CITATION.cff"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr


def test_versions_titles_and_licences_agree():
    newest = re.search(r"^## \[(.+?)\]", text_of("CHANGELOG.md"), re.MULTILINE)[1]
    assert PROJECT["version"] == CITATION["version"] == newest
    title = yaml.safe_load(text_of("_config.yml"))["title"]
    assert CITATION["title"] == title
    assert text_of("README.md").startswith(f"# {title}\n")
    assert f"*{title}*, version {newest}." in text_of("README.md")
    assert CITATION["license"] == [PROJECT["license"], "CC-BY-4.0"]


def test_the_licences_are_what_they_are_called():
    assert PROJECT["license-files"] == ["LICENSE"]
    code, text = text_of("LICENSE"), text_of("LICENSE-TEXT")
    assert code.startswith("BSD 3-Clause License\n")
    assert re.findall(r"^(\d)\. ", code, re.MULTILINE) == ["1", "2", "3"]
    assert "https://creativecommons.org/licenses/by/4.0/" in text
    assert all("the authors of Large Models for Art" in each for each in (code, text))


@pytest.mark.parametrize("name", [*DOCUMENTS, "CITATION.cff", "LICENSE", "LICENSE-TEXT"])
def test_no_document_knows_a_machine(name):
    assert lint.MACHINE.search(text_of(name)) is None


def cited_as(work: Entry) -> tuple[str, ...]:
    """What a page shows of a work: one or two names, or the first of more, and the year."""
    people = [" ".join(person.last_names) for person in work.persons["author"]]
    return *(people if len(people) < 3 else [people[0], "et al."]), work.fields["year"]


def test_no_two_works_are_cited_alike():
    works = parse_file(str(ROOT / "book" / "references.bib")).entries
    shown = {}
    for key, work in works.items():
        shown.setdefault(cited_as(work), []).append(key)
    assert [keys for keys in shown.values() if len(keys) > 1] == []
