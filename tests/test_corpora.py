"""The corpora of pictures, characters and prose: what the real data are, and what is refused."""

import dataclasses
import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from artbook.data import calligraphy, kanji, photographs, prose
from artbook.data.manifest import corpus
from artbook.data.store import cached_arrays


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path))
    loaders = (prose.moby_dick, photographs.load, calligraphy.load, kanji.load)
    for loader in loaders:
        loader.cache_clear()
    yield tmp_path
    for loader in loaders:
        loader.cache_clear()


@pytest.fixture
def deliver(empty_cache, tmp_path, monkeypatch):
    """Put an archive of our own in the place of a corpus's file: its manifest entry names the archive's digest."""

    def put(module, files, *, cut=None):
        content = archive(files)[:cut]

        def entry(name):
            digest = hashlib.sha256(content).hexdigest()
            path = tmp_path / "fetched" / digest[:16] / f"{name}.tgz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            return dataclasses.replace(corpus(name), file=path.name, sha256=digest, size=len(content))

        monkeypatch.setattr(module, "corpus", entry)

    return put


def archive(files):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as opened:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            opened.addfile(info, io.BytesIO(body))
    return content.getvalue()


# The cache of arrays


def test_arrays_are_made_once_and_cannot_be_written(empty_cache):
    made = []

    def make():
        made.append(1)
        return {"four": np.arange(4), "names": np.array(["C", "D"])}

    first, second = cached_arrays("some", make), cached_arrays("some", make)
    assert made == [1] and [path.name for path in empty_cache.iterdir()] == ["some.npz"]
    for arrays in (first, second):
        assert arrays["four"].tolist() == [0, 1, 2, 3] and arrays["names"].tolist() == ["C", "D"]
        with pytest.raises(ValueError, match="read-only"):
            arrays["four"][0] = 1


@pytest.mark.parametrize("damage", [lambda whole: whole[:60], lambda whole: b"", lambda whole: whole[:-9] + bytes(9)])
def test_damaged_arrays_are_made_again(empty_cache, damage):
    def make():
        return {"many": np.arange(1000)}

    cached_arrays("some", make)
    path = empty_cache / "some.npz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert cached_arrays("some", make)["many"].tolist() == list(range(1000))
    assert path.read_bytes() == whole


def test_what_cannot_be_made_is_not_kept(empty_cache):
    def refuse():
        raise ValueError("no such source")

    with pytest.raises(ValueError, match="no such source"):
        cached_arrays("some", refuse)
    assert not list(empty_cache.iterdir())


def test_pickled_objects_are_never_read(empty_cache):
    np.savez(empty_cache / "some.npz", objects=np.array([{}], dtype=object))
    assert cached_arrays("some", lambda: {"fine": np.zeros(1)}).keys() == {"fine"}


# Prose


def test_moby_dick_is_whole_and_clean():
    book = prose.moby_dick()
    assert len(book) == 136
    assert book[0].startswith("Call me Ishmael. Some years ago—never mind how long precisely—having little")
    assert book[-1].endswith("only found another orphan.")
    assert 1_180_000 < sum(map(len, book)) < 1_190_000
    whole = "".join(book)
    assert len(set(whole)) < 85
    assert "  " not in whole and "\n\n\n" not in whole and "\r" not in whole and " \n" not in whole
    assert all(text == text.strip() and len(text) > 200 for text in book)
    assert book[-1].startswith("The drama's done.")
    assert not any(text.startswith("CHAPTER") for text in book)


def test_a_book_without_a_chapter_is_refused(deliver):
    chapter = json.dumps({"text": "Call me  Ishmael.\n\n\n\nSome years \n ago"}).encode()
    names = [f"package/moby-dick/data/{name}" for name in prose._CHAPTERS]
    deliver(prose, dict.fromkeys(names, chapter))
    assert set(prose.moby_dick()) == {"Call me Ishmael.\n\nSome years\nago"}
    for broken in ({}, dict.fromkeys(names, b"{}"), dict.fromkeys(names, b"[1]"), dict.fromkeys(names[1:], chapter)):
        deliver(prose, broken)
        prose.moby_dick.cache_clear()
        with pytest.raises(ValueError, match="136 chapters"):
            prose.moby_dick()


# Photographs


def test_the_photographs_are_the_ones_that_are_named():
    works = photographs.load()
    assert len(works) == 9 and "nagasaki-boats" in works
    for name, work in works.items():
        assert work.name == name and work.title and work.author and work.year
        assert work.pixels.dtype == np.uint8 and work.pixels.ndim == 3 and work.pixels.shape[2] == 3
        assert max(work.pixels.shape) == 1024
        assert work.pixels.std() > 20
        with pytest.raises(ValueError, match="read-only"):
            work.pixels[0, 0, 0] = 0


def test_grey_is_what_pillow_calls_grey():
    work = photographs.load()["nagasaki-boats"]
    reference = np.asarray(Image.fromarray(work.pixels).convert("L"), dtype=int)
    assert work.grey.dtype == np.uint8
    assert np.abs(work.grey - reference).max() <= 1


def test_the_cat_stays_in_its_frame():
    film = photographs.muybridge_cat()
    assert film.shape == (24, 106, 156) and film.dtype == np.uint8
    # A print is bright, the mount between the rows is dark: no frame shows any of it.
    assert film.mean(axis=2).min() > 75
    # The cat's body is dark, in the middle of each frame; its corners are paper.
    assert (film[:, 40:70, 55:105].mean(axis=(1, 2)) < film[:, :20, 110:].mean(axis=(1, 2)) - 25).all()
    # Each phase resembles the next one more than it does the others.
    frames = film.reshape(24, -1).astype(float)
    alike = np.corrcoef(frames)
    neighbours = np.diagonal(alike, 1).mean()
    assert neighbours > alike[np.triu_indices(24, 2)].mean() + 0.05


def test_a_photograph_that_is_missing_or_damaged_is_refused(deliver):
    picture = io.BytesIO()
    Image.new("RGB", (60, 40), "white").save(picture, "JPEG")
    names = [f"package/img-{name}/data/image.jpg" for name, *_ in photographs._WORKS]
    for broken in ({}, dict.fromkeys(names, b"no picture"), dict.fromkeys(names, picture.getvalue()[:300])):
        deliver(photographs, broken)
        with pytest.raises(ValueError, match="'acanthus-mollis' was wanted"):
            photographs.load()


# Calligraphy


def test_four_hands_write_the_same_characters():
    written = calligraphy.load()
    assert len(written.characters) == len(set(written.characters)) == 5717
    assert written.characters == "".join(sorted(written.characters))
    assert written.images.shape == (4, 5717, 32, 32) and written.images.dtype == np.uint8
    ink = written.images.mean(axis=(2, 3))
    assert (ink > 2).all() and (ink < 128).all()
    assert (written.images.max(axis=(2, 3)) > 100).all()
    with pytest.raises(ValueError, match="read-only"):
        written.images[0, 0, 0, 0] = 1


def test_ink_stands_in_the_middle_and_is_never_cut():
    images = calligraphy.load().images.reshape(-1, 32, 32)
    for axis in (1, 2):
        inked = images.max(axis=axis) > 0
        first, last = inked.argmax(axis=1), 31 - inked[:, ::-1].argmax(axis=1)
        assert np.abs(first - (31 - last)).max() <= 1
        assert last.max() <= 31 and (last - first + 1).max() <= 32
    # A glyph that did not fit would be cut to a full row of ink at the edge.
    assert images[:, 0].mean() < 1


def test_the_hands_differ_and_a_character_is_itself():
    written = calligraphy.load()
    one = written.images[:, written.characters.index("一")].astype(float)
    # One horizontal stroke: broader than tall in every hand.
    assert all((picture.max(axis=0) > 99).sum() > 2 * (picture.max(axis=1) > 99).sum() for picture in one)
    assert len({picture.tobytes() for picture in one}) == 4


@pytest.mark.parametrize("size", [7, 129, 32.5, "32", True, None])
def test_other_sizes_of_calligraphy_are_refused(size):
    with pytest.raises(ValueError, match="a size of 8 to 128 pixels"):
        calligraphy.load(size)


def test_fonts_that_are_missing_or_damaged_are_refused(deliver):
    deliver(calligraphy, {"package/LICENSE": b"OFL"})
    with pytest.raises(ValueError, match=r"the font .* was wanted"):
        calligraphy.load(8)
    names = [hand.lower().replace(" ", "-") for hand in calligraphy.HANDS]
    files = [f"package/files/{name}-chinese-simplified-400-normal.woff" for name in names]
    for content in (b"no font", b"wOFF" + bytes(100)):
        deliver(calligraphy, dict.fromkeys(files, content))
        with pytest.raises(ValueError, match="a font with a table of characters"):
            calligraphy.load(8)


def test_a_character_without_ink_is_refused():
    font = ImageFont.load_default(size=24)
    with pytest.raises(ValueError, match="a character with ink was wanted"):
        calligraphy._picture(" ", font, 32)
    assert calligraphy._picture("A", font, 32).max() > 0


# Characters as strokes


def test_kanji_have_their_strokes():
    characters = kanji.load()
    assert len(characters) == 6703
    counts = {"一": 1, "永": 5, "水": 4, "口": 3, "書": 10, "鬱": 29, "あ": 3}
    assert {character: len(characters[character]) for character in counts} == counts
    strokes = [stroke for drawing in characters.values() for stroke in drawing]
    points = np.concatenate(strokes)
    assert points.dtype == np.float32 and points.shape[1] == 2 and min(map(len, strokes)) >= 2
    assert np.isfinite(points).all()
    assert points.min() > -5 and points.max() < kanji.BOX + 5
    assert ((points >= 0) & (points <= kanji.BOX)).mean() > 0.9999
    with pytest.raises(ValueError, match="read-only"):
        characters["一"][0][0] = 0


def test_kanji_are_written_from_the_top_left():
    characters = kanji.load()
    (horizontal,) = characters["一"]
    assert horizontal[-1, 0] - horizontal[0, 0] > 60
    first, second, third = characters["三"]
    assert first[:, 1].mean() < second[:, 1].mean() < third[:, 1].mean()


def test_a_drawing_grows_with_its_strokes():
    strokes = kanji.load()["永"]
    shares = np.linspace(0, len(strokes), 21)
    ink = [kanji.draw(strokes, 48, upto=upto).mean() for upto in shares]
    assert ink[0] == 0 and np.diff(ink).min() >= 0 and ink[-1] > ink[10] > 0
    whole = kanji.draw(strokes, 48)
    assert whole.shape == (48, 48) and whole.dtype == np.uint8 and whole.max() == 255
    np.testing.assert_array_equal(kanji.draw(strokes, 48, upto=len(strokes)), whole)
    np.testing.assert_array_equal(kanji.draw(strokes[:2], 48), kanji.draw(strokes, 48, upto=2))
    assert not kanji.draw([], 16).any()


def test_a_line_is_drawn_where_it_is():
    line = np.array([[20.0, 54.5], [90.0, 54.5]])
    picture = kanji.draw([line], 109, pen=5)
    rows, columns = np.nonzero(picture > 127)
    assert abs(rows.mean() - 54) < 1 and np.ptp(rows) + 1 == pytest.approx(5, abs=1)
    assert columns.min() == pytest.approx(17.5, abs=1.5) and columns.max() == pytest.approx(92.5, abs=1.5)
    half = np.nonzero(kanji.draw([line], 109, upto=0.5, pen=5) > 127)[1]
    assert half.max() == pytest.approx(57.5, abs=1.5)


LINE = [np.array([[0.0, 0.0], [9.0, 9.0]])]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 7}, "a size of 8 to 1024"),
        ({"size": 1025}, "a size of 8 to 1024"),
        ({"size": 20.0}, "a size of 8 to 1024"),
        ({"upto": -1}, "0 to 1 strokes"),
        ({"upto": 1.1}, "0 to 1 strokes"),
        ({"upto": float("nan")}, "0 to 1 strokes"),
        ({"pen": 0}, "a pen above 0"),
        ({"pen": float("nan")}, "a pen above 0"),
        ({"strokes": [np.zeros((1, 2))]}, "two finite points"),
        ({"strokes": [np.zeros((4, 3))]}, "two finite points"),
        ({"strokes": [np.array([[0, 0], [np.nan, 1]])]}, "two finite points"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        kanji.draw(**({"strokes": LINE, "size": 32} | options))


def svg(*paths, head=""):
    body = "".join(f'<g><path d="{path}"/></g>' for path in paths)
    return f'<?xml version="1.0" encoding="UTF-8"?>{head}<svg xmlns="http://www.w3.org/2000/svg">{body}</svg>'.encode()


def points(path):
    (stroke,) = kanji.read_drawing("test", svg(path))
    return stroke.tolist()


def test_paths_are_read_as_svg_means_them():
    corners = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert points("M1,2L3,4L5,6") == points("M1 2 3 4 5 6") == corners
    assert points("m1,2l2,2 2,2") == points("m 1 2 2 2 2 2") == points("M1,2l2,2L5 6") == corners
    assert points("M10-20L.5.25") == [[10.0, -20.0], [0.5, 0.25]]
    assert points("M1e1,0L0,2E-1")[0] == [10.0, 0.0]


def test_curves_are_bezier_curves():
    absolute = points("M0,0C0,10 10,10 10,0S20,-10 20,0")
    assert len(absolute) == 17
    # Half-way along a cubic: (P0 + 3 P1 + 3 P2 + P3) / 8.
    assert absolute[4] == [5.0, 7.5] and absolute[8] == [10.0, 0.0] and absolute[12] == [15.0, -7.5]
    assert points("M0,0c0,10 10,10 10,0s10,-10 10,0") == absolute
    # After a command that is no curve, S starts with its own point as control point.
    assert points("M0,0S4,8 8,0") == points("M0,0C0,0 4,8 8,0")


@given(st.lists(st.tuples(*[st.floats(-99, 99)] * 6), min_size=1, max_size=4))
def test_a_relative_path_is_the_absolute_one_moved(curves):
    here, absolute, relative = np.zeros(2), "M0,0", "M0,0"
    for curve in curves:
        numbers = np.array(curve).reshape(3, 2)
        relative += "c" + ",".join(f"{number:.6f}" for number in numbers.ravel())
        absolute += "C" + ",".join(f"{number:.6f}" for number in (numbers + here).ravel())
        here = here + numbers[-1]
    np.testing.assert_allclose(points(relative), points(absolute), atol=1e-3)


@pytest.mark.parametrize(
    "path", ["", "L1,2", "M1", "M1,2C1,2,3,4,5", "M1,2Q1,2,3,4", "M1,2Z", "M1,2L3,x", "M1,2L3,L", "1,2", "M1,2A1#"]
)
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError, match=r"test: a drawing .* was wanted"):
        kanji.read_drawing("test", svg(path))


ENTITIES = '<!DOCTYPE svg [<!ENTITY a "M0,0L9,9">]>'


@pytest.mark.parametrize(
    "content",
    [
        svg(),
        svg("M0,0L1,1")[:-9],
        b"",
        b"\xff\xfe",
        svg("&a;", head=ENTITIES),
        svg("M0,0L1,1", head='<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
        ENTITIES.encode("utf-16"),
    ],
)
def test_other_drawings_are_refused(content):
    with pytest.raises(ValueError, match=r"test: a drawing .* was wanted"):
        kanji.read_drawing("test", content)


def test_a_document_type_without_entities_is_read():
    head = (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.0//EN" "http://nowhere.invalid/svg10.dtd" [<!ATTLIST g x CDATA "1">]>'
    )
    assert len(kanji.read_drawing("test", svg("M0,0L1,1", "M0,0L2,2", head=head))) == 2


def test_variants_are_left_out_and_an_archive_without_drawings_is_refused(deliver):
    files = {"kanji/04e00.svg": svg("M0,0L9,9"), "kanji/04e00-Kaisho.svg": svg("M0,0L1,1"), "kanji/README": b"?"}
    deliver(kanji, files)
    assert {character: len(strokes) for character, strokes in kanji.load().items()} == {"一": 1}
    kanji.load.cache_clear()
    deliver(kanji, {"package/LICENSE": b"CC"})
    with pytest.raises(ValueError, match="drawings of characters were wanted"):
        kanji.load()


@pytest.mark.parametrize("loader", [prose.moby_dick, photographs.load, calligraphy.load, kanji.load])
def test_an_archive_that_is_cut_short_is_refused(deliver, loader):
    module = {prose.moby_dick: prose, photographs.load: photographs, calligraphy.load: calligraphy}.get(loader, kanji)
    deliver(module, {"package/notes": bytes(range(256)) * 400}, cut=200)
    with pytest.raises(ValueError, match="whole wheel, zip or tar archive"):
        loader()
