"""Let a composer of frames write: each frame from what came before, note by note, nothing read twice.

What was heard is kept from frame to frame as scores of the memories' places, so a new frame costs one comparison with
the frames of each memory and one pass through the network (chapter ``sequence-models``).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.keyboard import KEYS, check_frames, is_whole
from artbook.music.composer import START, Composer, FrameWriter
from artbook.music.encoding import END, NOTES, listed_frames, note_lists
from artbook.music.memories import Memory, Witness, first_barred, followed, resemblance, voters
from artbook.music.sampling import counted, draw
from artbook.nn.transformer import compiled

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int32]
Tensor = Any
# Frames as 0 and 1, float32, which matrix products can take.
Numbers = npt.NDArray[Any]

# Below, logits leave the range of float32; above, a barred note is no longer barred.
_COLDEST, _HOTTEST = 0.001, 1000


class Heard(NamedTuple):
    """The voters of one witness on the next frame of each piece.

    Attributes:
        weights: as in ``memories.Voters``, ``(pieces, K)``.
        trust: the same, ``(pieces,)``.
        frames: what each voter votes for, 0 and 1, ``(pieces, K, 88)``.
        lists: the same as lists, ``(pieces, K, slots)``.
    """

    weights: Floats
    trust: Floats
    frames: Numbers
    lists: Whole


class OfOthers:
    """A memory of other pieces, followed by pieces that are written side by side."""

    def __init__(self, memory: Memory, witnesses: Sequence[Witness], pieces: int, slots: int) -> None:
        self.memory, self.witnesses = memory, witnesses
        self.numbers: Numbers = memory.frames.astype(np.float32)
        self.lists = note_lists(memory.frames, slots)
        self.scores = [np.tile(memory.begins.astype(np.float32), (pieces, 1)) for _ in witnesses]

    def hear(self, frames: Frames) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written."""
        # The costly product is the same for all witnesses.
        alike = resemblance(frames, self.numbers)
        self.scores = [
            followed(scores, witness.sharpen(alike), self.memory.begins, witness.decay)
            for scores, witness in zip(self.scores, self.witnesses, strict=True)
        ]

    def recall(self) -> list[Heard]:
        """Who votes on the next frame of each piece, for each witness."""
        chosen = [voters(*each) for each in zip(self.scores, self.witnesses, strict=True)]
        return [Heard(c.weights, c.trust, self.numbers[c.places], self.lists[c.places]) for c in chosen]


class OfItself:
    """What each of the pieces that are written side by side remembers of itself."""

    def __init__(self, witness: Witness, pieces: int, length: int, slots: int) -> None:
        self.witness = witness
        self.written: Numbers = np.zeros((pieces, length, KEYS), dtype=np.float32)
        self.lists = np.full((pieces, length, slots), END, dtype=np.int32)
        self.scores = np.zeros((pieces, length), dtype=np.float32)
        self.count = 0
        self.stood = np.zeros(pieces, dtype=np.int64)

    def hear(self, frames: Frames) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written."""
        here: Numbers = frames.astype(np.float32)
        changed = (here != self.written[:, self.count - 1]).any(axis=1) if self.count else True
        self.written[:, self.count], self.lists[:, self.count] = here, note_lists(frames, self.lists.shape[2])
        self.stood = np.where(changed, 1, self.stood + 1)
        self.count += 1
        alike = self.witness.sharpen(resemblance(here[:, np.newaxis], self.written[:, : self.count])[:, 0])
        first = np.arange(self.count) == 0
        self.scores[:, : self.count] = followed(self.scores[:, : self.count], alike, first, self.witness.decay)

    def recall(self) -> list[Heard]:
        """Who votes on the next frame of each piece."""
        barred = np.arange(self.scores.shape[1]) >= first_barred(self.count, self.stood)[:, np.newaxis]
        chosen = voters(np.where(barred, np.float32(-1), self.scores), self.witness)
        places = chosen.places[..., np.newaxis]
        frames = np.take_along_axis(self.written, places, axis=1)
        return [Heard(chosen.weights, chosen.trust, frames, np.take_along_axis(self.lists, places, axis=1))]


def write(
    composer: Composer,
    pieces: int,
    length: int,
    seed: int,
    temperature: float = 1.0,
    opening: Frames | None = None,
) -> Frames:
    """Let a composer write pieces side by side.

    A full list is taken as closed: a frame never has more keys than the fullest training frame.

    Args:
        composer: the model.
        pieces: how many to write, at least 1.
        length: frames of each, the opening included, at least 1.
        seed: of what is drawn.
        temperature: 0.001 to 1000: 1 draws from the model's own distribution, less favours what is likely.
        opening: frames to go on from, bool ``(given, 88)``, fewer than ``length``; left out, from the beginning.

    Returns:
        bool ``(pieces, length, 88)``.

    Raises:
        ValueError: an argument is not as above.
    """
    given = np.zeros((0, KEYS), dtype=bool) if opening is None else check_frames(opening, "opening")
    if not is_whole(pieces, 1, 10**6) or not is_whole(length, len(given) + 1, 10**6):
        raise ValueError(
            f"at least 1 piece, longer than its opening, was wanted; {pieces!r} of {length!r} frames were given, "
            f"{len(given)} of them the opening"
        )
    if not _COLDEST <= temperature <= _HOTTEST:
        raise ValueError(f"a temperature from {_COLDEST} to {_HOTTEST} was wanted; {temperature} was given")
    sizes = composer.network.sizes
    memories: list[OfOthers | OfItself] = []
    if composer.memory is not None:
        memories.append(OfOthers(composer.memory, sizes.memories, pieces, sizes.slots))
    if sizes.copies is not None:
        memories.append(OfItself(sizes.copies, pieces, length, sizes.slots))
    hand, rng = _hand(composer.network), np.random.default_rng(seed)
    written = np.zeros((pieces, sizes.window + length, KEYS), dtype=bool)
    for place in range(length):
        now = sizes.window + place
        if place < len(given):
            written[:, now] = given[place]
        else:
            window = written[:, place:now][:, ::-1].astype(np.float32)
            before = note_lists(written[:, now - 1], sizes.slots)
            # In float64 a number next to 1 would be rounded to 1, and no note drawn.
            uniform = rng.random((sizes.slots, pieces), dtype=np.float32)
            heard = [each for memory in memories for each in memory.recall()]
            lists = hand(window, np.int32(place), before, heard, uniform, np.float32(temperature))
            written[:, now] = listed_frames(ops.convert_to_numpy(lists))
        for memory in memories:
            memory.hear(written[:, now])
    return written[:, sizes.window :]


@lru_cache(maxsize=1)
def _hand(network: FrameWriter) -> Callable[..., Tensor]:
    """The compiled ``_frame`` of the last network that wrote, so that it is not compiled again for its next pieces."""
    return compiled(network, lambda *arrays: _frame(network, *arrays))


def _frame(
    network: FrameWriter,
    window: Tensor,
    place: Tensor,
    before: Tensor,
    heard: Sequence[Heard],
    uniform: Tensor,
    temperature: Tensor,
) -> Tensor:
    """The list of the next frame of each piece, drawn note by note, ``(pieces, slots)``."""
    pieces, slots = before.shape
    whole = [ops.maximum(ops.sum(each.weights, axis=1, keepdims=True), 1e-9) for each in heard]
    means = [
        ops.einsum("pk,pkn->pn", each.weights / sums, each.frames) for each, sums in zip(heard, whole, strict=True)
    ]
    expected = ops.reshape(_stack(means, pieces, 0, KEYS), (pieces, len(heard) * KEYS))
    trust = _stack([each.trust for each in heard], pieces, 0)
    state = network.state(window, ops.full((pieces, 1), place), expected, trust)
    last = ops.full((pieces,), START, "int32")
    written = network.written(last)
    weights = [each.weights for each in heard]
    lists = []
    for slot in range(slots):
        notes = [each.lists[:, :, slot] for each in heard]
        votes = _stack([_tally(*each) for each in zip(notes, weights, strict=True)], pieces, 0, NOTES)
        agree = [ops.sum(each, axis=1) / sums[:, 0] for each, sums in zip(weights, whole, strict=True)]
        known = (state, written, last, before[:, slot], np.int32(slot))
        logits = network.logits(*known, votes, _stack(agree, pieces, 0))
        last = ops.where(last == END, END, draw(logits, uniform[slot], temperature))
        written = written + network.written(last)
        lists.append(last)
        # Who had another note falls silent.
        weights = [each * ops.cast(n == last[:, None], each.dtype) for each, n in zip(weights, notes, strict=True)]
    return ops.stack(lists, axis=1)


def _tally(notes: Tensor, weights: Tensor) -> Tensor:
    """As ``memories.tally``."""
    return counted(notes, weights, NOTES) / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1e-9)


def _stack(of_witnesses: list[Tensor], *without_any: int) -> Tensor:
    """What the witnesses say, side by side; zeros of this shape if there are none."""
    return ops.stack(of_witnesses, axis=1) if of_witnesses else ops.zeros(without_any)
