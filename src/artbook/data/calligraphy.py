"""Chinese characters in four brush hands, drawn from four fonts: one character, four styles."""

import io
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.store import Arrays, cached_arrays

# From the most regular hand to the most cursive.
HANDS = ("Ma Shan Zheng", "Long Cang", "Zhi Mang Xing", "Liu Jian Mao Cao")

# Raise it when the drawing changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
_HAN = range(0x4E00, 0xA000)
# The widest and the tallest characters measure 1.1 em, so that they fill 0.97 of the picture.
_EM = 0.88
_SUPERSAMPLING = 4


@dataclass(frozen=True)
class Calligraphy:
    """The characters that all four hands have.

    Attributes:
        characters: all of them, in the order of their code points.
        images: uint8 ``(4, n, size, size)``, by hand and character: paper 0, ink 255. In each picture the ink stands
            in the middle; all hands have the same em, so a hand that writes small stays small. Read-only.
    """

    characters: str
    images: npt.NDArray[np.uint8]


@cache
def load(size: int = 32) -> Calligraphy:
    """The 5,717 Chinese characters that the four hands have in common, as pictures.

    Args:
        size: of a picture's side, 8 to 128 pixels.

    Returns:
        The characters and their pictures, by hand in the order of ``HANDS``.

    Raises:
        ValueError: a size out of range; or an archive is not, byte for byte, that of the manifest.
        OSError: an archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or not 8 <= size <= 128:
        raise ValueError(f"a size of 8 to 128 pixels was wanted; {size!r} was given")
    sources = [corpus(hand.lower().replace(" ", "-")) for hand in HANDS]
    digests = "-".join(source.sha256[:8] for source in sources)
    stored = cached_arrays(f"calligraphy-{digests}-{size}-{_READER_VERSION}", lambda: _read(sources, size))
    return Calligraphy("".join(map(chr, stored["code_points"])), stored["images"])


def _read(sources: list[Corpus], size: int) -> Arrays:
    fonts = [_font_file(source) for source in sources]
    code_points = sorted(set(_HAN).intersection(*map(_characters, fonts)))
    images = np.stack([_pictures(font, code_points, size) for font in fonts])
    return {"code_points": np.array(code_points), "images": images}


def _font_file(source: Corpus) -> bytes:
    name = f"package/files/{source.name}-chinese-simplified-400-normal.woff"
    files = contents(fetch(source), name)
    if name not in files:
        raise ValueError(f"{source.file}: the font {name} was wanted; it has none")
    return files[name]


def _characters(font: bytes) -> set[int]:
    """The code points that a font has."""
    try:
        return set(TTFont(io.BytesIO(font), lazy=True).getBestCmap())
    except (TTLibError, AssertionError, LookupError) as error:
        raise ValueError(f"a font with a table of characters was wanted; {error!r}") from error


def _pictures(font: bytes, code_points: list[int], size: int) -> npt.NDArray[np.uint8]:
    side = size * _SUPERSAMPLING
    drawn = ImageFont.truetype(io.BytesIO(font), round(side * _EM), layout_engine=ImageFont.Layout.BASIC)
    return np.stack([_picture(chr(code_point), drawn, side) for code_point in code_points])


def _picture(character: str, font: ImageFont.FreeTypeFont, side: int) -> npt.NDArray[np.uint8]:
    # Drawn on a wide sheet, cut out to its ink, put in the middle.
    sheet = Image.new("L", (2 * side, 2 * side), 0)
    ImageDraw.Draw(sheet).text((side, side), character, fill=255, font=font, anchor="mm")
    box = sheet.getbbox()
    if box is None:
        raise ValueError(f"a character with ink was wanted; {character!r} has none")
    ink = sheet.crop(box)
    picture = Image.new("L", (side, side), 0)
    picture.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
    return np.asarray(picture.reduce(_SUPERSAMPLING))
