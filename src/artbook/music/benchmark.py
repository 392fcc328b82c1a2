"""Train the book's best model of frames on a data set, or score a saved one on it (chapter ``sequence-models``).

    python -m artbook.music.benchmark --dataset FILE --cpu-seconds 480 --seed 0 --save DIR
    python -m artbook.music.benchmark --dataset FILE --evaluate DIR

The file has the form of the JSB-Chorales-dataset, ``{"train": [[[60, 64, 67], ...], ...], "valid": ..., "test": ...}``:
pieces, frames, MIDI pitches from 21 to 108. The last line that is printed is JSON.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artbook.data.chorales import SPLITS
from artbook.data.keyboard import KEYS, LOWEST, is_whole
from artbook.music.composer import Composer, Sizes, build, by_cpu, load, read, train
from artbook.music.memories import Memory

Rolls = list[npt.NDArray[np.bool_]]

# Comparing a frame with a frame of a memory takes about so long; no more than this share of the time may go there.
_SECONDS_A_COMPARISON = 1e-7
_SHARE_OF_COMPARING = 0.3
_FEWEST_MEMORIES = 500
# In fewer passes over the training frames little can be learned by heart: they need less dropout and larger, more
# frequent steps. Tried with 4 to 170 passes on the validation chorales.
_UNHURRIED = 40
# In so many passes or more; the chapter makes fewer.
_DROPOUT, _INPUT_DROPOUT = 0.5, 0.3
# To train on a frame takes about so many times as long as a row of a product with as many weights as a layer has.
_ROWS_A_FRAME = 80


def to_rolls(dataset: object) -> dict[str, Rolls]:
    """The piano rolls of a data set.

    Args:
        dataset: for ``train``, ``valid`` and ``test`` pieces, a frame a list of MIDI pitches from 21 to 108, any length
            and any order; an empty frame is silence.

    Returns:
        bool ``(T, 88)`` a piece.

    Raises:
        ValueError: a part is missing or empty, a piece has no frames, or a pitch is none of the 88 keys; the message
            says which.
    """
    if not isinstance(dataset, Mapping) or not set(SPLITS) <= dataset.keys():
        found = ", ".join(map(str, dataset)) if isinstance(dataset, Mapping) else type(dataset).__name__
        raise ValueError(f"a data set with {', '.join(SPLITS)} was wanted; {found} was given")
    return {part: _part(part, dataset[part]) for part in SPLITS}


def _part(name: str, pieces: object) -> Rolls:
    if not isinstance(pieces, list | tuple) or not pieces:
        raise ValueError(f"{name}: at least one piece was wanted; none was given")
    return [_roll(f"{name}, piece {number}", frames) for number, frames in enumerate(pieces)]


def _roll(name: str, frames: object) -> npt.NDArray[np.bool_]:
    if not isinstance(frames, list | tuple) or not frames:
        raise ValueError(f"{name}: at least one frame was wanted; none was given")
    roll = np.zeros((len(frames), KEYS), dtype=bool)
    for time_, pitches in enumerate(frames):
        if not isinstance(pitches, list | tuple):
            raise ValueError(f"{name}, frame {time_}: a list of pitches was wanted; {pitches!r} was given")
        for pitch in pitches:
            if not is_whole(pitch, LOWEST, LOWEST + KEYS - 1):
                raise ValueError(f"{name}, frame {time_}: a pitch from 21 to 108 was wanted; {pitch!r} was given")
            roll[time_, pitch - LOWEST] = True
    return roll


def to_dataset(rolls: Mapping[str, Rolls]) -> dict[str, list[list[list[int]]]]:
    """The data set, ready for JSON, of piano rolls; ``to_rolls`` makes the same rolls of it again."""
    return {
        part: [[(np.flatnonzero(frame) + LOWEST).tolist() for frame in roll] for roll in pieces]
        for part, pieces in rolls.items()
    }


def fit(rolls: Mapping[str, Rolls], cpu_seconds: float, seed: int) -> Composer:
    """Train a composer for so long.

    The memory holds as many training pieces as there is time to compare with; the rest of the time goes to training,
    which is less careful the less time there is.

    Args:
        rolls: of ``to_rolls``; those of ``train`` alone are used.
        cpu_seconds: of this process, above 0; the last batch may end a little later.
        seed: of weights, order and choice of the memory.

    Raises:
        ValueError: the time is not above 0.
    """
    progress = by_cpu(cpu_seconds)
    training = rolls["train"]
    frames = sum(map(len, training))
    slots = max(1, max(int(roll.sum(axis=1).max()) for roll in training))
    room = int(_SHARE_OF_COMPARING * cpu_seconds / _SECONDS_A_COMPARISON / frames)
    order = np.random.default_rng(seed).permutation(len(training))
    kept = order[np.cumsum([len(training[number]) for number in order]) <= room].tolist()
    memory = None
    # A single piece has no other to remember, so training would not learn what its memory is worth.
    if len(kept) > 1 and sum(len(training[number]) for number in kept) >= _FEWEST_MEMORIES:
        memory = Memory.of([training[number] for number in kept], kept)
    sizes = Sizes(slots) if memory else Sizes(slots, memories=())
    features = read(training, sizes, memory, range(len(training)))
    passes = (1 - progress(0)) * cpu_seconds / (_ROWS_A_FRAME * _row_seconds(sizes.width)) / frames
    haste = max(1.0, (_UNHURRIED / max(passes, 1.0)) ** 0.5)
    sizes = replace(sizes, dropout=_DROPOUT / haste, input_dropout=_INPUT_DROPOUT / haste)
    network = build(sizes, seed)
    size, rate = 128 if haste > 1 else 256, 2e-3 * haste**0.5
    train(network, features, np.ones(frames, dtype=np.float32), progress, seed, size, rate)
    return Composer(network, memory, frames)


def _row_seconds(width: int) -> float:
    """How long this machine takes for a row of a product of ``width`` by ``width`` numbers, in CPU-seconds."""
    square = np.ones((width, width), dtype=np.float32)
    rounds, products = [], 20
    # The first rounds are slower, since libraries start their threads.
    for _ in range(10):
        start = time.process_time()
        for _ in range(products):
            square @ square
        rounds.append((time.process_time() - start) / (products * width))
    return min(rounds)


def report(composer: Composer, rolls: Mapping[str, Rolls]) -> dict[str, Any]:
    """Frames, parameters and nats per frame of each part; in ``train`` each piece may remember itself."""
    costs = {part: composer.cost(pieces) for part, pieces in rolls.items()}
    return {
        "frames": {part: len(cost) for part, cost in costs.items()},
        "parameters": composer.network.count_params(),
        "nats_per_frame": {part: float(cost.mean()) for part, cost in costs.items()},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m artbook.music.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, required=True, help="JSON of train, valid and test")
    parser.add_argument("--cpu-seconds", type=float, default=480, help="how long to train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="a folder for the trained model")
    parser.add_argument("--evaluate", type=Path, metavar="DIR", help="score this saved model instead of training one")
    chosen = parser.parse_args(arguments)
    try:
        rolls = to_rolls(json.loads(chosen.dataset.read_text(encoding="utf-8")))
        if chosen.save:
            chosen.save.mkdir(parents=True, exist_ok=True)  # not to fail after the training
        start = time.process_time()
        composer = load(chosen.evaluate) if chosen.evaluate else fit(rolls, chosen.cpu_seconds, chosen.seed)
        spent = {} if chosen.evaluate else {"cpu_seconds": time.process_time() - start, "seed": chosen.seed}
        told = {"backend": keras.backend.backend()} | spent | report(composer, rolls)
        if chosen.save:
            composer.save(chosen.save)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
