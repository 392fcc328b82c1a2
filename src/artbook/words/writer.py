"""A small GPT that looks its last few characters up in tables (chapter ``prose``).

A transformer of characters has to learn by gradient steps that the last two, three and four of them belong together.
Tables hold a vector for each pair and, by a hash, for longer rows, as fastText does for parts of words (Bojanowski
et al. 2017). That costs no multiplication, and the blocks are free for what stands farther back.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.nn.transformer import LanguageModel, Memory, Tensor, compiled
from artbook.words.characters import windows
from artbook.words.training import random_rows

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.integer]
# The tokens before each place that its vector is looked up by.
HEAD = 3
# Rows of each table, a prime; a row of tokens is found by its number in base ``vocabulary`` modulo this.
_SLOTS = 16_381
# Rows that are judged at once.
_ROWS = 50


class Writer(LanguageModel):
    """A causal language model, with relative positions, in which each place knows the ``HEAD`` tokens before it."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for tokens (batch, HEAD + time)."""
        super().build(input_shape)
        small = keras.initializers.RandomNormal(stddev=0.02)
        self.tables = [keras.layers.Embedding(_SLOTS, self.width, small, name=f"table_{n}") for n in range(HEAD)]
        for table in self.tables:
            table.build(input_shape)

    def call(self, tokens: Tensor, training: bool | None = None) -> Tensor:
        """The logits of every place but the first ``HEAD``.

        Args:
            tokens: whole, (batch, HEAD + time).
            training: whether dropout acts.

        Returns:
            (batch, time, vocabulary).
        """
        x = self.silence(self._looked_up(tokens), training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self._logits(x)

    def step(self, tokens: Tensor, place: Tensor, cache: list[Memory]) -> tuple[Tensor, list[Memory]]:
        """The logits of one place, from the key-value cache of those before it.

        Args:
            tokens: this one and the ``HEAD`` before it, (batch, HEAD + 1).
            place: its number in the window, a whole scalar from 0 to ``length`` - 1.
            cache: as ``empty_cache`` and ``step`` return it.

        Returns:
            The logits, (batch, vocabulary), and the cache with this place added.
        """
        x, after = self._looked_up(tokens), []
        for block, memory in zip(self.blocks, cache, strict=True):
            x, memory = block.step(x, place, memory)
            after.append(memory)
        return self._logits(x)[:, 0], after

    def _looked_up(self, tokens: Tensor) -> Tensor:
        """The sum of the vectors of a place's token and of the rows that end with it."""
        whole = ops.cast(tokens, "int32")
        last = whole[:, HEAD:]
        x, key, places = self.embedding(last), last, last.shape[1]
        for back, table in enumerate(self.tables, 1):
            key = (key * self.vocabulary + whole[:, HEAD - back : HEAD - back + places]) % _SLOTS
            x = x + table(key)
        return x


def writer(vocabulary: int, length: int, width: int, depth: int, heads: int) -> Writer:
    """A new writer, with random weights.

    Args:
        vocabulary: how many tokens there are, from 1 to 100,000.
        length: the places that it sees at once, at least 2.
        width: the numbers that stand for a place between the blocks, a multiple of ``heads``.
        depth: how many blocks, at least 1.
        heads: how many attentions a block has, at least 1.

    Raises:
        ValueError: an argument is out of range, or ``heads`` does not divide ``width``.
    """
    if length < 2:
        raise ValueError(f"a length from 2 was wanted; {length} was given")
    if vocabulary > 100_000:
        raise ValueError(f"a vocabulary of at most 100,000 was wanted; {vocabulary} was given")
    model = Writer(vocabulary, length, width, depth, heads, reach=length // 2)
    model.build((None, HEAD + length))
    return model


def lessons(tokens: Whole, length: int, batch: int, seed: int) -> Iterator[tuple[Whole, Whole]]:
    """What a writer learns from: batches of passages in random order, without end.

    Every token after the first few is asked for once before any is asked for again.

    Args:
        tokens: of a text, whole, (n,), with ``batch`` passages at least.
        length: the places of a passage.
        batch: passages in a batch, from 1.
        seed: of the order.

    Returns:
        Tokens (batch, HEAD + length), and those that follow the last ``length`` of them.

    Raises:
        ValueError: the text has fewer passages than a batch holds, or the batch is below 1.
    """
    rows = random_rows(windows(tokens, HEAD + length + 1, length), batch, seed)
    return ((some[:, :-1], some[:, HEAD + 1 :]) for some in rows)


def costs(model: Writer, tokens: Whole) -> Floats:
    """The negative log-likelihood of the tokens of a text, in nats.

    The text is read in windows of ``model.length`` that overlap by half, and only the second half of each is scored,
    so that every token is judged with at least half a window before it.

    Args:
        model: a writer.
        tokens: whole, (n,), n above ``HEAD + model.length``.

    Returns:
        (n,), nan for the first few, which have too little before them, and for what is left over at the end.

    Raises:
        ValueError: the text is too short.
    """
    program, half = _judge(model), model.length // 2
    rows = windows(tokens, HEAD + model.length + 1, half)
    found = []
    for start in range(0, len(rows), _ROWS):
        # The last rows come filled up with the first ones: one shape is compiled.
        some = np.resize(rows[start : start + _ROWS], (_ROWS, rows.shape[1]))
        logs = ops.convert_to_numpy(program(ops.convert_to_tensor(some[:, :-1], dtype="int32")))
        right = np.take_along_axis(logs[:, -half:], some[:, -half:, None], axis=-1)[..., 0]
        found.append(-right[: len(rows) - start].ravel())
    paid = np.concatenate(found)
    whole = np.full(len(tokens), np.nan)
    first = rows.shape[1] - half
    whole[first : first + len(paid)] = paid
    return whole


@lru_cache(maxsize=4)
def _judge(model: Writer) -> Any:
    """The compiled logarithms of the probabilities of a model, made once."""
    return compiled(model, lambda tokens: ops.log_softmax(model(tokens)))
