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
from artbook.music.memories import Memory, Voters, Witness, expected_frame, first_barred, followed, resemblance, voters
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
        expected: the mean of the voters' frames, ``(pieces, 88)``.
        lists: what each voter votes for, ``(pieces, K, slots)``.
    """

    weights: Floats
    trust: Floats
    expected: Floats
    lists: Whole


class Panel(NamedTuple):
    """All witnesses side by side, so that their votes are counted at once.

    Attributes:
        weights: ``(pieces, voters)``.
        lists: ``(pieces, voters, slots)``.
        witness: whose voter each one is, from 0, ``(voters,)``.
        expected: ``(pieces, witnesses * 88)``.
        trust: ``(pieces, witnesses)``.
    """

    weights: Tensor
    lists: Tensor
    witness: Tensor
    expected: Tensor
    trust: Tensor

    @classmethod
    def of(cls, heard: Sequence[Heard]) -> "Panel":
        """At least one witness."""
        return cls(
            np.concatenate([each.weights for each in heard], axis=1),
            np.concatenate([each.lists for each in heard], axis=1),
            np.repeat(np.arange(len(heard), dtype=np.int32), [each.weights.shape[1] for each in heard]),
            np.concatenate([each.expected for each in heard], axis=1),
            np.stack([each.trust for each in heard], axis=1),
        )


class OfOthers:
    """A memory of other pieces, followed by pieces that are written side by side."""

    def __init__(self, memory: Memory, witnesses: Sequence[Witness], pieces: int, slots: int) -> None:
        self.memory, self.witnesses, self.slots = memory, witnesses, slots
        # Each chord once: the same ones come again and again.
        places: dict[bytes, int] = {}
        self.chord = np.array([places.setdefault(each.tobytes(), len(places)) for each in memory.frames])
        chords = np.frombuffer(b"".join(places), dtype=bool).reshape(-1, KEYS)
        self.chords: Numbers = chords.astype(np.float32)
        # All keys of each frame, be they more than there are slots.
        self.keys = note_lists(chords, max(slots, int(chords.sum(axis=1).max())))[self.chord]
        self.scores = list(np.tile(memory.begins.astype(np.float32), (len(witnesses), pieces, 1)))
        self.chosen = [voters(*each) for each in zip(self.scores, witnesses, strict=True)]
        self.by_exponent = sorted(range(len(witnesses)), key=lambda number: witnesses[number].exponent)
        self.alike, self.spare = np.empty((2, pieces, len(memory.frames)), dtype=np.float32)

    def hear(self, frames: Frames, _lists: Whole) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written."""
        np.take(resemblance(frames, self.chords), self.chord, axis=1, out=self.alike, mode="clip")
        power = 1
        for number in self.by_exponent:
            witness, before = self.witnesses[number], self.scores[number]
            while power < witness.exponent:
                self.alike *= self.alike
                power *= 2
            self.scores[number] = followed(before, self.alike, self.memory.begins, witness.decay, out=self.spare)
            self.spare = before
            # Now, while the scores are still in the processor's cache.
            self.chosen[number] = voters(self.scores[number], witness)

    def recall(self) -> list[Heard]:
        """Who votes on the next frame of each piece, for each witness."""
        return [self._heard(each) for each in self.chosen]

    def _heard(self, chosen: Voters) -> Heard:
        keys = self.keys.take(chosen.places, axis=0)
        return Heard(chosen.weights, chosen.trust, _expected(keys, chosen.weights), keys[..., : self.slots])


class OfItself:
    """What each of the pieces that are written side by side remembers of itself."""

    def __init__(self, witness: Witness, pieces: int, length: int, slots: int) -> None:
        self.witness = witness
        self.written: Numbers = np.zeros((pieces, length, KEYS), dtype=np.float32)
        self.lists = np.full((pieces, length, slots), END, dtype=np.int32)
        self.scores = np.zeros((pieces, length), dtype=np.float32)
        self.count = 0
        self.stood = np.zeros(pieces, dtype=np.int64)

    def hear(self, frames: Frames, lists: Whole) -> None:
        """Take note of the frames ``(pieces, 88)`` that were just written, and of their lists ``(pieces, slots)``."""
        here: Numbers = frames.astype(np.float32)
        changed = (here != self.written[:, self.count - 1]).any(axis=1) if self.count else True
        self.written[:, self.count], self.lists[:, self.count] = here, lists
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
        lists = np.take_along_axis(self.lists, places, axis=1)
        return [Heard(chosen.weights, chosen.trust, expected_frame(frames, chosen.weights), lists)]


def _expected(keys: Whole, weights: Floats) -> Floats:
    """As ``memories.expected_frame``, from the lists ``(pieces, K, slots)`` of all keys of the voters' frames."""
    pieces, _, slots = keys.shape
    rows = keys + NOTES * np.arange(pieces)[:, np.newaxis, np.newaxis]
    sums = np.bincount(rows.ravel(), np.repeat(weights, slots), pieces * NOTES).reshape(pieces, NOTES)[:, :KEYS]
    return (sums / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)).astype(np.float32)


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
    lists = np.full((pieces, sizes.slots), END, dtype=np.int32)
    for place in range(length):
        now = sizes.window + place
        if place < len(given):
            written[:, now] = given[place]
            lists = note_lists(written[:, now], sizes.slots)
        else:
            window = written[:, place:now][:, ::-1].astype(np.float32)
            # In float64 a number next to 1 would be rounded to 1, and no note drawn.
            uniform = rng.random((sizes.slots, pieces), dtype=np.float32)
            heard = [each for memory in memories for each in memory.recall()]
            panel = Panel.of(heard) if heard else None
            drawn = hand(window, np.int32(place), lists, panel, uniform, np.float32(temperature))
            lists = ops.convert_to_numpy(drawn)
            written[:, now] = listed_frames(lists)
        for memory in memories:
            memory.hear(written[:, now], lists)
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
    panel: Panel | None,
    uniform: Tensor,
    temperature: Tensor,
) -> Tensor:
    """The list of the next frame of each piece, drawn note by note, ``(pieces, slots)``."""
    pieces, slots = before.shape
    expected, trust = (panel.expected, panel.trust) if panel else (None, None)
    state = network.state(window, ops.full((pieces, 1), place), expected, trust)
    last = ops.full((pieces,), START, "int32")
    written = network.written(last)
    weights: Tensor = panel.weights if panel else None
    lists: list[Tensor] = []
    sums: list[Tensor] = []
    for slot in range(slots):
        votes, agreeing = None, None
        if panel:
            counts = _counts(panel, slot, weights)
            sums.append(ops.sum(counts, axis=-1))
            votes = counts / ops.maximum(sums[-1], 1e-30)[..., None]
            agreeing = sums[-1] / ops.maximum(sums[0], 1e-9)
        logits = network.logits(state, written, last, before[:, slot], np.int32(slot), votes, agreeing)
        last = ops.where(last == END, END, draw(logits, uniform[slot], temperature))
        written = written + network.written(last)
        lists.append(last)
        if panel:
            # Who had another note falls silent.
            weights = weights * ops.cast(panel.lists[:, :, slot] == last[:, None], weights.dtype)
    return ops.stack(lists, axis=1)


def _counts(panel: Panel, slot: int, weights: Tensor) -> Tensor:
    """The votes for each note in a slot, by witness, ``(pieces, witnesses, 89)``."""
    pieces, witnesses = panel.trust.shape
    notes = panel.lists[:, :, slot] + NOTES * panel.witness
    return ops.reshape(counted(notes, weights, witnesses * NOTES), (pieces, witnesses, NOTES))
