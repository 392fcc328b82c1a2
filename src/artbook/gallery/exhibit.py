"""How a chapter hands a work to the gallery."""

import hashlib
import io
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from IPython.core.formatters import format_display_data
from IPython.display import Markdown, display
from PIL.Image import Image

from artbook.gallery.works import WORK_MIME, Setting, Work
from artbook.show import Clip, Model, Player


def exhibit(
    name: str,
    work: Image | Player | Clip | Model | str,
    *,
    title: str,
    alt: str,
    data: Sequence[str],
    parameters: Mapping[str, Setting] | None = None,
    model: keras.Model | None = None,
) -> None:
    """Hand a work to the gallery: the page shows a line that says so, and the run keeps the work.

    Args:
        name: unique in the book, small letters, digits and hyphens.
        work: a picture, a sound, a film, a 3D model or a text.
        title: what people call it.
        alt: what is to be seen, heard or read, in words, at least 20 characters.
        data: the corpora that the model learnt from or the work was made of, by their names in the manifest.
        parameters: what it was made with, by name.
        model: what made it, with the weights that it had then.

    Raises:
        ValueError: an argument is not as above, or the work is above 600 kB.
    """
    media, content = _encoded(work)
    weights = weights_hash(model) if model is not None else ""
    kept = Work(name, title, alt, media, content, tuple(data), dict(parameters or {}), weights)
    bundle, metadata = format_display_data(Markdown(f"For the gallery: *{title}*."))
    display(bundle | {WORK_MIME: kept.to_json()}, raw=True, metadata=metadata)


def _encoded(work: Image | Player | Clip | Model | str) -> tuple[str, bytes]:
    match work:
        case Image():
            content = io.BytesIO()
            work.save(content, "PNG", optimize=True)
            return "image/png", content.getvalue()
        case Player():
            return "audio/ogg", work.ogg
        case Clip():
            return "video/mp4", work.mp4
        case Model():
            return "model/gltf-binary", work.glb
        case str():
            return "text/plain", work.encode()
    given = type(work).__name__
    raise ValueError(f"a picture, a sound, a film, a 3D model or a text was wanted as work; a {given} was given")


def weights_hash(model: keras.Model) -> str:
    """SHA-256 over a model's weights, in hexadecimal: equal for models that compute the same.

    Args:
        model: built.

    Returns:
        The digest over shape and values of each weight, as float32 or whole numbers, in the model's order.
    """
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight))
        digest.update(f"{value.dtype} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
