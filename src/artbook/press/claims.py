"""The claims of the two articles: what each says, whether it holds, and where the book shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml


class Verdict(StrEnum):
    """What became of a claim."""

    TRUE = "true"
    CORRECTED = "corrected"
    UNSUPPORTED = "unsupported"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class Claim:
    """One claim of an article.

    Attributes:
        article: ``first`` or ``second``.
        section: its number in the article, or ``Summary`` or ``End``.
        text: the claim in our words.
        verdict: whether it holds.
        page: the page of this book that shows it, for example ``mathematics/backpropagation``.
        anchor: the place on that page.
    """

    article: str
    section: str
    text: str
    verdict: Verdict
    page: str
    anchor: str


def read(path: Path) -> tuple[Claim, ...]:
    """Read the claims, in the order of the articles.

    Args:
        path: ``book/claims.yml``.

    Raises:
        ValueError: the file has another form; the claim in question is named.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, Mapping):
        raise ValueError(f"{path.name}: claims by article and section were wanted, {type(content).__name__} was given")
    return tuple(
        _claim(article, section, fields)
        for article, sections in content.items()
        for section, claims in sections.items()
        for fields in claims
    )


def _claim(article: str, section: str, fields: Mapping[str, str]) -> Claim:
    where = f"the {article} article, section {section}"
    if set(fields) != {"claim", "verdict", "shown"}:
        raise ValueError(f"{where}: a claim has claim, verdict and shown; given were {', '.join(map(str, fields))}")
    page, _, anchor = fields["shown"].partition("#")
    if not page or not anchor:
        raise ValueError(f"{where}: 'shown' is a page and an anchor, PAGE#ANCHOR; {fields['shown']!r} was given")
    if fields["verdict"] not in list(Verdict):
        # YAML reads an unquoted true as a truth value.
        raise ValueError(f"{where}: a verdict is one of {', '.join(Verdict)}, quoted; {fields['verdict']!r} was given")
    return Claim(article, section, fields["claim"], Verdict(fields["verdict"]), page, anchor)
