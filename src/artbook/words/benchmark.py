"""Train a baby GPT by character on any text, for so much processor time, and score it on the end of the text.

    python -m artbook.words.benchmark --text FILE --cpu-seconds 60 --seed 0

The last line that is printed is JSON. The model is the small one of many tutorials: 128 wide, four blocks of four
heads, windows of 64 characters, twelve a step (chapter ``prose``).
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from artbook.nn.transformer import language_model
from artbook.words.characters import Vocabulary, windows
from artbook.words.training import by_cpu, costs, random_rows, train

LENGTH, BATCH, WIDTH, DEPTH, HEADS = 64, 12, 128, 4, 4
# The last tenth of the text is held out.
_HELD_OUT = 10
# Of what is held out, so much is judged at most, so that a long file does not take longer to judge than to learn.
_JUDGED = 200_000
# Each part has a batch of windows at least.
_SHORTEST = _HELD_OUT * (LENGTH + BATCH)


def to_text(content: bytes) -> str:
    """The text in a file.

    Args:
        content: of the file.

    Raises:
        ValueError: it is not UTF-8, has characters that no text has, is too short, or is one character again and
            again; the message says which.
    """
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"a text in UTF-8 was wanted; byte {error.start} is {content[error.start]:#04x}") from error
    strange = {sign for sign in text if sign < " " and sign not in "\t\n\f\r"}
    if strange:
        raise ValueError(f"a text was wanted; there are control characters in it, such as {min(strange)!r}")
    if len(text) < _SHORTEST:
        raise ValueError(f"at least {_SHORTEST} characters were wanted; {len(text)} were given")
    if len(set(text)) == 1:
        raise ValueError(f"at least two different characters were wanted; all are {text[0]!r}")
    return text


def run(text: str, cpu_seconds: float, seed: int) -> dict[str, Any]:
    """Train on nine tenths of a text and score the rest.

    Args:
        text: of ``to_text``.
        cpu_seconds: of this process for the training, its compilation among them, above 0; the last step may end
            a little later, and the first one is always made.
        seed: of weights and order, zero or more.

    Returns:
        The held-out cost in nats a character, of the first 200,000 characters that are held out, the speed in
        characters trained on a CPU-second, without the first step, and what else there is to say.

    Raises:
        ValueError: the time or the seed is out of range.
    """
    if seed < 0:
        raise ValueError(f"a seed from 0 was wanted; {seed} was given")
    progress = by_cpu(cpu_seconds)
    vocabulary = Vocabulary.of((text,))
    tokens = vocabulary.encode(text)
    first = len(tokens) - len(tokens) // _HELD_OUT
    keras.utils.set_random_seed(seed)
    model = language_model(len(vocabulary), LENGTH, WIDTH, DEPTH, HEADS)
    times = [time.process_time()]

    def clock() -> float:
        times.append(time.process_time())
        return progress()

    losses = train(model, random_rows(windows(tokens[:first], LENGTH + 1, 1), BATCH, seed), clock)
    steady = (len(losses) - 1) * BATCH * LENGTH / max(times[-1] - times[2], 1e-9)
    held_out = costs(model, windows(tokens[first : first + _JUDGED], LENGTH + 1, LENGTH))
    return {
        "backend": keras.backend.backend(),
        "seed": seed,
        "characters": len(tokens),
        "held_out_characters": held_out.size,
        "vocabulary": len(vocabulary),
        "parameters": model.count_params(),
        "steps": len(losses),
        "cpu_seconds": times[-1] - times[0],
        "held_out_nats_per_character": float(held_out.mean()),
        "tokens_per_cpu_second": steady if len(losses) > 1 else 0.0,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m artbook.words.benchmark", description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=Path, required=True, help="a text in UTF-8")
    parser.add_argument("--cpu-seconds", type=float, default=60, help="how long to train")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    try:
        told = run(to_text(chosen.text.read_bytes()), chosen.cpu_seconds, chosen.seed)
    except (OSError, ValueError) as error:
        sys.exit(f"benchmark: {error}")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
