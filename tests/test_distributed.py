"""Several workers: checkpoints that are whole, jobs that are refused, groups that end, and the same losses as one."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest

from artbook.nn import checkpoints, worker, workers
from artbook.nn.workers import ALL_REDUCE, Job, train_together

RNG = np.random.default_rng(0)
DATA = {
    "inputs": RNG.normal(size=(64, 5)).astype("float32"),
    "targets": RNG.integers(0, 2, (64, 3)).astype("float32"),
    "held_out_inputs": RNG.normal(size=(8, 5)).astype("float32"),
    "held_out_targets": RNG.integers(0, 2, (8, 3)).astype("float32"),
}


def network(units: int = 3) -> keras.Model:
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(units)])


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    arrays = {"weights": np.arange(6.0).reshape(2, 3), "seed": np.array([1, 2], np.uint32), "step": np.array(7)}
    checkpoints.save(tmp_path / "new", 7, arrays)
    found = checkpoints.newest(tmp_path / "new")
    assert found is not None and found.step == 7 and found.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(found.arrays[name], array)


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        checkpoints.save(tmp_path, step, {"a": np.array(step)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010.npz", "step-00000100.npz"]
    assert checkpoints.newest(tmp_path).step == 100  # type: ignore[union-attr]


@pytest.mark.parametrize("length", [0, 1, 30, -1])
def test_a_checkpoint_that_is_cut_is_passed_over(tmp_path: Path, length: int) -> None:
    checkpoints.save(tmp_path, 1, {"a": np.arange(100)})
    path = checkpoints.save(tmp_path, 2, {"a": np.arange(100)})
    path.write_bytes(path.read_bytes()[:length])
    assert checkpoints.newest(tmp_path).step == 1  # type: ignore[union-attr]


def test_a_writer_that_is_killed_leaves_the_older_checkpoint(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, 1, {"a": np.arange(3)})
    code = (
        "import os, signal, sys; from pathlib import Path; import numpy as np; from artbook.nn import checkpoints\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "checkpoints.save(Path(sys.argv[1]), 2, {'a': np.arange(3)})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, env=workers.environment())
    assert done.returncode == -signal.SIGKILL
    assert checkpoints.newest(tmp_path).step == 1  # type: ignore[union-attr]


def test_no_checkpoint_is_none_and_objects_are_refused(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path / "missing") is None
    with pytest.raises(ValueError, match="hold Python objects"):
        checkpoints.save(tmp_path, 1, {"a": np.array([{}])})
    with pytest.raises(ValueError, match="step from 0"):
        checkpoints.save(tmp_path, -1, {})
    # A pickle under a checkpoint's name is not opened.
    np.savez(tmp_path / "step-00000009.npz", a=np.array([{}], dtype=object))
    assert checkpoints.newest(tmp_path) is None


def test_every_example_comes_once_before_any_comes_again() -> None:
    steps = list(worker.batches(12, 4, 6, seed=3))
    assert sorted(np.concatenate(steps[:3])) == sorted(np.concatenate(steps[3:])) == list(range(12))
    assert all((one == other).all() for one, other in zip(steps, worker.batches(12, 4, 6, seed=3), strict=True))
    assert [len(rows) for rows in worker.batches(10, 4, 5, seed=0)] == [4] * 5


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"steps": 0}, {"rate": 0.0}, {"every": -1}, {"seed": -1}])
def test_a_job_without_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="was given"):
        Job(**{"name": "a", "batch": 4, "steps": 1} | wrong)


@pytest.mark.parametrize(
    ("jobs", "count", "told"),
    [
        ([], 1, "different names"),
        ([Job("a", 4, 1), Job("a", 8, 1)], 1, "different names"),
        ([Job("a", 4, 1, network="other")], 1, "a network among network"),
        ([Job("a", 6, 1)], 4, "4 workers divide"),
        ([Job("a", 128, 1)], 2, "at most 64 examples"),
        ([Job("a", 4, 1)], 0, "at least 1 worker"),
    ],
)
def test_jobs_that_cannot_be_done_are_refused(tmp_path: Path, jobs: list[Job], count: int, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        train_together({"network": network()}, DATA, jobs, count, folder=tmp_path)


def test_a_free_port_can_be_taken() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", workers.free_port()))


def test_a_group_that_is_too_slow_is_stopped_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "pids"
    code = (
        "import os, time\n"
        f"with open({str(said)!r}, 'a') as file: file.write(f'{{os.getpid()}} ')\n"
        "print('so far', flush=True); time.sleep(60)"
    )
    monkeypatch.setattr(workers, "command", lambda *_: [sys.executable, "-c", code])
    with pytest.raises(TimeoutError, match="so far"):
        train_together({"network": network()}, DATA, [Job("a", 4, 1)], 2, folder=tmp_path, seconds=4)
    for pid in said.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_the_others_are_stopped_when_one_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "GRACE_SECONDS", 0.2)
    code = "import sys, time; sys.exit('no memory') if sys.argv[1] == '1' else time.sleep(60)"
    monkeypatch.setattr(workers, "command", lambda _, rank, *__: [sys.executable, "-c", code, str(rank)])
    begun = time.monotonic()
    outcome = train_together({"network": network()}, DATA, [Job("a", 4, 1)], 2, folder=tmp_path, may_fail=True)
    assert time.monotonic() - begun < 30
    assert outcome.stopped == (0,) and outcome.codes == [-signal.SIGKILL, 1]
    with pytest.raises(RuntimeError, match="no memory"):
        train_together({"network": network()}, DATA, [Job("a", 4, 1)], 2, folder=tmp_path)


def test_a_worker_ends_when_whoever_started_it_is_gone(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    child = (
        "import os, sys, time; from pathlib import Path; from artbook.nn import worker; worker._end_with_parent();"
        "Path(sys.argv[1] + '.new').write_text(str(os.getpid())); os.rename(sys.argv[1] + '.new', sys.argv[1]);"
        "time.sleep(60)"
    )
    parent = (
        "import pathlib, subprocess, sys, time; subprocess.Popen([sys.executable, '-c', *sys.argv[1:]])\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.05)"
    )
    command = [sys.executable, "-c", parent, child, str(told)]
    subprocess.run(command, check=True, env=workers.environment(), timeout=60)
    process, until = int(told.read_text()), time.monotonic() + 20
    while psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until, "the worker is still there"
        time.sleep(0.1)


def test_two_workers_make_the_training_of_one(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    jobs = [
        Job("plain", 16, 6, optimizer="sgd", rate=0.5, judge=True),
        Job("packed", 16, 6, optimizer="sgd", rate=0.5, packed=True),
        Job("sum", 64, 2, network=ALL_REDUCE, options={"pieces": 2}),
        Job("kept", 16, 6, every=4, dies=(1, 5)),
    ]
    made = network()
    both = train_together({"network": made}, DATA, jobs, 2, folder=tmp_path, may_fail=True)
    assert both.codes[1] == -signal.SIGKILL and both.codes[0] != 0, both.logs
    losses = by_hand(made, list(worker.batches(64, 16, 6, 0)))
    np.testing.assert_allclose(both["plain"]["losses"], losses, rtol=1e-5)
    np.testing.assert_allclose(both["packed"]["losses"], losses, rtol=1e-5)
    # The loss and four gradients, or all in one.
    assert (both["plain"]["exchanges"], both["packed"]["exchanges"]) == (5, 1)
    # One process goes on where two were stopped.
    again = [Job("kept", 16, 6, resume=True), Job("whole", 16, 6)]
    alone = train_together({"network": made}, DATA, again, 1, folder=tmp_path)
    assert alone["kept"]["first"] == 4
    np.testing.assert_allclose(alone["kept"]["losses"], alone["whole"]["losses"][4:], rtol=1e-5)
    assert json.loads((tmp_path / "results-0.json").read_text()) == alone.results[0]


def by_hand(made: keras.Model, steps: list[np.ndarray]) -> list[float]:
    """The losses of gradient descent with the network's weights, in NumPy and double precision."""
    first, first_bias, second, second_bias = (np.array(each, np.float64) for each in made.get_weights())
    losses = []
    for rows in steps:
        x, y = DATA["inputs"][rows], DATA["targets"][rows]
        hidden = np.tanh(x @ first + first_bias)
        logits = hidden @ second + second_bias
        losses.append(float(np.mean(np.logaddexp(0, logits) - y * logits)))
        error = (1 / (1 + np.exp(-logits)) - y) / y.size
        back = error @ second.T * (1 - hidden**2)
        first, first_bias = first - 0.5 * x.T @ back, first_bias - 0.5 * back.sum(axis=0)
        second, second_bias = second - 0.5 * hidden.T @ error, second_bias - 0.5 * error.sum(axis=0)
    return losses
