"""The runner, on small books: what is run again, what a failure costs, what a kill leaves behind."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from conftest import write_chapter
from rich.console import Console
from test_book import a_record
from typer.testing import CliRunner

from artbook.press import book as books
from artbook.press import cli, notebooks
from artbook.press import run as runner
from artbook.press.book import Book
from artbook.press.progress import Progress

HEADLINE = """
from dataclasses import asdict
from IPython.display import display
from artbook.press.headline import HEADLINE_MIME, Headline
headline = Headline("toy", "toy error", VALUE, "nats", "lower", 1.0)
display({HEADLINE_MIME: asdict(headline), "text/plain": "toy"}, raw=True)
"""


def artbook(book: Book, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "artbook", *arguments]
    return subprocess.run(
        command, cwd=book.root, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def temporary_files(book: Book) -> list[Path]:
    return [path for path in book.build.rglob(".*") if path.name != ".lock"]


def test_an_unchanged_chapter_is_not_run_again(toy_book):
    book = toy_book(music_one=("print(6 * 7)", HEADLINE.replace("VALUE", "0.5")), music_two=("1 + 1",))
    first = artbook(book, "run", "--profile", "cpu")
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.count("done ") == 2
    assert "0.5 nats — toy error" in first.stdout
    executed = book.executed("music/one", "cpu").stat().st_mtime_ns
    second = artbook(book, "run", "--profile", "cpu")
    assert second.returncode == 0
    assert second.stdout.count("unchanged ") == 2
    assert book.executed("music/one", "cpu").stat().st_mtime_ns == executed
    write_chapter(book.notebook("music/two"), "1 + 2")
    third = artbook(book, "run", "--profile", "cpu")
    assert third.stdout.count("unchanged ") == 1
    assert third.stdout.count("done ") == 1


def test_the_executed_notebook_is_the_source_with_outputs(toy_book):
    book = toy_book(music_one=("print(profile, seed)",))
    assert artbook(book, "run", "--profile", "smoke", "--seed", "3").returncode == 0
    executed = notebooks.read(book.executed("music/one", "smoke", 3))
    assert [cell.id for cell in executed.cells] == ["parameters", "cell-0"]
    assert executed.cells[1].outputs[0].text == "smoke 3\n"
    record = book.record("music/one", "smoke", 3)
    assert record.versions["python"].startswith("3.")
    assert 0 < record.cpu_seconds < 60
    assert record.peak_memory > 1e7


def test_a_failing_chapter_names_its_cell_and_the_others_finish(toy_book):
    book = toy_book(music_bad=("x = 1", "# why\n", "y = x / 0"), music_good=("1 + 1",))
    result = artbook(book, "run", "--profile", "smoke")
    assert result.returncode == 1
    assert "cell 4, 'y = x / 0': ZeroDivisionError: division by zero" in result.stdout
    assert book.record("music/good", "smoke")
    assert book.record("music/bad", "smoke") is None
    assert (book.build / "failed/smoke/music/bad.ipynb").is_file()
    write_chapter(book.notebook("music/bad"), "x = 1")
    assert artbook(book, "run", "--profile", "smoke").returncode == 0
    assert not (book.build / "failed/smoke/music/bad.ipynb").exists()


def test_a_killed_kernel_is_named_and_the_others_finish(toy_book):
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    book = toy_book(music_bad=("x = 1", kill, "x = 2"), music_good=("1 + 1",))
    result = artbook(book, "run", "--profile", "smoke")
    assert result.returncode == 1
    assert "cell 3" in result.stdout
    assert "kernel died" in result.stdout
    assert book.record("music/good", "smoke")
    assert book.record("music/bad", "smoke") is None
    assert temporary_files(book) == []


def test_a_failure_does_not_cost_the_last_good_run(toy_book):
    book = toy_book(music_one=("1 + 1",))
    assert artbook(book, "run", "--profile", "smoke").returncode == 0
    good = book.executed("music/one", "smoke").read_bytes()
    write_chapter(book.notebook("music/one"), "1 / 0")
    assert artbook(book, "run", "--profile", "smoke").returncode == 1
    assert book.executed("music/one", "smoke").read_bytes() == good


def test_a_broken_claim_fails_the_run_even_when_nothing_is_run(toy_book):
    book = toy_book(music_one=(HEADLINE.replace("VALUE", "1.5"),))
    for _ in range(2):
        result = artbook(book, "run", "--profile", "cpu")
        assert result.returncode == 1
        assert "claim not kept music/one: toy error is 1.5 nats, claimed ≤ 1" in result.stdout
    assert artbook(book, "run", "--profile", "smoke").returncode == 0
    assert artbook(book, "results", "--profile", "cpu").returncode == 1


def test_results_over_several_seeds_have_a_deviation(toy_book):
    book = toy_book(music_one=(HEADLINE.replace("VALUE", "0.1 * seed"),))
    assert artbook(book, "results", "--profile", "smoke").returncode == 1
    assert artbook(book, "run", "--profile", "smoke", "--seed", "0", "--seed", "2").returncode == 0
    shown = artbook(book, "results", "--profile", "smoke", COLUMNS="200")
    assert shown.returncode == 0
    assert "0.1 ± 0.14 over 2 seeds nats" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "poetry"), "'poetry' is neither a part nor a chapter"),
        (("run", "--profile", "laptop"), "'laptop' is not one of"),
        (("run", "--seed", "x"), "Invalid value for '--seed'"),
        (("run", "--seed", "-1"), "Invalid value for '--seed'"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(toy_book, arguments, message):
    result = artbook(toy_book(music_one=("1",)), *arguments, COLUMNS="200")
    assert result.returncode == 2
    assert message in result.stderr.replace("\n", " ")


def test_a_parameter_that_the_chapter_does_not_take_is_refused(toy_book):
    book = toy_book(music_one=("1",))
    path = book.notebook("music/one")
    path.write_text(path.read_text().replace("seed: int = 0", "colour: int = 0"))
    with pytest.raises(ValueError, match="'seed' was given; the notebook takes profile, colour"):
        runner.jobs_for(book, ["music/one"], ["smoke"], [0])


def test_outside_a_checkout_the_command_says_so(tmp_path: Path):
    result = artbook(Book(tmp_path), "run", COLUMNS="200")
    assert result.returncode == 1
    assert "is not in a checkout of the book" in result.stderr
    assert "Traceback" not in result.stderr


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_an_interrupt_leaves_nothing_behind_and_the_next_call_goes_on(toy_book, tmp_path: Path):
    started = tmp_path / "started"
    slow = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(0 if seed else 60)"
    book = toy_book(music_fast=("1 + 1",), music_slow=(slow,))
    command = [sys.executable, "-m", "artbook", "run", "--profile", "smoke"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen(command, cwd=book.root, start_new_session=True, **pipes)
    wait_for(lambda: started.exists() and book.record("music/fast", "smoke"))
    children = psutil.Process(process.pid).children(recursive=True)
    # As a terminal does it: to every process of the group.
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert "the next call goes on from there" in output
    assert not psutil.wait_procs(children, timeout=10)[1]
    assert temporary_files(book) == []
    assert book.record("music/slow", "smoke") is None
    write_chapter(book.notebook("music/slow"), "1 + 1")
    again = artbook(book, "run", "--profile", "smoke")
    assert again.returncode == 0
    assert "unchanged    music/fast" in again.stdout


def test_two_calls_at_once_run_each_chapter_once(toy_book, tmp_path: Path):
    runs = tmp_path / "runs"
    count = f"import time\nopen({str(runs)!r}, 'a').write('x')\ntime.sleep(1)"
    book = toy_book(music_one=(count,))
    command = [sys.executable, "-m", "artbook", "run", "--profile", "smoke"]
    calls = [subprocess.Popen(command, cwd=book.root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [call.communicate(timeout=60)[0] for call in calls]
    assert [call.returncode for call in calls] == [0, 0]
    assert runs.read_text() == "x"
    assert any("waiting for it to end" in output for output in outputs)
    assert sorted(output.count("unchanged ") for output in outputs) == [0, 1]


def test_a_killed_papermill_is_named(toy_book):
    kill = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(20)"
    book = toy_book(music_bad=(kill,), music_good=("1 + 1",))
    result = artbook(book, "run", "--profile", "smoke")
    assert result.returncode == 1
    assert "papermill ended with -9" in result.stdout
    assert book.record("music/good", "smoke")


def test_a_chapter_has_one_thread_and_the_backend_of_its_job(toy_book):
    book = toy_book(music_one=("import os\nprint(os.environ['TF_NUM_INTRAOP_THREADS'], os.environ['KERAS_BACKEND'])",))
    assert artbook(book, "run", "--profile", "smoke", KERAS_BACKEND="jax").returncode == 0
    assert notebooks.read(book.executed("music/one", "smoke")).cells[1].outputs[0].text == "1 jax\n"


def test_a_seed_that_is_named_twice_is_run_once(toy_book):
    jobs = runner.jobs_for(toy_book(music_one=("1",)), ["music/one"], ["smoke", "smoke"], [0, 1, 0])
    assert [(job.profile, job.seed) for job in jobs] == [("smoke", 0), ("smoke", 1)]


def test_a_worker_with_another_version_of_the_package_refuses(toy_book):
    book = toy_book(music_one=("import artbook.show",))
    job = runner.jobs_for(book, ["music/one"], ["smoke"], [0])[0]
    other = runner.Job(job.chapter, job.profile, job.seed, job.notebook, job.inputs | {"artbook.show": "0"})
    with pytest.raises(RuntimeError, match=r"another version of artbook\.show"):
        runner.execute(other)


@pytest.fixture
def cluster(tmp_path: Path):
    """The address of a Dask scheduler on loopback, and the processes of its two workers."""
    file = tmp_path / "scheduler.json"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    start = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    work = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    processes = [subprocess.Popen([*start, "--no-dashboard", "--scheduler-file", str(file)], **quiet)]
    try:
        wait_for(lambda: file.is_file() and file.read_text().endswith("}"))
        address = json.loads(file.read_text())["address"]
        processes += [subprocess.Popen([*work, address], **quiet) for _ in range(2)]
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def on_the_cluster(book: Book, address: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "artbook", "run", "--profile", "smoke", "--scheduler", address]
    return subprocess.Popen(command, cwd=book.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_cluster_loses_nothing_when_a_worker_is_killed(toy_book, cluster, tmp_path: Path):
    address, workers = cluster
    marks = tmp_path / "marks"
    marks.mkdir()
    mark = f"import os, pathlib, time\npathlib.Path({str(marks)!r}, str(os.getppid())).touch()\n"
    book = toy_book(music_one=(mark + "time.sleep(2)\nprint('whole')",), music_two=("2 + 2",), music_three=("3 + 3",))
    call = on_the_cluster(book, address)
    wait_for(lambda: list(marks.iterdir()))
    papermill = psutil.Process(int(next(marks.iterdir()).name))
    above = [parent.pid for parent in papermill.parents()]
    next(worker for worker in workers if worker.pid in above).kill()
    output = call.communicate(timeout=90)[0]
    assert call.returncode == 0, output
    assert len(list(marks.iterdir())) == 2, "the chapter of the killed worker was begun again by the other"
    assert all(book.record(chapter, "smoke") for chapter in book.chapters)
    assert notebooks.read(book.executed("music/one", "smoke")).cells[1].outputs[0].text == "whole\n"


def test_an_interrupt_does_not_wait_for_a_cluster_and_keeps_what_came(toy_book, cluster, tmp_path: Path):
    address, _ = cluster
    started = tmp_path / "started"
    slow = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(60)"
    book = toy_book(music_fast=("1 + 1",), music_slow=(slow,))
    call = on_the_cluster(book, address)
    wait_for(lambda: started.exists() and book.record("music/fast", "smoke"))
    call.send_signal(signal.SIGINT)
    output = call.communicate(timeout=20)[0]
    assert call.returncode != 0
    assert "Traceback" not in output
    assert book.record("music/slow", "smoke") is None


def test_a_scheduler_that_is_not_there_is_named(toy_book, monkeypatch, capsys):
    book = toy_book(music_one=("1",))
    monkeypatch.chdir(book.root)
    monkeypatch.setattr(sys, "argv", ["artbook", "run", "--profile", "smoke", "--scheduler", "tcp://127.0.0.1:9"])
    monkeypatch.setattr(runner, "CONNECT_SECONDS", 1)
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 1
    assert "tcp://127.0.0.1:9" in capsys.readouterr().err


def test_a_full_disk_ends_in_a_sentence(toy_book, monkeypatch, capsys):
    book = toy_book(music_one=("1",))
    monkeypatch.chdir(book.root)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(runner, "write_atomically", full)
    monkeypatch.setattr(books, "write_atomically", full)
    monkeypatch.setattr(sys, "argv", ["artbook", "run", "--profile", "smoke"])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    assert ending.value.code == 1
    assert "No space left on device" in capsys.readouterr().err
    assert book.record("music/one", "smoke") is None


def test_the_display_in_a_terminal_has_a_row_for_each_job(toy_book):
    book = toy_book(music_one=("1",), music_two=("1",))
    jobs = runner.jobs_for(book, book.chapters, ["smoke"], [0, 1])
    screen = Console(force_terminal=True, file=io.StringIO(), width=120)
    with Progress(jobs, screen) as progress:
        progress.unchanged(jobs[0], a_record())
        progress.watch(jobs[1], None)
        progress.watch(jobs[2], None)
        progress.watch(jobs[2], runner.Outcome(jobs[2], "", None, "cell 2, 'x': NameError: [x]"))
        progress.watch(jobs[3], runner.Outcome(jobs[3], "", a_record(), ""))
    shown = screen.file.getvalue()
    for words in ("music/one, smoke, seed 1", "running", "unchanged", "0.5 nats — toy error", "NameError: [x]", "done"):
        assert words in shown, words


def test_help_is_there_for_every_command():
    for command in [each.name or each.callback.__name__ for each in cli.app.registered_commands]:
        result = CliRunner().invoke(cli.app, [command, "--help"])
        assert result.exit_code == 0
        assert "Usage" in result.stdout
