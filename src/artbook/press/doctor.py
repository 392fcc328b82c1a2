"""Look at this machine and environment, and say what a reader should mend before the book can be made."""

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from artbook.data.store import cache_folder
from artbook.press.book import Book


@dataclass(frozen=True)
class Finding:
    """What one look found.

    Attributes:
        subject: what was looked at.
        well: whether it is as the book needs it.
        text: what was found and, where it is not well, what to do.
    """

    subject: str
    well: bool
    text: str


def locked_versions(lock: str) -> dict[str, str]:
    """The versions that the lock names for this Python and platform, by the package's canonical name."""
    entries = [line.rstrip(" \\") for line in lock.splitlines() if line[:1].isalnum()]
    fitting = [each for each in map(Requirement, entries) if each.marker is None or each.marker.evaluate()]
    return {str(canonicalize_name(each.name)): next(iter(each.specifier)).version for each in fitting}


def _python(_: Book) -> Finding:
    version = platform.python_version()
    return Finding("Python", version.split(".")[1] in ("11", "12", "13"), f"{version}; 3.11, 3.12 or 3.13 is wanted")


def _packages(book: Book) -> Finding:
    wanted = locked_versions((book.root / "requirements.lock").read_text(encoding="utf-8"))
    installed = {str(canonicalize_name(each.name)): each.version for each in importlib.metadata.distributions()}
    other = [
        f"{name} {installed.get(name)}, not {version}"
        for name, version in wanted.items()
        if installed.get(name) != version
    ]
    return Finding(
        "packages", not other, "; ".join(other[:5]) + " — run make again" if other else f"{len(wanted)} as locked"
    )


def _backend(_: Book) -> Finding:
    from artbook.press.chapter import describe_versions

    return Finding("backend", True, describe_versions())


def _cache(_: Book) -> Finding:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("cache", False, f"{folder} cannot be written ({error}); set ARTBOOK_CACHE to a folder of yours")
    return Finding("cache", True, f"{folder} can be written")


def _disk(book: Book) -> Finding:
    free = shutil.disk_usage(book.root).free / 1e9
    return Finding("disk", free > 1, f"{free:.0f} GB free; 1 GB is wanted beside the environment")


def _cores(_: Book) -> Finding:
    cores = os.cpu_count() or 1
    return Finding("cores", True, f"{cores}; the book runs two chapters at a time (JOBS)")


LOOKS: tuple[Callable[[Book], Finding], ...] = (_python, _packages, _backend, _cache, _disk, _cores)


def examine(book: Book) -> Iterator[Finding]:
    """Look at all that making the book needs, one thing after another."""
    for look in LOOKS:
        yield look(book)
