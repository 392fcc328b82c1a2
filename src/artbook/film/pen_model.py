"""A model of films of writing: a network that looks at the page and at the pen, and foretells the next move.

The page goes through a convolutional LSTM (Shi et al. 2015), the surroundings of the pen through dense layers. The
result is a distribution over the pen's moves, and over the places where a new stroke may start: together, the exact
probability of the next frame (book chapter ``film``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from artbook.film import writing
from artbook.film.writing import DONE, LIFT, MOVES, PAGE, REACH, SIGHT, Clip

Floats = npt.NDArray[np.float64]
Inputs = tuple[npt.NDArray[np.float32], ...]

PATCH = 4
GRID = PAGE // PATCH
_SEEN = 2 * (2 * SIGHT + 1) ** 2


def network(length: int, channels: int = 32, units: int = 128) -> keras.Model:
    """The network for films of a fixed number of frames; its weights do not depend on that number.

    Args:
        length: frames, at least 1.
        channels: of the convolutional LSTM.
        units: of the dense layers.

    Returns:
        From frames ``(B, length, 24, 24, 2)``, sights ``(B, length, 338)`` and the two states of the LSTM,
        ``(B, 6, 6, channels)`` each, to logits ``(B, length, 83 + 576)`` and the new states.
    """
    film = keras.Input((length, PAGE, PAGE, 2))
    seen = keras.Input((length, _SEEN))
    states = [keras.Input((GRID, GRID, channels)) for _ in range(2)]
    # Patches of 4 by 4 pixels become channels, as in the paper.
    patches = ops.reshape(film, (-1, length, GRID, PATCH, GRID, PATCH, 2))
    patches = ops.reshape(ops.transpose(patches, (0, 1, 2, 4, 3, 5, 6)), (-1, length, GRID, GRID, 2 * PATCH**2))
    memory = layers.ConvLSTM2D(channels, 3, padding="same", return_sequences=True, return_state=True, name="memory")
    page, *after = memory(patches, initial_state=states)
    context = layers.Dense(units)(ops.reshape(page, (-1, length, GRID**2 * channels)))
    thought = layers.Dense(units, activation="gelu")(ops.gelu(layers.Dense(units)(seen) + context))
    move = layers.Dense(MOVES, name="move")(thought)
    cells = ops.gelu(layers.Dense(channels)(page) + layers.Dense(channels)(thought)[:, :, None, None])
    cells = ops.reshape(layers.Dense(PATCH**2)(cells), (-1, length, GRID, GRID, PATCH, PATCH))
    place = ops.reshape(ops.transpose(cells, (0, 1, 2, 4, 3, 5)), (-1, length, PAGE**2))
    place = place + layers.Dense(PAGE**2, name="place")(thought)
    return keras.Model([film, seen, *states], [ops.concatenate([move, place], axis=-1), *after])


def compile_network(model: keras.Model, steps: int, rate: float = 3e-3) -> None:
    """Ready a network for training with ``targets``: the mean negative log-likelihood of a frame, in nats.

    Args:
        model: of ``network``.
        steps: of the optimiser, over which the learning rate falls to zero.
        rate: the learning rate at the beginning.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    model.compile(optimizer, loss=[_cost, None, None])


def _cost(truth: Any, logits: Any) -> Any:
    move, place, weight = (truth[..., k] for k in range(3))
    of_move = keras.losses.sparse_categorical_crossentropy(move, logits[..., :MOVES], from_logits=True)
    of_place = keras.losses.sparse_categorical_crossentropy(place, logits[..., MOVES:], from_logits=True)
    lifted = ops.cast(ops.equal(move, LIFT), of_place.dtype)
    return ops.cast(weight, of_place.dtype) * (of_move + lifted * of_place)


@dataclass(frozen=True)
class Windows:
    """Equally long cuts of films, ready for the network.

    Attributes:
        film: float32 ``(n, length, 24, 24, 2)``.
        seen: float32 ``(n, length, 338)``.
        targets: whole ``(n, length, 3)``: move, place of a start, and 1 where the film goes on, 0 after its end.
    """

    film: npt.NDArray[np.float32]
    seen: npt.NDArray[np.float32]
    targets: npt.NDArray[np.int64]

    def inputs(self, channels: int) -> Inputs:
        """What the network of so many channels is given: the films, and a memory that is empty."""
        empty = np.zeros((len(self.film), GRID, GRID, channels), np.float32)
        return self.film, self.seen, empty, empty


def windows(clips: Sequence[Clip], length: int, rng: np.random.Generator | None = None) -> Windows:
    """One cut of each film.

    Args:
        clips: at least one.
        length: in frames, at least 1; a film that is shorter stands still at its end.
        rng: draws where each cut begins; without it, each begins at the blank page.

    Raises:
        ValueError: there is no clip, or the length is below 1.
    """
    if not len(clips) or length < 1:
        raise ValueError(f"at least one clip and one frame were wanted; {len(clips)} and {length} were given")
    film = np.zeros((len(clips), length, PAGE, PAGE, 2), np.float32)
    seen = np.zeros((len(clips), length, _SEEN), np.float32)
    targets = np.tile([DONE, 0, 0], (len(clips), length, 1))
    for n, clip in enumerate(clips):
        whole = writing.frames(clip)
        begin = 0 if rng is None else int(rng.integers(max(1, len(whole) - length + 1)))
        part = slice(begin, begin + length)
        count = len(whole[part])
        film[n], film[n, :count] = whole[-1], whole[part]
        before = min(begin, 1)
        seen[n, :count] = writing.sights(whole[begin - before : begin + length])[before:].reshape(count, -1)
        targets[n, :count] = np.stack([*(each[part] for each in writing.moves(clip)), np.ones(count, int)], axis=1)
    return Windows(film, seen, targets)


def log_softmax(logits: npt.ArrayLike) -> Floats:
    """The logarithms of the probabilities along the last axis, in double precision."""
    values = np.asarray(logits, dtype=np.float64)
    values = values - values.max(axis=-1, keepdims=True)
    return values - np.log(np.exp(values).sum(axis=-1, keepdims=True))


def foretell(model: keras.Model, cuts: Windows, channels: int) -> tuple[Floats, Floats]:
    """The log-probabilities of moves ``(n, length, 83)`` and of places of starts ``(n, length, 576)``."""
    logits = model.predict(cuts.inputs(channels), batch_size=32, verbose=0)[0]
    return log_softmax(logits[..., :MOVES]), log_softmax(logits[..., MOVES:])


class Table:
    """The baseline: how often each move followed the move before it, and where strokes start.

    The pen that drew a line goes on in its direction, or is lifted, as often as it did in the training films.
    """

    def __init__(self, clips: Sequence[Clip], smoothing: float = 0.1) -> None:
        self.moves = np.full((MOVES, MOVES), smoothing)
        # The first start of a film has a table of its own.
        self.starts = np.full((2, PAGE**2), smoothing)
        for clip in clips:
            move, place = writing.moves(clip)
            np.add.at(self.moves, (move[:-1], move[1:]), 1)
            lifted = np.flatnonzero(move == LIFT)
            np.add.at(self.starts, (np.minimum(lifted, 1), place[lifted]), 1)
        self.moves /= self.moves.sum(axis=1, keepdims=True)
        self.starts /= self.starts.sum(axis=1, keepdims=True)

    def foretell(self, cuts: Windows) -> tuple[Floats, Floats]:
        """As the function ``foretell``, for films from the blank page on, where the first move is a start."""
        move = cuts.targets[..., 0]
        after = np.log(self.moves[move[:, :-1]])
        first = np.where(np.arange(MOVES) == LIFT, 0.0, -np.inf)
        first = np.broadcast_to(first, (len(move), 1, MOVES))
        places = np.log(self.starts)[np.minimum(np.arange(move.shape[1]), 1)]
        return np.concatenate([first, after], axis=1), np.broadcast_to(places, (*move.shape, PAGE**2))


def nats(cuts: Windows, foretold: tuple[Floats, Floats]) -> Floats:
    """The negative log-likelihood of each frame, ``(n, length)``, in nats; zero after a film's end."""
    move, place, weight = (cuts.targets[..., k] for k in range(3))
    of_move = np.take_along_axis(foretold[0], move[..., np.newaxis], axis=-1)[..., 0]
    of_place = np.take_along_axis(foretold[1], place[..., np.newaxis], axis=-1)[..., 0]
    return -np.where(weight == 1, of_move + np.where(move == LIFT, of_place, 0.0), 0.0)


def new_ink(film: npt.NDArray, foretold: tuple[Floats, Floats]) -> Floats:
    """The probability of each pixel to be inked in the next frame that is blank in this one.

    It is the mean of the next frame over all moves of the pen, and so the best answer that a network could give
    that is trained to foretell each pixel.

    Args:
        film: frames ``(T, 24, 24, 2)``.
        foretold: log-probabilities for each frame, ``(T, 83)`` and ``(T, 576)``.

    Returns:
        ``(T, 24, 24)``; zero where there is ink.
    """
    move, place = np.exp(foretold[0]), np.exp(foretold[1])
    chance = move[:, LIFT, np.newaxis] * place
    chance = np.pad(chance.reshape(-1, PAGE, PAGE), ((0, 0), (REACH, REACH), (REACH, REACH)))
    side = 2 * REACH + 1
    for t, row, column in np.argwhere(film[..., 1]):
        covered = (move[t, : side**2] @ _COVERED).reshape(side, side)
        chance[t, row : row + side, column : column + side] += covered
    return np.clip(chance[:, REACH:-REACH, REACH:-REACH], 0, 1) * (1 - film[..., 0])


def _covered() -> Floats:
    """Which pixels around the pen each line covers, ``(81, 81)``."""
    side = 2 * REACH + 1
    covers = np.zeros((side**2, side, side))
    for number in range(side**2):
        covers[number][writing.line((REACH, REACH), divmod(number, side))] = 1
    return covers.reshape(side**2, side**2)


_COVERED = _covered()


def write(
    model: keras.Model,
    channels: int,
    rng: np.random.Generator,
    count: int,
    longest: int = 72,
    temperature: float = 1.0,
    given: Sequence[Clip] = (),
) -> list[Clip]:
    """Let the network write, move by move, each drawn from what it foretells.

    Args:
        model: of ``network`` with the length 1.
        channels: of the network.
        rng: draws the moves.
        count: how many films.
        longest: in frames; a film that has not ended by then is cut off.
        temperature: above 0; below 1 the likely moves become likelier.
        given: the beginnings of the films, one each; none for the blank page.

    Returns:
        The films, each with its given beginning.

    Raises:
        ValueError: the temperature or a number is out of range, or ``given`` has another length than ``count``.
    """
    if not 0 < temperature <= 10:
        raise ValueError(f"a temperature above 0 and up to 10 was wanted; {temperature!r} was given")
    if count < 1 or longest < 1 or (given and len(given) != count):
        raise ValueError(
            f"at least one film and one frame, and a beginning for each film or none, were wanted;"
            f" {count}, {longest} and {len(given)} beginnings were given"
        )
    pens: list[list[npt.NDArray]] = [[] for _ in range(count)]
    starts: list[list[bool]] = [[] for _ in range(count)]
    going = np.ones(count, dtype=bool)
    film, before = np.zeros((2, count, PAGE, PAGE, 2), dtype=np.uint8)
    states: Any = [np.zeros((count, GRID, GRID, channels), np.float32)] * 2
    for t in range(longest):
        seen = np.stack([writing.sights(np.stack(pair))[1] for pair in zip(before, film, strict=True)])
        inputs = (film[:, None].astype(np.float32), seen.reshape(count, 1, -1).astype(np.float32), *states)
        logits, *states = model.predict_on_batch(inputs)
        move_chances = np.exp(log_softmax(logits[:, 0, :MOVES] / temperature))
        place_chances = np.exp(log_softmax(logits[:, 0, MOVES:] / temperature))
        before = film.copy()
        for n in np.flatnonzero(going).tolist():
            if given and t < len(given[n]):
                place, lifted = given[n].pen[t], bool(given[n].starts[t])
            else:
                # The first move can only be a start.
                move = int(rng.choice(MOVES, p=move_chances[n])) if t else LIFT
                lifted = move == LIFT
                if move == DONE:
                    going[n] = False
                    continue
                if lifted:
                    place = np.array(divmod(int(rng.choice(PAGE**2, p=place_chances[n])), PAGE))
                else:
                    place = writing.step(pens[n][-1], move)
            film[n][(*writing.line(place if lifted else pens[n][-1], place), 0)] = 1
            film[n, ..., 1] = 0
            film[n, *place, 1] = 1
            pens[n].append(place)
            starts[n].append(lifted)
        if not going.any():
            break
    return [Clip(np.stack(pen), np.array(start)) for pen, start in zip(pens, starts, strict=True)]
