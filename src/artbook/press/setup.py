"""Make the book's environment: ``python src/artbook/press/setup.py``, with the standard library alone.

It stands outside the package's imports, because it runs before the package is installed. The
environment is made once for each state of ``requirements.lock`` and ``pyproject.toml``; two calls at
once wait for each other, and a call that was cut short is made good by the next.
"""

import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements.lock"
SUPPORTED = ((3, 11), (3, 13))


def wanted_state() -> str:
    """Digest of all that the environment is made of.

    Returns:
        64 hexadecimal digits over the interpreter's version, the folder, the lock and the package's metadata.
    """
    # Where it stands counts, because the commands in it begin with their interpreter's path.
    parts = [sys.version.encode(), str(ROOT).encode(), LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def locked_requirement(name: str, lock: str) -> str:
    """One package's entry of the lock, its hashes included.

    Args:
        name: the package, as the lock spells it.
        lock: the text of ``requirements.lock``.

    Returns:
        The entry, ready for ``pip install --require-hashes``.

    Raises:
        LookupError: the lock has no such package.
    """
    lines = iter(lock.splitlines())
    for line in lines:
        if line.startswith(f"{name}=="):
            entry = [line]
            while entry[-1].endswith("\\"):
                entry.append(next(lines))
            return "\n".join(entry) + "\n"
    raise LookupError(f"requirements.lock has no entry for {name!r}")


@contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this process alone; another that wants it waits until this block or process ends."""
    with folder.with_name(f"{folder.name}-lock").open("w") as handle:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_sound(python: Path) -> bool:
    """Whether an environment's interpreter is there, of the version that runs now, and has pip."""
    if not python.exists():
        return False
    answer = subprocess.run([str(python), "-c", "import pip, sys; print(sys.version)"], capture_output=True, text=True)
    return answer.stdout.strip() == sys.version


def install(folder: Path) -> None:
    """Create the environment in ``folder`` and install the locked versions and this package."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["VIRTUAL_ENV"] = str(folder)

    def call(*command: object) -> None:
        subprocess.run([str(part) for part in command], check=True, env=environment, cwd=ROOT)

    if not is_sound(python):
        venv.create(folder, clear=True, symlinks=os.name != "nt", with_pip=True)
    uv_only = folder / "uv.txt"
    uv_only.write_text(locked_requirement("uv", LOCK.read_text(encoding="utf-8")))
    call(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", uv_only)
    uv = (python, "-m", "uv", "pip")
    call(*uv, "sync", "--require-hashes", "--compile-bytecode", LOCK)
    call(*uv, "install", "--quiet", "--no-deps", "--editable", ROOT)


def main(folder: Path) -> int:
    """Make the environment in ``folder`` if it is not there in the wanted state; return an exit code."""
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        given = sys.version.split()[0]
        print(f"Python {given} was given; the book wants 3.11, 3.12 or 3.13. Try: make PYTHON=python3.11")
        return 2
    with turn(folder):
        stamp = folder / ".state"
        state = wanted_state()
        if stamp.exists() and stamp.read_text() == state:
            return 0
        stamp.unlink(missing_ok=True)
        packages = sum("==" in line for line in LOCK.read_text(encoding="utf-8").splitlines())
        print(f"Setting up {folder.name}: {packages} packages at the locked versions, hashes checked;")
        print("about 1 GB to download the first time, 3 GB on disk, one or two minutes.", flush=True)
        start = time.perf_counter()
        try:
            install(folder)
        except subprocess.CalledProcessError as error:
            print(f"Set-up stopped: {' '.join(error.cmd)} ended with {error.returncode}. The next call starts again.")
            return 1
        stamp.write_text(state)
        print(f"Environment ready after {time.perf_counter() - start:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main(ROOT / ".venv"))
