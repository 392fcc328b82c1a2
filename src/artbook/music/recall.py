"""A transformer that is told what came just before, and what followed the last time (book chapter ``longer-forms``).

Beside each token it reads the ``RECENT`` tokens before it, each by a table of its own (Bengio et al. 2003), how much
of the bar is filled, and what ``recall`` finds: the token that came after the earlier place with the most tokens in
common up to there, as in the data compression of Ziv and Lempel (1977). For each length of the match a learned number
is added to that token's logit; it is a cache (Grave et al. 2017) whose search has not to be learned.
"""

from typing import Any

import keras
from keras import ops

from artbook.data.tunes import DURATIONS
from artbook.music.events import BAR, LENGTHS, NOTES
from artbook.nn.transformer import LanguageModel, Memory

Tensor = Any
RECENT = 3
# A match of 1, 2, 4, 8, 16 or 32 tokens raises the level by one each; level 0 is no match.
LEVELS = 6
# The fill of a bar is told in thirty-second notes of 6 ticks, up to 48; the longest bar, of 12/8, has as many.
FILLS = 48


def recall(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """What followed where the last tokens, as many as possible, stood before.

    Args:
        tokens: whole, (batch, time).

    Returns:
        For each place the token after the earlier place that matches best, of equals the last, and the level of the
        match, 0 to ``LEVELS``, both int32 (batch, time). Without a match the token is -1.
    """
    tokens = ops.cast(tokens, "int32")
    time = tokens.shape[1]
    places = ops.arange(time)
    equal = ops.logical_and(tokens[:, :, None] == tokens[:, None, :], places[None, :] < places[:, None])
    common = ops.cast(equal, "int32")
    level = common
    for power in range(LEVELS - 1):
        # Twice as many are in common where they are in common here and so many places before.
        step = 2**power
        common = common * ops.pad(common, ((0, 0), (step, 0), (step, 0)))[:, :time, :time]
        level = level + common
    return _followed(tokens, level)


def _followed(tokens: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """What ``recall`` returns, from the level of every earlier place, (batch, places, time)."""
    time = tokens.shape[1]
    best = ops.max(level * time + ops.arange(time), axis=-1)
    found = best // time
    after = ops.where(found > 0, best % time + 1, 0)
    return ops.where(found > 0, ops.take_along_axis(tokens, after, axis=1), -1), found


def bar_fill(tokens: Tensor) -> Tensor:
    """How long the notes are since the last bar line, or since the beginning.

    Args:
        tokens: of tunes, as ``artbook.music.events`` writes them, (batch, time).

    Returns:
        In ticks, with the note at the place itself, int32 (batch, time).
    """
    named = _last(tokens >= LENGTHS)
    length = ops.where(named < 0, 0, _ticks(ops.take_along_axis(tokens, ops.maximum(named, 0), axis=1)))
    passed = ops.cumsum(ops.where(_is_note(tokens), length, 0), axis=1)
    bar = _last(tokens == BAR)
    before = ops.where(bar < 0, 0, ops.take_along_axis(passed, ops.maximum(bar, 0), axis=1))
    return ops.cast(passed - before, "int32")


def _last(here: Tensor) -> Tensor:
    """For each place the last one up to it where something is so, or -1, (batch, time)."""
    places = ops.arange(here.shape[1])
    seen = ops.logical_and(here[:, None, :], places[None, :] <= places[:, None])
    return ops.max(ops.where(seen, places, -1), axis=-1)


def _is_note(tokens: Tensor) -> Tensor:
    return ops.logical_and(tokens >= NOTES, tokens < LENGTHS)


def _ticks(tokens: Tensor) -> Tensor:
    """What tokens of lengths stand for."""
    return ops.take(ops.array(DURATIONS, "int32"), ops.maximum(tokens - LENGTHS, 0))


@keras.saving.register_keras_serializable("artbook")
class RecallingModel(LanguageModel):
    """A causal ``LanguageModel`` that recalls; its arguments are the same."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        rows = (RECENT + 1) * (self.vocabulary + 1) + LEVELS + 1 + FILLS + 1
        small = keras.initializers.RandomNormal(stddev=0.02)
        self.hints = keras.layers.Embedding(rows, self.width, small, name="hints")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for tokens (batch, time)."""
        super().build(input_shape)
        self.hints.build(input_shape)
        self.trust = self.add_weight(shape=(LEVELS + 1,), initializer="zeros", name="trust")

    def call(self, tokens: Tensor, training: bool | None = None) -> Tensor:
        """The logits of every place, (batch, time, vocabulary), of tokens (batch, time)."""
        tokens = ops.cast(tokens, "int32")
        time = tokens.shape[1]
        recent = [ops.pad(tokens, ((0, 0), (back, 0)), constant_values=-1)[:, :time] for back in range(1, RECENT + 1)]
        followed, level = recall(tokens)
        x = self._read(tokens, ops.arange(time), recent, followed, level, bar_fill(tokens))
        x = self.silence(x, training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self._logits(x) + self._trusted(followed, level)

    def empty_cache(self, batch: int) -> list[Memory]:
        """The key-value cache before the first place.

        First in it stand the tokens and how long each one matches, then the last length and the fill of the bar.
        """
        nothing = ops.zeros((batch, self.length), "int32")
        return [(nothing, nothing), (nothing[:, 0], nothing[:, 0]), *super().empty_cache(batch)]

    def step(self, tokens: Tensor, place: Tensor, cache: list[Memory]) -> tuple[Tensor, list[Memory]]:
        """The logits of one place, (batch, vocabulary), from the cache of those before it; see ``LanguageModel``."""
        (read, runs), (length, fill), *memories = cache
        tokens, place = ops.cast(tokens, "int32"), ops.convert_to_tensor(place, dtype="int32")
        read = ops.slice_update(read, (0, place), tokens[:, None])
        equal = ops.logical_and(read == tokens[:, None], ops.arange(self.length) < place)
        runs = ops.where(equal, ops.pad(runs, ((0, 0), (1, 0)))[:, :-1] + 1, 0)
        level = sum(ops.cast(runs >= 2**power, "int32") for power in range(LEVELS))
        followed, level = (found[:, 0] for found in _followed(read, level[:, None]))
        recent = [
            ops.where(place >= back, ops.take(read, ops.maximum(place - back, 0), axis=1), -1)
            for back in range(1, RECENT + 1)
        ]
        length = ops.where(tokens >= LENGTHS, _ticks(tokens), length)
        fill = ops.where(tokens == BAR, 0, ops.where(_is_note(tokens), fill + length, fill))
        x = self._read(tokens, place, recent, followed, level, fill)[:, None]
        after: list[Memory] = [(read, runs), (length, fill)]
        for block, memory in zip(self.blocks, memories, strict=True):
            x, memory = block.step(x, place, memory)
            after.append(memory)
        return self._logits(x)[:, 0] + self._trusted(followed, level), after

    def _read(
        self, tokens: Tensor, places: Tensor, recent: list[Tensor], followed: Tensor, level: Tensor, fill: Tensor
    ) -> Tensor:
        """What enters the first block: the sum of all embeddings; each hint has its own rows of one table."""
        rows = [number * (self.vocabulary + 1) + token + 1 for number, token in enumerate([*recent, followed])]
        first = (RECENT + 1) * (self.vocabulary + 1)
        rows += [first + level, first + LEVELS + 1 + ops.minimum(fill // 6, FILLS)]
        return self._placed(tokens, places) + ops.sum(self.hints(ops.stack(rows, axis=-1)), axis=-2)

    def _trusted(self, followed: Tensor, level: Tensor) -> Tensor:
        # Of a token -1 the row of one_hot is all zeros.
        weight = ops.take(self.trust, level)[..., None]
        return weight * ops.one_hot(followed, self.vocabulary, dtype=self.compute_dtype)
