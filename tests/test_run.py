"""The runner, on small books: what is run again, what a failure costs, what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import write_chapter

from artbook.press import notebooks
from artbook.press import run as runner
from artbook.press.book import Book

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
    assert result.returncode == 2
    assert "is not in a checkout of the book" in result.stderr


def wait_for(path: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not appear"
        time.sleep(0.05)


def test_an_interrupt_leaves_nothing_behind_and_the_next_call_goes_on(toy_book, tmp_path: Path):
    started = tmp_path / "started"
    slow = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(0 if seed else 60)"
    book = toy_book(music_fast=("1 + 1",), music_slow=(slow,))
    command = [sys.executable, "-m", "artbook", "run", "--profile", "smoke"]
    process = subprocess.Popen(command, cwd=book.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for(started)
    wait_for(book.executed("music/fast", "smoke").with_suffix(".json"))
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in output
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


def test_a_worker_with_another_version_of_the_package_refuses(toy_book):
    book = toy_book(music_one=("import artbook.show",))
    job = runner.jobs_for(book, ["music/one"], ["smoke"], [0])[0]
    other = runner.Job(job.chapter, job.profile, job.seed, job.notebook, job.inputs | {"artbook.show": "0"})
    with pytest.raises(RuntimeError, match=r"another version of artbook\.show"):
        runner.execute(other)


def test_a_dask_cluster_loses_nothing_when_a_worker_is_killed(toy_book, tmp_path: Path):
    """A scheduler and two workers on loopback; the worker that runs the first chapter is killed while it works."""
    marks = tmp_path / "marks"
    marks.mkdir()
    mark = f"import os, pathlib, time\npathlib.Path({str(marks)!r}, str(os.getppid())).touch()\n"
    slow = mark + "time.sleep(2)\nprint('whole')"
    book = toy_book(music_one=(slow,), music_two=("2 + 2",), music_three=("3 + 3",))
    address = tmp_path / "scheduler.json"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    processes = [subprocess.Popen([*scheduler, "--no-dashboard", "--scheduler-file", str(address)], **quiet)]
    try:
        wait_for(address)
        uri = json.loads(address.read_text())["address"]
        workers = [subprocess.Popen([*worker, uri], **quiet) for _ in range(2)]
        processes += workers
        command = [sys.executable, "-m", "artbook", "run", "--profile", "smoke", "--scheduler", uri]
        call = subprocess.Popen(command, cwd=book.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(call)
        end = time.monotonic() + 60
        while not list(marks.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.05)
        papermill = psutil.Process(int(next(marks.iterdir()).name))
        victim = next(each for each in workers if each.pid in [parent.pid for parent in papermill.parents()])
        victim.kill()
        output = call.communicate(timeout=90)[0]
    finally:
        for process in processes:
            process.kill()
    assert call.returncode == 0, output
    assert len(list(marks.iterdir())) == 2, "the chapter of the killed worker was begun again by the other"
    for chapter in book.chapters:
        assert book.record(chapter, "smoke"), output
    assert notebooks.read(book.executed("music/one", "smoke")).cells[1].outputs[0].text == "whole\n"


def test_help_is_there_for_every_command(toy_book):
    book = toy_book(music_one=("1",))
    for command in ("run", "results", "render", "checked", "colab", "doctor"):
        result = artbook(book, command, "--help")
        assert result.returncode == 0
        assert "Usage" in result.stdout
