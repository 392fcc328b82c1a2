"""A headline result: what a chapter stands for, the bound that it claims, and what it is held against."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HEADLINE_MIME = "application/vnd.artbook.headline+json"


@dataclass(frozen=True)
class Published:
    """A published value beside which a headline stands.

    Attributes:
        value: as printed, in the headline's unit.
        citation: its key in ``references.bib``.
        note: what differs in protocol, if anything does.
    """

    value: float
    citation: str
    note: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"the published value of {self.citation!r} is {self.value}, a finite number was wanted")


@dataclass(frozen=True)
class Headline:
    """A result that a chapter stands for, with the bound that it claims.

    Attributes:
        name: unique in the book, for example ``first-model-nll``.
        title: what was measured, in words.
        value: the measured value.
        unit: its unit, for example ``nats per frame``.
        better: whether ``lower`` or ``higher`` values are better.
        bound: the claim: the value is at least as good as this in the ``cpu`` profile.
        baselines: measured values of simpler methods, by name.
        published: published values, by the name of the model.
    """

    name: str
    title: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    bound: float
    baselines: Mapping[str, float] = field(default_factory=dict)
    published: Mapping[str, Published] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.better not in ("lower", "higher"):
            raise ValueError(f"better is 'lower' or 'higher'; {self.better!r} was given")
        for what, value in {"value": self.value, "bound": self.bound, **self.baselines}.items():
            if not math.isfinite(value):
                raise ValueError(f"headline {self.name!r}: {what} is {value}, a finite number was wanted")

    @property
    def holds(self) -> bool:
        """Whether the measured value keeps the bound."""
        return self.value <= self.bound if self.better == "lower" else self.value >= self.bound

    @property
    def claim(self) -> str:
        """The bound in signs, for example ``≤ 8.7``."""
        return f"{'≤' if self.better == 'lower' else '≥'} {self.bound:g}"
