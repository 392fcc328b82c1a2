"""Films of writing, the model of the pen, and ways between two pictures."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from artbook.data import kanji
from artbook.film import morph, writing
from artbook.film import pen_model as pm
from artbook.film.writing import DONE, LIFT, MOVES, PAGE, Clip

# A stroke to the right and one down, in the square of side 109: four pixels of the page are 18.2 of its units.
ACROSS = np.array([[10.0, 20.0], [90.0, 20.0]])
DOWN = np.array([[50.0, 5.0], [50.0, 100.0]])
CROSS = writing.trace([ACROSS, DOWN])
NAN = float("nan")


# Clips


def test_a_film_begins_blank_and_ends_as_the_character_is_drawn():
    film = writing.frames(CROSS)
    assert film.shape == (len(CROSS) + 1, PAGE, PAGE, 2) and not film[0].any()
    assert (film[1:, ..., 1].sum(axis=(1, 2)) == 1).all()
    assert (np.diff(film[..., 0].astype(int), axis=0) >= 0).all()
    row, column = int(20 * PAGE / 109), int(50 * PAGE / 109)
    wanted = np.zeros((PAGE, PAGE))
    wanted[row, int(10 * PAGE / 109) : int(90 * PAGE / 109) + 1] = 1
    wanted[int(5 * PAGE / 109) : int(100 * PAGE / 109) + 1, column] = 1
    np.testing.assert_array_equal(film[-1, ..., 0], wanted)


def test_the_pen_goes_at_an_even_pace():
    length = 80 * PAGE / 109
    assert CROSS.starts.sum() == 2 and CROSS.starts[0]
    assert np.flatnonzero(CROSS.starts)[1] - 1 == round(length / writing.STEP)
    drawn = np.abs(np.diff(CROSS.pen, axis=0)).max(axis=1)[~CROSS.starts[1:]]
    assert set(drawn) <= {2, 3}


def test_frames_can_be_made_from_moves_alone():
    move, place = writing.moves(CROSS)
    assert len(move) == len(CROSS) + 1 and move[-1] == DONE and move[0] == LIFT
    pen = []
    for each, spot in zip(move[:-1], place, strict=False):
        pen.append(np.array(divmod(spot, PAGE)) if each == LIFT else writing.step(pen[-1], each))
    np.testing.assert_array_equal(pen, CROSS.pen)


def test_all_short_characters_are_films():
    drawings = kanji.load()
    for character in "一二三永国書":
        clip = writing.trace(drawings[character])
        assert clip.starts.sum() == len(drawings[character])


def test_the_camera_sees_what_is_new():
    film = writing.frames(CROSS)
    seen = writing.sights(film)
    assert not seen[0].any() and seen[:, 6, 6, 0].sum() == len(CROSS)
    assert seen[..., 1].sum() <= film[-1, ..., 0].sum()
    np.testing.assert_array_equal(seen[1, ..., 1], np.pad([[1]], 6))


def test_a_line_has_both_ends_whichever_way():
    rows, columns = writing.line((2, 3), (5, 1))
    assert (rows[0], columns[0], rows[-1], columns[-1]) == (2, 3, 5, 1) and len(rows) == 4


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([], "at least one stroke"),
        ([np.zeros((1, 2))], r"a stroke of shape \(points, 2\)"),
        ([np.zeros((3, 3))], r"a stroke of shape \(points, 2\)"),
        ([np.array([[0.0, 0.0], [500.0, 0.0]])], "points in the square of side 109"),
        ([np.array([[0.0, NAN], [5.0, 0.0]])], "points in the square of side 109"),
    ],
)
def test_strokes_that_are_refused(strokes, message):
    with pytest.raises(ValueError, match=message):
        writing.trace(strokes)


@pytest.mark.parametrize(
    ("pen", "starts", "message"),
    [
        (np.zeros((0, 2), int), np.zeros(0, bool), "empty or does not"),
        (np.zeros((2, 2), int), np.array([False, False]), "empty or does not"),
        (np.zeros((2, 3), int), np.array([True, False]), r"a pen of shape \(T, 2\)"),
        (np.zeros((2, 2), int), np.array([True]), r"a pen of shape \(T, 2\)"),
        (np.array([[0, 24]]), np.array([True]), "the pen leaves the page"),
        (
            np.array([[0, 0], [0, 9]]),
            np.array([True, False]),
            "lines of at most 4 pixels a frame were wanted; one has 9",
        ),
    ],
)
def test_clips_that_are_refused(pen, starts, message):
    with pytest.raises(ValueError, match=message):
        Clip(pen, starts)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"<svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<!ENTITY a 'b'>"]
)
def test_a_broken_drawing_is_refused_before_it_becomes_a_film(content):
    with pytest.raises(ValueError, match="broken: a drawing with one path a stroke was wanted"):
        kanji.read_drawing("broken", content)


# The model


@pytest.fixture(scope="module")
def network():
    return pm.network(1, channels=3, units=8)


def test_windows_are_cut_from_films_and_stand_still_at_their_end():
    cuts = pm.windows([CROSS], len(CROSS) + 4)
    assert cuts.film.shape == (1, len(CROSS) + 4, PAGE, PAGE, 2)
    assert cuts.targets[0, :, 2].sum() == len(CROSS) + 1
    np.testing.assert_array_equal(cuts.film[0, : len(CROSS) + 1], writing.frames(CROSS))
    np.testing.assert_array_equal(cuts.film[0, -1], writing.frames(CROSS)[-1])
    part = pm.windows([CROSS], 5, np.random.default_rng(3))
    begin = int(np.flatnonzero((writing.frames(CROSS) == part.film[0, 0]).all(axis=(1, 2, 3)))[0])
    assert begin > 0
    np.testing.assert_array_equal(part.seen[0], writing.sights(writing.frames(CROSS))[begin : begin + 5].reshape(5, -1))


def test_the_table_is_a_distribution_and_counts():
    table = pm.Table([CROSS])
    np.testing.assert_allclose(table.moves.sum(axis=1), 1)
    np.testing.assert_allclose(table.starts.sum(axis=1), 1)
    cuts = pm.windows([CROSS], len(CROSS) + 1)
    move, place = table.foretell(cuts)
    np.testing.assert_allclose(np.exp(place).sum(axis=-1), 1)
    by_hand = -sum(np.log(table.moves[pair]) for pair in pairwise(writing.moves(CROSS)[0]))
    first, second = (CROSS.pen[t] @ [PAGE, 1] for t in np.flatnonzero(CROSS.starts))
    by_hand -= np.log(table.starts[0, first]) + np.log(table.starts[1, second])
    assert pm.nats(cuts, (move, place)).sum() == pytest.approx(by_hand)


def test_nothing_is_paid_after_the_end():
    table = pm.Table([CROSS])
    totals = [
        pm.nats(cuts, table.foretell(cuts)).sum()
        for cuts in (pm.windows([CROSS], len(CROSS) + extra) for extra in (1, 9))
    ]
    assert totals[0] == pytest.approx(totals[1])


def test_the_mean_future_is_the_mean_of_drawn_ones():
    rng = np.random.default_rng(0)
    move, place = (pm.log_softmax(rng.normal(size=n)) for n in (MOVES, PAGE**2))
    frame = writing.frames(CROSS)[4]
    chance = pm.new_ink(frame[None], (move[None], place[None]))[0]
    pen, total = CROSS.pen[3], np.zeros((PAGE, PAGE))
    for number in range(LIFT):
        # Lines that leave the page do not occur here: the pen is far from its edge.
        total[writing.line(pen, np.array(divmod(number, 9)) + pen - 4)] += np.exp(move[number])
    total += np.exp(move[LIFT] + place).reshape(PAGE, PAGE)
    np.testing.assert_allclose(chance, total * (1 - frame[..., 0]), atol=1e-12)


def test_the_network_does_not_see_the_future(network):
    cuts = pm.windows([CROSS], 4)
    whole = pm.network(4, channels=3, units=8)
    network.set_weights(whole.get_weights())
    move, _ = pm.foretell(whole, cuts, 3)
    np.testing.assert_allclose(np.exp(move).sum(axis=-1), 1)
    states = [np.zeros((1, 6, 6, 3), np.float32)] * 2
    for t in range(4):
        logits, *states = network.predict_on_batch((cuts.film[:, t : t + 1], cuts.seen[:, t : t + 1], *states))
        np.testing.assert_allclose(pm.log_softmax(logits[:, 0, :MOVES]), move[:, t], atol=1e-5)


def test_writing_keeps_what_was_given_and_repeats_with_its_seed(network):
    begun = Clip(CROSS.pen[:3], CROSS.starts[:3])
    films = [pm.write(network, 3, np.random.default_rng(5), 2, longest=6, given=[begun] * 2) for _ in range(2)]
    for first, again in zip(*films, strict=True):
        np.testing.assert_array_equal(first.pen, again.pen)
        np.testing.assert_array_equal(first.pen[:3], begun.pen)
        assert 3 <= len(first) <= 6
    assert pm.write(network, 3, np.random.default_rng(5), 1, longest=2)[0].starts[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"count": 0}, "at least one film and one frame"),
        ({"longest": 0}, "at least one film and one frame"),
        ({"temperature": 0}, "a temperature above 0"),
        ({"temperature": NAN}, "a temperature above 0"),
        ({"given": [CROSS]}, "1 beginnings were given"),
    ],
)
def test_writing_that_is_refused(network, changed, message):
    with pytest.raises(ValueError, match=message):
        pm.write(network, 3, np.random.default_rng(0), **{"count": 2, "longest": 3} | changed)


@pytest.mark.parametrize(("clips", "length"), [([], 4), ([CROSS], 0)])
def test_windows_that_are_refused(clips, length):
    with pytest.raises(ValueError, match="at least one clip and one frame"):
        pm.windows(clips, length)


# Morphs

SQUARE, BAR = np.zeros((2, 24, 24))
SQUARE[4:10, 4:10] = 1
BAR[14:18, 10:19] = 1


def test_a_fade_is_grey_in_the_middle_and_transport_is_not():
    fade, moved = (morph.cross_fade(SQUARE, BAR, 5), morph.transport(SQUARE, BAR, 5, grains=300))
    np.testing.assert_array_equal(fade[0], SQUARE)
    np.testing.assert_array_equal(fade[-1], BAR)
    assert morph.greyness(fade[2]) == pytest.approx(2)
    assert morph.greyness(moved[2]) < 1
    np.testing.assert_allclose(moved.sum(axis=(1, 2)), 36, atol=9)


def test_the_middle_of_transport_lies_between():
    there = np.roll(SQUARE, 8, axis=1)
    middle = morph.transport(SQUARE, there, 3, grains=300)[1]
    wanted = np.roll(SQUARE, 4, axis=1)
    assert np.abs(middle - wanted).mean() < 0.03
    columns = np.arange(24)
    assert wasserstein_distance(columns, columns, middle.sum(axis=0), SQUARE.sum(axis=0)) == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"first": np.zeros((1, 1))}, "sides of 2 to 1024 pixels"),
        ({"first": np.broadcast_to(0.0, (10_000, 10_000))}, "sides of 2 to 1024 pixels"),
        ({"first": SQUARE[:5]}, "two pictures of one size"),
        ({"first": SQUARE * 255}, "ink from 0 to 1"),
        ({"first": SQUARE * NAN}, "ink from 0 to 1"),
        ({"first": 0 * SQUARE}, "one is blank"),
        ({"steps": 1}, "2 to 1000 steps"),
        ({"grains": 1}, "2 to 4000 grains"),
    ],
)
def test_morphs_that_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        morph.transport(**{"first": SQUARE, "last": BAR, "steps": 3} | changed)
