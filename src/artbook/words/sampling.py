"""Write on from a prompt, with any way to choose among the next tokens (chapter ``prose``)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.nn.ngram import NGram
from artbook.nn.transformer import LanguageModel, Tokens, compiled
from artbook.words.writer import HEAD, Writer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A writer's probabilities and those of counts, mixed.

    Attributes:
        model: the writer.
        counts: an n-gram model of the same vocabulary.
        weight: of the counts, from 0 to 1; the writer has the rest.
    """

    model: Writer
    counts: NGram
    weight: float


def write(
    mixture: Mixture, prompt: npt.ArrayLike, length: int, choose: Callable[[Floats], Floats], seed: int
) -> tuple[Tokens, Floats]:
    """Go on from a prompt, token after token, with a key-value cache.

    The writer never sees more than ``length`` places at once, as in training: when its window is full, it goes on
    from the second half of what it sees. So a text may have any length.

    Args:
        mixture: which probabilities.
        prompt: whole tokens from 0 to below the vocabulary, (batch, given), batch at least 1, and at least as many
            given as the writer and the counts look back.
        length: how many tokens to add, at least 1.
        choose: from the probabilities (batch, vocabulary) to those that are drawn from, of the same shape.
        seed: of the draws, zero or more.

    Returns:
        What follows the prompt, int32 (batch, length), and what it cost by the mixture's own probabilities, in nats.

    Raises:
        ValueError: an argument is not as above.
    """
    model, counts = mixture.model, mixture.counts
    given = np.asarray(prompt)
    least = max(HEAD + 1, counts.order - 1)
    if given.ndim != 2 or not len(given) or given.shape[1] < least or given.dtype.kind not in "iu":
        wanted = f"a prompt of whole tokens (batch, {least} or more)"
        raise ValueError(f"{wanted} was wanted; {given.dtype} {given.shape} was given")
    if given.min() < 0 or given.max() >= model.vocabulary:
        raise ValueError(f"tokens from 0 to {model.vocabulary - 1} were wanted, not {given.min()} to {given.max()}")
    if length < 1:
        raise ValueError(f"at least one token to add was wanted; {length} was given")
    if not 0 <= mixture.weight <= 1:
        raise ValueError(f"a weight from 0 to 1 was wanted; {mixture.weight} was given")
    rng = np.random.default_rng(seed)
    step, cache = one_step(model), model.empty_cache(len(given))
    start = given.shape[1]
    tokens = np.concatenate([given, np.zeros((len(given), length), dtype=int)], axis=1).astype(np.int32)
    costs = np.zeros((len(given), length))
    place = first = max(HEAD, start - model.length)
    written = start
    while written < start + length:
        if place - first == model.length:
            place = first = place - model.length // 2
        seen = ops.convert_to_tensor(tokens[:, place - HEAD : place + 1])
        logits, cache = step(seen, ops.convert_to_tensor(place - first, dtype="int32"), cache)
        place += 1
        if place == written:
            known = counts.after(tokens[:, place - counts.order + 1 : place])
            network = _softmax(ops.convert_to_numpy(logits).astype(np.float64))
            probabilities = mixture.weight * known + (1 - mixture.weight) * network
            rising = choose(probabilities).cumsum(axis=1)
            drawn = (rising < rng.random((len(given), 1)) * rising[:, -1:]).sum(axis=1)
            tokens[:, place] = drawn
            costs[:, place - start] = -np.log(probabilities[np.arange(len(given)), drawn])
            written += 1
    return tokens[:, start:], costs


@lru_cache(maxsize=4)
def one_step(model: LanguageModel) -> Callable[..., Any]:
    """A model's ``step`` as a compiled program, made once."""
    return compiled(model, model.step)


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)
