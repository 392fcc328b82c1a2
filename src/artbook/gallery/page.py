"""The gallery as a page: one figure a work, with how it was made."""

import base64
import html
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from artbook import still, video
from artbook.gallery.entries import Entry
from artbook.gallery.works import Work


def figure(entry: Entry, folder: str, chapter: str) -> str:
    """A work in the page, with its title, its chapter and, folded, how it was made.

    Args:
        entry: the work with its origin.
        folder: where its file is, an address as seen from the page, with a slash at the end.
        chapter: a link to the chapter that made it, as HTML.

    Returns:
        HTML; pictures and films are loaded when they come into sight or are played.
    """
    work = entry.work
    seed = entry.settings["seed"]
    # A work's own seed is told where it is another one.
    told = {name: value for name, value in work.parameters.items() if (name, value) != ("seed", seed)}
    rows = [("Seed of the run", str(seed))]
    rows += [(html.escape(name), html.escape(str(value))) for name, value in told.items()]
    if work.weights:
        rows.append(("Weights (SHA\N{NON-BREAKING HYPHEN}256)", f"<code>{work.weights}</code>"))
    rows += [
        ("Made from", html.escape(f"{source.name} {source.version}, {source.authors}; {source.licence}"))
        for source in entry.sources
    ]
    made = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        f'<figure class="work" id="work-{work.name}">{_shown(work, folder + work.file)}'
        f"<figcaption><em>{html.escape(work.title)}</em>, from the chapter {chapter}</figcaption>"
        f'<p><a download href="{folder}{work.file}">Download {work.file} ({_size(len(work.content))})</a></p>'
        f"<details><summary>How it was made</summary><dl>{made}</dl></details></figure>"
    )


def _size(count: int) -> str:
    return f"{count / 1000:.0f} kB" if count >= 1000 else f"{count} bytes"


def _shown(work: Work, address: str) -> str:
    alt = html.escape(work.alt, quote=True)
    match work.media.partition("/")[0]:
        case "image":
            # The browser keeps the place free until the picture is there.
            width, height = Image.open(io.BytesIO(work.content)).size
            return f'<img src="{address}" alt="{alt}" width="{width}" height="{height}" loading="lazy">'
        case "audio":
            # In the page: how long an Ogg file lasts stands at its end, which not every server gives first.
            return f'<audio controls src="{_inline(work.media, work.content)}" aria-label="{alt}"></audio>'
        case "video":
            # What a film ends with: drawings are whole then.
            poster = _picture(video.decode(work.content).frames[-1], "png", optimize=True)
            return (
                f'<video controls preload="metadata" playsinline poster="{poster}"'
                f' src="{address}" aria-label="{alt}"></video>'
            )
        case "model":
            # What is in the file, seen obliquely from above, until it is turned.
            seen = _picture(still.drawn(work.content), "jpeg", quality=85)
            return (
                f'<div class="model"><img src="{seen}" alt="{alt}" loading="lazy">'
                '<p><button type="button" hidden>Turn the model</button></p></div>'
            )
    return f'<pre class="text" aria-label="{alt}">{html.escape(work.content.decode())}</pre>'


def _picture(pixels: npt.NDArray[np.uint8], kind: str, **settings: Any) -> str:
    """An address that holds a picture, as Pillow writes it in the format ``kind``."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **settings)
    return _inline(f"image/{kind}", file.getvalue())


def _inline(media: str, content: bytes) -> str:
    """An address that holds a file."""
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


def wall(figures: Iterable[str]) -> str:
    """The works of a chapter beside one another, as many in a row as the page has room for."""
    return f'<div class="works">{"".join(figures)}</div>'
