"""Chorales drawn from the chorale model: free, continued, or laid under a melody (chapter ``composing``)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from artbook.data.chorales import REST, STEPS_PER_QUARTER, VOICES
from artbook.data.keyboard import is_whole, voice_runs
from artbook.music.chorale_model import ORDER, ChoraleModel, sounding
from artbook.music.chorale_tokens import (
    BEAT,
    GOAL,
    HOLD,
    LOWEST,
    MATCHES,
    MAX_STEPS,
    OLDEST,
    SILENCE,
    VOCABULARY,
    Plan,
    Whole,
    to_tokens,
    to_voices,
)
from artbook.music.hymn_tunes import BASE, LONGEST, HymnTunes, states
from artbook.music.piano_roll import Note, check_notes
from artbook.music.sampling import draw
from artbook.nn.transformer import compiled

Tensor = Any
FREE = -1
# The lowest and the highest note of each voice in the training chorales, MIDI.
RANGES = ((57, 81), (53, 74), (48, 69), (36, 64))
# Lengths are rounded up to so many frames, so that few loops are compiled.
_ROUNDED = 256


@dataclass(frozen=True)
class Composition:
    """A piece that the model has written.

    Attributes:
        plan: what it was told, T steps.
        tokens: int32 (T, 4).
        costs: what each token costs under the model, in nats, whatever the temperature was, float64 (T, 4).
    """

    plan: Plan
    tokens: Whole
    costs: npt.NDArray[np.float64]

    @property
    def voices(self) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
        """MIDI numbers, -1 for a rest, int16 (T, 4), and where a note begins, bool (T, 4)."""
        return to_voices(self.tokens, self.plan)


def compose(
    model: ChoraleModel,
    plans: Sequence[Plan],
    given: Sequence[npt.ArrayLike] | None = None,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    steer: bool = False,
    tunes: HymnTunes | None = None,
) -> list[Composition]:
    """Write one piece to each plan, all side by side, each token drawn given those before it.

    The past is kept in the trunk's state and never read again. The first call for a number and a length of pieces
    compiles the loop, which takes seconds.

    Args:
        model: built.
        plans: at least one; each begins on a beat.
        given: for each plan whole tokens (T, 4) that are settled, ``FREE`` where the model chooses: an opening to go
            on from, or a melody. Left out, all are free.
        temperature: divides the logits, above 0.
        top_p: of the nucleus, above 0 and at most 1.
        seed: of the draw, zero or more.
        steer: after every beat keep the pieces that led well to the tokens given, and copy them over the others: a
            particle filter (Doucet and Johansen 2008). All plans are one then, and all pieces tries at it.
        tunes: which lead the soprano; left out, those that the model knows.

    Returns:
        The pieces. A note that is free stays within ``RANGES``.

    Raises:
        ValueError: an argument is not as above.
    """
    if not plans or (steer and any(plan is not plans[0] for plan in plans)):
        raise ValueError("at least one plan was wanted, and the same for all pieces if they are steered")
    if any(((plan.position - np.arange(plan.length)) % BEAT).any() for plan in plans):
        raise ValueError("plans that go on from a beat, sixteenth by sixteenth, were wanted")
    if not (0 < temperature < np.inf and 0 < top_p <= 1) or not is_whole(seed, 0, 2**63):
        raise ValueError(
            "a temperature above 0, top_p above 0 and at most 1, and a seed from 0 were wanted;"
            f" {temperature!r}, {top_p!r} and {seed!r} were given"
        )
    settled = [np.full((plan.length, 4), FREE) for plan in plans] if given is None else [np.asarray(g) for g in given]
    for plan, tokens in zip(plans, settled, strict=True):
        sound = tokens.shape == (plan.length, len(VOICES)) and tokens.dtype.kind in "iu"
        if not sound or tokens.min() < FREE or tokens.max() >= VOCABULARY:
            raise ValueError(f"tokens ({plan.length}, 4) from -1 to {VOCABULARY - 1} were wanted for each plan")
    longest = max(plan.length for plan in plans)
    length = -(-longest // _ROUNDED) * _ROUNDED
    features = np.zeros((len(plans), length, plans[0].features.shape[1]), dtype=np.int32)
    wanted = np.full((len(plans), length, len(VOICES)), HOLD, dtype=np.int32)
    for row, (plan, tokens) in enumerate(zip(plans, settled, strict=True)):
        features[row, : plan.length], wanted[row, : plan.length] = plan.features, tokens
    chance = np.random.default_rng(seed).random((length, len(plans), len(VOICES) + 1))
    whole = [ops.convert_to_tensor(each, dtype="int32") for each in (-(-longest // BEAT) * BEAT, features, wanted)]
    limits = np.stack([_out_of_range(plan) for plan in plans])
    real = [ops.convert_to_tensor(each, dtype="float32") for each in (limits, chance, temperature, top_p)]
    tunes = model.tunes if tunes is None else tunes
    known = [ops.convert_to_tensor(each) for each in (tunes.followed, tunes.states.T, tunes.begins.T)]
    tokens, costs = (ops.convert_to_numpy(each) for each in _program(model, steer)(*whole, *real, *known))
    return [
        Composition(plan, tokens[row, : plan.length], costs[row, : plan.length].astype(np.float64))
        for row, plan in enumerate(plans)
    ]


def melody_on_grid(notes: Iterable[Note]) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.bool_]]:
    """A melody on the grid of sixteenths, to be sung by the soprano.

    Args:
        notes: of one voice, in any order; their times are rounded to sixteenths.

    Returns:
        MIDI numbers, -1 for a rest, int16 (T,), and where a note begins, bool (T,); T is a whole number of beats.

    Raises:
        ValueError: no notes, impossible ones, two at once, one outside the soprano's range, or more than ``MAX_STEPS``
            sixteenths.
    """
    checked = sorted(check_notes(notes), key=lambda note: note.start)
    low, high = RANGES[0]
    for note in checked:
        if not low <= note.pitch <= high:
            raise ValueError(f"a melody that a soprano can sing, MIDI {low} to {high}, was wanted; {note} was given")
    begins = [round(note.start * STEPS_PER_QUARTER) for note in checked]
    ends = [max(b + 1, round((n.start + n.duration) * STEPS_PER_QUARTER)) for b, n in zip(begins, checked, strict=True)]
    if max(ends) > MAX_STEPS:
        raise ValueError(f"a melody of at most {MAX_STEPS} sixteenths was wanted; it has {max(ends)}")
    for end, begin, note in zip(ends, begins[1:], checked[1:], strict=False):
        if begin < end:
            raise ValueError(f"one note at a time was wanted; {note} begins before the note before it has ended")
    length = -(-max(ends) // BEAT) * BEAT
    pitches, onsets = np.full(length, REST, dtype=np.int16), np.zeros(length, dtype=bool)
    for begin, end, note in zip(begins, ends, checked, strict=True):
        pitches[begin:end], onsets[begin] = note.pitch, True
    return pitches, onsets


def melody_plan(
    pitches: npt.ArrayLike,
    onsets: npt.ArrayLike,
    tonic: int,
    minor: bool = False,
    beats_per_bar: int = 4,
    pickup: int = 0,
) -> Plan:
    """A plan for a melody: a phrase ends with every note of two beats or more, and with the last one.

    Args:
        pitches: as ``melody_on_grid`` returns them.
        onsets: the same.
        tonic: pitch class of the tonic, 0 (C) to 11.
        minor: whether the key is a minor one.
        beats_per_bar: quarter notes in a bar.
        pickup: quarter notes before the first bar line, below ``beats_per_bar``.

    Raises:
        ValueError: these are no melody, or an argument is out of range.
    """
    voice, begins = np.asarray(pitches), np.asarray(onsets)
    if not is_whole(pickup, 0, max(0, beats_per_bar - 1)):
        raise ValueError(f"a pickup of 0 to {beats_per_bar - 1} beats was wanted; {pickup!r} was given")
    notes = [run for run in voice_runs(voice[:, None], begins[:, None])[0] if run[2] >= 0]
    if not notes:
        raise ValueError("a melody with at least one note was wanted; it is silent")
    fermatas = np.zeros(len(voice), dtype=bool)
    for begin, end, _ in notes:
        fermatas[begin:end] = end - begin >= 2 * BEAT or end == notes[-1][1]
    bar = beats_per_bar * BEAT
    position = (np.arange(len(voice)) + (bar - pickup * BEAT) % bar) % bar
    return Plan(tonic, minor, beats_per_bar, position.astype(np.int16), fermatas)


def soprano_given(pitches: npt.ArrayLike, onsets: npt.ArrayLike, plan: Plan) -> Whole:
    """What ``compose`` takes as given when the soprano is settled and the other voices are free.

    Args:
        pitches: of the soprano, MIDI numbers, -1 for a rest, whole, (T,).
        onsets: where its notes begin, bool (T,).
        plan: T steps long.

    Returns:
        int32 (T, 4).

    Raises:
        ValueError: as in ``chorale_tokens.to_tokens``.
    """
    voices = np.full((plan.length, len(VOICES)), REST, dtype=np.int16)
    begins = np.zeros(voices.shape, dtype=bool)
    voices[:, 0], begins[:, 0] = pitches, onsets
    given = np.full(voices.shape, FREE, dtype=np.int32)
    given[:, 0] = to_tokens(voices, begins, plan)[:, 0]
    return given


def harmonise(
    model: ChoraleModel,
    plan: Plan,
    given: npt.ArrayLike,
    *,
    tries: int = 32,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> Composition:
    """Lay three voices under a melody: many tries side by side, steered by the melody, of which the likeliest is kept.

    Args:
        model: built.
        plan: of the piece.
        given: as ``soprano_given`` makes it; more voices or an opening may be settled too.
        tries: how many, at least 1.
        temperature: as in ``compose``.
        top_p: as in ``compose``.
        seed: as in ``compose``.

    Raises:
        ValueError: as in ``compose``, or there are no tries.
    """
    if not is_whole(tries, 1, 10**4):
        raise ValueError(f"at least one try was wanted; {tries!r} was given")
    plans, melodies = [plan] * tries, [given] * tries
    written = compose(model, plans, melodies, temperature=temperature, top_p=top_p, seed=seed, steer=True)
    return min(written, key=lambda composition: composition.costs.sum())


def _out_of_range(plan: Plan) -> npt.NDArray[np.float32]:
    """What is added to the logits so that no voice leaves its range, (4, VOCABULARY)."""
    pitches = np.arange(VOCABULARY) - 2 + LOWEST - plan.shift
    low, high = np.array(RANGES).T[:, :, None]
    return np.where((np.arange(VOCABULARY) >= 2) & ((pitches < low) | (pitches > high)), -1e9, 0).astype(np.float32)


def _program(model: ChoraleModel, steer: bool) -> Any:
    """The compiled loop, kept with the model so that it is compiled once."""
    programs = model.__dict__.setdefault("_programs", {})
    if steer not in programs:
        programs[steer] = compiled(model, lambda *tensors: _write(model, steer, *tensors))
    return programs[steer]


def _write(
    model: ChoraleModel,
    steer: bool,
    stop: Tensor,
    features: Tensor,
    wanted: Tensor,
    limits: Tensor,
    chance: Tensor,
    temperature: Tensor,
    top_p: Tensor,
    *known: Tensor,
) -> tuple[Tensor, Tensor]:
    """Write frames 0 to ``stop``; arrays have a beat of silence in front, so that the first has a past.

    ``known`` are what followed, the states and the beginnings of ``HymnTunes``, a row a place in the beat.
    """
    count, length = features.shape[:2]
    plan = model.look_ahead(features)
    frames = ops.arange(length + BEAT)
    # Before the first frame, the first frames of the tunes vote.
    first = ops.sum(ops.where(known[2][..., None], known[0], 0.0), axis=(0, 1))

    def body(now: Tensor, tokens: Tensor, sounds: Tensor, costs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state, age, run, heard, weight = rest
        place = now % BEAT
        ahead = ops.take(plan, now, axis=1)
        # On the beat the trunk reads the beat before.
        last = [ops.slice(each, (0, now, 0), (count, BEAT, len(VOICES))) for each in (sounds, tokens)]
        past = model.read_beats(*last) * ops.cast(now > 0, plan.dtype)
        read, _ = model.trunk.cell(model.trunk_input(past, ahead), [state])
        state = ops.where(place == 0, read, state)
        before = last[0][:, -1]
        shared = model.from_trunk(state) + model.from_frame(model.read_frame(ahead, before, age))
        run, hints = _hints(tokens, sounds, run, now + BEAT, frames)
        heard = _hear(heard, last[1][:, -1, 0], before[:, 0], (now - 1) % BEAT, known)
        heard = _next_place(heard, place, known)
        votes = ops.where(now > 0, ops.matmul(heard, ops.take(known[0], place, axis=0)), first)
        votes = votes / ops.sum(votes, axis=-1, keepdims=True)
        written = [ops.zeros((count,), "int32")] * len(VOICES)
        cost = [ops.zeros((count,))] * len(VOICES)
        asked, goal = ops.take(wanted, now, axis=1), ops.take(features[..., GOAL], now, axis=1)
        for number, voice in enumerate(ORDER):
            placed = ops.stack(written, axis=-1)
            logits = model.voice_logits(number, shared, goal, before, hints, votes, placed)
            luck = ops.take(chance, now, axis=0)[:, voice]
            drawn = draw(logits + limits[:, voice], luck, temperature, top_p)
            written[voice] = ops.where(asked[:, voice] == FREE, drawn, asked[:, voice])
            paid = ops.take_along_axis(ops.log_softmax(logits), written[voice][:, None], axis=-1)[:, 0]
            cost[voice] = -paid
            weight = weight + ops.where(asked[:, voice] == FREE, 0.0, paid)
        frame = ops.stack(written, axis=-1)
        tokens = ops.slice_update(tokens, (0, now + BEAT, 0), frame[:, None])
        sounds = ops.slice_update(sounds, (0, now + BEAT, 0), sounding(frame, before)[:, None])
        costs = ops.slice_update(costs, (0, now, 0), ops.stack(cost, axis=-1)[:, None])
        age = ops.where(frame != HOLD, 1, ops.minimum(age + 1, OLDEST))
        kept = (tokens, sounds, costs, state, age, run, heard)
        if steer:
            chosen, weight = _survivors(weight, ops.take(chance, now, axis=0)[0, -1], place == BEAT - 1)
            kept = tuple(ops.take(each, chosen, axis=0) for each in kept)
        return (now + 1, *kept, weight)

    shape = (count, length + BEAT, len(VOICES))
    # No token is written in what is still to come.
    nothing = ops.full(shape, -1, "int32")
    start = (
        ops.zeros((), "int32"),
        nothing,
        ops.zeros(shape, "int32"),
        ops.zeros((count, length, len(VOICES))),
        ops.zeros((count, model.memory)),
        ops.zeros((count, len(VOICES)), "int32"),
        ops.zeros(shape[:2], "int32"),
        ops.ones((count, known[0].shape[1])),
        ops.zeros((count,)),
    )
    done = ops.while_loop(lambda now, *_: now < stop, body, start)
    return done[1][:, BEAT:], done[3]


def _hints(tokens: Tensor, sounds: Tensor, run: Tensor, now: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """As ``chorale_tokens.copy_hints``, for one frame; ``run`` holds the lengths of the matches up to the last one."""
    last = ops.take(tokens, now - 1, axis=1)
    same = ops.all(tokens == last[:, None], axis=-1) & (frames < now - 1) & (frames >= BEAT)
    same = same & ops.all(sounds == ops.take(sounds, now - 1, axis=1)[:, None], axis=-1)
    begun = ops.sum(ops.cast(last > SILENCE, "int32"), axis=-1, keepdims=True)
    run = ops.where(same, ops.pad(run[:, :-1], ((0, 0), (1, 0))) + begun, 0)
    # Of equally long matches, the latest.
    best = ops.cast(ops.argmax(run * frames.shape[0] + frames, axis=1), "int32")
    longest = ops.take_along_axis(run, best[:, None], axis=1)
    level = ops.sum(ops.cast(longest >= ops.convert_to_tensor(MATCHES), "int32"), axis=1, keepdims=True)
    index = ops.minimum(best + 1, frames.shape[0] - 1)[:, None, None]
    following = ops.take_along_axis(tokens, ops.broadcast_to(index, (tokens.shape[0], 1, len(VOICES))), axis=1)[:, 0]
    return run, ops.concatenate([ops.where(level > 0, following, 0), level], axis=-1)


def _hear(votes: Tensor, token: Tensor, sound: Tensor, place: Tensor, known: Sequence[Tensor]) -> Tensor:
    """How many votes the places of the tunes have (count, N), 1 or more, after one more frame of the soprano."""
    longer = ops.minimum(votes * ops.where(token > SILENCE, BASE, 1.0)[:, None], BASE**LONGEST)
    same = ops.take(known[1], place, axis=0) == states(token, sound, place)[:, None]
    return ops.where(same, longer, 1.0)


def _next_place(votes: Tensor, place: Tensor, known: Sequence[Tensor]) -> Tensor:
    """The same for the frames that follow; those on the beat stand in the next row of the tunes."""
    following = ops.pad(votes[:, :-1], ((0, 0), (1, 0)), constant_values=1.0)
    return ops.where(ops.take(known[2], place, axis=0), 1.0, ops.where(place == 0, following, votes))


def _survivors(weight: Tensor, luck: Tensor, due: Tensor) -> tuple[Tensor, Tensor]:
    """Which pieces go on, in proportion to their weights if it is time (systematic resampling), and the new weights."""
    count = weight.shape[0]
    summed = ops.cumsum(ops.softmax(weight))
    places = (ops.arange(count, dtype="float32") + luck) / count
    drawn = ops.sum(ops.cast(summed[None, :] <= places[:, None] * summed[-1], "int32"), axis=1)
    return ops.where(due, drawn, ops.arange(count)), ops.where(due, 0.0, weight)
