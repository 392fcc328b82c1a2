"""What the catalogue says of a work: the work, which chapter made it, how and from what."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from artbook.data.manifest import corpus
from artbook.gallery.works import Setting, Work


@dataclass(frozen=True)
class Source:
    """Data that a work was made from, as the manifest had them then.

    Attributes:
        name: what the book calls them.
        version: their version at the source.
        sha256: of the file that they came in.
        licence: under which they may be used.
        authors: who made them.
    """

    name: str
    version: str
    sha256: str
    licence: str
    authors: str

    @classmethod
    def of(cls, name: str) -> "Source":
        """The source of that name in the manifest of today.

        Raises:
            ValueError: the manifest has no such entry.
        """
        known = corpus(name)
        return cls(known.name, known.version, known.sha256, known.licence, known.authors)


@dataclass(frozen=True)
class Entry:
    """A work with its origin.

    Attributes:
        work: the work.
        chapter: that made it, for example ``music/composing``.
        settings: of the run that made it: its profile, its seed, the versions that it ran with.
        sources: of the work's data, in their order.
    """

    work: Work
    chapter: str
    settings: Mapping[str, Setting]
    sources: tuple[Source, ...]

    def facts(self) -> dict[str, Any]:
        """All but the content, for JSON, with the name and the size of its file."""
        made = {"chapter": self.chapter, "settings": dict(sorted(self.settings.items()))}
        return self.work.facts() | made | {"sources": [*map(asdict, self.sources)], "bytes": len(self.work.content)}

    @property
    def digest(self) -> str:
        """SHA-256 over facts and content: another work, or the same one made otherwise, has another.

        Raises:
            ValueError: a parameter is not a number or infinite.
        """
        return digest_of(self.facts() | {"content": hashlib.sha256(self.work.content).hexdigest()})

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any], content: bytes) -> "Entry":
        """The entry of which ``facts`` are known.

        Args:
            facts: as ``facts`` gave them.
            content: of the work's file.
        """
        about = {each.name: facts[each.name] for each in fields(Work) if each.name != "content"}
        work = Work(**about | {"content": content, "data": tuple(facts["data"])})
        sources = tuple(Source(**each) for each in facts["sources"])
        return cls(work, facts["chapter"], facts["settings"], sources)


def digest_of(facts: Mapping[str, Any]) -> str:
    """SHA-256 in hexadecimal over facts in their order, written as JSON.

    Raises:
        ValueError: a number among them is not finite.
    """
    return hashlib.sha256(json.dumps(facts, allow_nan=False).encode()).hexdigest()
