"""A small transformer in Keras, the same on TensorFlow and on JAX, and a fast way to sample from it.

The chapter ``attention`` builds the block by hand and holds it against this one. The architecture is GPT-2's
(Radford et al. 2019): layer normalisation before each part, biases everywhere, the tanh form of the GELU,
learned positions, and an output that shares the token embedding's weights. With a ``reach`` the positions are
relative instead: to each score is added a learned number for the distance (Shaw et al. 2018, in the form of
Raffel et al. 2020; chapter ``longer-forms``).
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

Tokens = npt.NDArray[np.int32]
Tensor = Any
# The keys and the values of one block, (batch, heads, length, width / heads) each.
Memory = tuple[Tensor, Tensor]


def attend(
    query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017): softmax(QKᵀ / √d + bias) V.

    Args:
        query: (..., queries, d).
        key: (..., keys, d).
        value: (..., keys, v).
        allowed: bool, broadcast to (..., queries, keys): which keys a query may look at, at least one each;
            left out, all.
        bias: what is added to the scores, broadcast to (..., queries, keys); left out, nothing.

    Returns:
        For every query the mean of the values, weighted by attention, (..., queries, v).

    Raises:
        ValueError: queries and keys differ in width, or keys and values in number.
    """
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            "queries and keys of one width, as many keys as values, were wanted; "
            f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)} were given"
        )
    scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / float(query.shape[-1]) ** 0.5
    if bias is not None:
        scores = scores + bias
    if allowed is not None:
        scores = ops.where(allowed, scores, ops.cast(-1e9, scores.dtype))
    return ops.matmul(ops.softmax(scores), value)


@keras.saving.register_keras_serializable("artbook")
class TransformerBlock(keras.layers.Layer):
    """Attention over the sequence and a dense network at each place, each added to what came in.

    x + attention(norm(x)), then x + dense(norm(x)): 4d² + 4d weights of attention, 2dh + h + d of the dense
    network with its h hidden units, 4d of the two normalisations.

    Args:
        heads: how many attentions run side by side; divides the width d of the input.
        hidden: h, the hidden units of the dense network, 4d as a rule.
        causal: whether a place sees only itself and what came before.
        dropout: the share of each part's output that is silenced in a training step, from 0 to below 1.
        reach: if given, each head adds to its scores a learned number for every distance from 0 to ``reach``;
            what is farther counts as ``reach``. At least 1, and the block is causal.
        **options: what every Keras layer takes, such as ``name``.

    Raises:
        ValueError: an argument is out of range; when it is built, the width is no multiple of ``heads``.
    """

    def __init__(
        self,
        heads: int,
        hidden: int,
        causal: bool = True,
        dropout: float = 0.0,
        reach: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        _check_whole(heads=heads, hidden=hidden)
        _check_share(dropout)
        _check_reach(reach, causal)
        self.heads, self.hidden, self.causal, self.dropout, self.reach = heads, hidden, causal, dropout, reach

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs (batch, time, d)."""
        width = _check_width(input_shape[-1], self.heads)
        self.norm_1, self.norm_2 = _normalisation("norm_1"), _normalisation("norm_2")
        self.project = _dense(3 * width, "project")
        self.merge = _dense(width, "merge")
        self.expand = _dense(self.hidden, "expand")
        self.contract = _dense(width, "contract")
        self.silence = keras.layers.Dropout(self.dropout)
        for layer in (self.norm_1, self.project, self.merge, self.norm_2, self.expand):
            layer.build((None, None, width))
        self.contract.build((None, None, self.hidden))
        if self.reach is not None:
            shape = (self.reach + 1, self.heads)
            self.distances = self.add_weight(shape=shape, initializer="zeros", name="distances")

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        """A whole sequence at once.

        Args:
            x: (batch, time, d).
            training: whether dropout acts.

        Returns:
            (batch, time, d).
        """
        query, key, value = self._split_heads(x)
        places = ops.arange(ops.shape(x)[1])
        seen = places[None, :] <= places[:, None] if self.causal else None
        bias = self._bias(places[:, None] - places[None, :])
        return self._finish(x, attend(query, key, value, seen, bias), training)

    def step(self, x: Tensor, place: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """One place, given the keys and values of those before it.

        Args:
            x: (batch, 1, d).
            place: its number in the sequence, a whole scalar from 0 to length - 1.
            memory: of the places before; what it holds from ``place`` on is not looked at.

        Returns:
            What ``call`` returns at this place, (batch, 1, d), and the memory with this place added.
        """
        query, key, value = self._split_heads(x)
        keys = ops.slice_update(memory[0], (0, 0, place, 0), key)
        values = ops.slice_update(memory[1], (0, 0, place, 0), value)
        places = ops.arange(keys.shape[2])
        bias = self._bias(ops.cast(place, "int32") - places[None, :])
        return self._finish(x, attend(query, keys, values, places <= place, bias), False), (keys, values)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        names = ("heads", "hidden", "causal", "dropout", "reach")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def _bias(self, distance: Tensor) -> Tensor | None:
        """What is added to the scores (heads, queries, keys) at distances (queries, keys)."""
        if self.reach is None:
            return None
        return ops.transpose(ops.take(self.distances, ops.clip(distance, 0, self.reach), axis=0), (2, 0, 1))

    def _split_heads(self, x: Tensor) -> list[Tensor]:
        """Query, key and value, (batch, heads, time, d / heads) each."""
        batch, time, width = ops.shape(x)
        shape = (batch, time, 3, self.heads, width // self.heads)
        return ops.unstack(ops.transpose(ops.reshape(self.project(self.norm_1(x)), shape), (2, 0, 3, 1, 4)), 3)

    def _finish(self, x: Tensor, attended: Tensor, training: bool | None) -> Tensor:
        merged = self.merge(ops.reshape(ops.swapaxes(attended, 1, 2), ops.shape(x)))
        x = x + self.silence(merged, training=training)
        hidden = ops.gelu(self.expand(self.norm_2(x)), approximate=True)
        return x + self.silence(self.contract(hidden), training=training)


@keras.saving.register_keras_serializable("artbook")
class LanguageModel(keras.Model):
    """What ``language_model`` builds; its arguments are the attributes of the same names."""

    def __init__(
        self,
        vocabulary: int,
        length: int,
        width: int,
        depth: int,
        heads: int,
        causal: bool = True,
        dropout: float = 0.0,
        reach: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        _check_whole(vocabulary=vocabulary, length=length, width=width, depth=depth, heads=heads)
        _check_width(width, heads)
        _check_share(dropout)
        _check_reach(reach, causal)
        self.vocabulary, self.length, self.width, self.depth = vocabulary, length, width, depth
        self.heads, self.causal, self.dropout, self.reach = heads, causal, dropout, reach
        self.embedding = keras.layers.Embedding(vocabulary, width, _small(), name="embedding")
        if reach is None:
            self.places = keras.layers.Embedding(length, width, _small(), name="places")
        self.silence = keras.layers.Dropout(dropout)
        self.blocks = [
            TransformerBlock(heads, 4 * width, causal, dropout, reach, name=f"block_{n}") for n in range(depth)
        ]
        self.norm = _normalisation("norm")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for tokens (batch, time)."""
        self.embedding.build(input_shape)
        if self.reach is None:
            self.places.build(input_shape)
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.width))

    def call(self, tokens: Tensor, training: bool | None = None) -> Tensor:
        """The logits of every place.

        Args:
            tokens: whole, (batch, time), time at most ``length``; with a ``reach``, of any length.
            training: whether dropout acts.

        Returns:
            (batch, time, vocabulary).
        """
        x = self.silence(self._placed(tokens, ops.arange(ops.shape(tokens)[1])), training=training)
        for block in self.blocks:
            x = block(x, training=training)
        return self._logits(x)

    def empty_cache(self, batch: int) -> list[Memory]:
        """The key-value cache before the first place: for each block keys and values of zeros.

        Args:
            batch: how many sequences, at least 1.

        Returns:
            ``depth`` pairs of shape (batch, heads, length, width / heads).
        """
        shape = (batch, self.heads, self.length, self.width // self.heads)
        return [(ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype)) for _ in self.blocks]

    def step(self, tokens: Tensor, place: Tensor, cache: list[Memory]) -> tuple[Tensor, list[Memory]]:
        """The logits of one place, from the key-value cache of those before it.

        Args:
            tokens: those at this place, whole, (batch,).
            place: its number in the sequence, a whole scalar from 0 to ``length`` - 1.
            cache: as ``empty_cache`` and ``step`` return it.

        Returns:
            The logits, (batch, vocabulary), and the cache with this place added.

        Raises:
            ValueError: the model is not causal: what comes later would change what is in the cache.
        """
        if not self.causal:
            raise ValueError("a causal model was wanted; in this one every place sees those that come later")
        x = self._placed(tokens, ops.convert_to_tensor(place, dtype="int32"))[:, None]
        after = []
        for block, memory in zip(self.blocks, cache, strict=True):
            x, memory = block.step(x, place, memory)
            after.append(memory)
        return self._logits(x)[:, 0], after

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        names = ("vocabulary", "length", "width", "depth", "heads", "causal", "dropout", "reach")
        return super().get_config() | {name: getattr(self, name) for name in names}

    def _placed(self, tokens: Tensor, places: Tensor) -> Tensor:
        x = self.embedding(tokens)
        return x + self.places(places) if self.reach is None else x

    def _logits(self, x: Tensor) -> Tensor:
        return ops.matmul(self.norm(x), ops.transpose(self.embedding.embeddings))

    @cached_property
    def _sampler(self) -> Callable[..., Tensor]:
        return compiled(self, self._sample)

    def _sample(self, tokens: Tensor, start: Tensor, stop: Tensor, temperature: Tensor, noise: Tensor) -> Tensor:
        """Fill places ``start`` to ``stop`` of tokens (batch, length), one after the other, in one loop."""

        def body(place: Tensor, tokens: Tensor, cache: list[Memory]) -> tuple[Tensor, Tensor, list[Memory]]:
            logits, cache = self.step(ops.take(tokens, place, axis=1), place, cache)
            # The largest of logits plus Gumbel noise is a draw from their softmax.
            drawn = ops.argmax(logits + temperature * ops.take(noise, place + 1, axis=0), axis=-1)
            given = ops.take(tokens, place + 1, axis=1)
            chosen = ops.where(place + 1 < start, given, ops.cast(drawn, "int32"))
            return place + 1, ops.slice_update(tokens, (0, place + 1), chosen[:, None]), cache

        first = (ops.zeros((), "int32"), tokens, self.empty_cache(tokens.shape[0]))
        return ops.while_loop(lambda place, *_: place + 1 < stop, body, first)[1]


def language_model(
    vocabulary: int,
    length: int,
    width: int,
    depth: int,
    heads: int,
    causal: bool = True,
    dropout: float = 0.0,
    reach: int | None = None,
) -> LanguageModel:
    """A transformer over tokens; causal it is a small GPT-2, not causal a small BERT.

    It has Vd + Td + depth (12 d² + 13 d) + 2d parameters, with vocabulary V, length T and width d; with a reach R
    it has depth · (R + 1) · heads for the distances instead of Td for the places.

    Args:
        vocabulary: how many tokens there are, at least 1.
        length: the longest sequence, in tokens, at least 1.
        width: the numbers that stand for a token between the blocks, a multiple of ``heads``.
        depth: how many blocks, at least 1.
        heads: how many attentions a block has, at least 1.
        causal: whether a place sees only itself and what came before.
        dropout: the share that is silenced in training, of the embedding and of what each part of a block adds,
            from 0 to below 1.
        reach: if given, positions are relative: each head of each block has a learned number for every distance
            from 0 to ``reach``, and what is farther counts as ``reach``. At least 1, and the model is causal.

    Returns:
        The model, with new random weights: from whole tokens (batch, time), time at most ``length``, to logits
        (batch, time, vocabulary).

    Raises:
        ValueError: an argument is out of range, or ``heads`` does not divide ``width``.
    """
    model = LanguageModel(vocabulary, length, width, depth, heads, causal, dropout, reach)
    model.build((None, length))
    return model


def generate(
    model: LanguageModel, prompt: npt.ArrayLike, length: int, temperature: float = 1.0, seed: int = 0
) -> Tokens:
    """Let a causal model go on from a prompt, token after token, with a key-value cache.

    The first call for a number of sequences compiles the loop, which takes seconds; later ones are fast,
    whatever their length. Equal weights and an equal seed give equal tokens.

    Args:
        model: causal.
        prompt: whole tokens from 0 to below ``model.vocabulary``, (batch, given), both at least 1.
        length: how many tokens to add, at least 1; with the prompt at most ``model.length``.
        temperature: divides the logits: 1 draws from the model's own distribution, less is bolder in what
            is likely, and 0 takes the likeliest token.
        seed: of the draw, zero or more.

    Returns:
        The prompt and what follows it, int32 (batch, given + length).

    Raises:
        ValueError: an argument is not as above.
    """
    given = np.asarray(prompt)
    if given.ndim != 2 or given.size == 0 or given.dtype.kind not in "iu":
        raise ValueError(f"a prompt of whole tokens (batch, given) was wanted; {given.dtype} {given.shape} was given")
    if given.min() < 0 or given.max() >= model.vocabulary:
        raise ValueError(f"tokens from 0 to {model.vocabulary - 1} were wanted, not {given.min()} to {given.max()}")
    _check_whole(length=length)
    start, stop = given.shape[1], given.shape[1] + length
    if stop > model.length:
        raise ValueError(f"at most {model.length} tokens with the prompt were wanted; {start} + {length} were given")
    if not 0.0 <= temperature < np.inf:
        raise ValueError(f"a finite temperature, zero or more, was wanted; {temperature} was given")
    tokens = np.zeros((len(given), model.length), dtype=np.int32)
    tokens[:, :start] = given
    noise = np.zeros((model.length, len(given), model.vocabulary), dtype=np.float32)
    noise[start:stop] = np.random.default_rng(seed).gumbel(size=(length, *noise.shape[1:]))
    whole = (ops.convert_to_tensor(number, dtype="int32") for number in (tokens, start, stop))
    real = (ops.convert_to_tensor(number, dtype=model.compute_dtype) for number in (temperature, noise))
    return ops.convert_to_numpy(model._sampler(*whole, *real))[:, :stop]


def compiled(model: keras.Model, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that reads a model's weights, as one program of the backend's compiler XLA.

    Args:
        model: built; each call uses the weights that it then has.
        function: of tensors, made of ``keras.ops`` and calls of the model; it changes no weight.

    Returns:
        The function, which compiles itself at its first call with arguments of new shapes.

    Raises:
        ValueError: the backend is neither TensorFlow nor JAX.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if backend == "jax":
        import jax

        @jax.jit
        def program(values: list[Tensor], *tensors: Tensor) -> Any:
            with keras.StatelessScope(list(zip(model.variables, values, strict=True))):
                return function(*tensors)

        return lambda *tensors: program([variable.value for variable in model.variables], *tensors)
    raise ValueError(f"the backend is tensorflow or jax; {backend!r} is in use")


def _small() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _dense(units: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(units, kernel_initializer=_small(), name=name)


def _normalisation(name: str) -> keras.layers.LayerNormalization:
    return keras.layers.LayerNormalization(epsilon=1e-5, name=name)


def _check_whole(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, (int, np.integer)) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{name}: a whole number from 1 was wanted; {number!r} was given")


def _check_width(width: int | None, heads: int) -> int:
    if width is None or width % heads:
        raise ValueError(f"a width that {heads} heads divide was wanted; {width} was given")
    return width


def _check_share(dropout: float) -> None:
    if not 0 <= dropout < 1:
        raise ValueError(f"a dropout from 0 to below 1 was wanted; {dropout} was given")


def _check_reach(reach: int | None, causal: bool) -> None:
    if reach is not None:
        _check_whole(reach=reach)
        if not causal:
            raise ValueError("a causal model was wanted for relative positions; in this one a place sees later ones")
