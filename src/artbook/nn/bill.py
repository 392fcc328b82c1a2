"""What a training costs and what an answer costs: processor time, operations and bytes, beside the held-out loss.

The chapter ``training-costs`` measures with it what lowers the bill. One step is one compiled program, and what it
takes to compile is left out of the time: it is paid once for a shape, however long the training.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artbook.nn.size import count_operations
from artbook.nn.transformer import compiled

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Weights = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class Course:
    """One training.

    Attributes:
        steps: that were taken.
        seconds: of the processor, for steps and looks, without compiling.
        operations: multiplications and additions in the matrix products, of steps and looks.
        looks: for each look at the held-out examples, after how many steps it was, and the mean cost in nats.
    """

    steps: int
    seconds: float
    operations: float
    looks: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Patience:
    """The rule of early stopping: look every so many steps; stop after so many looks without a new best.

    Attributes:
        inputs: the held-out examples, ``(n, …)``.
        targets: their classes, whole, ``(n,)``.
        every: steps between two looks, at least 1.
        looks: in a row that may bring nothing new, at least 1.
    """

    inputs: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    every: int
    looks: int

    def __post_init__(self) -> None:
        if self.every < 1 or self.looks < 1:
            raise ValueError(f"at least 1 step and 1 look were wanted; {self.every} and {self.looks} were given")


class Trainer:
    """Trains one model again and again, from weights that it is given, by one step that is compiled once.

    Attributes:
        model: it gives logits, ``(batch, classes)``.
        optimizer: Adam (Kingma and Ba 2015).
        answer: the model as a compiled program.
        pass_operations: of the matrix products of a forward pass over a batch.
        step_operations: of the matrix products of a whole step.
    """

    def __init__(self, model: keras.Model, inputs: npt.NDArray[Any]) -> None:
        """Compile a step for the variables of a model that are trainable now.

        Args:
            model: built, of logits ``(batch, classes)``; constraints of its variables are kept.
            inputs: one batch; all other batches are as large.

        Raises:
            ValueError: the backend is neither TensorFlow nor JAX, or there is no input.
        """
        if not len(inputs):
            raise ValueError("a batch of at least one input was wanted; none was given")
        self.model, self.batch = model, len(inputs)
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(model.trainable_variables)
        self.answer = program(model)
        self.pass_operations, self.step_operations = count_operations(model, inputs)
        self._step = _compiled_step(model, self.optimizer)
        weights = model.get_weights()
        self._step(inputs, np.full((len(inputs), model.output_shape[-1]), 0.5, np.float32), np.float32(0))
        self.answer(inputs)
        self.restart(weights)

    def restart(self, weights: Sequence[npt.NDArray[Any]]) -> None:
        """Give the model weights, and let the optimiser forget."""
        self.model.set_weights(list(weights))
        for variable in self.optimizer.variables:
            variable.assign(np.zeros(variable.shape, dtype=keras.backend.standardize_dtype(variable.dtype)))

    def train(
        self,
        inputs: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        steps: int,
        peak: float = 5e-3,
        seed: int = 0,
        fall: bool = True,
        patience: Patience | None = None,
    ) -> Course:
        """Minimise the cross-entropy, each example once before any comes again, and keep the account.

        Args:
            inputs: of the examples, ``(n, …)``, at least one batch.
            targets: whole classes ``(n,)``, or a distribution over the classes for each, ``(n, classes)``.
            steps: to take, at least 1; with patience, at most.
            peak: the learning rate at the first step.
            seed: of the order of the examples.
            fall: whether the rate falls to zero along half a cosine (Loshchilov and Hutter 2017), or stays.
            patience: if given, when to stop early; the model is left with the weights of the best look.

        Raises:
            ValueError: there is no step, less than a batch of examples, or not a target for each.
        """
        if steps < 1 or len(inputs) < self.batch or len(inputs) != len(targets):
            raise ValueError(
                f"at least one step, {self.batch} examples and a target for each were wanted;"
                f" {steps} steps, {len(inputs)} inputs and {len(targets)} targets were given"
            )
        certain = np.eye(self.model.output_shape[-1], dtype=np.float32)
        rng, left = np.random.default_rng(seed), np.empty(0, dtype=np.int64)
        looks: list[tuple[int, float]] = []
        best = self.model.get_weights()
        begun = time.process_time()
        for step in range(steps):
            if len(left) < self.batch:
                left = np.concatenate([left, rng.permutation(len(inputs))])
            rows, left = left[: self.batch], left[self.batch :]
            rate = peak * (1 + np.cos(np.pi * step / steps)) / 2 if fall else peak
            soft = targets[rows] if targets.ndim == 2 else certain[targets[rows]]
            self._step(inputs[rows], soft, np.float32(rate))
            if patience is not None and (step + 1) % patience.every == 0:
                looks.append((step + 1, float(self.costs(patience.inputs, patience.targets).mean())))
                since = len(looks) - 1 - int(np.argmin([each for _, each in looks]))
                best = best if since else self.model.get_weights()
                if since >= patience.looks:
                    break
        if patience is not None and looks:
            self.model.set_weights(best)
        # A backend may still be at work when the call of its last step returns.
        keras.ops.convert_to_numpy(self.model.trainable_variables[0])
        seconds = time.process_time() - begun
        looked = sum(-(-len(patience.inputs) // self.batch) for _ in looks) if patience is not None else 0
        return Course(step + 1, seconds, self.step_operations * (step + 1) + self.pass_operations * looked, looks)

    def logits(self, inputs: npt.NDArray[Any]) -> Floats:
        """What the model answers, batch by batch, float64 ``(n, classes)``.

        Raises:
            ValueError: there is no input.
        """
        return logits(self.answer, inputs, self.batch)

    def costs(self, inputs: npt.NDArray[Any], targets: npt.NDArray[Any]) -> Floats:
        """The negative log-likelihood of each target class, in nats, ``(n,)``.

        Raises:
            ValueError: there is no input, or not a target for each.
        """
        return nats(self.logits(inputs), targets)


def _compiled_step(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> Callable[..., None]:
    """A step of gradient descent: from inputs, distributions over the classes, and a learning rate."""

    def mean_cost(logits: Any, targets: Any) -> Any:
        logits = keras.ops.cast(logits, "float32")
        return keras.ops.mean(
            keras.ops.logsumexp(logits, axis=-1) * keras.ops.sum(targets, axis=-1)
            - keras.ops.sum(targets * logits, axis=-1)
        )

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function(jit_compile=True, autograph=False)
        def step(inputs: Any, targets: Any, rate: Any) -> None:
            with tf.GradientTape() as tape:
                cost = mean_cost(model(inputs, training=True), targets)
            optimizer.learning_rate = rate
            values = [variable.value for variable in model.trainable_variables]
            optimizer.apply(tape.gradient(cost, values), model.trainable_variables)

        return step
    if backend == "jax":
        import jax

        place = next(at for at, each in enumerate(optimizer.variables) if each is optimizer.learning_rate)

        @jax.jit
        def pure(trainable: Any, fixed: Any, memory: Any, inputs: Any, targets: Any, rate: Any) -> Any:
            def cost_of(trainable: Any) -> Any:
                answer, _ = model.stateless_call(trainable, fixed, inputs, training=True)
                return mean_cost(answer, targets)

            memory = [rate if at == place else each for at, each in enumerate(memory)]
            return optimizer.stateless_apply(memory, jax.grad(cost_of)(trainable), trainable)

        def step(inputs: Any, targets: Any, rate: Any) -> None:
            fixed = [variable.value for variable in model.non_trainable_variables]
            states = [[each.value for each in held] for held in (model.trainable_variables, optimizer.variables)]
            for held, values in zip(
                (model.trainable_variables, optimizer.variables),
                pure(states[0], fixed, states[1], inputs, targets, rate),
                strict=True,
            ):
                for variable, value in zip(held, values, strict=True):
                    variable.assign(value)

        return step
    raise ValueError(f"the backend is tensorflow or jax; {backend!r} is in use")


def fresh_weights(model: keras.Model, seed: int) -> Weights:
    """New random weights for a model, as its layers draw them; the model keeps its own."""
    keras.utils.set_random_seed(seed)
    return keras.models.clone_model(model).get_weights()


def logits(answer: Callable[[Any], Any], inputs: npt.NDArray[Any], batch: int = 512) -> Floats:
    """What a compiled program answers, batch by batch of one size, float64 ``(n, classes)``.

    Raises:
        ValueError: there is no input.
    """
    if not len(inputs):
        raise ValueError("at least one input was wanted; none was given")
    short = -len(inputs) % batch
    padded = np.concatenate([inputs, np.repeat(inputs[:1], short, axis=0)]) if short else inputs
    answers = [np.asarray(answer(padded[at : at + batch])) for at in range(0, len(padded), batch)]
    return np.concatenate(answers)[: len(inputs)].astype(np.float64)


def nats(answers: Floats, targets: npt.NDArray[Any]) -> Floats:
    """The negative log-likelihood of each target under the softmax of its row of logits, ``(n,)``.

    Raises:
        ValueError: there is not one row for each target.
    """
    if answers.ndim != 2 or len(answers) != len(targets):
        raise ValueError(f"a row of logits for each of {len(targets)} targets was wanted; {answers.shape} was given")
    return np.logaddexp.reduce(answers, axis=1) - answers[np.arange(len(targets)), targets]


def stored_bytes(model: keras.Model) -> int:
    """The bytes of all weights of a model, each in its own type."""
    return sum(value.nbytes for value in model.get_weights())


def answer_seconds(answers: Mapping[str, Callable[[Any], Any]], inputs: Any, repeats: int = 20) -> dict[str, float]:
    """CPU-seconds of one call of each of some functions, the median of calls that take turns.

    Args:
        answers: functions of the inputs, by name.
        inputs: the argument.
        repeats: calls of each, at least 1; one more before them compiles.

    Raises:
        ValueError: there is no call.
    """
    if repeats < 1:
        raise ValueError(f"at least 1 call was wanted; {repeats} was given")
    for answer in answers.values():
        np.asarray(answer(inputs))
    times: dict[str, list[float]] = {name: [] for name in answers}
    for _ in range(repeats):
        for name, answer in answers.items():
            begun = time.process_time()
            np.asarray(answer(inputs))
            times[name].append(time.process_time() - begun)
    return {name: float(np.median(each)) for name, each in times.items()}


def program(model: keras.Model) -> Callable[[Any], Any]:
    """A model's answer as one compiled program."""
    return compiled(model, lambda inputs: model(inputs))


def frontier(costs: npt.ArrayLike, losses: npt.ArrayLike) -> Bools:
    """Which of some choices are worth a look: those that none other beats in both, or in one at a tie in the other.

    Args:
        costs: of each choice, finite, ``(n,)``; less is better.
        losses: likewise.

    Raises:
        ValueError: they are not as many finite numbers.
    """
    x, y = np.asarray(costs, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"as many finite costs as losses were wanted; shapes {x.shape} and {y.shape} were given")
    no_worse = (x[:, None] <= x) & (y[:, None] <= y)
    better = (x[:, None] < x) | (y[:, None] < y)
    beaten: Bools = np.any(no_worse & better, axis=0)
    return ~beaten
