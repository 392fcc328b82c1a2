"""From text to picture: captions, codes, the flow, guidance, and what is refused."""

import keras
import numpy as np
import pytest
from conftest import passes_on_the_other_backend
from PIL import Image

from artbook.data import openmoji
from artbook.images import text_to_image as t2i
from artbook.nn.sentences import LONGEST_TEXT, WIDTH, sentence_vectors, unknown_share
from artbook.nn.size import count_operations

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
    assert vectors.shape == (6, 1420, WIDTH)
    row = data.names["en"].index("sunset")
    np.testing.assert_allclose(vectors[:2, row], sentence_vectors(["sunset", "日落"]), atol=1e-5)
    np.testing.assert_allclose(vectors[2, row], sentence_vectors(["building, dusk, sun"])[0], atol=1e-5)
    sentences = sentence_vectors(["a picture of sunset", "一幅日落的图画"])
    np.testing.assert_allclose(vectors[4:, row], sentences, atol=1e-5)


def test_the_caption_scale_centres_and_whitens():
    rows = RNG.standard_normal((400, WIDTH)) * np.geomspace(1, 0.01, WIDTH) + 3
    scaled = t2i.learn_caption_scale(rows)(rows)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert np.square(scaled).mean() == pytest.approx(1, rel=1e-3)
    deviations = rows.std(axis=0), scaled.std(axis=0)
    assert np.ptp(np.log(deviations[1])) < np.ptp(np.log(deviations[0]))


# Pictures


def test_pictures_are_put_together_of_their_own_tiles():
    images = pictures(12)
    tiles = t2i.learn_tiles(images, 4)
    assert tiles.tiles.shape == (12, 16, 48) and tiles.choices.shape == (12, 16)
    assert (tiles.paint(tiles.choices) == images).all()
    # The second row and the third column.
    assert (tiles.tiles[3, 6] == images[3, 4:8, 8:12].reshape(-1)).all()


def test_a_tile_that_two_pictures_have_is_the_first_ones():
    images = pictures(3)
    images[2, :8] = images[0, :8]
    choices = t2i.learn_tiles(images, 8).choices
    assert choices[0].tolist() == [0] * 4 and choices[2, :2].tolist() == [0, 0]


def test_another_picture_becomes_the_nearest_tiles():
    tiles = t2i.learn_tiles(np.stack([np.full((16, 16, 3), each, np.uint8) for each in (0, 100, 250)]), 8)
    other = np.full((1, 16, 16, 3), 90, np.uint8)
    other[0, 8:, :8] = 200
    assert tiles.nearest(other).tolist() == [[1, 1, 2, 1]]


def test_the_sources_of_a_collage_are_counted_from_the_one_that_gives_most():
    shades = np.stack([np.full((16, 16, 3), each, np.uint8) for each in (0, 100, 250)])
    shades[2, :8] = shades[0, :8]
    tiles = t2i.learn_tiles(shades, 8)
    by_choices = {(0, 0, 0, 0): 1, (0, 0, 2, 2): 1, (0, 0, 1, 2): 2, (1, 0, 0, 2): 3}
    assert {choices: tiles.sources(np.array(choices)) for choices in by_choices} == by_choices


def test_no_family_is_in_two_parts_of_the_split():
    data = openmoji.load(16)
    parts = t2i.split(data)
    families = [set(data.families[rows]) for rows in (parts.train, parts.validation, parts.test, parts.suns)]
    assert sum(map(len, families)) == len(set.union(*families)) == len(set(data.families))
    assert len(parts.test) == len(families[2]) == 120 and len(parts.validation) == len(families[1]) == 100
    assert [data.names["en"][row] for row in parts.known[-4:]] == list(t2i.SUNS)
    assert len(parts.known) == len(parts.train) + 4


@pytest.mark.parametrize(
    ("images", "side"), [(pictures(3), 5), (pictures(3), 0), (pictures(3)[0], 4), (pictures(3).astype(float), 4)]
)
def test_what_cannot_be_cut_into_tiles_is_refused(images, side):
    with pytest.raises(ValueError, match="a side that divides size were wanted"):
        t2i.learn_tiles(images, side)


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
    code, scale = t2i.learn_code(images, 19), t2i.learn_caption_scale(vectors)
    tiles = t2i.learn_tiles(images, 8)
    model = t2i.denoiser(code, tiles, t2i.Sizes(width=64, depth=1, detail=16, blocks=1))
    training = t2i.Training(steps=150, batch=64, rate=4e-3, shares=(1.0,), between=0.0)
    losses = t2i.train(model, code.encode(images), tiles.choices, scale(vectors)[None], training, seed=0)
    return t2i.TextToImage(code, tiles, scale, model), images, vectors, losses


def test_the_loss_falls_and_is_given_step_by_step(painter):
    losses = painter[3]
    assert losses.shape == (150,) and np.isfinite(losses).all()
    assert losses[-20:].mean() < losses[:20].mean() / 2
    # At first all of the tiles are about as probable.
    assert losses[0] == pytest.approx(np.log(20), rel=0.3)


def test_probabilities_without_doubt_are_the_picture_itself(painter):
    model, images, _, _ = painter
    certain = np.eye(20, dtype=np.float32)[model.tiles.choices]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model.mean_code(certain)), model.code.encode(images), atol=1e-3
    )


def test_probabilities_that_know_nothing_are_the_mean_picture(painter):
    # The code is counted from the mean of the pictures.
    mean = keras.ops.convert_to_numpy(painter[0].mean_code(np.full((1, 4, 20), 1 / 20, np.float32)))
    np.testing.assert_allclose(mean, 0, atol=1e-3)


def test_what_was_learnt_is_drawn(painter):
    model, images, vectors, _ = painter
    drawn = model.draw(vectors, guidance=1.0)
    assert drawn.shape == images.shape and drawn.dtype == np.uint8
    # Pixel by pixel, because the tiles are those of the picture.
    assert (drawn == images).all(axis=(1, 2, 3)).mean() > 0.9


def test_the_same_seed_draws_the_same_and_another_does_not(painter):
    model, _, vectors, _ = painter
    # With a caption, each seed leads to the picture that was learnt.
    first = model.draw(vectors, guidance=0.0, seed=1)
    assert (first == model.draw(vectors, guidance=0.0, seed=1)).all()
    assert (first != model.draw(vectors, guidance=0.0, seed=2)).any()


def test_a_draw_does_not_depend_on_what_else_is_drawn(painter):
    model, _, vectors, _ = painter
    together, alone = model.draw(vectors[:3], seed=1), model.draw(vectors[:1], seed=1)
    assert np.abs(together[0].astype(int) - alone[0]).max() <= 1


def test_without_guidance_the_caption_does_not_matter(painter):
    model, _, vectors, _ = painter
    assert (model.draw(vectors[:2], guidance=0.0) == model.draw(vectors[2:4], guidance=0.0)).all()


def test_one_step_leads_to_the_guided_answer(painter):
    model, _, vectors, _ = painter
    noise = np.random.default_rng(3).standard_normal((1, 19), np.float32)
    zero, caption = np.zeros((1, 1), np.float32), model.scale(vectors[:1])
    free, asked = (keras.ops.softmax(model.model([noise, zero, c])) for c in (0 * caption, caption))
    best = keras.ops.convert_to_numpy(free + 3 * (asked - free)).argmax(axis=2)
    chosen = model.choose(vectors[:1], guidance=3.0, steps=1, seed=3)
    assert (chosen == model.tiles.choices[best, np.arange(4)]).all()
    assert (model.draw(vectors[:1], guidance=3.0, steps=1, seed=3) == model.tiles.paint(chosen)).all()


def test_the_right_caption_fits_best(painter):
    model, images, vectors, _ = painter
    misfit = model.misfit(images, vectors)
    assert misfit.shape == (20, 20) and (misfit >= 0).all()
    assert (misfit.argmin(axis=1) == np.arange(20)).mean() > 0.9


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
    codes, choices = model.code.encode(images), model.tiles.choices
    training, wanted = t2i.Training(steps=1, shares=(1.0,)), r"captions \(1, 20, 512\) and as many choices were wanted"
    with pytest.raises(ValueError, match=wanted):
        t2i.train(model.model, codes, choices, model.scale(vectors)[None, :3], training, seed=0)
    with pytest.raises(ValueError, match=wanted):
        t2i.train(model.model, codes, choices[:3], model.scale(vectors)[None], training, seed=0)


def test_the_loss_of_other_pictures_is_that_of_training_where_they_are_the_same(painter):
    model, images, vectors, losses = painter
    given = model.code.encode(images), model.tiles.choices
    captions = model.scale(vectors)[None]
    found = t2i.loss(model.model, *given, captions, seed=0, repeats=20)
    # In training, noise is added to captions, and some are left out.
    assert 0 < found < losses[-20:].mean()
    assert found == pytest.approx(t2i.loss(model.model, *given, np.repeat(captions, 2, axis=0), seed=1), rel=0.3)
    wrong = np.roll(captions, 1, axis=1)
    assert t2i.loss(model.model, *given, wrong, seed=0) > 2 * found


def test_a_loss_of_what_does_not_fit_is_refused(painter):
    model, images, vectors, _ = painter
    given = model.model, model.code.encode(images), model.tiles.choices
    with pytest.raises(
        ValueError, match=r"captions \(kinds, 20, 512\), as many choices and repeats from 1 were wanted"
    ):
        t2i.loss(*given, model.scale(vectors), seed=0)
    with pytest.raises(ValueError, match="20 and 0 were given"):
        t2i.loss(*given, model.scale(vectors)[None], seed=0, repeats=0)


def test_a_second_training_goes_on_for_a_share_of_the_steps(painter):
    model, images, vectors, _ = painter
    given = model.code.encode(images), model.tiles.choices, model.scale(vectors)[None]
    training = t2i.Training(steps=12, batch=64, rate=4e-3, shares=(1.0,), between=0.0, again=0.25)
    losses = t2i.train(model.model, *given, training, seed=1)
    # What was learnt is still there.
    assert len(losses) == 3 and losses.mean() < np.log(20) / 2


# The network


def network(**sizes):
    """An untrained network for pictures of four places, and what it is asked."""
    keras.utils.set_random_seed(0)
    code, tiles = t2i.learn_code(pictures(20), 8), t2i.learn_tiles(pictures(20), 8)
    rng = np.random.default_rng(4)
    asked = [rng.standard_normal((3, 8), np.float32), rng.random((3, 1), np.float32), captions(3)]
    return t2i.denoiser(code, tiles, t2i.Sizes(**{"width": 12, "depth": 1, "detail": 8, "blocks": 1} | sizes)), asked


@pytest.mark.parametrize("sizes", [{"blocks": 0}, {"blocks": 1}, {"blocks": 3, "heads": 2, "detail": 6, "depth": 2}])
def test_a_network_of_any_size_scores_each_tile_at_each_place(sizes):
    model, asked = network(**sizes)
    scores = keras.ops.convert_to_numpy(model(asked))
    assert scores.shape == (3, 4, 20) and np.isfinite(scores).all()


def heard_by_others(**sizes):
    """The largest change of the scores at each place when only the first place is told something else."""
    model, asked = network(**sizes)
    (to_places,) = (each for each in model.layers if getattr(each, "units", 0) == 4 * 8)
    before = keras.ops.convert_to_numpy(model(asked))
    kernel, bias = to_places.get_weights()
    to_places.set_weights([kernel, bias + np.eye(4 * 8)[:8].sum(axis=0) * np.linspace(-3, 3, 4 * 8)])
    return np.abs(keras.ops.convert_to_numpy(model(asked)) - before).max(axis=(0, 2))


def test_in_a_block_a_place_learns_what_another_one_was_told():
    alone, together = heard_by_others(blocks=0), heard_by_others(blocks=1)
    assert alone[0] > 0.1 and (alone[1:] == 0).all()
    assert together[0] > 0.1 and (together[1:] > 1e-6).all()


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 0}, "width: a whole number from 1 was wanted; 0 was given"),
        ({"depth": -1}, "depth: a whole number from 1 was wanted; -1 was given"),
        ({"detail": 8.0}, "detail: a whole number from 1 was wanted; 8.0 was given"),
        ({"blocks": -1}, "blocks: a whole number from 0 was wanted; -1 was given"),
        ({"blocks": True}, "blocks: a whole number from 0 was wanted; True was given"),
        ({"heads": 0}, "heads: a whole number from 1 was wanted; 0 was given"),
        ({"heads": 3}, "detail: a multiple of 3 heads was wanted; 8 was given"),
    ],
)
def test_bad_sizes_are_refused_by_name(sizes, message):
    with pytest.raises(ValueError, match=message):
        network(**sizes)


@pytest.mark.parametrize("sizes", [{"blocks": 0}, {"blocks": 2, "depth": 3}])
def test_the_operations_are_those_of_the_graph(sizes):
    model, asked = network(**sizes)
    size = t2i.Sizes(**{"width": 12, "depth": 1, "detail": 8, "blocks": 1} | sizes)
    # The scores are a sum by index, which the count does not see on TensorFlow.
    scores = keras.Model(model.inputs, model.layers[-1].input)
    assert 3 * size.operations(8, 4, 20) == count_operations(scores, asked)[0] + 3 * 2 * 4 * 8 * 20


@pytest.mark.parametrize("blocks", [0, 2])
def test_a_network_learns_with_and_without_blocks(blocks):
    model, _ = network(blocks=blocks, width=32)
    images, vectors = pictures(20), captions(20)
    code, tiles, scale = t2i.learn_code(images, 8), t2i.learn_tiles(images, 8), t2i.learn_caption_scale(vectors)
    training = t2i.Training(steps=60, batch=32, rate=1e-2, shares=(1.0,), between=0.0)
    losses = t2i.train(model, code.encode(images), tiles.choices, scale(vectors)[None], training, seed=0)
    assert losses[-10:].mean() < losses[:10].mean() / 2


def test_the_other_backend_passes_the_same_tests():
    passes_on_the_other_backend(__file__)


# Judging


def test_ranks_count_who_is_nearer():
    gallery = np.array([[0.0], [1.0], [5.0]])
    assert t2i.ranks([[0.9], [0.9], [4.0]], gallery, [1, 0, 0]).tolist() == [0, 1, 2]


def test_small_pictures_are_block_means():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, :2, :2] = [[[0] * 3, [255] * 3], [[255] * 3, [0] * 3]]
    assert t2i.small(image).reshape(16, 16, 3)[0, 0].tolist() == [0.5] * 3
