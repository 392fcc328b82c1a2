"""The book's own quiz questions, as its chapters ask them."""

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("quiz.json")


class Question(NamedTuple):
    """A question of a quiz.

    Attributes:
        chapter: that asks it, for example ``music/first-model``.
        text: of the question, in Markdown.
        answers: among which the reader chooses, three or four.
        right: the place of the right one, from 0.
    """

    chapter: str
    text: str
    answers: tuple[str, ...]
    right: int


@cache
def load() -> tuple[Question, ...]:
    """The questions in the book's order, as ``artbook.press.quiz`` collected them; five a chapter."""
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Question(**each | {"answers": tuple(each["answers"])}) for each in stored)
