"""The workflows that a fork runs: well-formed, pinned, with few permissions, and their commands do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
BIN = Path(sys.executable).parent


def workflow(name: str) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true; as text it stays what it is.
    return yaml.load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def script(name: str, job: str, step: str) -> str:
    """The commands of a step."""
    (found,) = (each["run"] for each in workflow(name)["jobs"][job]["steps"] if each.get("name") == step)
    return found


def run(commands: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a step's commands as GitHub does."""
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands],
        cwd=folder,
        env=os.environ | quiet | environment,
        capture_output=True,
        text=True,
        check=True,
    )


def test_there_are_two() -> None:
    assert [path.stem for path in FILES] == ["check", "publish"]


def test_they_keep_to_the_schema() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *FILES]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_an_auditor_finds_nothing() -> None:
    done = subprocess.run([BIN / "zizmor", "--offline", "--quiet", *FILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    uses = re.findall(r"uses:\s*(.+)", path.read_text(encoding="utf-8"))
    assert uses
    assert [each for each in uses if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_an_action_has_one_version_in_all_of_them() -> None:
    uses = {each for path in FILES for each in re.findall(r"uses:\s*(.+)", path.read_text(encoding="utf-8"))}
    assert len(uses) == len({each.split("@")[0] for each in uses})


def test_permissions_are_given_job_by_job() -> None:
    given = {}
    for path in FILES:
        text = workflow(path.stem)
        assert text["permissions"] == {}
        given |= {job: each["permissions"] for job, each in text["jobs"].items()}
    assert given == {
        "check": {"contents": "read"},
        "build": {"contents": "read"},
        "pages": {"id-token": "write", "pages": "write"},
        "colab": {"contents": "write"},
    }


def test_what_is_checked_and_when() -> None:
    check = workflow("check")
    assert set(check["on"]) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    job = check["jobs"]["check"]
    systems = {name.split("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos"}
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    (cache,) = (step for step in job["steps"] if "actions/cache@" in step.get("uses", ""))
    assert cache["if"] == "github.event_name != 'schedule'"
    assert job["steps"][-1]["run"] == ".ci/run"


def test_the_script_that_it_calls_is_bash_and_executable() -> None:
    path = ROOT / ".ci" / "run"
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)
    assert "set -euo pipefail" in path.read_text(encoding="utf-8")


def test_publishing_fills_in_where_it_runs(tmp_path: Path) -> None:
    before = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    (tmp_path / "_config.yml").write_bytes((ROOT / "_config.yml").read_bytes())
    commands = script("publish", "build", "Write this repository's address into the settings")
    run(commands, tmp_path, REPOSITORY="https://github.com/someone/their-fork")
    after = yaml.safe_load((tmp_path / "_config.yml").read_text(encoding="utf-8"))
    assert after["repository"].pop("url") == "https://github.com/someone/their-fork"
    before["repository"].pop("url")
    assert after == before


def test_the_colab_edition_becomes_the_branch(tmp_path: Path) -> None:
    remote = tmp_path / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    commands = script("publish", "colab", "Put the notebooks on the branch colab")
    redirected = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://x-access-token:secret@github.com/someone/their-fork",
    }
    for number in ("one", "two"):
        folder = tmp_path / number
        (folder / "music").mkdir(parents=True)
        (folder / "music" / "first-model.ipynb").write_text(number)
        settings = {"REPOSITORY": "https://github.com/someone/their-fork", "TOKEN": "secret", "GITHUB_SHA": number}
        done = run(commands, folder, **settings, **redirected)
        assert "secret" not in done.stdout + done.stderr
    shown = subprocess.run(
        ["git", "-C", remote, "show", "colab:music/first-model.ipynb"], check=True, capture_output=True, text=True
    )
    assert shown.stdout == "two"


def test_the_branch_is_the_one_that_the_pages_lead_to() -> None:
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert settings["repository"]["branch"] == "colab"
