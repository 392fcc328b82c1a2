"""Write on from a prompt, with any way to choose among the next tokens (chapter ``prose``)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.nn.transformer import LanguageModel, Tokens, compiled

Floats = npt.NDArray[np.float64]


def write(
    model: LanguageModel, prompt: npt.ArrayLike, length: int, choose: Callable[[Floats], Floats], seed: int
) -> tuple[Tokens, Floats]:
    """Let a causal model go on from a prompt, token after token, with a key-value cache.

    Args:
        model: causal.
        prompt: whole tokens from 0 to below ``model.vocabulary``, (batch, given), both at least 1.
        length: how many tokens to add, at least 1; with the prompt at most ``model.length``.
        choose: from the model's probabilities (batch, vocabulary) to those that are drawn from, of the same shape.
        seed: of the draws, zero or more.

    Returns:
        What follows the prompt, int32 (batch, length), and what it cost by the model's own probabilities, in nats.

    Raises:
        ValueError: an argument is not as above.
    """
    given = np.asarray(prompt)
    if given.ndim != 2 or not given.size or given.dtype.kind not in "iu":
        raise ValueError(f"a prompt of whole tokens (batch, given) was wanted; {given.dtype} {given.shape} was given")
    if given.min() < 0 or given.max() >= model.vocabulary:
        raise ValueError(f"tokens from 0 to {model.vocabulary - 1} were wanted, not {given.min()} to {given.max()}")
    if length < 1 or given.shape[1] + length > model.length:
        room = f"1 to {model.length} tokens with the prompt"
        raise ValueError(f"{room} were wanted; {given.shape[1]} + {length} were given")
    rng = np.random.default_rng(seed)
    step, cache = one_step(model), model.empty_cache(len(given))
    tokens = np.zeros((len(given), given.shape[1] + length), dtype=np.int32)
    tokens[:, : given.shape[1]] = given
    costs = np.zeros((len(given), length))
    for place in range(tokens.shape[1] - 1):
        at = ops.convert_to_tensor(place, dtype="int32")
        logits, cache = step(ops.convert_to_tensor(tokens[:, place]), at, cache)
        if (new := place + 1 - given.shape[1]) >= 0:
            probabilities = _softmax(ops.convert_to_numpy(logits).astype(np.float64))
            rising = choose(probabilities).cumsum(axis=1)
            drawn = (rising < rng.random((len(given), 1)) * rising[:, -1:]).sum(axis=1)
            tokens[:, place + 1] = drawn
            costs[:, new] = -np.log(probabilities[np.arange(len(given)), drawn])
    return tokens[:, given.shape[1] :], costs


@lru_cache(maxsize=4)
def one_step(model: LanguageModel) -> Callable[..., Any]:
    """A model's ``step`` as a compiled program, made once."""
    return compiled(model, model.step)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
