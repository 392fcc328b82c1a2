"""What is too long for the book's own build: each study is a module here, beside the figures that it left.

A chapter reads the figures with ``read("NAME")`` and runs one cell, ``NAME.CASES[case](seed)``, to see
that it agrees. ``artbook study NAME`` makes them again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

Figures = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One case of a study with one seed.

    Attributes:
        case: the case's name.
        seed: its seed.
        cpu_seconds: processor time of its process, in seconds, imports included.
        figures: what it measured.
    """

    case: str
    seed: int
    cpu_seconds: float
    figures: Figures


@dataclass(frozen=True)
class Study:
    """The figures of a study, and what is known of how they came about.

    Attributes:
        study: its name.
        command: what makes it again.
        date: when its last cell ended, ISO 8601 in UTC, for example ``2026-11-28``.
        commit: of the checkout that it was made in; ``-dirty`` if files had been changed since.
        versions: of Python and the main packages, by name.
        backend: what Keras ran on.
        cpu_seconds: of all cells, in seconds.
        code: a digest of each module that it imports, by name (see ``artbook.press.studies``).
        cells: every case with every seed.
    """

    study: str
    command: str
    date: str
    commit: str
    versions: dict[str, str]
    backend: str
    cpu_seconds: float
    code: dict[str, str]
    cells: tuple[Cell, ...]

    def figures(self, case: str) -> list[Figures]:
        """What a case measured, once for each seed, in the seeds' order.

        Raises:
            ValueError: the study has no such case.
        """
        found = [cell.figures for cell in self.cells if cell.case == case]
        if not found:
            cases = ", ".join(dict.fromkeys(cell.case for cell in self.cells))
            raise ValueError(f"{case!r} is no case of the study {self.study!r}; there are {cases}")
        return found


def read(name: str, folder: Path = FOLDER) -> Study:
    """The figures that a study left.

    Args:
        name: the study, a literal text: a chapter is run again when the study of a name in its code changes.
        folder: where the studies are kept.

    Raises:
        ValueError: no figures of such a study are kept.
    """
    kept = sorted(path.stem for path in folder.glob("*.json"))
    if name not in kept:
        raise ValueError(f"no figures of a study {name!r} are kept; there are {', '.join(kept) or 'none'}")
    fields = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Study(**fields | {"cells": tuple(Cell(**cell) for cell in fields["cells"])})
