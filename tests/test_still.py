"""Still pictures of 3D models: what is seen, what hides what, how light it is, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from artbook import gltf, still
from artbook.worlds.mesh import block, building, relief

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)


def flag(*colours):
    """A picture with one band a colour, from left to right."""
    bands = np.repeat(np.array([colours], dtype=np.uint8), 64, axis=1)
    return Image.fromarray(np.repeat(bands, 64, axis=0))


def shares(picture, *colours):
    """How much of the picture is of the hue of each colour, whatever the light."""
    hues = np.array([np.array(each) / np.linalg.norm(each) for each in (still.BACKGROUND, *colours)])
    pixels = picture.reshape(-1, 3).astype(float)
    nearest = (pixels / np.linalg.norm(pixels, axis=1, keepdims=True) @ hues.T).argmax(axis=1)
    return np.bincount(nearest, minlength=len(hues)) / len(pixels)


def test_from_above_a_map_is_the_picture_that_it_wears():
    """North at the top, west at the left, with a margin all around."""
    file = gltf.write(relief(np.zeros((3, 5)), (1, 1)), flag(RED, GREEN, BLUE), "plain")
    seen = still.drawn(file, 300, turn=0, tilt=90)
    assert seen.dtype == np.uint8
    assert seen.shape == (162, 300, 3)
    np.testing.assert_array_equal(seen[0, 0], still.BACKGROUND)
    for column, colour in ((25, RED), (150, GREEN), (270, BLUE)):
        light = still._AMBIENT + (1 - still._AMBIENT) * still._LIGHT[1]
        np.testing.assert_allclose(seen[81, column], np.array(colour) * light, atol=4)
    np.testing.assert_array_equal(still.drawn(file, 300, turn=180, tilt=90)[81, 270] > 100, [True, False, False])


def test_the_nearer_hides_the_farther():
    """A high wall in the south hides the floor behind it from a viewer in the south, and not from one in the north."""
    plan = [".....", ".....", "#####"]
    rooms = building(plan, "#", 4, {".": 0, "#": 1, "side": 2}, 2)
    sheet = Image.new("RGB", (64, 64))
    for number, colour in enumerate((RED, GREEN, BLUE)):
        sheet.paste(Image.new("RGB", (32, 32), colour), (number % 2 * 32, number // 2 * 32))
    file = gltf.write(rooms, sheet, "rooms")
    from_south = shares(still.drawn(file, 200, turn=0, tilt=20), RED, GREEN, BLUE)
    from_north = shares(still.drawn(file, 200, turn=180, tilt=20), RED, GREEN, BLUE)
    assert from_south[1] < 0.001 < 0.5 < from_south[3]
    assert from_north[1] > 0.05


def test_a_box_is_as_large_as_geometry_says():
    """A cube of side 1, seen from the corner at a tilt of 35.26 degrees, is a regular hexagon."""
    file = gltf.write(block(np.zeros((2, 2)), (1, 1), -1), flag(RED), "cube")
    tilt = np.degrees(np.arctan(np.sqrt(0.5)))
    seen = still.drawn(file, 400, turn=45, tilt=tilt)
    there = (seen != np.array(still.BACKGROUND)).any(axis=-1)
    across, down = (np.flatnonzero(there.any(axis=k)) for k in (0, 1))
    assert np.ptp(down) / np.ptp(across) == pytest.approx(2 / np.sqrt(3), abs=0.02)
    # Of the rectangle around a hexagon that stands on a corner three quarters are filled.
    assert there.sum() / (np.ptp(across) * np.ptp(down)) == pytest.approx(0.75, abs=0.02)


def test_what_faces_the_light_is_lighter():
    file = gltf.write(block(np.zeros((2, 2)), (1, 1), -1), flag((200, 200, 200)), "cube")
    seen = still.drawn(file, 200, turn=45, tilt=35).sum(axis=-1)
    h, w = seen.shape
    top, left, right = seen[h // 4, w // 2], seen[5 * h // 8, w // 4], seen[5 * h // 8, 3 * w // 4]
    assert top > left > right


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((b"no file",), "wanted"),
        ((None, 8), "width of 16"),
        ((None, 200, np.nan), "turn|nan"),
        ((None, 200, 0, 91), "tilt of 0 to 90"),
    ],
)
def test_bad_input_is_refused(arguments, words):
    file = gltf.write(relief(np.zeros((2, 2)), (1, 1)), flag(RED), "plain")
    with pytest.raises(ValueError, match=words):
        still.drawn(file if arguments[0] is None else arguments[0], *arguments[1:])
