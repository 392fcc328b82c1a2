"""The modules of the chapter ``adversarial-brush``: strokes as codes, the game, measures of pictures, sheets."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from artbook.data import kanji
from artbook.images.adversarial import Game, stroke_critic, stroke_generator
from artbook.images.legibility import check_pictures, legibility
from artbook.images.sheets import contact_sheet
from artbook.images.strokes import POINTS, fit_code, pictures

RNG = np.random.default_rng(0)


def line(*points):
    return np.array(points, dtype=np.float32)


@pytest.fixture(scope="module")
def some():
    """Forty characters of up to eight strokes."""
    known = kanji.load()
    return [known[c] for c in sorted(known) if "\u4e00" <= c <= "\u9fff" and len(known[c]) <= 8][:40]


# Codes of strokes


def test_with_all_components_the_code_loses_nothing_but_the_points_between(some):
    code = fit_code(some, 8, 2 * POINTS)
    back = code.decode(code.encode(some), [len(strokes) for strokes in some])
    for strokes, decoded in zip(some, back, strict=True):
        assert [each.shape for each in decoded] == [(POINTS, 2)] * len(strokes)
        for stroke, points in zip(strokes, decoded, strict=True):
            np.testing.assert_allclose(points[[0, -1]], stroke[[0, -1]], atol=1e-2)


def test_points_stand_at_equal_distances():
    bent = line((10, 10), (60, 10), (60, 70))
    code = fit_code([[bent, bent + 5, bent * 0.9]], 4, 3)
    points = code.decode(code.encode([[bent]]), [1])[0][0]
    np.testing.assert_allclose(points[5], (60, 10), atol=1e-2)
    np.testing.assert_allclose(points[[0, 11]], [(10, 10), (60, 70)], atol=1e-2)


def test_strokes_that_are_not_there_are_zeros(some):
    codes = fit_code(some, 8, 6).encode(some)
    for code, strokes in zip(codes, some, strict=True):
        assert (code[len(strokes) :] == 0).all()
        assert (code[: len(strokes)] != 0).any(axis=1).all()


def test_fewer_components_lose_more(some):
    counts = [len(strokes) for strokes in some]
    exact, lost = pictures(some), []
    for components in (2, 6, 24):
        code = fit_code(some, 8, components)
        lost.append(np.square(pictures(code.decode(code.encode(some), counts)) - exact).mean())
    assert lost[0] > lost[1] > lost[2]
    assert lost[1] < 0.02


def test_pictures_are_ink_on_paper(some):
    drawn = pictures(some[:3], 16, 6.0)
    assert drawn.shape == (3, 16, 16)
    assert drawn.dtype == np.float32
    assert drawn.min() == 0
    assert drawn.max() == 1


@pytest.mark.parametrize(
    ("characters", "strokes", "components", "message"),
    [
        ([], 8, 6, "at least one character was wanted; none was given"),
        ([[]], 8, 6, "characters of 1 to 8 strokes were wanted; 0 to 0 were given"),
        ([[line((0, 0), (1, 1))] * 9], 8, 6, "characters of 1 to 8 strokes were wanted; 9 to 9 were given"),
        ([[line((0, 0))]], 8, 6, r"a stroke of two finite points or more was wanted; shape \(1, 2\)"),
        ([[line((0, 0), (np.nan, 1))]], 8, 6, "a stroke of two finite points or more was wanted"),
        ([[np.zeros((3, 3))]], 8, 6, r"a stroke of two finite points or more was wanted; shape \(3, 3\)"),
        ([[line((0, 0), (1, 1))]], 8, 6, "at least 6 strokes in all were wanted; 1 were given"),
        ([[line((0, 0), (1, 1))]], 0, 6, "1 to 64 strokes and 1 to 24 components were wanted; 0 and 6"),
        ([[line((0, 0), (1, 1))]], 8, 25, "1 to 64 strokes and 1 to 24 components were wanted; 8 and 25"),
        ([[line((0, 0), (1, 1))]], 8, True, "1 to 64 strokes and 1 to 24 components were wanted"),
    ],
)
def test_what_cannot_be_encoded_is_refused(characters, strokes, components, message):
    with pytest.raises(ValueError, match=message):
        fit_code(characters, strokes, components)


@pytest.mark.parametrize(
    ("codes", "counts", "message"),
    [
        (np.zeros((0, 8, 6)), [], r"finite codes of shape \(n, 8, 6\) were wanted; \(0, 8, 6\) was given"),
        (np.zeros((2, 7, 6)), [1, 1], r"finite codes of shape \(n, 8, 6\) were wanted; \(2, 7, 6\) was given"),
        (np.full((1, 8, 6), np.inf), [1], "finite codes"),
        (np.zeros((2, 8, 6)), [1], "2 whole numbers of strokes were wanted"),
        (np.zeros((1, 8, 6)), [1.0], "1 whole numbers of strokes were wanted"),
        (np.zeros((2, 8, 6)), [0, 8], "1 to 8 strokes were wanted; 0 to 8 were given"),
        (np.zeros((2, 8, 6)), [1, 9], "1 to 8 strokes were wanted; 1 to 9 were given"),
    ],
)
def test_what_cannot_be_decoded_is_refused(some, codes, counts, message):
    with pytest.raises(ValueError, match=message):
        fit_code(some, 8, 6).decode(codes, counts)


# The game


def softplus_losses():
    return lambda real, made: ops.softplus(real - made), lambda real, made: ops.softplus(made - real)


def straight_game(penalty, nudge=0.05):
    """A game whose critic is the linear function with the slope (3, 4)."""
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    critic = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    critic.layers[0].set_weights([np.array([[3.0], [4.0]]), np.zeros(1)])
    return Game(generator, critic, softplus_losses(), penalty, nudge)


def test_the_penalty_is_half_the_squared_slope_at_both_kinds_of_example():
    real = RNG.normal(size=(20_000, 2)).astype("float32")
    free, braked = (ops.convert_to_numpy(straight_game(penalty)([real])).mean(axis=0) for penalty in (0.0, 2.0))
    # The slope's square is 25, at real and at made examples: 2 / 2 * (25 + 25).
    assert braked[1] - free[1] == pytest.approx(50, rel=0.05)
    assert free[0] >= 0


def test_each_loss_reaches_its_own_network_only():
    game = straight_game(0.0)
    real = RNG.normal(size=(64, 2)).astype("float32")
    weights = [layer.get_weights()[0] for layer in (game.generator.layers[0], game.critic.layers[0])]
    for keep, other in ((0, 1), (1, 0)):
        game.compute_loss = lambda x=None, y=None, y_pred=None, sample_weight=None, training=True, keep=keep: ops.mean(
            y_pred[:, keep]
        )
        game.compile(keras.optimizers.SGD(0.1), run_eagerly=False)
        game.fit([real], real, batch_size=64, verbose=0)
        now = [layer.get_weights()[0] for layer in (game.generator.layers[0], game.critic.layers[0])]
        assert not np.array_equal(now[keep], weights[keep])
        np.testing.assert_array_equal(now[other], weights[other])
        weights = now


def test_a_game_moves_what_is_made_towards_what_is_real():
    keras.utils.set_random_seed(0)
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    critic = keras.Sequential([keras.Input((2,)), layers.Dense(16, activation="silu"), layers.Dense(1)])
    game = Game(generator, critic, softplus_losses(), penalty=0.1)
    game.compile(keras.optimizers.Adam(0.03, beta_1=0.0, beta_2=0.99))
    real = (RNG.normal(size=(64 * 100, 2)) * 0.1 + [1.0, -1.0]).astype("float32")
    noise = RNG.normal(size=(500, 2)).astype("float32")

    def gap():
        return np.abs(ops.convert_to_numpy(generator(noise)).mean(axis=0) - [1, -1]).max()

    before = gap()
    game.fit([real], real, batch_size=64, verbose=0)
    assert gap() < 0.4 < before


@pytest.mark.parametrize(("penalty", "nudge"), [(-1.0, 0.1), (np.nan, 0.1), (np.inf, 0.1), (1.0, 0.0), (1.0, np.nan)])
def test_a_penalty_that_makes_no_sense_is_refused(penalty, nudge):
    with pytest.raises(ValueError, match="a penalty from 0 and a nudge above 0 were wanted"):
        straight_game(penalty, nudge)


def test_the_generator_writes_only_strokes_that_exist():
    generator = stroke_generator(8, 6, 5, 16)
    mask = (np.arange(8) < np.array([[3], [8]])).astype("float32")
    codes = ops.convert_to_numpy(generator([RNG.normal(size=(2, 5)).astype("float32"), mask]))
    assert codes.shape == (2, 8, 6)
    assert (codes[0, 3:] == 0).all()
    assert (codes[1] != 0).all()


def test_the_critic_sees_the_order_of_the_strokes():
    critic = stroke_critic(8, 6, 16)
    codes, mask = RNG.normal(size=(1, 8, 6)).astype("float32"), np.ones((1, 8), dtype="float32")
    values = [float(ops.convert_to_numpy(critic([each, mask]))[0, 0]) for each in (codes, codes[:, ::-1])]
    assert abs(values[0] - values[1]) > 1e-4


# Measures of pictures


def blank(side=32):
    return np.zeros((1, side, side))


def test_a_bar_is_measured_as_by_hand():
    bar = blank()
    bar[0, 10:12, 5:25] = 1
    seen = legibility(bar)
    assert seen.ink[0] == pytest.approx(40 / 1024)
    assert seen.width[0] == pytest.approx(80 / 44)
    assert (seen.grey[0], seen.pieces[0], seen.holes[0]) == (0, 1, 0)


def test_a_bar_at_the_border_has_all_its_edge():
    bar = blank()
    bar[0, :2, :20] = 1
    assert legibility(bar).width[0] == pytest.approx(80 / 44)


def test_pieces_and_holes_are_counted():
    ring = blank()
    ring[0, 2:9, 2:9] = 1
    ring[0, 4:7, 4:7] = 0
    ring[0, 20, 20] = ring[0, 21, 21] = 1
    seen = legibility(ring)
    assert (seen.pieces[0], seen.holes[0]) == (2, 1)
    full = legibility(np.ones((1, 8, 8)))
    assert (full.pieces[0], full.holes[0], full.ink[0]) == (1, 0, 1)


def test_grey_is_neither_ink_nor_paper():
    picture = blank(8)
    picture[0, 0] = 0.5
    picture[0, 1] = 0.95
    assert legibility(picture).grey[0] == pytest.approx(1 / 8)


def test_only_a_checkerboard_is_one():
    row = np.arange(32) % 2
    board = (row[:, None] + row) % 2
    waves = np.sin(np.arange(32) / 3) / 2 + 0.5 + np.zeros((32, 1))
    batch = np.stack([board, row + 0 * board, 0.3 * board + 0.2, waves, np.full((32, 32), 0.5)])
    np.testing.assert_allclose(legibility(batch).checkerboard[:3], 1)
    np.testing.assert_allclose(legibility(batch).checkerboard[3:], 0, atol=1e-3)


def test_white_noise_has_three_of_its_many_waves_in_the_checkerboard():
    noise = RNG.random((200, 32, 32))
    assert legibility(noise).checkerboard.mean() == pytest.approx(3 / 1023, rel=0.3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((1, 1, 1)), "a side of 8 to 1024 pixels was wanted; 1 was given"),
        (np.broadcast_to(np.float32(0), (1, 10_000, 10_000)), "a side of 8 to 1024 pixels was wanted; 10000 was given"),
        (
            np.broadcast_to(np.float32(0), (100, 1000, 1000)),
            "at most 67,108,864 pixels in all were wanted; 100,000,000",
        ),
        (np.zeros((0, 32, 32)), "at least one picture was wanted; none was given"),
        (np.zeros((2, 32, 31)), r"square pictures \(n, side, side\) of numbers were wanted; float64 \(2, 32, 31\)"),
        (np.zeros((32, 32)), r"square pictures .* were wanted; float64 \(32, 32\) was given"),
        (np.zeros((1, 32, 32), dtype=complex), "square pictures .* were wanted; complex128"),
        (np.full((1, 32, 32), 255), "values from 0, paper, to 1, ink, were wanted; 255 to 255 were given"),
        (np.full((1, 32, 32), -1.0), r"values from 0, paper, to 1, ink, were wanted; -1.0 to -1.0 were given"),
        (np.full((1, 32, 32), np.nan), "values from 0, paper, to 1, ink, were wanted; nan to nan were given"),
        ([["ink"]], "square pictures .* were wanted"),
    ],
)
def test_what_is_no_batch_of_pictures_is_refused(given, message):
    for function in (check_pictures, legibility, lambda pictures: contact_sheet(pictures, 1)):
        with pytest.raises(ValueError, match=message):
            function(given)


# Sheets


def test_a_sheet_lays_pictures_out_in_rows():
    batch = np.zeros((3, 8, 8))
    batch[1] = 1
    sheet = contact_sheet(batch, 2)
    assert (sheet.shape, sheet.dtype) == ((19, 19), np.uint8)
    assert (sheet[1:9, 1:9] == 255).all()
    assert (sheet[1:9, 10:18] == 0).all()
    # The place of a picture that does not exist is paper.
    assert (sheet[10:18] != 0).all()
    assert (sheet[[0, 9, 18]] == 200).all()


@pytest.mark.parametrize("columns", [0, 4, 1.5, True])
def test_a_sheet_has_one_column_or_more(columns):
    with pytest.raises(ValueError, match="1 to 3 columns were wanted"):
        contact_sheet(np.zeros((3, 8, 8)), columns)
