"""Train a language model on rows of tokens, for so many steps or for so much processor time.

One step is one compiled program; the chapters ``poems`` and ``prose`` and the command
``python -m artbook.words.benchmark`` all train with it.
"""

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.nn.transformer import LanguageModel, compiled

Rows = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
# Rows that a model judges at once.
_ROWS = 50
# The share of a training in which the steps grow to their full size.
_WARM_UP = 0.05


def by_steps(steps: int) -> Callable[[], float]:
    """What share of a training is done, when it has so many steps: each call is a step.

    Raises:
        ValueError: there is no step.
    """
    if steps < 1:
        raise ValueError(f"at least one step was wanted; {steps} was given")
    shares = iter(np.arange(steps + 1) / steps)
    return lambda: float(next(shares))


def by_cpu(seconds: float) -> Callable[[], float]:
    """What share of a training is done, when it has so many CPU-seconds of this process, from now on.

    The first step compiles the program. What it takes is paid for, and the rest of the time is the training: the
    share is 0 until then.

    Raises:
        ValueError: the time is not a finite number above 0.
    """
    if not 0 < seconds < np.inf:
        raise ValueError(f"CPU-seconds above 0 were wanted; {seconds} was given")
    begun = time.process_time()
    calls: list[float] = []

    def share() -> float:
        calls.append(time.process_time())
        if len(calls) == 1:
            return 0.0
        left = seconds - (calls[1] - begun)
        return 1.0 if left <= 0 else (calls[-1] - calls[1]) / left

    return share


def random_rows(rows: Rows, batch: int, seed: int) -> Iterator[Rows]:
    """Batches of rows in random order, each row once before any comes again; without end.

    Raises:
        ValueError: there are fewer rows than a batch holds, or the batch is below 1.
    """
    if not 1 <= batch <= len(rows):
        raise ValueError(f"a batch from 1 to the {len(rows)} rows was wanted; {batch} was given")
    rng = np.random.default_rng(seed)

    def batches() -> Iterator[Rows]:
        left = np.empty(0, dtype=np.int64)
        while True:
            if len(left) < batch:
                left = np.concatenate([left, rng.permutation(len(rows))])
            yield rows[left[:batch]]
            left = left[batch:]

    return batches()


def learning_rate(share: float, peak: float) -> float:
    """The size of a step: it grows to its peak, then falls along a cosine to a hundredth of it.

    Args:
        share: of the training that is done, from 0.
        peak: the largest.
    """
    if share < _WARM_UP:
        return peak * (0.1 + 0.9 * share / _WARM_UP)
    falling = min((share - _WARM_UP) / (1 - _WARM_UP), 1.0)
    return peak * (0.01 + 0.99 * (1 + np.cos(np.pi * falling)) / 2)


def train(
    model: LanguageModel, batches: Iterator[Rows], progress: Callable[[], float], peak: float = 3e-3
) -> list[float]:
    """Minimise the cost of each token after the first of each row.

    Args:
        model: causal; it is changed.
        batches: rows of one shape (batch, length + 1).
        progress: as in ``learn``.
        peak: as in ``learn``.

    Returns:
        The mean cost at each step, in nats a token.
    """
    return learn(model, ((rows[:, :-1], rows[:, 1:]) for rows in batches), progress, peak)


def learn(
    model: LanguageModel, lessons: Iterator[tuple[Any, Rows]], progress: Callable[[], float], peak: float = 3e-3
) -> list[float]:
    """Minimise the cost of each target, with AdamW (Loshchilov and Hutter 2019).

    Args:
        model: causal; it is changed.
        lessons: what the model reads and the targets (batch, length), of one shape.
        progress: the share of the training that is done, asked before each step; it ends with 1.
        peak: the largest learning rate.

    Returns:
        The mean cost at each step, in nats a token.
    """
    optimizer = keras.optimizers.AdamW(peak, weight_decay=0.05, beta_2=0.98, global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=True)
    costs = []
    while (share := progress()) < 1:
        given, targets = next(lessons)
        optimizer.learning_rate = learning_rate(share, peak)
        costs.append(float(model.train_on_batch(given, targets)))
    return costs


def costs(model: LanguageModel, rows: Rows) -> Floats:
    """The negative log-likelihood of every token after the first of each row, in nats, (rows, length).

    Raises:
        ValueError: there is no row.
    """
    if not len(rows):
        raise ValueError("at least one row was wanted; none was given")
    program = logarithms(model)
    found = []
    for start in range(0, len(rows), _ROWS):
        # The last rows come filled up with the first one: one shape is compiled.
        some = np.resize(rows[start : start + _ROWS], (_ROWS, rows.shape[1]))
        logs = ops.convert_to_numpy(program(ops.convert_to_tensor(some[:, :-1])))
        found.append(-np.take_along_axis(logs, some[:, 1:, None], axis=-1)[: len(rows) - start, :, 0])
    return np.concatenate(found).astype(np.float64)


@lru_cache(maxsize=4)
def logarithms(model: LanguageModel) -> Callable[..., Any]:
    """The logarithms of a model's probabilities, of tokens (batch, length), as a compiled program, made once."""
    return compiled(model, lambda tokens: ops.log_softmax(model(tokens)))
