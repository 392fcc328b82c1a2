"""Text as whole numbers, one a character, and the windows that a language model reads.

The chapter ``what-is-a-large-model`` trains its language models on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Vocabulary:
    """The characters that a model knows; a character's token is its place in the row.

    Attributes:
        characters: each once, in the order of their code points.

    Raises:
        ValueError: there is no character, one stands there twice, or they are out of order.
    """

    characters: str

    def __post_init__(self) -> None:
        if not self.characters or "".join(sorted(set(self.characters))) != self.characters:
            raise ValueError(
                f"different characters in the order of their code points were wanted; {self.characters!r} was given"
            )

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The vocabulary of all characters in some texts.

        Args:
            texts: at least one character in all; one text is given as a tuple of one.

        Raises:
            ValueError: there is no character, or a single string was given in place of several.
        """
        if isinstance(texts, str):
            raise ValueError("several texts were wanted; a single string was given: put it into a tuple")
        return cls("".join(sorted(set().union(*texts))))

    def __len__(self) -> int:
        return len(self.characters)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.characters)}

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """The tokens of a text, int32 ``(len(text),)``, from 0 to ``len(vocabulary) - 1``.

        Raises:
            ValueError: the text has a character that is not in the vocabulary.
        """
        unknown = sorted(set(text) - self._tokens.keys())
        if unknown:
            raise ValueError(f"characters of the vocabulary were wanted; the text also has {unknown}")
        return np.fromiter(map(self._tokens.__getitem__, text), dtype=np.int32, count=len(text))

    def decode(self, tokens: npt.ArrayLike) -> str:
        """The text of some tokens.

        Args:
            tokens: whole numbers from 0 to ``len(vocabulary) - 1``, ``(n,)``.

        Raises:
            ValueError: these are not such numbers.
        """
        given = _whole_numbers(tokens)
        if given.size and not (given.min() >= 0 and given.max() < len(self)):
            raise ValueError(f"tokens from 0 to {len(self) - 1} were wanted; {given.min()} to {given.max()} were given")
        return "".join(self.characters[token] for token in given)


def windows(tokens: npt.ArrayLike, length: int, step: int | None = None) -> npt.NDArray[np.integer]:
    """All stretches of one length, one every ``step`` tokens; what is left over at the end is dropped.

    A model that predicts the next token reads ``rows[:, :-1]`` and is told ``rows[:, 1:]``, so it wants windows that
    are one token longer than what it reads.

    Args:
        tokens: whole numbers, ``(n,)`` with n of at least ``length``.
        length: of a window, in tokens, 1 or more.
        step: from the beginning of one window to that of the next, 1 or more; ``length`` if it is not given, so that
            no token stands in two windows.

    Returns:
        The windows in order, ``(1 + (n - length) // step, length)``; a view of the tokens, not to be written to.

    Raises:
        ValueError: these are not such numbers, or there are fewer tokens than one window holds.
    """
    given = _whole_numbers(tokens)
    step = length if step is None else step
    for name, number in (("length", length), ("step", step)):
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{name}: a whole number, 1 or more, was wanted; {number!r} was given")
    if len(given) < length:
        raise ValueError(f"at least {length} tokens were wanted, one window; {len(given)} were given")
    return np.lib.stride_tricks.sliding_window_view(given, length)[::step]


def _whole_numbers(tokens: npt.ArrayLike) -> npt.NDArray[np.integer]:
    given = np.asarray(tokens)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise ValueError(f"whole numbers (n,) were wanted; {given.dtype} {given.shape} was given")
    return given
