"""A work that a chapter made, with all that is needed to make it again, and where it is found in a run's outputs."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from artbook.data.manifest import corpus

WORK_MIME = "application/vnd.artbook.work+json"

# The media types of works, and the endings of their files.
ENDINGS: Mapping[str, str] = {
    "image/png": "png",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "video/mp4": "mp4",
    "text/plain": "txt",
    "model/gltf-binary": "glb",
}
MAX_BYTES = 600_000

Setting = str | int | float | bool


@dataclass(frozen=True)
class Work:
    """A work.

    Attributes:
        name: unique in the book, small letters, digits and hyphens; its file is called so.
        title: what people call it.
        alt: what is to be seen, heard or read, in words, at least 20 characters.
        media: its media type, one of ``ENDINGS``.
        content: the bytes of its file.
        data: the corpora that the model learnt from or the work was made of, by their names in the manifest.
        parameters: what it was made with, by name: the seed of the draw, a temperature, a prompt.
        weights: SHA-256 of the model's weights in hexadecimal (``weights_hash``); empty if no Keras model made it.

    Raises:
        ValueError: an attribute is not as above, or the content is empty or above 600 kB.
    """

    name: str
    title: str
    alt: str
    media: str
    content: bytes
    data: tuple[str, ...]
    parameters: Mapping[str, Setting] = field(default_factory=dict)
    weights: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise ValueError(f"a name of small letters, digits and hyphens was wanted; {self.name!r} was given")
        if not self.title.strip() or len(self.alt.strip()) < 20:
            raise ValueError(
                "a title, and a text of at least 20 characters that says what is there, were wanted; "
                f"{self.title!r} and {self.alt!r} were given"
            )
        if self.media not in ENDINGS:
            raise ValueError(f"one of the media types {', '.join(ENDINGS)} was wanted; {self.media!r} was given")
        if not 0 < len(self.content) <= MAX_BYTES:
            raise ValueError(f"{self.name}: 1 to {MAX_BYTES} bytes were wanted; {len(self.content)} were given")
        for source in self.data:
            corpus(source)
        for name, value in self.parameters.items():
            if not isinstance(value, Setting):
                raise ValueError(f"a text or a number was wanted for {name!r}; a {type(value).__name__} was given")

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{ENDINGS[self.media]}"

    def facts(self) -> dict[str, Any]:
        """All but the content, for JSON, with the name of its file."""
        known = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "content"}
        return known | {"data": list(self.data), "parameters": dict(self.parameters), "file": self.file}

    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` reads: its facts, with the content in base 64."""
        return self.facts() | {"content": base64.b64encode(self.content).decode()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Work":
        """The work of which ``to_json`` gave the fields.

        Raises:
            ValueError: the fields are not those of a work.
        """
        try:
            given = {name: value for name, value in stored.items() if name != "file"}
            content = base64.b64decode(given["content"], validate=True)
            return cls(**given | {"content": content, "data": tuple(given["data"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"the fields of a work were wanted; {error!r}") from error


def works_in(outputs: Iterable[Mapping[str, Any]]) -> Iterator[Work]:
    """The works among the outputs of an executed notebook.

    Args:
        outputs: as the notebook format has them.

    Raises:
        ValueError: the fields of one are not those of a work.
    """
    for output in outputs:
        if WORK_MIME in output.get("data", ()):
            yield Work.from_json(output["data"][WORK_MIME])
