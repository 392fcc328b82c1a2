"""The program that every worker runs: ``python -m artbook.nn.worker FOLDER RANK WORKERS COORDINATOR``.

All workers run it at once, each with another rank; ``artbook.nn.workers`` starts them on one machine. The chapter
``distributed-training`` shows ``train``. Keras is imported here with JAX below it, whatever the notebook uses.
"""

import functools
import inspect
import json
import os
import random
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from artbook.data.store import write_atomically
from artbook.nn import checkpoints
from artbook.nn.workers import ALL_REDUCE, Job

Arrays = dict[str, npt.NDArray]
# Trainable weights, other variables, and the optimiser's: lists of JAX arrays.
State = tuple[list[Any], ...]
CONNECT_SECONDS = 120


def join(rank: int, workers: int, coordinator: str) -> None:
    """Become one of several processes that JAX takes for one computer with as many devices.

    Args:
        rank: this process's number, from 0; process 0 listens at the coordinator's address.
        workers: how many processes there are.
        coordinator: ``host:port``, the same for all. On the loopback nothing listens to other machines.
    """
    import jax

    if workers == 1:
        return
    if coordinator.startswith("127.0.0.1:"):
        _stay_on_loopback()
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator, workers, rank, initialization_timeout=CONNECT_SECONDS, coordinator_bind_address=coordinator
    )


def _stay_on_loopback() -> None:
    """Let Gloo listen on the loopback; JAX would give it the address of the machine's name."""
    from jax._src import xla_bridge

    holder: Any = getattr(xla_bridge, "_jax", None) or getattr(getattr(xla_bridge, "xla_client", None), "_xla", None)
    if make := getattr(holder, "make_gloo_tcp_collectives", None):
        # Where JAX has moved it, it stays as it is: the address of the machine's name.
        holder.make_gloo_tcp_collectives = functools.partial(make, hostname="127.0.0.1")


def distribution(split_weights: bool) -> Any:
    """Who has what: every worker all weights and a part of the batch, or all of the batch and a part of the weights.

    Args:
        split_weights: whether the columns of every weight matrix are shared out.
    """
    import keras

    devices = keras.distribution.list_devices()
    if not split_weights:
        return keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
    mesh = keras.distribution.DeviceMesh((1, len(devices)), ["batch", "model"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*kernel"] = (None, "model")
    layout[".*bias"] = ("model",)
    options = {"auto_shard_dataset": False}
    # Some versions of Keras do not have this option for this class.
    known = inspect.signature(keras.distribution.ModelParallel.__init__).parameters
    kept = options if known.keys() & options.keys() or "kwargs" in known else {}
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch", **kept)


def batches(examples: int, batch: int, steps: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    """Which examples make each step: every one once in a new order, then every one again.

    Args:
        examples: how many there are.
        batch: how many make a step, of all workers together; at most ``examples``.
        steps: how many steps.
        seed: of the orders. The same seed gives the same steps, whoever asks.

    Yields:
        The numbers of a step's examples, ``(batch,)``.
    """
    rng, order = np.random.default_rng(seed), np.empty(0, dtype=np.int64)
    for _ in range(steps):
        if len(order) < batch:
            order = rng.permutation(examples)
        yield order[:batch]
        order = order[batch:]


def train(trainer: "Trainer", data: Arrays, job: Job, folder: Path, rank: int, workers: int) -> dict[str, Any]:
    """What one worker does in a training; all do the same, with other examples.

    Returns the loss of the global batch before each step, the seconds of each, and the first step that was made.
    """
    mine = slice(0, job.batch) if job.split_weights else slice(*(job.batch * k // workers for k in (rank, rank + 1)))
    first, state = trainer.restored(folder) if job.resume else (0, trainer.initial(job.rate))
    losses, seconds = [], []
    for step, rows in enumerate(batches(len(data["inputs"]), job.batch, job.steps, job.seed)):
        if step < first:
            continue
        if (rank, step) == job.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        begun = time.perf_counter()
        inputs, targets = (trainer.share(data[name][rows[mine]]) for name in ("inputs", "targets"))
        loss, state = trainer.step(state, inputs, targets)
        losses.append(float(loss))
        seconds.append(time.perf_counter() - begun)
        if rank == 0 and job.every and (step + 1) % job.every == 0:
            checkpoints.save(folder, step + 1, named(state))
    done = {"losses": losses, "seconds": seconds, "first": first}
    return done | (trainer.judged(state, data, rank, workers) if job.judge else {})


class Trainer:
    """A network with its optimiser and one compiled step, written as for one computer.

    The layout of the examples and of the weights is all that says who does what; XLA puts in the exchange.

    Args:
        path: the network's file.
        job: has the optimiser.

    Raises:
        ValueError: the exchange shall be packed, and the network has variables beside its weights.
    """

    def __init__(self, path: Path, job: Job) -> None:
        import jax
        import keras

        # Weights are drawn before they are read. Keras asks Python for seeds, and JAX refuses weights that differ
        # from one worker to another.
        random.seed(0)
        self.network = network = keras.saving.load_model(path, compile=False, safe_mode=True)
        if job.packed and network.non_trainable_variables:
            raise ValueError(f"{path.name}: a network without dropout and batch normalisation was wanted to pack")
        settings = {"learning_rate": job.rate, **job.options}
        self.optimizer = optimizer = keras.optimizers.get({"class_name": job.optimizer, "config": settings})
        optimizer.build(network.trainable_variables)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)

        def cost(trainable: Any, other: Any, inputs: Any, targets: Any) -> tuple[Any, Any]:
            outputs, other = network.stateless_call(trainable, other, inputs, training=True)
            return loss(targets, outputs), other

        differentiated: Any = jax.value_and_grad(cost, has_aux=True)
        if job.packed:
            differentiated = in_one_array(differentiated)

        def step(state: State, inputs: Any, targets: Any) -> tuple[Any, State]:
            trainable, other, moving = state
            (value, other), gradients = differentiated(trainable, other, inputs, targets)
            trainable, moving = optimizer.stateless_apply(moving, gradients, trainable)
            return value, (trainable, other, moving)

        def judge(state: State, inputs: Any, targets: Any) -> Any:
            return loss(targets, network.stateless_call(state[0], state[1], inputs, training=False)[0])

        self.jitted, self.judge = jax.jit(step), jax.jit(judge)
        self.compiled: dict[tuple[int, ...], Any] = {}

    def step(self, state: "State", inputs: Any, targets: Any) -> tuple[Any, "State"]:
        """One step: the loss before it, and the state after it; compiled once for each shape of the batch."""
        if inputs.shape not in self.compiled:
            self.compiled[inputs.shape] = self.jitted.lower(state, inputs, targets).compile()
        return self.compiled[inputs.shape](state, inputs, targets)

    def exchanges(self) -> int:
        """How many arrays the workers add up or bring together in a step, as the last compiled program says."""
        lines = [*self.compiled.values()][-1].as_text().splitlines()
        made = [re.split(r" (?:all-reduce|all-gather|reduce-scatter|all-to-all)\(", line) for line in lines]
        return sum(len(re.findall(r"\w+\[[\d,]*\]", parts[0])) for parts in made if len(parts) > 1)

    def initial(self, rate: float) -> "State":
        """The state before the first step: weights, random states, and the optimiser's moving averages."""
        groups = (self.network.trainable_variables, self.network.non_trainable_variables, self.optimizer.variables)
        state = tuple([variable.value for variable in group] for group in groups)
        for number, variable in enumerate(self.optimizer.variables):
            if variable is self.optimizer.learning_rate:
                state[2][number] = _placed(np.asarray(rate, variable.dtype), variable.value)
        return state

    def share(self, rows: npt.NDArray) -> Any:
        """This worker's examples as a part of the global batch."""
        import jax
        import keras

        layout = keras.distribution.distribution().get_data_layout(rows.shape)
        return jax.make_array_from_process_local_data(layout.backend_layout, rows)

    def restored(self, folder: Path) -> tuple[int, "State"]:
        """The step and the state of the newest whole checkpoint, or those of the beginning.

        Raises:
            ValueError: the checkpoint is of another network.
        """
        state, found = self.initial(float(self.optimizer.learning_rate)), checkpoints.newest(folder)
        if found is None:
            return 0, state
        wanted = {name: value.shape for name, value in _names(state).items()}
        if wanted != {name: array.shape for name, array in found.arrays.items()}:
            raise ValueError(f"a checkpoint of this network was wanted; that of step {found.step} has other arrays")
        placed = {name: _placed(found.arrays[name], value) for name, value in _names(state).items()}
        values = iter(placed.values())
        return found.step, tuple([next(values) for _ in group] for group in state)

    def judged(self, state: "State", data: Arrays, rank: int, workers: int) -> dict[str, float]:
        """The loss on the held-out examples, without dropout; what the workers cannot share evenly is left out."""
        rows = len(data["held_out_inputs"]) // workers
        parts = (data[name][rank * rows : (rank + 1) * rows] for name in ("held_out_inputs", "held_out_targets"))
        return {"held_out": float(self.judge(state, *map(self.share, parts)))}

    def own_bytes(self) -> int:
        """Bytes of weights that lie on this worker's device."""
        shards = [each.value.addressable_shards for each in self.network.trainable_variables]
        return sum(shard.data.nbytes for some in shards for shard in some)


def in_one_array(differentiated: Any) -> Any:
    """The same loss and gradients with the exchange written out: each worker's own in one vector, then the mean.

    For networks that look at each example by itself: batch normalisation would see a worker's own share.

    Args:
        differentiated: what ``jax.value_and_grad`` made of the cost.
    """
    import jax
    import keras
    from jax.flatten_util import ravel_pytree
    from jax.sharding import PartitionSpec

    mesh = keras.distribution.distribution().device_mesh.backend_mesh

    def own(trainable: Any, other: Any, inputs: Any, targets: Any) -> Any:
        (value, _), gradients = differentiated(trainable, other, inputs, targets)
        vector, unpack = ravel_pytree((value, gradients))
        return unpack(jax.lax.pmean(vector, "batch"))

    whole, rows = PartitionSpec(), PartitionSpec("batch")

    def exchanged(trainable: Any, other: Any, inputs: Any, targets: Any) -> Any:
        shared = jax.shard_map(own, mesh=mesh, in_specs=(whole, whole, rows, rows), out_specs=whole, check_vma=False)
        value, gradients = shared(trainable, other, inputs, targets)
        return (value, other), gradients

    return exchanged


def named(state: "State") -> Arrays:
    """All that the next step depends on, as plain arrays with names."""
    return {name: np.asarray(value) for name, value in _names(state).items()}


def _names(state: "State") -> dict[str, Any]:
    groups = zip(("weights", "other", "optimizer"), state, strict=True)
    return {f"{name}-{number:03d}": value for name, group in groups for number, value in enumerate(group)}


def _placed(array: npt.NDArray, like: Any) -> Any:
    """An array laid out over the workers as another one is; each puts down its own part and asks nobody."""
    import jax

    return jax.make_array_from_callback(array.shape, like.sharding, lambda index: array[index])


def all_reduce_seconds(numbers: int, repeats: int, rank: int, pieces: int = 1) -> list[float]:
    """How long it takes until every worker has the sum of all workers' arrays.

    Args:
        numbers: how many float32 each worker has in all.
        repeats: how often it is measured.
        rank: this worker's number.
        pieces: how many arrays these are.

    Returns:
        Seconds, one for each repeat.

    Raises:
        ValueError: a sum is wrong.
    """
    import jax
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()), ("workers",))
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("workers",), ()))
    mine = np.full((1, numbers // pieces), rank + 1.0, np.float32)
    parts = [jax.make_array_from_process_local_data(split, mine) for _ in range(pieces)]
    add = jax.jit(lambda arrays: [array.sum(axis=0) for array in arrays], out_shardings=whole)
    wanted = len(jax.devices()) * (len(jax.devices()) + 1) / 2
    if any((np.asarray(total) != wanted).any() for total in add(parts)):
        raise ValueError(f"{wanted} was wanted as the sum of the ranks from 1 to {len(jax.devices())}")
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        jax.block_until_ready(add(parts))
        seconds.append(time.perf_counter() - begun)
    return seconds


class _Workshop:
    """The trainers of a worker, each compiled once."""

    def __init__(self, folder: Path, rank: int, workers: int, data: Arrays) -> None:
        self.folder, self.rank, self.workers, self.data = folder, rank, workers, data
        self.kept: dict[tuple[Any, ...], Trainer] = {}

    def do(self, job: Job) -> dict[str, Any]:
        """Do a job and tell what came out."""
        import keras

        if job.network == ALL_REDUCE:
            pieces = int(job.options.get("pieces", 1))
            return {"seconds": all_reduce_seconds(job.batch, job.steps, self.rank, pieces)}
        keras.distribution.set_distribution(distribution(job.split_weights))
        key = (job.network, job.split_weights, job.packed, job.optimizer, *sorted(job.options.items()))
        if key not in self.kept:
            self.kept[key] = Trainer(self.folder / f"{job.network}.keras", job)
        trainer = self.kept[key]
        done = train(trainer, self.data, job, self.folder / "checkpoints", self.rank, self.workers)
        return done | {"own_bytes": trainer.own_bytes(), "exchanges": trainer.exchanges()}


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, so that no worker is left behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(folder: Path, rank: int, workers: int, coordinator: str) -> None:
    """Do all jobs of a folder and write what came out of each beside them."""
    _end_with_parent()
    join(rank, workers, coordinator)
    jobs = [Job.from_dict(each) for each in json.loads((folder / "jobs.json").read_text(encoding="utf-8"))]
    with np.load(folder / "data.npz", allow_pickle=False) as stored:
        data = {name: stored[name] for name in stored}
    workshop, results = _Workshop(folder, rank, workers, data), {}
    for job in jobs:
        results[job.name] = workshop.do(job)
        write_atomically(folder / f"results-{rank}.json", json.dumps(results).encode())
    if workers > 1:
        import jax

        jax.distributed.shutdown()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    except BaseException:
        # Without waiting for the others, which may be gone.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
