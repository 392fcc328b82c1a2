"""What people said of works and wines, and the measures that have been taken for beauty."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from artbook.data import judgements
from artbook.images import measures

RNG = np.random.default_rng(0)
NOISE = RNG.random((40, 30, 3))
FLAT = np.full((40, 30, 3), 0.3)


# The tables


def test_painters_are_those_of_de_piles():
    painters = judgements.painters()
    assert len(painters) == 54
    assert painters.scores.shape == (54, 4)
    assert not painters.scores.flags.writeable
    raphael = painters.scores[list(painters.name).index("Raphael")]
    assert dict(zip(painters.SCORES, raphael.astype(int).tolist(), strict=True)) == {
        "composition": 17,
        "drawing": 18,
        "colour": 12,
        "expression": 18,
    }
    schools, counts = np.unique(painters.school, return_counts=True)
    # As summary(MASS::painters) prints them.
    assert dict(zip(schools.tolist(), counts.tolist(), strict=True)) == {
        "16th century": 4,
        "17th century": 7,
        "French": 4,
        "Lombard": 7,
        "Mannerist": 6,
        "Renaissance": 10,
        "Seicento": 6,
        "Venetian": 10,
    }


def test_films_have_the_stars_of_the_guide():
    films = judgements.films()
    assert len(films) == 100
    assert films.title[3] == "Autumn Sonata"
    assert (films.year[3], films.minutes[3], films.rating[3]) == (1978, 97, 3)
    assert set(films.rating) <= set(np.arange(1, 4.5, 0.5))
    assert 1900 < films.year.min() <= films.year.max() <= 1996


def test_each_taster_had_each_bottle():
    bitter = judgements.tastings()
    assert bitter.shape == (8, 9)
    assert not np.isnan(bitter).any()
    assert (bitter >= 0).all()
    assert (bitter <= 100).all()


# The measures


def test_complexity_is_the_size_of_a_file_that_can_be_read_back():
    pixels = np.round(NOISE * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file.getvalue()))), pixels)
    assert measures.complexity(NOISE) == pytest.approx(8 * len(file.getvalue()) / 1200)
    # Noise cannot be described in fewer bits than it has, and zlib agrees.
    assert measures.complexity(NOISE) > 24
    assert 8 * len(zlib.compress(pixels.tobytes(), 9)) / 1200 == pytest.approx(24, rel=0.05)
    assert measures.complexity(FLAT) < 1


def test_gradient_entropy_of_known_pictures():
    assert measures.gradient_entropy(FLAT) == 0
    # Half of the places lie on a step down the middle column, half do not.
    stripes = np.tile(np.array([0.0, 0.0, 1.0, 1.0, 0.0])[:, np.newaxis], (9, 1, 3)).reshape(9, 5, 3)
    assert measures.gradient_entropy(stripes) == pytest.approx(1)
    assert measures.gradient_entropy(NOISE) > 3


def test_symmetry_of_known_pictures():
    mirrored = np.concatenate([NOISE, NOISE[:, ::-1]], axis=1)
    assert measures.symmetry(mirrored) == pytest.approx(1)
    assert measures.symmetry(FLAT) == 1
    ramp = np.tile(np.linspace(0, 1, 30)[np.newaxis, :, np.newaxis], (40, 1, 3))
    assert measures.symmetry(ramp) == pytest.approx(-1)
    brightness = NOISE.mean(axis=-1)
    assert measures.symmetry(NOISE) == pytest.approx(np.corrcoef(brightness.ravel(), brightness[:, ::-1].ravel())[0, 1])


def test_birkhoff_divides_order_by_complexity():
    mirrored = np.concatenate([NOISE, NOISE[:, ::-1]], axis=1)
    assert measures.birkhoff(mirrored) == pytest.approx(1 / measures.complexity(mirrored))
    assert measures.birkhoff(FLAT) > 10 * measures.birkhoff(mirrored)
    assert measures.birkhoff(np.tile(np.linspace(0, 1, 30)[np.newaxis, :, np.newaxis], (40, 1, 3))) == 0


@pytest.mark.parametrize("measure", [measures.complexity, measures.gradient_entropy, measures.symmetry])
@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4)), r"a picture \(height, width, 3\)"),
        (np.zeros((1, 1, 3)), "sides of at least 2"),
        (np.zeros((0, 4, 3)), "sides of at least 2"),
        (np.broadcast_to(np.float32(0), (10_000, 10_000, 3)), "at most 50000000 pixels"),
        (np.zeros((4, 4, 3), np.uint8), "numbers from 0 to 1 were wanted; uint8"),
        (np.full((4, 4, 3), 1.5), "numbers from 0 to 1"),
        (np.full((4, 4, 3), np.nan), "numbers from 0 to 1"),
        ("a picture", "a picture"),
    ],
)
def test_what_is_no_picture_is_refused(measure, picture, message):
    with pytest.raises(ValueError, match=message):
        measure(picture)


def test_one_bin_is_refused():
    with pytest.raises(ValueError, match="at least two bins were wanted; 1 was given"):
        measures.gradient_entropy(FLAT, bins=1)
