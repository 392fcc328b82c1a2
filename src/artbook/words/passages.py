"""Passages that two texts share: cut out of what is learned, and counted in what is written (chapter ``prose``)."""

from collections.abc import Sequence


def without_shared(text: str, others: Sequence[str], size: int = 50) -> list[str]:
    """What is left of a text when each passage that also stands in others is cut out.

    Presidents quote each other, and laws, treaties and the constitution: a model that has read a quotation gets it
    right for no merit of its own.

    Args:
        text: that a model will learn from.
        others: that it will be judged on.
        size: a passage is so many characters or more in a row, at least 1.

    Returns:
        The pieces between the passages, in order; none shares a passage with the others. The whole text in one
        piece when nothing is shared.

    Raises:
        ValueError: the size is below 1.
    """
    if size < 1:
        raise ValueError(f"a size from 1 was wanted; {size} was given")
    known = {other[place : place + size] for other in others for place in range(len(other) - size + 1)}
    pieces, begin = [], 0
    for place in range(len(text) - size + 1):
        if text[place : place + size] in known:
            # A passage may go on from the one before, and then nothing stands between them.
            pieces.append(text[begin:place])
            begin = place + size
    return [piece for piece in [*pieces, text[begin:]] if piece]


def repeated(text: str, size: int = 20) -> float:
    """The share of places of a text at which its next characters have stood before in it, from 0 to 1.

    Args:
        text: at least ``size`` characters.
        size: how many characters are compared, at least 1.

    Raises:
        ValueError: the text is too short, or the size below 1.
    """
    if not 1 <= size <= len(text):
        raise ValueError(f"a size from 1 to the {len(text)} characters was wanted; {size} was given")
    pieces = [text[place : place + size] for place in range(len(text) - size + 1)]
    return 1 - len(set(pieces)) / len(pieces)
