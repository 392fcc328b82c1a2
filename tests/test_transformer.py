"""The transformer: its parameters, its mask, its attention against Keras's own, its cache and its sampling."""

import keras
import numpy as np
import pytest
from conftest import passes_on_the_other_backend
from keras import ops

from artbook.nn.automatic import keras_gradients
from artbook.nn.transformer import LanguageModel, TransformerBlock, attend, compiled, generate, language_model

V, T, D, DEPTH, HEADS = 7, 12, 8, 2, 2


@pytest.fixture(scope="module")
def model():
    return roughened(language_model(V, T, D, DEPTH, HEADS), seed=1)


@pytest.fixture
def tokens():
    return np.random.default_rng(2).integers(V, size=(3, T)).astype(np.int32)


def roughened(model, seed):
    """The model with weights so large that attention is not close to a mean."""
    rng = np.random.default_rng(seed)
    model.set_weights([weight + rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def logits(model, tokens):
    return ops.convert_to_numpy(model(np.asarray(tokens)))


def test_the_other_backend_passes_the_same_tests():
    # How a model learns there, the chapters show.
    passes_on_the_other_backend(__file__, without="learns")


# --- the model ---


@pytest.mark.parametrize(("vocabulary", "length", "d", "depth", "heads"), [(1, 1, 1, 1, 1), (9, 5, 6, 2, 3)])
def test_it_has_as_many_parameters_as_the_formula_says(vocabulary, length, d, depth, heads):
    model = language_model(vocabulary, length, d, depth, heads)
    assert model.count_params() == vocabulary * d + length * d + depth * (12 * d**2 + 13 * d) + 2 * d


def test_a_new_model_knows_nothing():
    keras.utils.set_random_seed(0)
    fresh = logits(language_model(V, T, D, DEPTH, HEADS), np.arange(V)[None])
    assert fresh.shape == (1, V, V)
    assert np.abs(fresh).max() < 0.5


def test_a_place_does_not_see_what_comes_later(model, tokens):
    changed = tokens.copy()
    changed[:, 5] = (changed[:, 5] + 1) % V
    difference = np.abs(logits(model, changed) - logits(model, tokens)).max(axis=(0, 2))
    assert (difference[:5] == 0).all()
    assert (difference[5:] > 1e-3).all()


def test_without_the_mask_every_place_sees_every_other(tokens):
    model = roughened(language_model(V, T, D, DEPTH, HEADS, causal=False), seed=1)
    changed = tokens.copy()
    changed[:, 5] = (changed[:, 5] + 1) % V
    assert (np.abs(logits(model, changed) - logits(model, tokens)).max(axis=(0, 2)) > 1e-3).all()


def test_each_sequence_of_a_batch_is_alone(model, tokens):
    together = logits(model, tokens)
    np.testing.assert_allclose(together[1:2], logits(model, tokens[1:2]), atol=1e-4)


def test_it_learns_a_scale():
    keras.utils.set_random_seed(0)
    rows = (np.arange(V)[:, None] + np.arange(T + 1)).astype(np.int32) % V
    model = language_model(V, T, 16, 1, 2, dropout=0.1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss)
    history = model.fit(rows[:, :-1], rows[:, 1:], epochs=40, batch_size=V, verbose=0).history["loss"]
    assert history[-1] < 0.2 < 1.5 < history[0]
    np.testing.assert_array_equal(generate(model, rows[:, :2], T - 2, temperature=0.0), rows[:, :T])


def test_every_weight_but_the_bias_of_the_keys_has_a_gradient():
    inputs = keras.Input((T, D))
    block = TransformerBlock(HEADS, 4 * D)
    model = roughened(keras.Model(inputs, block(inputs)), seed=1)
    x = np.random.default_rng(6).normal(size=(3, T, D))
    gradients = keras_gradients(model, lambda output, _: ops.mean(output**2), x, np.zeros(1))
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert np.abs(gradient).max() > 1e-4, variable.path
        if variable is block.project.bias:
            # What is added to all keys alike is added to all scores of a query; the softmax does not see it.
            np.testing.assert_allclose(gradient[D : 2 * D], 0, atol=1e-5)
            assert np.abs(gradient[:D]).max() > 1e-4


def test_it_is_saved_and_loaded(model, tokens, tmp_path):
    file = tmp_path / "model.keras"
    model.save(file)
    loaded = keras.saving.load_model(file, safe_mode=True)
    assert isinstance(loaded, LanguageModel)
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(logits(loaded, tokens), logits(model, tokens))
    model.save_weights(tmp_path / "model.weights.h5")
    fresh = language_model(V, T, D, DEPTH, HEADS)
    fresh.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(logits(fresh, tokens), logits(model, tokens))


def test_a_block_serves_in_a_functional_model():
    inputs = keras.Input((None, D))
    model = keras.Model(inputs, TransformerBlock(HEADS, 4 * D, causal=False)(inputs))
    assert model(np.ones((2, 5, D), dtype=np.float32)).shape == (2, 5, D)
    again = keras.Model.from_config(model.get_config())
    assert again.layers[-1].get_config()["causal"] is False


# --- attention ---


def test_attention_equals_that_of_keras():
    rng = np.random.default_rng(3)
    block = TransformerBlock(HEADS, 4 * D)
    block.build((None, None, D))
    theirs = keras.layers.MultiHeadAttention(HEADS, D // HEADS)
    x = rng.normal(size=(3, T, D)).astype(np.float32)
    theirs(x, x)
    for layer in (block.project, block.merge):
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.get_weights()])
    kernel, bias = block.project.get_weights()
    parts = zip(np.split(kernel, 3, axis=1), np.split(bias, 3), strict=True)
    halves = [(part.reshape(D, HEADS, -1), offset.reshape(HEADS, -1)) for part, offset in parts]
    query, key, value = halves
    merge, offset = block.merge.get_weights()
    # Keras orders its weights as query, key, value, output.
    theirs.set_weights([*query, *key, *value, merge.reshape(HEADS, -1, D), offset])
    normed = block.norm_1(x)
    split = block._split_heads(x)
    seen = np.tril(np.ones((T, T), dtype=bool))
    ours = block.merge(ops.reshape(ops.swapaxes(attend(*split, seen), 1, 2), x.shape))
    expected = theirs(normed, normed, use_causal_mask=True)
    np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(expected), atol=1e-4)


def test_attention_is_a_mean_of_the_values_that_may_be_seen():
    rng = np.random.default_rng(4)
    query, key, value = (rng.normal(size=(5, 4)).astype(np.float32) for _ in range(3))
    allowed = np.eye(5, dtype=bool)
    np.testing.assert_allclose(ops.convert_to_numpy(attend(query, key, value, allowed)), value, atol=1e-6)
    same = ops.convert_to_numpy(attend(np.zeros_like(query), key, value))
    np.testing.assert_allclose(same, np.broadcast_to(value.mean(axis=0), value.shape), atol=1e-6)


@pytest.mark.parametrize(
    "shapes",
    [((2, 3), (2, 4), (2, 4)), ((2, 3), (2, 3), (5, 3))],
)
def test_shapes_that_do_not_fit_are_refused(shapes):
    with pytest.raises(ValueError, match="queries and keys of one width"):
        attend(*(np.zeros(shape, dtype=np.float32) for shape in shapes))


# --- the cache and the sampling ---


def test_the_cache_changes_nothing(model, tokens):
    full = logits(model, tokens)
    cache = model.empty_cache(len(tokens))
    for place in range(T):
        step, cache = model.step(tokens[:, place], place, cache)
        np.testing.assert_allclose(ops.convert_to_numpy(step), full[:, place], atol=1e-4)


def test_sampling_equals_choosing_from_the_full_pass(model):
    prompt = np.array([[1, 2], [3, 4], [5, 6]])
    sampled = generate(model, prompt, T - 2, temperature=0.7, seed=5)
    assert sampled.dtype == np.int32
    noise = np.random.default_rng(5).gumbel(size=(T - 2, 3, V))
    expected = np.zeros((3, T), dtype=np.int32)
    expected[:, :2] = prompt
    for place in range(2, T):
        last = logits(model, expected)[:, place - 1]
        expected[:, place] = np.argmax(last + 0.7 * noise[place - 2], axis=1)
    np.testing.assert_array_equal(sampled, expected)


def test_a_seed_can_be_repeated_and_a_shorter_run_begins_like_a_longer_one(model):
    prompt = np.zeros((16, 1), dtype=int)
    long = generate(model, prompt, T - 1, seed=1)
    np.testing.assert_array_equal(long, generate(model, prompt, T - 1, seed=1))
    np.testing.assert_array_equal(long[:, :6], generate(model, prompt, 5, seed=1))
    assert (long != generate(model, prompt, T - 1, seed=2)).any()


def test_temperature_zero_takes_the_likeliest(model):
    greedy = generate(model, [[0]], T - 1, temperature=0.0, seed=1)
    np.testing.assert_array_equal(greedy, generate(model, [[0]], T - 1, temperature=0.0, seed=2))
    np.testing.assert_array_equal(greedy[0, 1:], logits(model, greedy)[0, :-1].argmax(axis=1))


def test_draws_follow_the_models_distribution(model):
    count = 8000
    drawn = generate(model, np.zeros((count, 1), dtype=int), 1, seed=0)[:, 1]
    expected = np.exp(logits(model, [[0] * T])[0, 0].astype(float))
    expected /= expected.sum()
    shares = np.bincount(drawn, minlength=V) / count
    assert (np.abs(shares - expected) < 4.5 * np.sqrt(expected * (1 - expected) / count) + 1e-3).all()


def test_sampling_uses_the_weights_of_the_moment():
    model = language_model(V, T, D, 1, HEADS)
    keys = [w for w in model.weights if w.path.endswith("norm/beta") and "block" not in w.path]
    assert len(keys) == 1
    for wanted in (2, 5):
        direction = model.embedding.get_weights()[0][wanted]
        keys[0].assign(1e6 * direction / np.linalg.norm(direction))
        table = model.embedding.get_weights()[0]
        likeliest = int(np.argmax(table @ direction))
        assert (generate(model, [[0]], 3, temperature=0.0)[0, 1:] == likeliest).all()


def test_a_compiled_function_sees_new_weights(model):
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    small = keras.Sequential([keras.Input((2,)), dense])
    program = compiled(small, lambda x: 2 * small(x))
    x = ops.ones((1, 2))
    assert float(program(x)[0, 0]) == 4
    dense.set_weights([np.full((2, 1), 3.0)])
    assert float(program(x)[0, 0]) == 12


# --- relative positions ---


@pytest.fixture(scope="module")
def relative():
    return roughened(language_model(V, T, D, DEPTH, HEADS, reach=4), seed=1)


def test_relative_positions_cost_a_number_a_distance_a_head(relative):
    assert relative.count_params() == V * D + DEPTH * (12 * D**2 + 13 * D + 5 * HEADS) + 2 * D


def test_the_cache_changes_nothing_with_relative_positions(relative, tokens):
    full = logits(relative, tokens)
    cache = relative.empty_cache(len(tokens))
    for place in range(T):
        step, cache = relative.step(tokens[:, place], place, cache)
        np.testing.assert_allclose(ops.convert_to_numpy(step), full[:, place], atol=1e-4)


def test_a_score_depends_on_the_distance_alone(relative):
    places = np.arange(T)
    bias = ops.convert_to_numpy(relative.blocks[0]._bias(ops.convert_to_tensor(places[:, None] - places)))
    assert bias.shape == (HEADS, T, T)
    np.testing.assert_array_equal(bias[:, 3:, 3:], bias[:, :-3, :-3])
    learned = ops.convert_to_numpy(relative.blocks[0].distances)
    for lag in range(T):
        np.testing.assert_array_equal(bias[:, lag, 0], learned[min(lag, 4)])


def test_the_same_notes_later_get_the_same_answers_if_nothing_else_is_seen():
    rng = np.random.default_rng(7)
    query, key, value = (rng.normal(size=(T, D)).astype(np.float32) for _ in range(3))
    table = rng.normal(size=5).astype(np.float32)
    lags = np.arange(T)[:, None] - np.arange(T)
    bias = table[np.clip(lags, 0, 4)]
    early = ops.convert_to_numpy(attend(query[:6], key[:6], value[:6], lags[:6, :6] >= 0, bias[:6, :6]))
    moved = [np.concatenate([each[6:], each[:6]]) for each in (query, key, value)]
    seen = (lags >= 0) & ((np.arange(T) >= 6) | (np.arange(T)[:, None] < 6))
    late = ops.convert_to_numpy(attend(*moved, seen, bias))[6:]
    np.testing.assert_allclose(late, early, atol=1e-5)


def test_it_reads_more_than_its_length(relative):
    long = np.random.default_rng(8).integers(V, size=(1, 3 * T)).astype(np.int32)
    assert logits(relative, long).shape == (1, 3 * T, V)


def test_sampling_with_relative_positions_equals_choosing_from_the_full_pass(relative):
    sampled = generate(relative, np.array([[1, 2], [3, 4]]), T - 2, temperature=0.0)
    for place in range(2, T):
        np.testing.assert_array_equal(sampled[:, place], logits(relative, sampled)[:, place - 1].argmax(axis=1))


def test_a_relative_model_is_saved_and_loaded(relative, tokens, tmp_path):
    relative.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.get_config()["reach"] == 4
    np.testing.assert_array_equal(logits(loaded, tokens), logits(relative, tokens))


def test_every_distance_within_reach_has_a_gradient(relative):
    inputs = np.random.default_rng(9).integers(V, size=(2, T)).astype(np.int32)
    gradients = keras_gradients(relative, lambda output, _: ops.mean(output**2), inputs, np.zeros(1))
    for variable, gradient in zip(relative.trainable_variables, gradients, strict=True):
        if variable.path.endswith("distances"):
            assert (np.abs(gradient) > 1e-7).all()


# --- what is refused ---


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocabulary": 0}, "vocabulary: a whole number from 1"),
        ({"length": 2.5}, "length: a whole number from 1"),
        ({"depth": True}, "depth: a whole number from 1"),
        ({"heads": -1}, "heads: a whole number from 1"),
        ({"width": 9}, "a width that 2 heads divide was wanted; 9"),
        ({"dropout": 1.0}, "a dropout from 0 to below 1"),
        ({"dropout": float("nan")}, "a dropout from 0 to below 1"),
        ({"reach": 0}, "reach: a whole number from 1"),
        ({"reach": 4, "causal": False}, "a causal model was wanted for relative positions"),
    ],
)
def test_a_model_that_cannot_be_is_refused(change, message):
    arguments = {"vocabulary": V, "length": T, "width": D, "depth": 1, "heads": HEADS} | change
    with pytest.raises(ValueError, match=message):
        language_model(**arguments)


@pytest.mark.parametrize(
    ("heads", "hidden", "dropout", "message"),
    [(0, 8, 0.0, "heads: a whole number"), (2, 0, 0.0, "hidden: a whole number"), (2, 8, -0.1, "a dropout from 0")],
)
def test_a_block_that_cannot_be_is_refused(heads, hidden, dropout, message):
    with pytest.raises(ValueError, match=message):
        TransformerBlock(heads, hidden, dropout=dropout)


def test_a_block_refuses_a_width_that_its_heads_do_not_divide():
    with pytest.raises(ValueError, match="a width that 3 heads divide was wanted; 8"):
        TransformerBlock(3, 8).build((None, None, 8))


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        ([1, 2], {}, "a prompt of whole tokens"),
        ([[]], {}, "a prompt of whole tokens"),
        ([[1.0]], {}, "a prompt of whole tokens"),
        ([[float("nan")]], {}, "a prompt of whole tokens"),
        ([[V]], {}, f"tokens from 0 to {V - 1} were wanted"),
        ([[-1]], {}, f"tokens from 0 to {V - 1} were wanted"),
        ([[1]], {"length": 0}, "length: a whole number from 1"),
        ([[1]], {"length": T}, f"at most {T} tokens"),
        ([[1]], {"temperature": -1.0}, "a finite temperature"),
        ([[1]], {"temperature": float("nan")}, "a finite temperature"),
    ],
)
def test_a_prompt_that_cannot_go_on_is_refused(model, prompt, options, message):
    with pytest.raises(ValueError, match=message):
        generate(model, prompt, **({"length": 2} | options))


def test_a_model_that_sees_the_future_cannot_go_on():
    model = language_model(V, T, D, 1, HEADS, causal=False)
    with pytest.raises(ValueError, match="a causal model was wanted"):
        generate(model, [[1]], 2)


def test_another_backend_is_refused(monkeypatch, model):
    monkeypatch.setattr(keras.backend, "backend", lambda: "abacus")
    with pytest.raises(ValueError, match="tensorflow or jax; 'abacus'"):
        compiled(model, model)
