"""Several processes on this machine that train one network together; each runs ``artbook.nn.worker``.

The chapter ``distributed-training`` starts them. It works where processes can be killed and asked for their parent:
on Linux and macOS.
"""

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

# The name that stands for no network: only the exchange between the workers is measured.
ALL_REDUCE = "all-reduce"
# After one worker is gone, how long the others have to notice before they are stopped.
GRACE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_LINES = 25


@dataclass(frozen=True)
class Job:
    """One thing for all workers to do.

    Attributes:
        name: unique among the jobs of a group.
        batch: examples of a step, of all workers together; for ``ALL_REDUCE`` how many numbers are added.
        steps: how many; for ``ALL_REDUCE`` how often it is measured.
        network: name of the network, or ``ALL_REDUCE``.
        optimizer: name of a class of Keras.
        rate: its learning rate.
        options: its other settings; for ``ALL_REDUCE`` the number of ``pieces`` in which the numbers come.
        seed: of the order of the examples.
        every: steps from one checkpoint to the next; 0 writes none.
        resume: whether to go on from the newest checkpoint of the folder.
        dies: rank and step at which a worker kills itself, or ``None``.
        split_weights: whether the workers share out the weights rather than the examples.
        packed: whether all gradients are exchanged in one array.
        judge: whether the held-out examples are judged at the end.

    Raises:
        ValueError: a number is below what makes sense.
    """

    name: str
    batch: int
    steps: int
    network: str = "network"
    optimizer: str = "adam"
    rate: float = 1e-3
    options: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    every: int = 0
    resume: bool = False
    dies: tuple[int, int] | None = None
    split_weights: bool = False
    packed: bool = False
    judge: bool = False

    def __post_init__(self) -> None:
        if min(self.batch, self.steps) < 1 or self.rate <= 0 or self.every < 0 or self.seed < 0:
            raise ValueError(
                "a batch and steps from 1, a rate above 0, and a seed and steps between checkpoints from 0 were"
                f" wanted; {self} was given"
            )

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """A job as it was written to a file; JSON has lists for tuples."""
        return cls(**{**given, "dies": tuple(given["dies"]) if given["dies"] else None})


@dataclass(frozen=True)
class Outcome:
    """What came of a group of workers.

    Attributes:
        results: of each worker what it measured, by job; empty for one that wrote nothing.
        codes: how each ended: 0 if well, below 0 by that signal.
        logs: what each wrote.
        seconds: from the start of the first to the end of the last.
        noticed: seconds from the first worker's end by a failure to the last's, or ``None`` if none failed.
        stopped: the workers that had to be stopped from outside, since they did not end by themselves.
    """

    results: list[dict[str, Any]]
    codes: list[int]
    logs: list[str]
    seconds: float
    noticed: float | None
    stopped: tuple[int, ...] = ()

    def __getitem__(self, job: str) -> Any:
        """What worker 0 measured in a job."""
        return self.results[0][job]


def free_port() -> int:
    """A port of the loopback that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(
    folder: Path, networks: Mapping[str, Any], data: Mapping[str, npt.ArrayLike], jobs: Sequence[Job], workers: int
) -> None:
    """Write what the workers read: networks, examples and jobs.

    Args:
        folder: in which all of it lies; on several machines every worker has to see it.
        networks: Keras models by name, made of Keras's own layers.
        data: ``inputs`` and ``targets``, and for jobs that judge ``held_out_inputs`` and ``held_out_targets``.
        jobs: at least one, with different names.
        workers: how many will do them.

    Raises:
        ValueError: the workers cannot share a batch evenly, a job has a network that is not there, or more examples
            than there are in a batch, or names are not different.
    """
    if not jobs or len({job.name for job in jobs}) < len(jobs):
        raise ValueError(f"jobs of different names were wanted; {[job.name for job in jobs]} were given")
    examples = len(np.asarray(data["inputs"]))
    for job in jobs:
        if job.network == ALL_REDUCE:
            continue
        if job.network not in networks:
            raise ValueError(f"{job.name}: a network among {', '.join(networks)} was wanted; {job.network} was given")
        if job.batch % workers or job.batch > examples:
            raise ValueError(
                f"{job.name}: a batch that {workers} workers divide, of at most {examples} examples, was wanted;"
                f" {job.batch} was given"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        network.save(folder / f"{name}.keras")
    arrays = io.BytesIO()
    np.savez(arrays, **{name: np.asarray(array) for name, array in data.items()})  # type: ignore[arg-type]
    (folder / "data.npz").write_bytes(arrays.getvalue())
    (folder / "jobs.json").write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")


def train_together(
    networks: Mapping[str, Any],
    data: Mapping[str, npt.ArrayLike],
    jobs: Sequence[Job],
    workers: int,
    *,
    folder: Path | None = None,
    seconds: float = 300.0,
    may_fail: bool = False,
) -> Outcome:
    """Start workers on this machine, let them do some jobs, and see that none of them is left.

    Args:
        networks: as in ``prepare``.
        data: as in ``prepare``.
        jobs: as in ``prepare``.
        workers: how many processes, at least 1.
        folder: keeps the checkpoints; left out, a temporary one.
        seconds: after which they are stopped.
        may_fail: whether a worker that fails is a result rather than an error.

    Returns:
        What came of it.

    Raises:
        ValueError: as in ``prepare``.
        TimeoutError: they were not ready in time; the message has the ends of their logs.
        RuntimeError: JAX is not installed, or a worker failed; the message has the ends of their logs.
    """
    if workers < 1:
        raise ValueError(f"at least 1 worker was wanted; {workers} were given")
    if find_spec("jax") is None:
        raise RuntimeError("the workers need JAX: pip install jax")
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="artbook-workers-") as temporary:
            return train_together(
                networks, data, jobs, workers, folder=Path(temporary), seconds=seconds, may_fail=may_fail
            )
    prepare(folder, networks, data, jobs, workers)
    outcome = _watched(folder, workers, seconds)
    if any("already in use" in log for log in outcome.logs):
        # Somebody took the port between our looking and our listening.
        outcome = _watched(folder, workers, seconds)
    if any(outcome.codes) and not may_fail:
        raise RuntimeError(f"workers ended with {outcome.codes}\n{_ends(outcome.logs)}")
    return outcome


def command(folder: Path | str, rank: int, workers: int, coordinator: str, python: str = sys.executable) -> list[str]:
    """The command line of one worker, on this machine or on another."""
    return [python, "-m", "artbook.nn.worker", str(folder), str(rank), str(workers), coordinator]


def environment() -> dict[str, str]:
    """The environment of a worker: Keras on JAX, on the CPU, with one thread."""
    return os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])),
    }


@contextmanager
def _started(folder: Path, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes that are gone when the block ends, however it ends."""
    coordinator, processes = f"127.0.0.1:{free_port()}", []
    try:
        for rank in range(workers):
            (folder / f"results-{rank}.json").unlink(missing_ok=True)
            with (folder / f"log-{rank}.txt").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        command(folder, rank, workers, coordinator),
                        env=environment(),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _watched(folder: Path, workers: int, seconds: float) -> Outcome:
    begun, failed = time.monotonic(), None
    stopped: tuple[int, ...] = ()
    with _started(folder, workers) as processes:
        while any(process.poll() is None for process in processes):
            now = time.monotonic()
            if failed is None and any(process.poll() for process in processes):
                failed = now
            if failed is not None and now - failed > GRACE_SECONDS:
                stopped = tuple(rank for rank, process in enumerate(processes) if process.poll() is None)
                break
            if now - begun > seconds:
                raise TimeoutError(
                    f"{workers} workers were not ready in {seconds:.0f} s\n{_ends(_logs(folder, workers))}"
                )
            time.sleep(_POLL_SECONDS)
        if failed is None and any(process.poll() for process in processes):
            failed = time.monotonic()
    ended = time.monotonic()
    files = [folder / f"results-{rank}.json" for rank in range(workers)]
    return Outcome(
        results=[json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {} for file in files],
        codes=[process.returncode for process in processes],
        logs=_logs(folder, workers),
        seconds=ended - begun,
        noticed=None if failed is None else ended - failed,
        stopped=stopped,
    )


def _logs(folder: Path, workers: int) -> list[str]:
    return [(folder / f"log-{rank}.txt").read_text(encoding="utf-8", errors="replace") for rank in range(workers)]


def _ends(logs: Sequence[str]) -> str:
    return "\n".join(f"worker {rank}:\n" + "\n".join(log.splitlines()[-_LINES:]) for rank, log in enumerate(logs))
