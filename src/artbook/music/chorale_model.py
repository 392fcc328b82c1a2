"""A model of four-voice chorales on a grid of sixteenths, with an exact likelihood (chapter ``composing``).

A recurrent trunk reads the past, a beat at a time. In each of a beat's four frames a small network writes the four
voices one after another, each knowing those already written, as NADE does with the pixels of a picture
(Larochelle and Murray 2011). The logarithm of a piece's probability is the sum over its tokens, nothing left out.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from artbook.data.chorales import VOICES
from artbook.data.keyboard import is_whole
from artbook.music.chorale_tokens import (
    BEAT,
    FEATURES,
    GOAL,
    HOLD,
    LOWEST,
    MATCHES,
    OLDEST,
    SILENCE,
    SOUNDS,
    VOCABULARY,
)
from artbook.music.hymn_tunes import HymnTunes

Tensor = Any
# The voices in the order in which a frame is written: the melody, the bass, and what lies between them.
ORDER = (0, 3, 1, 2)
# Leaps are told apart up to two octaves; one more place is for a voice that was silent.
_LEAP = 24
# The numbers that stand for the age of a note.
_AGE = 4
# Where a token has no votes at all, its logarithm is that of this share.
_FLOOR = 1e-3


class ChoraleModel(keras.Model):
    """Four voices, token by token, given a plan.

    Args:
        tunes: those that it knows.
        memory: the trunk's units.
        hidden: the units of the network that writes the voices.
        embedding: the numbers that stand for a pitch.
        dropout: the share that is silenced in a training step, from 0 to below 1, the same within a beat.
        **options: what every Keras model takes, such as ``name``.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        tunes: HymnTunes,
        memory: int = 256,
        hidden: int = 160,
        embedding: int = 24,
        dropout: float = 0.3,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not all(is_whole(number, 1, 10**5) for number in (memory, hidden, embedding)) or not 0 <= dropout < 1:
            raise ValueError(
                "sizes from 1 and a dropout from 0 to below 1 were wanted;"
                f" {memory!r}, {hidden!r}, {embedding!r} and {dropout!r} were given"
            )
        self.tunes = tunes
        self.memory, self.hidden, self.embedding, self.dropout = memory, hidden, embedding, dropout
        dense, voices = keras.layers.Dense, range(len(VOICES))
        self.pitch = keras.layers.Embedding(SOUNDS, embedding, name="pitch")
        self.plan = keras.layers.Embedding(sum(FEATURES), 2 * embedding, name="plan")
        self.age = keras.layers.Embedding(OLDEST + 1, _AGE, name="age")
        self.hint = keras.layers.Embedding((len(MATCHES) + 1) * VOCABULARY, embedding, name="hint")
        self.condense = dense(memory, "relu", name="condense")
        self.trunk = keras.layers.GRU(memory, return_sequences=True, name="trunk")
        self.from_trunk = dense(hidden, name="from_trunk")
        self.from_frame = dense(hidden, use_bias=False, name="from_frame")
        self.from_voices = [dense(hidden, use_bias=False, name=f"from_voices_{voice}") for voice in voices]
        self.deepen = dense(hidden, "relu", name="deepen")
        self.absolute = dense(VOCABULARY, name="absolute")
        self.relative = dense(2 * _LEAP + 2, use_bias=False, name="relative")
        self.intervals = dense(12 * (len(VOICES) - 1), use_bias=False, name="intervals")
        self.from_goal = dense(12, use_bias=False, name="from_goal")
        self.belief = dense(1, bias_initializer=keras.initializers.Constant(0.3), name="belief")
        self.silence = keras.layers.Dropout(dropout)
        self.silence_beat = keras.layers.Dropout(dropout, noise_shape=(None, None, 1, hidden))

    def build(self, input_shape: Any = None) -> None:
        """Make the weights; they do not depend on the shape of what comes in."""
        ahead, voices = 2 * self.embedding, len(VOICES)
        for table in (self.pitch, self.plan, self.age, self.hint):
            table.build()
        self.condense.build((None, BEAT * voices * (self.embedding + 1) + ahead))
        self.trunk.build((None, None, self.memory))
        self.from_trunk.build((None, self.memory))
        self.from_frame.build((None, ahead + voices * (self.embedding + _AGE)))
        for number, voice in enumerate(ORDER):
            known = VOCABULARY if number == 0 else number * (self.embedding + 1)
            self.from_voices[voice].build((None, self.embedding + known))
        for layer in (self.deepen, self.absolute, self.relative, self.intervals, self.from_goal, self.belief):
            layer.build((None, self.hidden))

    def call(self, inputs: list[Tensor], training: bool | None = None) -> Tensor:
        """The logits of every token, given all that come before it.

        Args:
            inputs: as ``Rows.inputs`` has them, and which frames of each beat are asked for, int32 (rows, beats, f).
            training: whether dropout acts.

        Returns:
            (rows, beats, f, 4, ``VOCABULARY``).
        """
        *every, frames = inputs
        plan, before, age, hints, votes, tokens = every
        opening = self.look_ahead(plan[:, :, 0])
        beats = self.read_beats(sounding(tokens, before), tokens)
        # The trunk reads the beat before the one that is to be written.
        beats = ops.concatenate([ops.zeros_like(beats[:, :1]), beats[:, :-1]], axis=1)
        state = self.trunk(self.silence(self.trunk_input(beats, opening), training=training))
        state = self.from_trunk(self.silence(state, training=training))[:, :, None]
        plan, before, age, hints, votes, tokens = (ops.take_along_axis(x, frames[..., None], axis=2) for x in every)
        shared = state + self.from_frame(self.read_frame(self.look_ahead(plan), before, age))
        logits: list[Tensor] = [None] * len(VOICES)
        for number, voice in enumerate(ORDER):
            logits[voice] = self.voice_logits(number, shared, plan[..., GOAL], before, hints, votes, tokens, training)
        return ops.stack(logits, axis=-2)

    def look_ahead(self, plan: Tensor) -> Tensor:
        """The plan of frames (..., 7) as numbers (..., 2 ``embedding``)."""
        return ops.sum(self.plan(plan + np.cumsum((0, *FEATURES[:-1]), dtype="int32")), axis=-2)

    def read_beats(self, sounds: Tensor, tokens: Tensor) -> Tensor:
        """What happens in beats, sounds and tokens (..., 4, 4), as numbers (..., 16 ``embedding`` + 16)."""
        past = _flat(self.pitch(sounds), 3)
        return ops.concatenate([past, ops.cast(_flat(tokens > SILENCE, 2), past.dtype)], axis=-1)

    def trunk_input(self, beats: Tensor, ahead: Tensor) -> Tensor:
        """What the trunk takes in: the beat before, as numbers, and the plan of the first frame of this one."""
        return self.condense(ops.concatenate([beats, ahead], axis=-1))

    def read_frame(self, ahead: Tensor, before: Tensor, age: Tensor) -> Tensor:
        """A frame's plan and what sounds when it begins, as numbers."""
        return ops.concatenate([ahead, _flat(self.pitch(before), 2), _flat(self.age(age), 2)], axis=-1)

    def voice_logits(
        self,
        number: int,
        shared: Tensor,
        goal: Tensor,
        before: Tensor,
        hints: Tensor,
        votes: Tensor,
        tokens: Tensor,
        training: bool | None = None,
    ) -> Tensor:
        """The logits of the voice that is written as ``number`` in its frame, from 0.

        Args:
            number: its place in ``ORDER``.
            shared: what all voices of the frame share, (..., ``hidden``).
            goal: of the line, as the plan has it, (...).
            before: what sounded in the frame before, (..., 4).
            hints: (..., 5).
            votes: of the tunes that are known, (..., ``VOCABULARY``); only the soprano looks at them.
            tokens: of this frame, (..., 4); those not yet written are not looked at.
            training: whether dropout acts.

        Returns:
            (..., ``VOCABULARY``).
        """
        voice, placed = ORDER[number], ORDER[:number]
        # A hint is void once a voice has not followed it.
        level = hints[..., -1]
        for other in placed:
            level = ops.where(hints[..., other] == tokens[..., other], level, 0)
        now = [sounding(tokens[..., other], before[..., other]) for other in placed]
        parts = [self.hint(level * VOCABULARY + hints[..., voice])]
        if not placed:
            parts.append(votes)
        for other, sound in zip(placed, now, strict=True):
            parts += [self.pitch(sound), ops.cast(tokens[..., other, None] != HOLD, shared.dtype)]
        hidden = ops.relu(shared + self.from_voices[voice](ops.concatenate(parts, axis=-1)))
        hidden = self.deepen(self.silence_beat(hidden, training=training))
        hidden = self.silence_beat(hidden, training=training)
        logits = self.absolute(hidden) + _leaps(self.relative(hidden), before[..., voice])
        if not placed:
            logits = logits + self.belief(hidden) * ops.log(votes + _FLOOR)
        intervals = ops.split(self.intervals(hidden), len(VOICES) - 1, axis=-1)
        for scores, sound in zip(intervals, now, strict=False):
            logits = logits + _intervals(scores, sound)
        # A goal counts from C, a sound from ``LOWEST``, both from 1.
        return logits + _intervals(self.from_goal(hidden), ops.where(goal > 0, goal + -LOWEST % 12, 0))


def sounding(tokens: Tensor, before: Tensor) -> Tensor:
    """What a voice sounds after a token, if it sounded ``before``."""
    return ops.where(tokens == HOLD, before, ops.maximum(tokens - 1, 0))


def _leaps(relative: Tensor, before: Tensor) -> Tensor:
    """Scores of leaps (..., 2 ``_LEAP`` + 2) as scores of the tokens that make them, (..., ``VOCABULARY``)."""
    leap = ops.clip(ops.arange(1, SOUNDS) - before[..., None], -_LEAP, _LEAP) + _LEAP
    leap = ops.where(before[..., None] > 0, leap, 2 * _LEAP + 1)
    return _pitched(ops.take_along_axis(relative, leap, axis=-1))


def _intervals(scores: Tensor, sound: Tensor) -> Tensor:
    """Scores of intervals to a sound, octaves aside (..., 12), as scores of tokens, (..., ``VOCABULARY``)."""
    found = ops.take_along_axis(scores, (ops.arange(1, SOUNDS) - sound[..., None]) % 12, axis=-1)
    return _pitched(ops.where(sound[..., None] > 0, found, 0.0))


def _pitched(scores: Tensor) -> Tensor:
    """Scores of the pitches as scores of the tokens; to hold and to fall silent have none."""
    return ops.concatenate([ops.zeros_like(scores[..., :2]), scores], axis=-1)


def _flat(x: Tensor, axes: int) -> Tensor:
    """The last axes made one."""
    return ops.reshape(x, (*ops.shape(x)[:-axes], int(np.prod(x.shape[-axes:]))))
