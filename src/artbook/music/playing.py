"""Let a composer of frames write: each frame from what came before, note by note, nothing read twice.

What was heard is kept from frame to frame as scores of the memories' places, so a new frame costs one comparison with
the frames of each memory and one pass through the network (chapter ``sequence-models``).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.keyboard import KEYS, check_frames, is_whole
from artbook.music.composer import START, Composer, FrameWriter
from artbook.music.encoding import END, NOTES, listed_frames, note_lists
from artbook.music.memories import (
    Memory,
    Voters,
    Witness,
    expected_frame,
    first_barred,
    followed,
    tally,
    voters,
)
from artbook.music.sampling import draw
from artbook.nn.transformer import compiled

Frames = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int32]
Tensor = Any

# Below, logits leave the range of float32; above, a barred note is no longer barred.
_COLDEST, _HOTTEST = 0.001, 1000


class OfOthers:
    """A memory of other pieces, followed by pieces that are written side by side."""

    def __init__(self, memory: Memory, witness: Witness, pieces: int) -> None:
        self.memory, self.witness = memory, witness
        self.scores = np.tile(memory.begins.astype(np.float32), (pieces, 1))

    def hear(self, frames: Frames) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written."""
        alike = self.witness.liken(frames, self.memory.frames)
        self.scores = followed(self.scores, alike, self.memory.begins, self.witness.decay)

    def recall(self) -> tuple[Voters, Frames]:
        """Who votes on the next frame of each piece, and their frames, ``(pieces, voters, 88)``."""
        chosen = voters(self.scores, self.witness)
        return chosen, self.memory.frames[chosen.places]


class OfItself:
    """What each of the pieces that are written side by side remembers of itself."""

    def __init__(self, witness: Witness, pieces: int, length: int) -> None:
        self.witness = witness
        self.written = np.zeros((pieces, length, KEYS), dtype=bool)
        self.scores = np.zeros((pieces, length), dtype=np.float32)
        self.count = 0
        self.stood = np.zeros(pieces, dtype=np.int64)

    def hear(self, frames: Frames) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written."""
        self.written[:, self.count] = frames
        changed = (frames != self.written[:, self.count - 1]).any(axis=1) if self.count else True
        self.stood = np.where(changed, 1, self.stood + 1)
        self.count += 1
        past = self.written[:, : self.count]
        pairs = zip(frames[:, np.newaxis], past, strict=True)
        alike = np.concatenate([self.witness.liken(frame, others) for frame, others in pairs])
        first = np.arange(self.count) == 0
        self.scores[:, : self.count] = followed(self.scores[:, : self.count], alike, first, self.witness.decay)

    def recall(self) -> tuple[Voters, Frames]:
        """Who votes on the next frame of each piece, and their frames, ``(pieces, voters, 88)``."""
        barred = np.arange(self.scores.shape[1]) >= first_barred(self.count, self.stood)[:, np.newaxis]
        past = np.where(barred, np.float32(-1), self.scores)
        chosen = voters(past, self.witness)
        return chosen, np.take_along_axis(self.written, chosen.places[..., np.newaxis], axis=1)


@lru_cache(maxsize=1)
def _hand_of(network: FrameWriter) -> "_Hand":
    """The programs of the last network that wrote, so that it is not compiled again for its next pieces."""
    return _Hand(network)


class _Hand:
    """The network of a composer as compiled programs: one reads, one draws a note."""

    def __init__(self, network: FrameWriter) -> None:
        self.network = network
        self.state = compiled(network, network.state)
        self.note = compiled(network, self._note)

    def _note(
        self, known: Sequence[Tensor], votes: Tensor, agreeing: Tensor, uniform: Tensor, temperature: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next note of each list, and the sum of what is written with it."""
        state, written, last, before, slot = known
        logits = self.network.logits(state, written, last, before, slot, votes, agreeing)
        note = draw(logits, uniform, temperature)
        note = ops.where(last == END, END, note)
        return note, written + self.network.written(note)


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
        memories += [OfOthers(composer.memory, each, pieces) for each in sizes.memories]
    if sizes.copies is not None:
        memories.append(OfItself(sizes.copies, pieces, length))
    hand, rng = _hand_of(composer.network), np.random.default_rng(seed)
    written = np.zeros((pieces, sizes.window + length, KEYS), dtype=bool)
    for place in range(length):
        now = sizes.window + place
        if place < len(given):
            written[:, now] = given[place]
        else:
            window = written[:, place:now][:, ::-1]
            # In float64 a number next to 1 would be rounded to 1, and no note drawn.
            uniform = rng.random((sizes.slots, pieces), dtype=np.float32)
            written[:, now] = _frame(hand, window, place, memories, uniform, temperature)
        for memory in memories:
            memory.hear(written[:, now])
    return written[:, sizes.window :]


def _frame(
    hand: _Hand,
    window: Frames,
    place: int,
    memories: Sequence[OfOthers | OfItself],
    uniform: Floats,
    temperature: float,
) -> Frames:
    """The next frame of each piece."""
    sizes, pieces = hand.network.sizes, len(window)
    panel = _Panel([memory.recall() for memory in memories], pieces, sizes.slots)
    state = hand.state(window.astype(np.int8), np.full((pieces, 1), place, dtype=np.int32), panel.expected, panel.trust)
    before = note_lists(window[:, 0], sizes.slots)
    lists = np.full((pieces, sizes.slots), END, dtype=np.int32)
    last = np.full(pieces, START, dtype=np.int32)
    written = hand.network.written(last)
    for slot in range(sizes.slots):
        known = (state, written, last, before[:, slot], np.int32(slot))
        votes, agreeing = panel.vote(slot)
        note, written = hand.note(known, votes, agreeing, uniform[slot], np.float32(temperature))
        last = lists[:, slot] = ops.convert_to_numpy(note)
        panel.hear(slot, last)
    return listed_frames(lists)


class _Panel:
    """The voters of all memories on one frame, asked slot by slot."""

    def __init__(self, recalled: Sequence[tuple[Voters, Frames]], pieces: int, slots: int) -> None:
        self.lists = [note_lists(each.reshape(-1, KEYS), slots).reshape(pieces, -1, slots) for _, each in recalled]
        self.weights = [chosen.weights for chosen, _ in recalled]
        self.whole = [np.maximum(each.sum(axis=1), 1e-9) for each in self.weights]
        nothing = np.zeros((pieces, 0), dtype=np.float32)
        means = (expected_frame(frames, chosen.weights) for chosen, frames in recalled)
        self.expected = np.concatenate([nothing, *means], axis=1)
        self.trust = np.concatenate([nothing, *(chosen.trust[:, np.newaxis] for chosen, _ in recalled)], axis=1)

    def vote(self, slot: int) -> tuple[Floats, Floats]:
        """The votes ``(pieces, witnesses, 89)``, and what share of the voters still agrees."""
        votes = np.zeros((len(self.expected), len(self.lists), NOTES), dtype=np.float32)
        agreeing = np.zeros(votes.shape[:2], dtype=np.float32)
        for number, (lists, weights) in enumerate(zip(self.lists, self.weights, strict=True)):
            votes[:, number] = tally(lists[:, :, slot], weights)
            agreeing[:, number] = weights.sum(axis=1) / self.whole[number]
        return votes, agreeing

    def hear(self, slot: int, notes: Whole) -> None:
        """Silence those who had another note in this slot."""
        pairs = zip(self.lists, self.weights, strict=True)
        self.weights = [weights * (lists[:, :, slot] == notes[:, np.newaxis]) for lists, weights in pairs]
