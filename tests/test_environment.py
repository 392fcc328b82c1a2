"""The environment: what pyproject.toml, the lock, environment.yml and the pages say agrees; the set-up is sound."""

import os
import re
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from artbook.press import setup

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "mac": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
}


def entries(lock: str) -> Iterator[tuple[Requirement, list[str]]]:
    """Each requirement of a lock, with its hashes."""
    for block in re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", lock, flags=re.MULTILINE).strip()):
        head, *hashes = (line.strip(" \\") for line in block.splitlines())
        yield Requirement(head), hashes


def locked(python: str, platform: str) -> dict[str, Version]:
    """What the lock installs on a Python and platform."""
    environment = PLATFORMS[platform] | {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    fitting = [each for each, _ in entries(LOCK) if each.marker is None or each.marker.evaluate(environment)]
    versions = {canonicalize_name(each.name): Version(next(iter(each.specifier)).version) for each in fitting}
    assert len(versions) == len(fitting), "the lock names a package twice"
    return versions


def required() -> Iterator[Requirement]:
    """Every requirement of the package and of its extras."""
    extras = PROJECT["optional-dependencies"].values()
    yield from map(Requirement, [*PROJECT["dependencies"], *(each for extra in extras for each in extra)])


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_satisfies_every_requirement(python: str, platform: str) -> None:
    versions = locked(python, platform)
    wrong = {
        str(each): versions.get(canonicalize_name(each.name))
        for each in required()
        if not each.specifier.contains(versions.get(canonicalize_name(each.name), "0"), prereleases=True)
    }
    assert wrong == {}


def test_the_lock_is_hashes_and_no_addresses() -> None:
    found = list(entries(LOCK))
    assert len(found) > 150
    for requirement, hashes in found:
        assert requirement.url is None, requirement
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), requirement
    assert "//" not in LOCK
    assert "--index" not in LOCK


def test_the_supported_pythons_are_the_same_everywhere() -> None:
    supported = SpecifierSet(PROJECT["requires-python"])
    assert [minor for minor in range(5, 30) if f"3.{minor}" in supported] == [11, 12, 13]
    assert setup.SUPPORTED == ((3, 11), (3, 13))
    conda = {line.split()[0]: line for line in conda_settings()["dependencies"] if isinstance(line, str)}
    assert SpecifierSet(conda["python"].removeprefix("python")) == supported


def test_colabs_versions_are_in_the_ranges() -> None:
    colab = dict(line.split(" ;")[0].split("==") for line in colab_lines())
    ranges = {canonicalize_name(each.name): each.specifier for each in map(Requirement, PROJECT["dependencies"])}
    met = {name for name in ranges if name in colab}
    assert met >= {"ipython", "keras", "matplotlib", "music21", "numpy", "platformdirs", "soundfile", "tensorflow"}
    assert {name: colab[name] for name in met if colab[name] not in ranges[name]} == {}
    assert (colab["tensorflow"], colab["keras"], colab["numpy"]) == ("2.20.0", "3.13.2", "2.1.3")


def colab_lines() -> list[str]:
    lines = (ROOT / "tests" / "colab-versions.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_what_a_chapter_needs_is_little() -> None:
    """Colab installs what the package requires, so what makes and checks the book stays out of it."""
    needed = {canonicalize_name(Requirement(each).name) for each in PROJECT["dependencies"]}
    extras = {canonicalize_name(Requirement(each).name) for each in PROJECT["optional-dependencies"]["press"]}
    assert not needed & (extras | {"jupyter-book", "sphinx", "pytest", "pandas"})
    assert len(needed) <= 24


# Conda.


def conda_settings() -> dict[str, list[object]]:
    return yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))


def conda_pip() -> list[str]:
    """What environment.yml hands to pip."""
    (pip,) = (each["pip"] for each in conda_settings()["dependencies"] if isinstance(each, dict))
    return pip


def pip_reads(lines: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What pip would do with a list of requirements, written beside the lock as conda writes it."""
    (folder / "requirements.lock").write_text(LOCK)
    (folder / "from-conda.txt").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "-r", "from-conda.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_conda_gives_pip_the_lock_and_pip_finds_it_installed(tmp_path: Path) -> None:
    assert set(conda_settings()) == {"name", "channels", "dependencies"}
    done = pip_reads(conda_pip(), tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Would install" not in done.stdout
    assert "tensorflow==" in done.stdout


def test_the_package_itself_is_condas_second_command(tmp_path: Path) -> None:
    done = pip_reads([*conda_pip(), f"-e {ROOT}"], tmp_path)
    assert done.returncode != 0
    assert "requiring hashes" in done.stderr
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "conda env create --file environment.yml" in text
    assert "pip install --no-deps --editable ." in text


# The pages.

PRODUCTS = {
    "Jupyter Book": "jupyter-book",
    "JAX": "jax",
    "Keras": "keras",
    "Matplotlib": "matplotlib",
    "NumPy": "numpy",
    "TensorFlow": "tensorflow",
}


@pytest.mark.parametrize("name", ["README.md", "book/how-to-run.md"])
def test_documented_versions_are_those_of_the_lock_or_of_colab(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    known = {
        product: {str(locked(python, "linux")[package]) for python in PYTHONS} for product, package in PRODUCTS.items()
    }
    for line in colab_lines():
        package, version = line.split(" ;")[0].split("==")
        for product in (product for product, its in PRODUCTS.items() if its == package):
            known[product].add(version)
    stated = re.findall(rf"({'|'.join(PRODUCTS)})\s+(\d+(?:\.\d+)*)", text)
    wrong = [
        (product, version)
        for product, version in stated
        if not any(each == version or each.startswith(f"{version}.") for each in known[product])
    ]
    assert wrong == []
    pythons = set(re.findall(r"\b3\.(\d+)(?=[ ,.)]|\b)", " ".join(re.findall(r"Python[^\n]{0,40}", text))))
    assert {"11", "13"} <= pythons <= {"11", "12", "13"}


# The set-up.


def test_an_entry_of_the_lock_comes_whole() -> None:
    entry = setup.locked_requirement("uv", LOCK)
    ((requirement, hashes),) = entries(entry)
    assert requirement.name == "uv"
    assert len(hashes) > 1
    assert entry.endswith("\n")


def test_a_package_that_the_lock_lacks_is_named() -> None:
    with pytest.raises(LookupError, match="'uv-not'"):
        setup.locked_requirement("uv-not", LOCK)


def test_the_state_is_of_all_that_the_environment_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "LOCK", tmp_path / "requirements.lock")
    (tmp_path / "requirements.lock").write_text("a==1")
    (tmp_path / "pyproject.toml").write_text("b")
    states = [setup.wanted_state(), setup.wanted_state()]
    assert states[0] == states[1]
    (tmp_path / "requirements.lock").write_text("a==2")
    states.append(setup.wanted_state())
    (tmp_path / "pyproject.toml").write_text("c")
    states.append(setup.wanted_state())
    monkeypatch.setattr(sys, "version", "3.13.0 of another make")
    states.append(setup.wanted_state())
    assert len(set(states)) == 4


def test_it_is_made_once_for_each_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".venv"
    made = []
    monkeypatch.setattr(setup, "install", lambda where: (made.append(where), where.mkdir(exist_ok=True)))
    assert setup.main(folder) == 0
    assert re.search(r"\d{3} packages.*1 GB.*Environment ready", capsys.readouterr().out, re.DOTALL)
    assert setup.main(folder) == 0
    assert capsys.readouterr().out == ""
    assert made == [folder]
    monkeypatch.setattr(setup, "wanted_state", lambda: "another")
    assert setup.main(folder) == 0
    assert made == [folder, folder]


def test_a_set_up_that_was_cut_short_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / ".venv"
    monkeypatch.setattr(setup, "install", lambda where: where.mkdir(exist_ok=True))
    assert setup.main(folder) == 0

    def fails(where: Path) -> None:
        raise subprocess.CalledProcessError(7, ["uv", "sync"])

    monkeypatch.setattr(setup, "wanted_state", lambda: "another")
    monkeypatch.setattr(setup, "install", fails)
    assert setup.main(folder) == 1
    assert "uv sync ended with 7. The next call starts again." in capsys.readouterr().out
    monkeypatch.undo()
    made = []
    monkeypatch.setattr(setup, "install", made.append)
    assert setup.main(folder) == 0
    assert made == [folder]


@pytest.mark.parametrize("version", [(3, 10, 13), (3, 14, 0), (2, 7, 18)])
def test_another_python_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: tuple[int, ...]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "version", ".".join(map(str, version)) + " (main)")
    assert setup.main(tmp_path / ".venv") == 2
    said = capsys.readouterr().out
    assert ".".join(map(str, version)) in said
    assert "3.11, 3.12 or 3.13" in said
    assert list(tmp_path.iterdir()) == []


HOLD = """
import sys, time
from pathlib import Path
from artbook.press import setup
with setup.turn(Path(sys.argv[1])):
    print("has it", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Another process that takes its turn and keeps it."""
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(folder), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "has it\n"
    return process


def test_of_two_at_once_one_waits(tmp_path: Path) -> None:
    with hold(tmp_path / ".venv", 0.7) as other:
        start = time.perf_counter()
        with setup.turn(tmp_path / ".venv"):
            assert time.perf_counter() - start > 0.4
        assert other.wait(5) == 0


def test_one_that_was_killed_holds_nothing_up(tmp_path: Path) -> None:
    with hold(tmp_path / ".venv", 60) as other:
        other.kill()
    start = time.perf_counter()
    with setup.turn(tmp_path / ".venv"):
        assert time.perf_counter() - start < 5


def test_an_environment_is_sound_only_with_this_python_and_pip(tmp_path: Path) -> None:
    assert setup.is_sound(Path(sys.executable))
    assert not setup.is_sound(tmp_path / "bin" / "python")
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.9.1\n")
    other.chmod(0o755)
    assert not setup.is_sound(other)


def test_install_makes_the_environment_and_hands_it_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def call(command: list[str], **settings: object) -> None:
        assert settings["check"] is True
        assert "PYTHONDONTWRITEBYTECODE" not in settings["env"]
        assert settings["env"]["VIRTUAL_ENV"] == str(tmp_path)
        calls.append(command)

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(setup, "is_sound", lambda python: True)
    monkeypatch.setattr(setup.subprocess, "run", call)
    setup.install(tmp_path)
    uv, sync, package = calls
    assert "--require-hashes" in uv
    assert (tmp_path / "uv.txt").read_text() == setup.locked_requirement("uv", LOCK)
    assert {"sync", "--require-hashes", "--compile-bytecode", str(ROOT / "requirements.lock")} <= set(sync)
    assert {"--no-deps", "--editable", str(ROOT)} <= set(package)


def test_a_real_environment_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way, with a lock of little."""
    small = setup.locked_requirement("uv", LOCK) + setup.locked_requirement("six", LOCK)
    lock = tmp_path / "requirements.lock"
    lock.write_text(small)
    package = tmp_path / "src" / "tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "1"\n')
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "LOCK", lock)
    assert setup.main(tmp_path / ".venv") == 0
    python = tmp_path / ".venv" / "bin" / "python"
    code = "import six, tiny; print(six.__cached__, tiny.__file__)"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert Path(said[0]).is_file(), "compiled at install"
    assert Path(said[1]) == package / "__init__.py"


# The commands.


def make(*arguments: str) -> str:
    """What ``make`` would do."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    command = ["make", "--no-print-directory", "--warn-undefined-variables", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_make_lists_its_commands() -> None:
    said = make()
    named = set(re.findall(r"^make (\w+)", said, re.MULTILINE))
    assert named == {"book", "test", "lab", "clean"}
    assert make("help") == said


def test_make_book_takes_a_profile_chapters_and_jobs() -> None:
    plan = make("--dry-run", "book", "PROFILE=smoke", "CHAPTERS=music", "JOBS=1", "PYTHON=python3.12").splitlines()
    assert plan == [
        "python3.12 src/artbook/press/setup.py",
        ".venv/bin/artbook run --profile smoke --jobs 1 music",
        ".venv/bin/artbook render --profile smoke",
    ]


def test_make_test_looks_at_the_runs_of_a_profile() -> None:
    plan = make("--dry-run", "test", "LOOK_AT=cpu", "JOBS=3").splitlines()
    assert ".venv/bin/artbook run --profile cpu --jobs 3" in plan
    assert [line.split("--numprocesses ")[1][0] for line in plan if "pytest" in line] == ["3", "3"]
    assert ".venv/bin/artbook render --profile cpu" in plan
    assert [line.split()[-2:] for line in plan if line.endswith("cpu") and "pytest" in line] == [["--profile", "cpu"]]
    assert any("ARTBOOK_PROFILE=smoke KERAS_BACKEND=jax" in line for line in plan)


@pytest.mark.parametrize("goal", ["book", "test", "lab"])
def test_every_command_sets_up_first(goal: str) -> None:
    assert make("--dry-run", goal).splitlines()[0] == "python3 src/artbook/press/setup.py"


def test_kernels_may_write_bytecode() -> None:
    """Where the environment forbids it, importing TensorFlow takes seconds more in every kernel."""
    assert "unexport PYTHONDONTWRITEBYTECODE" in (ROOT / "Makefile").read_text(encoding="utf-8")
