"""The works that chapters hand over: what they carry, what is refused, and the page that shows them."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from nbformat.v4 import new_output
from PIL import Image

from artbook import video
from artbook.gallery import exhibit as exhibiting
from artbook.gallery.entries import Entry, Source
from artbook.gallery.exhibit import exhibit, weights_hash
from artbook.gallery.page import figure, wall
from artbook.gallery.works import ENDINGS, Work, works_in
from artbook.show import audio, clip

ALT = "A square in two greys, the darker one to the left."
LINE = "床前明月光"
MOON = Work("moon", "The <Moon>", ALT, "text/plain", LINE.encode(), ("kanjivg",), {"temperature": 0.8}, "ab" * 32)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bundles by media type that the code under test displays."""
    caught: list[dict[str, Any]] = []
    monkeypatch.setattr(exhibiting, "display", lambda data, raw, metadata: caught.append(data))
    return caught


def found(bundles: list[dict[str, Any]]) -> list[Work]:
    return [*works_in(new_output("display_data", data=json.loads(json.dumps(each))) for each in bundles)]


def test_a_picture_a_sound_a_text_and_a_film_come_out_as_they_went_in(shown: list[dict[str, Any]]) -> None:
    grey = np.array([[40, 200]], dtype=np.uint8)
    player = audio(np.zeros(2205), 22050, "silence")
    exhibit("square", Image.fromarray(grey), title="Square", alt=ALT, data=["kanjivg"])
    exhibit("silence", player, title="Silence", alt=ALT, data=[], parameters={"seed": 3})
    exhibit("moon-poem", LINE, title="Moon", alt=ALT, data=["kanjivg"])
    film = clip(np.zeros((4, 16, 16), np.uint8), 4, "nothing moves")
    exhibit("still-film", film, title="Still", alt=ALT, data=[])
    square, silence, poem, still = found(shown)
    assert (still.content, still.file) == (film.mp4, "still-film.mp4")
    assert (np.asarray(Image.open(io.BytesIO(square.content))) == grey).all()
    assert (square.file, square.data, square.weights) == ("square.png", ("kanjivg",), "")
    assert (silence.content, silence.file, silence.parameters) == (player.ogg, "silence.ogg", {"seed": 3})
    assert poem.content.decode() == LINE
    assert poem.file == "moon-poem.txt"
    assert "*Moon*" in shown[2]["text/markdown"]


def test_other_outputs_are_no_works() -> None:
    assert list(works_in([new_output("stream", text="a"), new_output("display_data", data={"text/plain": "b"})])) == []


def test_a_work_survives_json() -> None:
    assert Work.from_json(json.loads(json.dumps(MOON.to_json()))) == MOON
    assert "content" not in MOON.facts()
    assert MOON.facts()["file"] == "moon.txt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Moon 1"}, "'Moon 1' was given"),
        ({"name": "../moon"}, "'../moon' was given"),
        ({"title": " "}, "a title"),
        ({"alt": "a moon"}, "at least 20 characters"),
        ({"media": "image/gif"}, "'image/gif' was given"),
        ({"content": b""}, "0 were given"),
        ({"content": bytes(600_001)}, "600001 were given"),
        ({"data": ("atlantis",)}, "no 'atlantis'"),
        ({"parameters": {"prompt": ["a"]}}, "a list was given"),
    ],
)
def test_a_work_that_lacks_something_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MOON, **change)


def test_what_is_no_work_is_refused() -> None:
    with pytest.raises(ValueError, match="a ndarray was given"):
        exhibit("array", np.zeros(3), title="Array", alt=ALT, data=[])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the fields of a work were wanted"):
        Work.from_json({"name": "moon"})
    with pytest.raises(ValueError, match="the fields of a work were wanted"):
        Work.from_json(MOON.to_json() | {"smell": "sweet"})


def test_the_hash_is_that_of_the_weights() -> None:
    one, two = (keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]) for _ in range(2))
    kernel, bias = np.float32([[1], [2]]), np.float32([3])
    one.set_weights([kernel, bias])
    two.set_weights([kernel, bias])
    known = b"float32 (2, 1)\n" + kernel.tobytes() + b"float32 (1,)\n" + bias.tobytes()
    assert weights_hash(one) == weights_hash(two) == hashlib.sha256(known).hexdigest()
    two.set_weights([kernel, bias + 1])
    assert weights_hash(one) != weights_hash(two)


def test_an_entry_survives_json_and_its_digest_is_of_all_that_is_known() -> None:
    entry = Entry(MOON, "words/moon", {"profile": "cpu", "seed": 7}, (Source.of("kanjivg"),))
    read = Entry.from_facts(json.loads(json.dumps(entry.facts())), MOON.content)
    assert read == entry
    assert read.digest == entry.digest
    assert replace(entry, settings={"seed": 7, "profile": "cpu"}).digest == entry.digest
    others = [
        replace(entry, work=replace(MOON, content=b"A dark moon")),
        replace(entry, work=replace(MOON, weights="cd" * 32)),
        replace(entry, work=replace(MOON, parameters={"temperature": 0.9})),
        replace(entry, chapter="words/sun"),
        replace(entry, settings={"profile": "cpu", "seed": 8}),
        replace(entry, sources=(replace(entry.sources[0], licence="CC0"),)),
    ]
    assert len({entry.digest, *(other.digest for other in others)}) == 7


def test_the_page_shows_each_kind_and_escapes_what_was_written() -> None:
    entry = Entry(MOON, "words/moon", {"profile": "cpu", "seed": 7}, (Source.of("kanjivg"),))
    text = figure(entry, "works/", '<a href="x.html">x</a>')
    for part in (
        "The &lt;Moon&gt;",
        "床前明月光",
        "<dd>0.8</dd>",
        "ab" * 32,
        "<dd>7</dd>",
        "CC BY-SA 3.0",
        '<a href="x',
    ):
        assert part in text
    picture = io.BytesIO()
    Image.new("L", (30, 20)).save(picture, "png")
    film = video.encode(np.full((2, 32, 32), 200, np.uint8), 1)
    contents = {"image/png": picture.getvalue(), "audio/ogg": MOON.content, "video/mp4": film}
    for (media, content), tag in zip(contents.items(), ("<img ", "<audio ", "<video "), strict=True):
        shown = figure(replace(entry, work=replace(MOON, media=media, content=content)), "works/", "x")
        assert tag in shown
        source = "data:audio/ogg;base64," if media == "audio/ogg" else f'works/moon.{ENDINGS[media]}"'
        assert f'src="{source}' in shown
        assert f'"{ALT}"' in shown
        assert "autoplay" not in shown
        assert ('width="30" height="20"' in shown) == (media == "image/png")
    poster = figure(replace(entry, work=replace(MOON, media="video/mp4", content=film)), "works/", "x")
    still = re.search(r'poster="data:image/png;base64,([^"]+)"', poster)
    assert still and Image.open(io.BytesIO(base64.b64decode(still[1]))).size == (32, 32)
    assert wall(["a", "b"]) == '<div class="works">ab</div>'
