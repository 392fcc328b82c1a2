"""Run chapters: in parallel on this machine, or on a Dask cluster that is already there.

A job carries its notebook with it and brings the executed one back, so a worker needs this package and
no shared disk, and a job whose worker dies can be done again elsewhere.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import psutil

from artbook.data.store import write_atomically
from artbook.press import notebooks
from artbook.press.book import Book, Record, headline_from
from artbook.press.dependencies import inputs_of, other_code, settings_of, what_changed
from artbook.press.headline import HEADLINE_MIME

# Each chapter has one core, so two chapters at a time fill two, and convolutions give the same digits
# whatever the machine.
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}

CONNECT_SECONDS = 20

# Run as the kernel's last cell: only the kernel knows what it used.
_PROBE = """
import importlib.metadata as _metadata, json as _json, platform as _platform, resource as _resource, sys as _sys
_usage = _resource.getrusage(_resource.RUSAGE_SELF)
_names = ("artbook", "keras", "tensorflow", "jax", "numpy", "matplotlib", "music21")
_installed = {_each.name for _each in _metadata.distributions()}
print(_json.dumps({
    "cpu_seconds": _usage.ru_utime + _usage.ru_stime,
    "peak_memory": _usage.ru_maxrss * (1 if _sys.platform == "darwin" else 1024),
    "versions": {"python": _platform.python_version()}
    | {_name: _metadata.version(_name) for _name in _names if _name in _installed},
}))
"""
_PROBE_TAG = "artbook-probe"


@dataclass(frozen=True)
class Job:
    """One run to be made.

    Attributes:
        chapter: its name, for example ``music/first-model``.
        profile: ``smoke``, ``cpu`` or ``gpu``.
        seed: the run's seed.
        notebook: the source notebook as JSON text.
        inputs: what the run depends on (see ``dependencies``).
    """

    chapter: str
    profile: str
    seed: int
    notebook: str
    inputs: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: the job.
        notebook: the executed notebook as JSON text, as far as it got.
        record: what is kept of the run, or ``None`` if it failed.
        error: the cell and its error, or an empty text.
    """

    job: Job
    notebook: str
    record: Record | None
    error: str


def jobs_for(book: Book, chapters: Sequence[str], profiles: Sequence[str], seeds: Sequence[int]) -> list[Job]:
    """The jobs of some chapters: one for each profile and seed, none twice.

    Raises:
        ValueError: a chapter does not take ``profile`` and ``seed``, or takes them with other types.
    """
    jobs = []
    for chapter in chapters:
        text = book.notebook(chapter).read_text(encoding="utf-8")
        notebook, inputs = notebooks.read(book.notebook(chapter)), inputs_of(book, chapter)
        for profile, seed in dict.fromkeys(itertools.product(profiles, seeds)):
            notebooks.check_parameters(notebook, {"profile": profile, "seed": seed})
            jobs.append(Job(chapter, profile, seed, text, settings_of(profile, seed) | inputs))
    return jobs


def due(book: Book, jobs: Sequence[Job], unchanged: Callable[[Job, Record], None]) -> list[Job]:
    """The jobs that have to be run: those never run, or of which an input has changed since.

    Args:
        book: the checkout that keeps the results.
        jobs: the jobs in question.
        unchanged: told of each job that need not run, with the record that is kept of it.
    """
    found = []
    for job in jobs:
        last = book.record(job.chapter, job.profile, job.seed)
        if last is None or what_changed(last.inputs, job.inputs):
            found.append(job)
        else:
            unchanged(job, last)
    return found


def broken_claims(book: Book, jobs: Sequence[Job]) -> list[str]:
    """The claims that the kept runs of some jobs do not keep, each in words."""
    records = [book.record(job.chapter, job.profile, job.seed) for job in jobs]
    return [
        f"{record.chapter}: {headline.title} is {headline.value:.4g} {headline.unit}, claimed {headline.claim}"
        for record in records
        if record
        for headline in record.broken_claims
    ]


def environment_of(**settings: str) -> dict[str, str]:
    """The environment of a process that has one core and may write bytecode: this one's, with some settings."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | ONE_THREAD | settings


def execute(job: Job) -> Outcome:
    """Run one job with papermill, in a process and an empty folder of its own.

    Raises:
        RuntimeError: this machine has another version of a module than the one that the job was made for.
    """
    if other := other_code(job.inputs):
        raise RuntimeError(f"{job.chapter} was made for another version of {', '.join(other)} than is installed here")
    notebook = nbformat.reads(job.notebook, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(_PROBE, id=_PROBE_TAG, metadata={"tags": [_PROBE_TAG]}))
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="artbook-", ignore_cleanup_errors=True) as folder:
        source, target, work = (Path(folder, name) for name in ("source.ipynb", "executed.ipynb", "work"))
        nbformat.write(notebook, source)
        work.mkdir()
        # Told by name in the environment too, so that a profile set outside cannot overrule this one.
        environment = environment_of(ARTBOOK_PROFILE=job.profile, KERAS_BACKEND=job.inputs["backend"])
        command = [sys.executable, "-m", "papermill", str(source), str(target), "--no-progress-bar", "--cwd", str(work)]
        command += ["-r", "profile", job.profile, "-p", "seed", str(job.seed)]
        process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        executed = notebooks.read(target if target.is_file() else source)
    seconds = time.perf_counter() - start
    error = str(notebooks.first_error(executed) or "")
    if process.returncode and not error:
        error = f"papermill ended with {process.returncode}\n{process.stderr.strip()[-2000:]}"
    probe = executed.cells.pop()
    record = None if error else _record(job, executed, probe, seconds)
    return Outcome(job, notebooks.as_text(notebooks.without_traces(executed)), record, error)


def _record(job: Job, executed: nbformat.NotebookNode, probe: nbformat.NotebookNode, seconds: float) -> Record:
    outputs = [output for cell in executed.cells if cell.cell_type == "code" for output in cell.outputs]
    data = [output["data"] for output in outputs if "data" in output]
    headlines = tuple(headline_from(each[HEADLINE_MIME]) for each in data if HEADLINE_MIME in each)
    return Record(
        chapter=job.chapter,
        profile=job.profile,
        seed=job.seed,
        inputs=dict(job.inputs),
        seconds=seconds,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        headlines=headlines,
        **json.loads("".join(output["text"] for output in probe.outputs)),
    )


@contextmanager
def executor(jobs: int, scheduler: str | None = None) -> Iterator[Executor]:
    """Where jobs run: ``jobs`` at a time on this machine, or on the Dask cluster of ``scheduler``.

    Args:
        jobs: how many chapters run at once here; on a cluster the workers' own threads decide.
        scheduler: the address of a running Dask scheduler, ``tcp://host:port``.
    """
    if scheduler:
        from distributed import Client

        with Client(scheduler, timeout=CONNECT_SECONDS) as client:
            # When the client goes, the cluster drops what it has not finished.
            yield client.get_executor(pure=False)
        return
    local = ThreadPoolExecutor(jobs)
    try:
        yield local
    except BaseException:
        local.shutdown(wait=False, cancel_futures=True)
        # The chapters' processes would go on without us otherwise; some may have got the interrupt too.
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        raise
    finally:
        local.shutdown(cancel_futures=True)


def run(
    book: Book, jobs: Sequence[Job], where: Executor, watch: Callable[[Job, Outcome | None], None]
) -> list[Outcome]:
    """Run jobs and keep each result at the moment it comes, so that whatever stops the rest, it stays.

    Args:
        book: the checkout that keeps the results.
        jobs: what to run.
        where: the executor.
        watch: told of each job that has started, with ``None``, and of each that has ended, with its outcome.

    Returns:
        The outcomes, in the order in which they came.
    """
    futures = {where.submit(execute, job): job for job in jobs}
    pending, started, outcomes = set(futures), set(), []
    while pending:
        ended, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in ended:
            outcomes.append(_outcome(futures[future], future))
            keep(book, outcomes[-1])
            watch(futures[future], outcomes[-1])
        for future in [each for each in pending if each not in started and each.running()]:
            started.add(future)
            watch(futures[future], None)
    return outcomes


def _outcome(job: Job, future: Future[Outcome]) -> Outcome:
    error = future.exception()
    return Outcome(job, job.notebook, None, f"{type(error).__name__}: {error}") if error else future.result()


def keep(book: Book, outcome: Outcome) -> None:
    """Keep a finished run with the book, or a failed one's notebook under ``_build/failed`` to look at."""
    job = outcome.job
    path = book.executed(job.chapter, job.profile, job.seed)
    failed = book.build / "failed" / path.relative_to(book.build / "executed")
    if outcome.record:
        book.keep(outcome.record, outcome.notebook)
        failed.unlink(missing_ok=True)
    else:
        write_atomically(failed, outcome.notebook.encode())
