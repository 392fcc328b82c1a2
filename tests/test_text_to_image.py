"""From text to picture: captions, codes, the flow, guidance, and what is refused."""

import keras
import numpy as np
import pytest
from PIL import Image

from artbook.data import openmoji
from artbook.images import text_to_image as t2i
from artbook.nn.sentences import LONGEST_TEXT, WIDTH, sentence_vectors, unknown_share

RNG = np.random.default_rng(0)


def pictures(count, size=16):
    """Pictures with a bright square at one of several places, so that they have structure."""
    rng = np.random.default_rng(1)
    images = np.full((count, size, size, 3), 40, np.uint8)
    for image in images:
        row, column = rng.integers(0, size - 6, 2)
        image[row : row + 6, column : column + 6] = rng.integers(100, 255, 3)
    return images


def captions(count):
    vectors = np.random.default_rng(2).standard_normal((count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# Sentences


def test_the_same_meaning_points_in_the_same_direction():
    sunset, chinese, tiger = sentence_vectors(["a beautiful sunset", "一幅美丽的日落场景", "a tiger"])
    assert np.linalg.norm(sunset) == pytest.approx(1, abs=1e-5)
    assert sunset @ chinese > 0.6 > 0.4 > sunset @ tiger


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_text_is_refused(text):
    with pytest.raises(ValueError, match="a text with words in it was wanted"):
        sentence_vectors(["fine", text])


def test_a_text_that_is_absurdly_long_is_refused():
    assert len(sentence_vectors(["日" * LONGEST_TEXT])) == 1
    with pytest.raises(ValueError, match="at most 300 characters was wanted; one of 100000 was given"):
        sentence_vectors(["日" * 100_000])


@pytest.mark.parametrize("texts", ["one text", [], ()])
def test_what_is_no_list_of_texts_is_refused(texts):
    with pytest.raises(ValueError, match="a list of texts was wanted"):
        sentence_vectors(texts)


def test_a_script_that_the_encoder_does_not_know_is_refused_as_a_prompt():
    assert unknown_share("ᛋᚢᚾ") == 1 and unknown_share("sunset") == unknown_share("日落") == 0
    with pytest.raises(ValueError, match="it knows no piece of 'ᛋᚢᚾ'"):
        t2i.prompt_vectors(["sunset", "ᛋᚢᚾ"])
    assert t2i.prompt_vectors(["日落"]).shape == (1, WIDTH)


def test_captions_of_all_pictures_in_two_languages():
    data = openmoji.load(16)
    vectors = t2i.caption_vectors(data)
    assert vectors.shape == (4, 1420, WIDTH)
    row = data.names["en"].index("sunset")
    np.testing.assert_allclose(vectors[:2, row], sentence_vectors(["sunset", "日落"]), atol=1e-5)
    np.testing.assert_allclose(vectors[2, row], sentence_vectors(["building, dusk, sun"])[0], atol=1e-5)


def test_the_caption_scale_centres_and_whitens():
    rows = RNG.standard_normal((400, WIDTH)) * np.geomspace(1, 0.01, WIDTH) + 3
    scaled = t2i.learn_caption_scale(rows)(rows)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert np.square(scaled).mean() == pytest.approx(1, rel=1e-3)
    deviations = rows.std(axis=0), scaled.std(axis=0)
    assert np.ptp(np.log(deviations[1])) < np.ptp(np.log(deviations[0]))


# Pictures


def test_a_code_with_all_components_loses_nothing():
    images = pictures(40)
    code = t2i.learn_code(images, 39)
    assert np.abs(code.decode(code.encode(images)).astype(int) - images).max() <= 1
    np.testing.assert_allclose(code.components @ code.components.T, np.eye(39), atol=1e-4)


def test_a_code_has_the_components_of_a_singular_value_decomposition():
    images = pictures(60)
    code = t2i.learn_code(images, 10)
    rows = images.reshape(60, -1) / 255
    singular = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:10]
    np.testing.assert_allclose(code.deviations * code.unit, singular / np.sqrt(60), rtol=1e-4)
    np.testing.assert_allclose(code.encode(images).std(axis=0), code.deviations, rtol=1e-3)


@pytest.mark.parametrize(
    ("images", "components", "message"),
    [
        (pictures(5), 5, "1 to 4 components were wanted; 5 was given"),
        (pictures(5), 0, "1 to 4 components were wanted; 0 was given"),
        (pictures(5).astype(float), 2, "pictures uint8"),
        (pictures(5)[:, :8], 2, "square pictures"),
        (pictures(5)[0], 2, "square pictures"),
    ],
)
def test_pictures_of_another_form_are_refused(images, components, message):
    with pytest.raises(ValueError, match=message):
        t2i.learn_code(images, components)


def test_any_picture_is_put_on_white_and_resized():
    picture = Image.new("RGBA", (64, 32), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 32, 32))
    ready = t2i.prepared(picture, 16)
    assert ready.shape == (16, 16, 3)
    assert ready[:, :8].tolist() == [[[255, 0, 0]] * 8] * 16 and (ready[:, 8:] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (16, 15), (10_000, 10_000)])
def test_a_picture_of_one_pixel_or_a_hundred_megapixels_is_refused(size):
    with pytest.raises(ValueError, match=f"one of {size[0]} x {size[1]} was given"):
        t2i.prepared(Image.new("1", size), 16)


# The flow


@pytest.fixture(scope="module")
def painter():
    """Twenty pictures, each with a caption of its own, learnt by heart."""
    keras.utils.set_random_seed(0)
    images, vectors = pictures(20), captions(20)
    code, scale = t2i.learn_code(images, 19), t2i.learn_caption_scale(vectors, floor=0.5)
    model = t2i.denoiser(code, width=64, depth=1)
    training = t2i.Training(steps=400, batch=64, rate=4e-3, shares=(1.0,), blur=0.0)
    losses = t2i.train(model, code.encode(images), scale(vectors)[None], training, seed=0)
    return t2i.TextToImage(code, scale, model), images, vectors, losses


def test_the_loss_falls_and_is_given_step_by_step(painter):
    losses = painter[3]
    assert losses.shape == (400,) and np.isfinite(losses).all()
    assert losses[-50:].mean() < losses[:50].mean() / 2


def test_an_untrained_network_is_the_wiener_filter():
    code = t2i.learn_code(pictures(20), 8)
    model = t2i.denoiser(code, width=8, depth=2)
    codes = code.deviations * RNG.standard_normal((200_000, 8)).astype(np.float32)
    noisy = t2i.mixed(codes, RNG.standard_normal(codes.shape, np.float32), np.float32(0.4))
    # Least squares finds the best factor for each component by itself.
    best = (noisy * codes).sum(axis=0) / np.square(noisy).sum(axis=0)
    ones = np.ones((5, 1), np.float32)
    made = keras.ops.convert_to_numpy(model([noisy[:5], 0.4 * ones, 0 * ones * np.zeros((1, WIDTH), np.float32)]))
    np.testing.assert_allclose(made, noisy[:5] * best, rtol=0.02)


def test_what_was_learnt_is_drawn(painter):
    model, images, vectors, _ = painter
    drawn = model.draw(vectors, guidance=1.0)
    assert drawn.shape == images.shape and drawn.dtype == np.uint8
    assert (t2i.ranks(t2i.small(drawn), t2i.small(images), np.arange(20)) == 0).mean() > 0.8


def test_the_same_seed_draws_the_same_and_another_does_not(painter):
    model, _, vectors, _ = painter
    first = model.draw(vectors[:3], seed=1)
    assert (first == model.draw(vectors[:3], seed=1)).all()
    assert (first != model.draw(vectors[:3], seed=2)).any()


def test_a_draw_does_not_depend_on_what_else_is_drawn(painter):
    model, _, vectors, _ = painter
    together, alone = model.draw(vectors[:3], seed=1), model.draw(vectors[:1], seed=1)
    assert np.abs(together[0].astype(int) - alone[0]).max() <= 1


def test_without_guidance_the_caption_does_not_matter(painter):
    model, _, vectors, _ = painter
    assert (model.draw(vectors[:2], guidance=0.0) == model.draw(vectors[2:4], guidance=0.0)).all()


def test_one_step_is_the_guided_answer_at_once(painter):
    model, _, vectors, _ = painter
    noise = np.random.default_rng(3).standard_normal((1, 19), np.float32)
    zero, caption = np.zeros((1, 1), np.float32), model.scale(vectors[:1])
    free, asked = (keras.ops.convert_to_numpy(model.model([noise, zero, c])) for c in (0 * caption, caption))
    drawn = model.draw(vectors[:1], guidance=3.0, steps=1, seed=3).astype(int)
    assert np.abs(drawn - model.code.decode(free + 3 * (asked - free))).max() <= 1


def test_the_right_caption_fits_best(painter):
    model, images, vectors, _ = painter
    misfit = model.misfit(images, vectors)
    assert misfit.shape == (20, 20) and (misfit >= 0).all()
    assert (misfit.argmin(axis=1) == np.arange(20)).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance": -1.0}, "guidance from 0"),
        ({"guidance": float("nan")}, "guidance from 0"),
        ({"steps": 0}, "1 to 1,000 steps"),
        ({"steps": 10_000}, "1 to 1,000 steps"),
    ],
)
def test_settings_out_of_range_are_refused(painter, options, message):
    with pytest.raises(ValueError, match=message):
        painter[0].draw(painter[2][:1], **options)


@pytest.mark.parametrize("vectors", [np.zeros((0, WIDTH)), np.zeros((1, 3)), np.full((1, WIDTH), np.nan)])
def test_what_are_no_sentence_vectors_is_refused(painter, vectors):
    with pytest.raises(ValueError, match="finite sentence vectors"):
        painter[0].draw(vectors)


def test_codes_and_captions_that_do_not_fit_are_refused(painter):
    model, images, vectors, _ = painter
    codes, training = model.code.encode(images), t2i.Training(steps=1, shares=(1.0,))
    with pytest.raises(ValueError, match=r"captions \(1, 20, 512\) were wanted"):
        t2i.train(model.model, codes, model.scale(vectors)[None, :3], training, seed=0)


def test_a_network_of_no_size_is_refused():
    with pytest.raises(ValueError, match="a width and a depth from 1"):
        t2i.denoiser(t2i.learn_code(pictures(20), 8), width=0, depth=1)


# Judging


def test_ranks_count_who_is_nearer():
    gallery = np.array([[0.0], [1.0], [5.0]])
    assert t2i.ranks([[0.9], [0.9], [4.0]], gallery, [1, 0, 0]).tolist() == [0, 1, 2]


def test_small_pictures_are_block_means():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, :2, :2] = [[[0] * 3, [255] * 3], [[255] * 3, [0] * 3]]
    assert t2i.small(image).reshape(16, 16, 3)[0, 0].tolist() == [0.5] * 3
