"""The poems of the Tang dynasty (618 to 907), after the *Complete Tang Poems* of 1705, in traditional characters."""

import json
import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
# A file for a thousand poems, with the number of the first one behind this.
_FILES = "package/dist/quantangshi/poet.tang."
_END_OF_LINE = re.compile(r"[，。？！；、：]")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")


@dataclass(frozen=True)
class Poem:
    """A poem whose lines have all the same number of characters.

    Attributes:
        author: as the collection names the author; in traditional characters, as all texts here.
        title: of the poem.
        lines: at least one, of Han characters only, without punctuation.
    """

    author: str
    title: str
    lines: tuple[str, ...]


@cache
def load() -> tuple[Poem, ...]:
    """The poems with lines of one length, in the order of the collection.

    Left out are poems with gaps, notes or variants in the text, and those whose lines differ in length.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or a file in it has another form.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("chinese-poetry")
    stored = cached_arrays(f"tang-poems-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    rows = (row.split("\t") for row in stored["text"].tobytes().decode().split("\n"))
    return tuple(Poem(author, title, tuple(lines)) for author, title, *lines in rows)


def lines_of(paragraphs: list[str]) -> tuple[str, ...] | None:
    """The lines of a poem, or None if it is not of Han characters in lines of one length.

    Args:
        paragraphs: its text with punctuation, in any number of parts.
    """
    lines = tuple(line for line in _END_OF_LINE.split("".join(paragraphs)) if line)
    regular = len({len(line) for line in lines}) == 1 and all(map(_HAN.fullmatch, lines))
    return lines if regular else None


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), _FILES)
    try:
        names = sorted(files, key=lambda name: int(name.removeprefix(_FILES).removesuffix(".json")))
        rows = [row for name in names for row in map(_row, json.loads(files[name])) if row]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{source.file}: poems with author, title and paragraphs were wanted; {error!r}") from error
    if not rows:
        raise ValueError(f"{source.file}: poems were wanted; none is in it")
    return {"text": np.frombuffer("\n".join(rows).encode(), dtype=np.uint8)}


def _row(poem: dict) -> str | None:
    lines = lines_of(poem["paragraphs"])
    named = (" ".join(poem[name].split()) for name in ("author", "title"))
    return "\t".join((*named, *lines)) if lines else None
