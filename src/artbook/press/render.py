"""Render the executed chapters and the pages to a site, with Jupyter Book.

Everything is made beside the site and put in its place when it is whole, so a failure leaves the last
good site as it was.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import corpus
from artbook.data.store import write_atomically
from artbook.press import notebooks
from artbook.press.book import Book
from artbook.press.dependencies import PACKAGE, inputs_of, settings_of, what_changed
from artbook.press.hanging import gallery_files, hung

# What the pages load, out of the npm packages that the manifest names: folder, and beginnings in it.
_LIBRARIES = {
    "mathjax": ("package/es5/", ("tex-chtml.js", "input/tex/extensions/", "output/chtml/fonts/woff-v2/")),
    "mermaid": ("package/dist/", ("mermaid.min.js",)),
    "model-viewer": ("package/dist/", ("model-viewer-umd.min.js",)),
}


class RenderError(RuntimeError):
    """The pages could not be made; the message has what Sphinx said."""


def render(book: Book, profile: str) -> Path:
    """Render the book with what the chapters gave in one profile.

    A chapter that was never run in the profile is shown without outputs; then warnings, which such a
    chapter is bound to give, are printed and do not count as failures.

    Args:
        book: the checkout.
        profile: ``smoke``, ``cpu`` or ``gpu``.

    Returns:
        The front page: ``_build/html/index.html`` for the profile ``cpu`` (see ``Book.site``).

    Raises:
        ValueError: there is no such profile.
        RenderError: Sphinx found an error, or a warning in a book whose chapters were all run.
    """
    records = {chapter: book.record(chapter, profile) for chapter in book.chapters}
    never_run = [chapter for chapter, record in records.items() if record is None]
    changed = [
        chapter
        for chapter, record in records.items()
        if record and what_changed(record.inputs, settings_of(profile, 0) | inputs_of(book, chapter))
    ]
    if changed:
        print(f"Changed since they were run, so shown as they were then: {', '.join(changed)}.")
    if never_run:
        print(f"Never run in the profile {profile}, so shown without outputs: {', '.join(never_run)}.")
        print("Until they are, warnings do not stop the rendering.", flush=True)
    source, work = (book.build / "render" / profile / name for name in ("source", "work"))
    stage(staged_files(book, profile), source)
    made = _make_pages(book, source, work, strict=not never_run)
    _put_in_place(made, book.site(profile))
    return book.site(profile) / "index.html"


def staged_files(book: Book, profile: str) -> dict[str, bytes]:
    """What Sphinx reads: the pages, the libraries, the gallery, and the page and record of each chapter that was run.

    Args:
        book: the checkout.
        profile: the profile whose runs are shown.

    Returns:
        The files' contents, by path below the source folder; those in ``_vendor`` go to the site as they are.

    Raises:
        ValueError: two works have one name, or the gallery's database is not one of the book's.
        OSError: the gallery's database does not answer, or another writer keeps it.
    """
    paths = [path for path in book.pages.rglob("*") if path.is_file() and ".ipynb_checkpoints" not in path.parts]
    files = {path.relative_to(book.pages).as_posix(): path.read_bytes() for path in paths}
    for chapter in book.chapters:
        record, page = book.record(chapter, profile), book.page(chapter, profile)
        if record and page:
            files[f"{chapter}.ipynb"] = notebooks.as_text(page).encode()
            files[f"{chapter}.json"] = record.to_json().encode()
    return files | gallery_files(hung(book, profile)) | libraries()


def stage(files: Mapping[str, bytes], folder: Path) -> None:
    """Make a folder hold exactly these files, and touch only those that differ: Sphinx goes by their times.

    Args:
        files: contents by path below the folder.
        folder: the folder; it is made if it is missing.
    """
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _make_pages(book: Book, source: Path, work: Path, *, strict: bool) -> Path:
    """Run Jupyter Book on ``source`` in ``work``, and return the folder of the pages.

    Sphinx keeps what it has read and does not repeat its warnings about it. So what it keeps is used
    again only if there was no warning, and the tools and settings are the same.
    """
    clean, state = work / "clean", _state(book)
    if not clean.is_file() or clean.read_text(encoding="utf-8") != state:
        shutil.rmtree(work, ignore_errors=True)
    clean.unlink(missing_ok=True)
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    command += [str(source), "--path-output", str(work), "-n", "-q", "--keep-going"]
    command += ["--config", str(book.root / "_config.yml"), "--toc", str(book.root / "_toc.yml")]
    run = subprocess.run(
        [*command, "-W"] if strict else command,
        cwd=book.root,
        env=os.environ | {"NO_COLOR": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    warnings = _readable(run.stderr).replace(str(source), str(book.pages))
    if run.returncode:
        raise RenderError(f"the pages could not be made:\n{warnings or run.stdout}")
    if warnings:
        print(warnings)
    else:
        write_atomically(clean, state.encode())
    return work / "_build" / "html"


def _state(book: Book) -> str:
    """Digest of what all pages depend on: locked tools, this package's gallery and press, settings and contents."""
    paths = [book.root / name for name in ("requirements.lock", "_config.yml", "_toc.yml")]
    paths += sorted(path for room in ("gallery", "press") for path in (PACKAGE / room).glob("*.py"))
    # Sphinx copies styles and pictures only when it writes a page.
    paths += sorted(path for path in (book.pages / "_static").rglob("*") if path.is_file())
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def _readable(log: str) -> str:
    """What Sphinx said, without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", log).strip()


def _put_in_place(made: Path, site: Path) -> None:
    """Copy the pages beside the site and exchange the two by renaming, so the site is never half there."""
    new, old = (site.with_name(f".{site.name}-{age}") for age in ("new", "old"))
    for folder in (new, old):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, new)
    if site.exists():
        site.replace(old)
    new.replace(site)
    shutil.rmtree(old, ignore_errors=True)


def libraries() -> dict[str, bytes]:
    """The JavaScript libraries that the pages use, from the cache or fetched.

    Returns:
        The files, by path below the source folder; Sphinx copies what is in ``_vendor`` to the site.

    Raises:
        ValueError: what was fetched is not what the manifest names.
        OSError: it could not be fetched.
    """
    files = {}
    for name, (folder, wanted) in _LIBRARIES.items():
        for path, content in contents(fetch(corpus(name)), folder).items():
            inside = path.removeprefix(folder)
            if inside.startswith(wanted) and not inside.endswith(".map"):
                files[f"_vendor/_static/vendor/{name}/{inside}"] = content
    return files
