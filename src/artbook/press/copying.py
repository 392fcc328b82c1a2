"""What each generative chapter measured of copying: the list ``book/copying.yml``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import yaml


@dataclass(frozen=True)
class Measured:
    """One measure of copying.

    Attributes:
        chapter: that makes the works, for example ``words/poems``.
        makes: what it makes.
        measure: what was measured, in words, with its unit.
        ours: the name under which the number for the model's works is glued.
        real: the name of the number for real works that were held out, or the number that such works have by the
            choice of the threshold.
        judged: the chapter that measured and glued; ``chapter`` itself if left out.
        times: what glued numbers are multiplied by; 100 for shares, which the table shows in per cent.
    """

    chapter: str
    makes: str
    measure: str
    ours: str
    real: str | float
    judged: str = ""
    times: float = 1

    @property
    def judge(self) -> str:
        """The chapter that measured."""
        return self.judged or self.chapter


def read(path: Path) -> tuple[Measured, ...]:
    """Read the list, in the order of the book.

    Args:
        path: ``book/copying.yml``.

    Raises:
        ValueError: the file has another form; the entry in question is shown.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, list):
        raise ValueError(f"{path.name}: a list of measures was wanted, {type(content).__name__} was given")
    return tuple(_measured(entry) for entry in content)


def _measured(entry: object) -> Measured:
    known = {each.name for each in fields(Measured)}
    if not isinstance(entry, Mapping) or not known - {"judged", "times"} <= set(entry) <= known:
        raise ValueError(
            f"a measure has {', '.join(sorted(known))}, of which judged and times may be left out; {entry!r}"
        )
    return Measured(**entry)


def rows(found: tuple[Measured, ...], number: Callable[[str, str], float | None]) -> list[tuple[str, ...]]:
    """The rows of the table, MyST text.

    Args:
        found: the measures.
        number: the number that a chapter glued under a name, or None if the chapter has not been run.
    """
    shown: list[tuple[str, ...]] = []
    for each in found:
        ours = _shown(number(each.judge, each.ours), each.times)
        if isinstance(each.real, str):
            real = _shown(number(each.judge, each.real), each.times)
        else:
            real = f"{each.real:.3g} (expected)"
        shown.append((f"{{doc}}`/{each.chapter}`", f"{each.makes}: {each.measure}", ours, real))
    return shown


def _shown(value: float | None, times: float) -> str:
    return "not run" if value is None else f"{times * value:.3g}"
