"""Damage and classical repair of pictures: against closed forms, dense linear algebra and scikit-image."""

import numpy as np
import pytest
from PIL import Image
from skimage.restoration import inpaint_biharmonic

from artbook.images import hands
from artbook.images.restoration import Reader, enlarge, harmonic, holes, marked, scratches, shrink


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_a_gap_in_a_row_is_filled_by_a_straight_line():
    row = np.array([[0.2, 0.0, 0.0, 0.5]])
    lost = np.array([[False, True, True, False]])
    np.testing.assert_allclose(harmonic(row, lost), [[0.2, 0.3, 0.4, 0.5]], atol=1e-6)


def test_an_open_end_carries_the_last_value_on():
    row, lost = np.array([[0.2, 0.4, 9.0, 9.0]]), np.array([[False, False, True, True]])
    np.testing.assert_allclose(harmonic(row, lost), [[0.2, 0.4, 0.4, 0.4]], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_harmonic_fill_is_the_least_squares_one(seed):
    """It makes the sum of the squared steps between neighbours as small as it can be: solved densely here."""
    rng = np.random.default_rng(seed)
    picture, lost = rng.random((7, 9)), rng.random((7, 9)) < 0.4
    number = np.arange(63).reshape(7, 9)
    pairs = np.concatenate(
        [
            np.stack([number[:, :-1], number[:, 1:]], -1).reshape(-1, 2),
            np.stack([number[:-1], number[1:]], -1).reshape(-1, 2),
        ]
    )
    steps = np.zeros((len(pairs), 63))
    steps[np.arange(len(pairs)), pairs[:, 0]], steps[np.arange(len(pairs)), pairs[:, 1]] = -1, 1
    gone = lost.ravel()
    values = np.linalg.lstsq(steps[:, gone], -steps[:, ~gone] @ picture.ravel()[~gone], rcond=None)[0]
    np.testing.assert_allclose(harmonic(picture, lost)[lost], values, atol=1e-5)
    np.testing.assert_array_equal(harmonic(picture, lost)[~lost], picture.astype(np.float32)[~lost])


def test_linear_pictures_come_back_by_both_fills():
    down, right = np.mgrid[:16, :20]
    picture = (0.02 * down + 0.01 * right).astype(float)
    lost = np.zeros((16, 20), dtype=bool)
    lost[5:9, 6:12] = True
    hidden = np.where(lost, 0.0, picture)
    np.testing.assert_allclose(harmonic(hidden, lost), picture, atol=1e-5)
    np.testing.assert_allclose(inpaint_biharmonic(hidden, lost), picture, atol=1e-5)


def test_what_is_lost_does_not_count_even_if_it_is_no_number(rng):
    picture, lost = rng.random((8, 8)), rng.random((8, 8)) < 0.3
    np.testing.assert_array_equal(harmonic(np.where(lost, np.nan, picture), lost), harmonic(picture, lost))
    assert harmonic(picture, np.zeros((8, 8), dtype=bool)).tolist() == picture.astype(np.float32).tolist()


def test_damage_is_drawn_from_the_generator_alone():
    for draw in (lambda rng: scratches((40, 60), rng, 3), lambda rng: holes((40, 60), rng, 3, 6)):
        first, again, other = (draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert first.shape == (40, 60)
        assert first.dtype == bool
        assert (first == again).all()
        assert (first != other).any()
    rng = np.random.default_rng(0)
    assert not scratches((9, 9), rng, 0).any()
    assert not holes((9, 9), rng, 0, 3).any()


def test_a_hole_is_as_large_as_its_radius():
    """The area of r(a) = R(1 + 0.15 Σ cos) is π R² (1 + 3 · 0.15² / 2), and E R² = 7/12 of the largest."""
    rng = np.random.default_rng(3)
    areas = [holes((120, 120), rng, 1, 20).sum() for _ in range(300)]
    inside = [area for area in areas if area > 0]
    assert max(inside) < np.pi * (20 * 1.45) ** 2
    # Those in the middle alone, where no edge cuts them.
    whole = np.pi * 400 * 7 / 12 * (1 + 3 * 0.15**2 / 2)
    assert 0.6 * whole < np.mean(areas) < whole


def test_shrinking_takes_means_and_enlarging_is_pillows():
    picture = np.arange(20, dtype=float).reshape(4, 5)
    np.testing.assert_allclose(shrink(picture), [[3, 5], [13, 15]])
    constant = np.full((3, 4), 0.25)
    np.testing.assert_allclose(enlarge(constant, 3), np.full((9, 12), 0.25), atol=1e-6)
    nearest = enlarge(picture, 2, Image.Resampling.NEAREST)
    np.testing.assert_allclose(shrink(nearest), picture)


def test_marks_only_what_was_invented():
    picture, here = np.linspace(0, 1, 12).reshape(3, 4), np.zeros((3, 4), dtype=bool)
    here[1] = True
    seen = marked(picture, here)
    assert seen.dtype == np.uint8
    grey = np.ptp(seen.astype(int), axis=-1) == 0
    np.testing.assert_array_equal(grey, ~here)
    assert (np.diff(seen[1].sum(axis=-1).astype(int)) > 0).all()
    assert marked(picture, np.ones((3, 4), dtype=bool)).shape == (3, 4, 3)


def test_reading_finds_the_character_and_agrees_with_hands(rng):
    lexicon = rng.random((30, 12, 12)).astype(np.float32)
    written = (lexicon + 0.6 * rng.normal(size=lexicon.shape)).clip(0, 1).astype(np.float32)
    found = Reader(lexicon).read(written)
    np.testing.assert_array_equal(found.character == np.arange(30), hands.legible(written, lexicon))
    assert (found.margin >= 0).all()
    exact = Reader(lexicon).read(lexicon[4:9])
    assert exact.character.tolist() == [4, 5, 6, 7, 8]
    np.testing.assert_allclose(exact.likeness, 1, atol=1e-5)


def test_a_reader_who_leaves_out_what_is_lost_is_not_misled_by_it(rng):
    lexicon = rng.random((20, 12, 12)).astype(np.float32)
    lost = rng.random((20, 12, 12)) < 0.5
    misleading = np.where(lost, np.roll(lexicon, 1, axis=0), lexicon)
    found = Reader(lexicon, 0.0).read(misleading, lost)
    assert (found.character == np.arange(20)).all()
    np.testing.assert_allclose(found.likeness, 1, atol=1e-5)
    reader, nothing = Reader(lexicon), np.zeros_like(lost)
    np.testing.assert_allclose(reader.read(misleading, nothing).likeness, reader.read(misleading).likeness)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda rng: scratches((0, 4), rng, 1), "height and a width"),
        (lambda rng: scratches((4, 4), rng, -1), "-1 and 3 were given"),
        (lambda rng: holes((4, 4), rng, 1, 0), "radius above 0"),
        (lambda rng: holes((4, 4), rng, 1, np.nan), "radius above 0"),
        (lambda rng: harmonic(np.zeros((4, 4)), np.ones((4, 4), dtype=bool)), "all are lost"),
        (lambda rng: harmonic(np.zeros((4, 4)), np.zeros((4, 5), dtype=bool)), "mask of the picture's shape"),
        (lambda rng: harmonic(np.zeros((4, 4)), np.zeros((4, 4))), "float64"),
        (lambda rng: harmonic(np.zeros((4, 4), dtype=int), np.zeros((4, 4), dtype=bool)), "int"),
        (lambda rng: harmonic(np.full((4, 4), np.nan), np.zeros((4, 4), dtype=bool)), "finite"),
        (lambda rng: shrink(np.zeros((4, 4)), 5), "5 was given"),
        (lambda rng: enlarge(np.zeros((4, 4)), 0), "0 was given"),
        (lambda rng: marked(np.zeros((4, 4, 3)), np.zeros((4, 4), dtype=bool)), "grey picture"),
        (lambda rng: Reader(np.zeros((1, 4, 4))), "at least two"),
        (lambda rng: Reader(np.zeros((4, 4))), "a lexicon"),
        (lambda rng: Reader(np.zeros((3, 4, 4)), -1.0), "blur"),
        (lambda rng: Reader(np.eye(4)[:, None] * np.ones((4, 4, 1))).read(np.full((2, 4, 4), np.inf)), "finite"),
        (lambda rng: Reader(np.zeros((3, 4, 4))).read(np.zeros((2, 5, 5))), "4, 4"),
        (lambda rng: Reader(np.zeros((3, 4, 4))).read(np.zeros((2, 4, 4)), np.zeros((2, 4, 4))), "mask"),
    ],
)
def test_bad_input_is_refused_by_name(call, said, rng):
    with pytest.raises(ValueError, match=said):
        call(rng)
