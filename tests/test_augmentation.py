"""Turned, resized and shifted pictures: against exact moves of the pixels and against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from artbook.images.augmentation import altered


def pictures(count=3, height=9, width=9, seed=0):
    return np.random.default_rng(seed).random((count, height, width)).astype(np.float32)


def test_nothing_is_changed_by_nothing():
    images = pictures(height=7, width=10)
    np.testing.assert_allclose(altered(images), images, atol=1e-6)


@pytest.mark.parametrize("quarters", [-2, -1, 1, 2, 3])
@pytest.mark.parametrize("side", [8, 9])
def test_quarter_turns_are_those_of_numpy(quarters, side):
    images = pictures(height=side, width=side)
    turned = altered(images, angles=90 * quarters)
    np.testing.assert_allclose(turned, np.rot90(images, quarters, axes=(1, 2)), atol=1e-5)


def test_a_shift_by_whole_pixels_moves_them_and_leaves_background():
    images = pictures(height=6, width=5)
    shifted = altered(images, shifts=(2, -1))
    np.testing.assert_allclose(shifted[:, 2:, :-1], images[:, :-2, 1:], atol=1e-6)
    assert not shifted[:, :2].any() and not shifted[:, :, -1].any()


def test_each_picture_has_its_own_alteration():
    images = pictures()
    angles, scales, shifts = [0, 90, 0], [1, 1, 0.5], [(0, 0), (0, 0), (1, 0)]
    together = altered(images, angles, scales, shifts)
    for k in range(3):
        alone = altered(images[k : k + 1], angles[k], scales[k], shifts[k])[0]
        np.testing.assert_allclose(together[k], alone, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.floats(-180, 180),
    st.floats(0.4, 2.5),
    st.tuples(st.floats(-4, 4), st.floats(-4, 4)),
    st.integers(3, 12),
    st.integers(3, 12),
)
def test_agrees_with_scipy(angle, scale, shift, height, width):
    images = pictures(2, height, width, seed=height * 13 + width)
    turn = np.radians(angle)
    back = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / scale
    middle = np.array([height - 1, width - 1]) / 2
    offset = middle - back @ (middle + shift)
    # Its mode "grid-constant" blends into the background outside, as ours does.
    wanted = [ndimage.affine_transform(each, back, offset, order=1, mode="grid-constant") for each in images]
    np.testing.assert_allclose(altered(images, angle, scale, shift), wanted, atol=1e-3)


def test_a_scale_of_two_doubles_lengths():
    image = np.zeros((1, 21, 21), dtype=np.float32)
    image[0, 8:13, 8:13] = 1
    area = altered(image, scales=2).sum() / image.sum()
    assert area == pytest.approx(4, rel=0.05)


@settings(deadline=None, max_examples=20)
@given(st.floats(-180, 180), st.floats(0.1, 10))
def test_values_stay_between_the_smallest_and_the_largest(angle, scale):
    images = pictures() - 0.5
    result = altered(images, angle, scale)
    assert result.dtype == np.float32
    assert images.min() - 1e-6 <= result.min() and result.max() <= images.max() + 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((4, 4))}, r"pictures \(m, height, width\)"),
        ({"images": np.zeros((0, 4, 4))}, "were wanted"),
        ({"images": np.full((2, 4, 4), np.nan)}, "32 are not"),
        ({"angles": [1, 2, 3]}, "angles of the shape"),
        ({"angles": np.inf}, "finite angles"),
        ({"scales": 0}, "scales above 0"),
        ({"scales": 11}, "at most 10"),
        ({"shifts": 1.0}, "shifts of the shape"),
        ({"shifts": [(0, 0), (0, np.nan)]}, "finite shifts"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        altered(**({"images": pictures(2)} | arguments))
