"""The quiz questions of all chapters, collected for the chapter ``art-education``.

``python -m artbook.press.quiz`` in the folder of the repository writes them again into the package, where
``artbook.teaching.quiz`` reads them: in Colab a chapter has the package, and not the other chapters.
"""

import json
import re
from pathlib import Path

from nbformat import NotebookNode

from artbook.data.store import write_atomically
from artbook.press import notebooks
from artbook.press.book import Book
from artbook.teaching.quiz import FILE, Question

_QUESTION = re.compile(r"^\*\*\d+\. (.+?\?)\*\*$", re.MULTILINE)
_ANSWER = re.compile(r"^:::\{dropdown\} (.+)\n(Right|No)\b", re.MULTILINE)


def questions(chapter: str, notebook: NotebookNode) -> list[Question]:
    """The quiz questions of a chapter, with their answers, in order.

    Args:
        chapter: its name, for example ``music/first-model``.
        notebook: the chapter.

    Raises:
        ValueError: a question has not exactly one right answer.
    """
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    quiz = text.partition("\n## Quiz\n")[2].partition("\n## ")[0]
    _, *parts = _QUESTION.split(quiz)
    found = []
    for question, below in zip(parts[::2], parts[1::2], strict=True):
        answers = _ANSWER.findall(below)
        right = [number for number, (_, verdict) in enumerate(answers) if verdict == "Right"]
        if len(right) != 1:
            raise ValueError(f"{chapter}: one right answer was wanted; {len(right)} are there for {question!r}")
        found.append(Question(chapter, question, tuple(answer for answer, _ in answers), right[0]))
    return found


def collect(book: Book) -> list[Question]:
    """The quiz questions of all chapters of a book, in the book's order."""
    return [each for chapter in book.chapters for each in questions(chapter, notebooks.read(book.notebook(chapter)))]


def as_text(found: list[Question]) -> str:
    """Questions as the file in the package has them."""
    return json.dumps([each._asdict() for each in found], ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    write_atomically(FILE, as_text(collect(Book(Path.cwd()))).encode())
