"""The book's model of frames: a network that writes each frame key by key and is helped by memories.

A dense network reads the last frames, the place in the piece and what the memories expect; a second, small one writes
the next frame as a list of keys from the top down (``encoding``), each note given those before it. Its logits are its
own, plus the logarithms of the memories' votes, which it weighs itself. Every frame is an example of its own, so
pieces of any length train in batches of one shape. The chapter ``sequence-models`` builds it one idea at a time.
"""

import io
import json
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.keyboard import KEYS, is_whole
from artbook.data.store import write_atomically
from artbook.music.encoding import END, NOTES, note_lists, overflow_cost
from artbook.music.likelihood import frame_pairs
from artbook.music.memories import NOBODY, Memory, Testimony, Witness, recollect, remember, testify

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int32]
Tensor = Any

# What is read as the note before the first one of a list.
START = NOTES
# Where a vote has no support at all, its logarithm is that of this share.
_FLOOR = 1e-3
# Beats of which the place is told one by one: four bars.
_CYCLE = 16
# The widest interval from a note that has a logit of its own, in semitones.
_REACH = 24
_BLOCK = 1024

# Chosen on the validation chorales: how a piece remembers itself, and how it remembers others, a witness for what
# follows the last chords, one for what follows half a line, and one for what follows whole lines.
COPIES = Witness(decay=0.7, exponent=4, neighbours=8, temperature=0.1)
MEMORIES = (
    Witness(decay=0.3, exponent=2, neighbours=64, temperature=0.3),
    Witness(decay=0.7, exponent=4, neighbours=32, temperature=0.15),
    Witness(decay=0.93, exponent=2, neighbours=16, temperature=0.3),
)


@dataclass(frozen=True)
class Sizes:
    """What a composer is made of.

    Attributes:
        slots: places in the list of a frame's keys: the most keys of a training frame.
        window: how many frames it reads, at least 1.
        width: hidden units.
        dropout: the share of hidden units that is silenced in training, from 0 to below 1.
        input_dropout: the same of the keys that it reads.
        placed: whether it is told where in its piece a frame stands.
        copies: how it remembers the piece itself; ``None``: not at all.
        memories: how it remembers other pieces.
    """

    slots: int
    window: int = 8
    width: int = 256
    dropout: float = 0.4
    input_dropout: float = 0.2
    placed: bool = True
    copies: Witness | None = COPIES
    memories: tuple[Witness, ...] = MEMORIES

    @property
    def witnesses(self) -> int:
        """How many memories there are, that of the piece itself included."""
        return len(self.memories) + (self.copies is not None)


@dataclass(frozen=True)
class Features:
    """What the network reads of each frame, and what it is to write.

    Attributes:
        window: the frames before, the last one first, int8 ``(n, window, 88)``; empty before the beginning.
        before: the list of the last frame, int32 ``(n, slots)``.
        place: the frame's number in its piece, int32 ``(n, 1)``.
        expected: the mean frame of each memory's voters, ``(n, witnesses * 88)``.
        trust: in each memory, ``(n, witnesses)``.
        votes: ``(n, slots, witnesses, 89)``.
        agreeing: ``(n, slots, witnesses)``.
        lists: the frames themselves, int32 ``(n, slots)``.
    """

    window: npt.NDArray[np.int8]
    before: Whole
    place: Whole
    expected: Floats
    trust: Floats
    votes: Floats
    agreeing: Floats
    lists: Whole

    def __len__(self) -> int:
        return len(self.lists)

    def batch(self, rows: npt.NDArray[np.int64]) -> list[npt.NDArray]:
        """The rows with these numbers, as the network takes them."""
        return [getattr(self, each.name)[rows] for each in fields(self)]


def read(
    rolls: Sequence[Frames], sizes: Sizes, memory: Memory | None = None, owners: Sequence[int] | None = None
) -> Features:
    """Lay out every frame of some pieces for the network.

    Args:
        rolls: bool ``(T, 88)`` each; at least one, none empty.
        sizes: of the composer.
        memory: of other pieces; wanted if ``sizes`` has memories.
        owners: whose frames of the memory each piece may not see; left out, it sees all.

    Returns:
        A row a frame, in order.

    Raises:
        ValueError: there is no piece, one is not such a roll, or the memory is missing.
    """
    frame_pairs(rolls)  # refuses what is no such roll
    if sizes.memories and memory is None:
        raise ValueError("a memory of other pieces was wanted; none was given")
    whose = [NOBODY] * len(rolls) if owners is None else owners
    pieces = [_read_piece(roll, sizes, memory, owner) for roll, owner in zip(rolls, whose, strict=True)]
    return Features(
        **{each.name: np.concatenate([getattr(piece, each.name) for piece in pieces]) for each in fields(Features)}
    )


def _read_piece(roll: Frames, sizes: Sizes, memory: Memory | None, owner: int) -> Features:
    lists = note_lists(roll, sizes.slots)
    heard: list[Testimony] = []
    if memory is not None:
        heard += [testify(memory.frames, remember(memory, roll, each, owner), lists) for each in sizes.memories]
    if sizes.copies is not None:
        heard.append(testify(roll, recollect(roll, sizes.copies), lists))
    past = np.concatenate([np.zeros((sizes.window, KEYS), dtype=np.int8), roll])
    empty = np.zeros((*lists.shape, 0), dtype=np.float32)
    return Features(
        window=np.stack([past[sizes.window - back : len(past) - back] for back in range(1, sizes.window + 1)], axis=1),
        before=np.concatenate([np.full((1, sizes.slots), END, dtype=np.int32), lists[:-1]]),
        place=np.arange(len(roll), dtype=np.int32)[:, np.newaxis],
        expected=np.concatenate([empty[:, 0], *(each.expected for each in heard)], axis=1),
        trust=np.concatenate([empty[:, 0], *(each.trust for each in heard)], axis=1),
        votes=np.stack([each.votes for each in heard], axis=2)
        if heard
        else np.zeros((*lists.shape, 0, NOTES), np.float32),
        agreeing=np.concatenate([empty, *(each.agreeing[..., np.newaxis] for each in heard)], axis=2),
        lists=lists,
    )


def with_copies(
    rolls: Sequence[Frames], copies: Sequence[Frames], weight: float = 0.5
) -> tuple[list[Frames], list[int], Floats]:
    """Training pieces with altered copies of them, which count less.

    Args:
        rolls: bool ``(T, 88)`` each.
        copies: one of each piece, in order, once or several times.
        weight: what a frame of a copy counts, above 0.

    Returns:
        All pieces; whose they are, so that a copy does not remember its original; what each frame counts,
        ``(frames,)``.

    Raises:
        ValueError: there is no piece, or there are not as many copies as pieces, or a multiple.
    """
    if not rolls or len(copies) % len(rolls):
        raise ValueError(f"a copy of each of the {len(rolls)} pieces was wanted; {len(copies)} were given")
    owners = [*range(len(rolls)), *(number % len(rolls) for number in range(len(copies)))]
    weights = np.repeat(np.array([1, weight], np.float32), [sum(map(len, rolls)), sum(map(len, copies))])
    return [*rolls, *copies], owners, weights


@keras.saving.register_keras_serializable("artbook")
class FrameWriter(keras.Model):
    """The network of a composer: from ``Features`` to what each frame costs, in nats, but for ``overflow_cost``."""

    def __init__(self, sizes: Sizes, **options: Any) -> None:
        super().__init__(**options)
        self.sizes = sizes
        width = sizes.width
        self.harmony = keras.layers.Dense(64, use_bias=False)
        self.gather, self.settle = keras.layers.Dense(width), keras.layers.Dense(width)
        self.written = keras.layers.Embedding(NOTES + 1, width)
        self.last = keras.layers.Embedding(NOTES + 1, width)
        self.before = keras.layers.Embedding(NOTES + 1, width)
        self.slot = keras.layers.Embedding(sizes.slots, width)
        self.think = keras.layers.Dense(width)
        self.note = keras.layers.Dense(NOTES)
        self.step_from_before, self.step_from_last = (
            keras.layers.Dense(2 * _REACH + 1),
            keras.layers.Dense(2 * _REACH + 1),
        )
        if sizes.witnesses:
            self.agreeing = keras.layers.Dense(width)
            self.belief = keras.layers.Dense(sizes.witnesses, bias_initializer=keras.initializers.Constant(0.3))
        self.silence = keras.layers.Dropout(sizes.dropout)
        self.silence_input = keras.layers.Dropout(sizes.input_dropout)

    def call(self, features: Sequence[Tensor], training: bool | None = None) -> Tensor:
        """What each frame costs, ``(n,)``.

        Args:
            features: the arrays of ``Features``, in order.
            training: whether dropout acts.
        """
        window, before, place, expected, trust, votes, agreeing, lists = features
        state = self.state(window, place, expected, trust, training)
        first = ops.full_like(lists[:, :1], START)
        last = ops.concatenate([first, lists[:, :-1]], axis=1)
        written = ops.cumsum(self.written(last), axis=1)
        slots = ops.arange(self.sizes.slots)
        logits = self.logits(state[:, None], written, last, before, slots, votes, agreeing, training)
        # Not logsumexp minus the logit of the note: that would subtract two infinities where a key is barred.
        cost = -ops.take_along_axis(ops.log_softmax(logits), lists[..., None], axis=-1)[..., 0]
        return ops.sum(ops.where(last == END, 0.0, cost), axis=1)

    def state(
        self, window: Tensor, place: Tensor, expected: Tensor, trust: Tensor, training: bool | None = None
    ) -> Tensor:
        """What is known before the frame, ``(n, width)``; the arguments are those of ``Features``."""
        keys = self.silence_input(ops.cast(window, "float32"), training=training)
        read = [ops.reshape(self.harmony(keys), (-1, 64 * self.sizes.window))]
        if self.sizes.placed:
            read += [self._clock(place)]
        if self.sizes.witnesses:
            read += [self.silence_input(expected, training=training), trust]
        hidden = ops.relu(self.gather(ops.concatenate(read, axis=-1)))
        return self.settle(self.silence(hidden, training=training))

    def logits(
        self,
        state: Tensor,
        written: Tensor,
        last: Tensor,
        before: Tensor,
        slot: Tensor,
        votes: Tensor,
        agreeing: Tensor,
        training: bool | None = None,
    ) -> Tensor:
        """The logits of the next note of a list, ``(..., 89)``; what is not below the last note is barred.

        Args:
            state: of ``state``, ``(..., width)``.
            written: the sum of the embeddings ``written`` of START and the notes so far, ``(..., width)``.
            last: the last note, START at first, ``(...)``.
            before: the note of the last frame in the same slot, ``(...)``.
            slot: its number, ``(...)``.
            votes: ``(..., witnesses, 89)``.
            agreeing: ``(..., witnesses)``.
            training: whether dropout acts.
        """
        known = state + written + self.last(last) + self.before(before) + self.slot(slot)
        if self.sizes.witnesses:
            known = known + self.agreeing(agreeing)
        hidden = self.silence(ops.relu(known), training=training)
        hidden = self.silence(ops.relu(self.think(hidden)), training=training)
        logits = self.note(hidden)
        logits = logits + _at_interval(self.step_from_before(hidden), before)
        logits = logits + _at_interval(self.step_from_last(hidden), last)
        if self.sizes.witnesses:
            logits = logits + ops.sum(self.belief(hidden)[..., None] * ops.log(votes + _FLOOR), axis=-2)
        notes = ops.arange(NOTES)
        return ops.where((notes < last[..., None]) | (notes == END), logits, -1e9)

    def _clock(self, place: Tensor) -> Tensor:
        beats = [ops.one_hot(place[:, 0] % cycle, cycle) for cycle in (4, _CYCLE)]
        early = ops.one_hot(ops.minimum(place[:, 0], _CYCLE), _CYCLE + 1)
        return ops.concatenate([*beats, early, ops.cast(ops.minimum(place, 200), "float32") / 100], axis=-1)


def _at_interval(scores: Tensor, anchor: Tensor) -> Tensor:
    """Give each note the score of its interval from the anchor; 0 if it is out of reach, and for END.

    Args:
        scores: of -24 to 24 semitones, ``(..., 49)``.
        anchor: a note ``(...)``; from END and START no interval counts.
    """
    interval = ops.arange(NOTES) - anchor[..., None]
    counts = (ops.abs(interval) <= _REACH) & (anchor[..., None] < END) & (ops.arange(NOTES) < END)
    return ops.where(counts, ops.take_along_axis(scores, ops.clip(interval + _REACH, 0, 2 * _REACH), axis=-1), 0.0)


def build(sizes: Sizes, seed: int) -> FrameWriter:
    """A new network with random weights.

    Args:
        sizes: what it is made of.
        seed: of the weights and of dropout.
    """
    keras.utils.set_random_seed(seed)
    return FrameWriter(sizes)


def after(batches: int) -> Callable[[int], float]:
    """How far training is after some batches, as a share of so many.

    Raises:
        ValueError: there is no batch.
    """
    if not is_whole(batches, 1, 10**12):
        raise ValueError(f"at least 1 batch was wanted; {batches!r} was given")
    return lambda done: done / batches


def by_cpu(seconds: float) -> Callable[[int], float]:
    """How far training is, as a share of the CPU time of this process from now on.

    Raises:
        ValueError: the time is not above 0 seconds.
    """
    if not 0 < seconds < np.inf:
        raise ValueError(f"a time above 0 seconds was wanted; {seconds} was given")
    start = time.process_time()
    return lambda done: (time.process_time() - start) / seconds


def train(
    network: FrameWriter,
    features: Features,
    weights: Floats,
    progress: Callable[[int], float],
    seed: int,
    size: int = 256,
    rate: float = 2e-3,
) -> Floats:
    """Train by AdamW, the learning rate falling along half a cosine (Loshchilov and Hutter 2017, 2019).

    Args:
        network: of ``build``; it is changed.
        features: of the training pieces.
        weights: what each frame counts, ``(n,)``.
        progress: the share of the training that is done, given the number of batches; it ends at 1.
        seed: of the order of the frames.
        size: frames in a batch.
        rate: the learning rate at the beginning.

    Returns:
        The mean cost of each batch, by weight, in nats.
    """
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-2, clipnorm=1.0)
    # The network's output is the cost, so the "target" is what it counts.
    network.compile(optimizer, loss=lambda weight, cost: ops.sum(weight * cost) / ops.sum(weight))
    rng = np.random.default_rng(seed)
    size = min(size, len(features))
    costs: list[float] = []
    waiting = np.empty(0, dtype=np.int64)
    while (done := progress(len(costs))) < 1:
        optimizer.learning_rate = rate * (1 + np.cos(np.pi * done)) / 2
        if len(waiting) < size:
            waiting = rng.permutation(len(features))
        rows, waiting = waiting[:size], waiting[size:]
        costs.append(float(network.train_on_batch(features.batch(rows), weights[rows])))
    return np.array(costs, dtype=np.float32)


def listing_cost(network: FrameWriter, features: Features) -> npt.NDArray[np.float64]:
    """What the network charges for each frame's list, in nats, ``(n,)``; what goes beyond it is not counted."""
    costs = []
    for start in range(0, len(features), _BLOCK):
        # Every block has one shape, so that the network is compiled once.
        rows = np.minimum(np.arange(start, start + _BLOCK), len(features) - 1)
        costs.append(keras.ops.convert_to_numpy(network.predict_on_batch(features.batch(rows))))
    return np.concatenate(costs)[: len(features)].astype(np.float64)


@dataclass(frozen=True)
class Composer:
    """A trained model of frames.

    Attributes:
        network: what writes a frame; its attribute ``sizes`` says what the whole is made of.
        memory: of the training pieces; ``None`` if it has none.
        seen: how many training frames there were.
    """

    network: FrameWriter
    memory: Memory | None
    seen: int

    def cost(self, rolls: Sequence[Frames]) -> npt.NDArray[np.float64]:
        """What each frame of some new pieces costs, the first frames too, in nats, ``(frames,)``.

        Args:
            rolls: bool ``(T, 88)`` each; at least one, none empty.

        Raises:
            ValueError: there is no piece, or one is not such a roll.
        """
        sizes = self.network.sizes
        listed = listing_cost(self.network, read(rolls, sizes, self.memory))
        return listed + overflow_cost(np.concatenate(rolls), sizes.slots, self.seen)

    def save(self, folder: Path) -> None:
        """Write the weights, the memory and the sizes into a folder, which is made if it is missing.

        Raises:
            OSError: the folder cannot be written.
        """
        content = io.BytesIO()
        arrays = {f"weight_{number}": value for number, value in enumerate(self.network.get_weights())}
        if self.memory is not None:
            arrays |= {"frames": self.memory.frames, "begins": self.memory.begins, "owners": self.memory.owners}
        np.savez_compressed(content, **arrays)
        write_atomically(folder / "arrays.npz", content.getvalue())
        described = {"sizes": asdict(self.network.sizes), "seen": self.seen}
        write_atomically(folder / "composer.json", json.dumps(described, indent=1).encode())


def load(folder: Path) -> Composer:
    """Read what ``Composer.save`` has written.

    Raises:
        OSError: a file is missing.
        ValueError: a file is damaged, or not of a composer.
    """
    try:
        described = json.loads((folder / "composer.json").read_text(encoding="utf-8"))
        sizes = dict(described["sizes"])
        sizes["memories"] = tuple(Witness(**each) for each in sizes["memories"])
        sizes["copies"] = None if sizes["copies"] is None else Witness(**sizes["copies"])
        network = build(Sizes(**sizes), seed=0)
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = dict(stored)
        memory = Memory(arrays["frames"], arrays["begins"], arrays["owners"]) if "frames" in arrays else None
        silence = [np.zeros((1, KEYS), dtype=bool)]
        listing_cost(network, read(silence, network.sizes, memory))  # makes the weights
        network.set_weights([arrays[f"weight_{number}"] for number in range(len(network.weights))])
        return Composer(network, memory, int(described["seen"]))
    except (EOFError, LookupError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{folder}: a composer that was saved was wanted; {error!r}") from error
