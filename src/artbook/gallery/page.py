"""The gallery as a page: one figure a work, with how it was made."""

import base64
import html
import io
from collections.abc import Iterable

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
    rows = [("Seed of the run", str(entry.settings["seed"]))]
    rows += [(html.escape(name), html.escape(str(value))) for name, value in work.parameters.items()]
    if work.weights:
        rows.append(("Weights (SHA\N{NON-BREAKING HYPHEN}256)", f"<code>{work.weights}</code>"))
    rows += [
        ("Learnt from", html.escape(f"{source.name} {source.version}, {source.authors}; {source.licence}"))
        for source in entry.sources
    ]
    made = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        f'<figure class="work" id="work-{work.name}">{_shown(work, folder + work.file)}'
        f"<figcaption><em>{html.escape(work.title)}</em>, from {chapter}</figcaption>"
        f'<p><a download href="{folder}{work.file}">Download {work.file} ({_size(len(work.content))})</a></p>'
        f"<details><summary>How it was made</summary><dl>{made}</dl></details></figure>"
    )


def _size(count: int) -> str:
    return f"{count / 1000:.0f} kB" if count >= 1000 else f"{count} bytes"


def _shown(work: Work, address: str) -> str:
    alt = html.escape(work.alt, quote=True)
    match work.media.partition("/")[0]:
        case "image":
            return f'<img src="{address}" alt="{alt}" loading="lazy">'
        case "audio":
            # In the page: how long an Ogg file lasts stands at its end, which not every server gives first.
            sound = f"data:{work.media};base64,{base64.b64encode(work.content).decode()}"
            return f'<audio controls src="{sound}" aria-label="{alt}"></audio>'
        case "video":
            poster = base64.b64encode(_last_frame(work.content)).decode()
            return (
                f'<video controls preload="metadata" playsinline poster="data:image/png;base64,{poster}"'
                f' src="{address}" aria-label="{alt}"></video>'
            )
        case "model":
            # What is in the file, seen obliquely from above, until it is turned.
            seen = base64.b64encode(_still(work.content)).decode()
            return (
                f'<div class="model"><img src="data:image/jpeg;base64,{seen}" alt="{alt}" loading="lazy">'
                '<p><button type="button" hidden>Turn the model</button></p></div>'
            )
    return f'<pre class="text" aria-label="{alt}">{html.escape(work.content.decode())}</pre>'


def _still(model: bytes) -> bytes:
    """A picture of a 3D model, a JPEG file."""
    picture = io.BytesIO()
    Image.fromarray(still.drawn(model)).save(picture, "JPEG", quality=85)
    return picture.getvalue()


def _last_frame(film: bytes) -> bytes:
    """What a film ends with, a PNG file: drawings are whole then."""
    frame = io.BytesIO()
    Image.fromarray(video.decode(film).frames[-1]).save(frame, "PNG", optimize=True)
    return frame.getvalue()


def wall(figures: Iterable[str]) -> str:
    """The works of a chapter beside one another, as many in a row as the page has room for."""
    return f'<div class="works">{"".join(figures)}</div>'
