"""Pictures from words, by flow matching with classifier-free guidance (chapter ``text-to-image``).

A picture is coded as a few hundred numbers, its principal components. A network is shown a picture mixed with noise
and the vector of its caption, and says what the picture is (Lipman et al. 2023, Liu et al. 2023). To draw, one walks
from noise along what it says; guidance exaggerates what the caption adds (Ho and Salimans 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops
from PIL import Image

from artbook.data.manifest import corpus
from artbook.data.openmoji import OpenMoji
from artbook.data.store import Arrays, cached_arrays
from artbook.judge import distances
from artbook.nn.sentences import WIDTH, sentence_vectors, unknown_share
from artbook.nn.transformer import compiled

Floats = npt.NDArray[np.floating]
Tensor = Any

# The four captions of a picture, and what stands between keywords.
CAPTIONS = ("en name", "zh name", "en keywords", "zh keywords")
_COMMA = {"en": ", ", "zh": "，"}
_LARGEST_PICTURE = 50_000_000
# The number of rows that the compiled programs take at a time.
_ROWS = 128


# Captions


def caption_vectors(pictures: OpenMoji) -> Floats:
    """The sentence vectors of all captions, from the cache if they are there.

    Args:
        pictures: with their names and keywords. A picture without keywords gets its name instead.

    Returns:
        ``(4, n, 512)``, in the order of ``CAPTIONS``.
    """

    def make() -> Arrays:
        texts = []
        for caption in CAPTIONS:
            language, kind = caption.split()
            names = pictures.names[language]
            if kind == "keywords":
                keywords = pictures.keywords[language]
                names = tuple(_COMMA[language].join(k) or name for k, name in zip(keywords, names, strict=True))
            texts.append(names)
        return {"vectors": np.stack([sentence_vectors(each) for each in texts])}

    digest = corpus("emojibase").sha256[:8]
    return cached_arrays(f"openmoji-captions-{digest}-{len(pictures.characters)}-1", make)["vectors"]


def prompt_vectors(prompts: Sequence[str]) -> Floats:
    """The sentence vectors of texts that somebody typed.

    Args:
        prompts: at least one, each of 1 to 300 characters, in a script that the encoder knows.

    Returns:
        ``(n, 512)``.

    Raises:
        ValueError: one of them is empty, too long, or has no piece that the encoder knows.
    """
    vectors = sentence_vectors(prompts)
    for prompt in prompts:
        if unknown_share(prompt) == 1:
            raise ValueError(f"a text in one of the encoder's 16 languages was wanted; it knows no piece of {prompt!r}")
    return vectors


@dataclass(frozen=True)
class CaptionScale:
    """Sentence vectors, centred and partly whitened: directions in which captions differ little count for more.

    Attributes:
        centre: the mean caption, ``(512,)``.
        matrix: by which what is left is multiplied, ``(512, 512)``.
    """

    centre: Floats
    matrix: Floats

    def __call__(self, vectors: npt.ArrayLike) -> Floats:
        """Sentence vectors ``(..., 512)`` as the network takes them; zeros stand for no caption."""
        return (np.asarray(vectors, np.float32) - self.centre) @ self.matrix


def learn_caption_scale(vectors: npt.ArrayLike, floor: float = 0.05) -> CaptionScale:
    """Learn the scale from the captions of the training pictures.

    Args:
        vectors: ``(n, 512)``.
        floor: added to each direction's deviation, as a share of the largest; 0 whitens fully.

    Returns:
        The scale; with it the mean square of a number is one.
    """
    rows = np.asarray(vectors, np.float64)
    centre = rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(rows - centre, full_matrices=False)
    matrix = directions.T / (singular + floor * singular[0]) @ directions
    matrix /= np.sqrt(np.square((rows - centre) @ matrix).mean())
    return CaptionScale(centre.astype(np.float32), matrix.astype(np.float32))


# Pictures


def prepared(picture: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Any picture as the model takes it: on white, resized to a square.

    Args:
        picture: at least as large as the model's pictures, and of at most 50 megapixels.
        size: the side of the model's pictures, in pixels.

    Returns:
        uint8 ``(size, size, 3)``.

    Raises:
        ValueError: the picture is too small or too large.
    """
    width, height = picture.size
    if min(width, height) < size or width * height > _LARGEST_PICTURE:
        raise ValueError(
            f"a picture of at least {size} x {size} and at most {_LARGEST_PICTURE:,} pixels was wanted;"
            f" one of {width} x {height} was given"
        )
    coloured = picture.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    return np.asarray(Image.alpha_composite(white, coloured).convert("RGB").resize((size, size), Image.Resampling.BOX))


@dataclass(frozen=True)
class PictureCode:
    """Principal components of pictures: the code of a picture and the picture of a code.

    Attributes:
        size: the side of a picture, in pixels.
        mean: the mean picture, ``(size * size * 3,)``, from 0 to 1.
        components: one a row, of length one, ``(k, size * size * 3)``.
        unit: what one unit of the code is in the picture.
        deviations: the standard deviation of each number of the code, ``(k,)``; their mean square is one.
    """

    size: int
    mean: Floats
    components: Floats
    unit: float
    deviations: Floats

    def encode(self, images: npt.ArrayLike) -> Floats:
        """Pictures uint8 ``(n, size, size, 3)`` as codes ``(n, k)``."""
        return (_flat(images, self.size) - self.mean) @ self.components.T / self.unit

    def decode(self, codes: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Codes ``(n, k)`` as pictures uint8 ``(n, size, size, 3)``."""
        values = np.asarray(codes, np.float32) * self.unit @ self.components + self.mean
        return np.round(255 * values.clip(0, 1)).astype(np.uint8).reshape(-1, self.size, self.size, 3)


def learn_code(images: npt.ArrayLike, components: int) -> PictureCode:
    """Learn the principal components of training pictures.

    Args:
        images: uint8 ``(n, size, size, 3)``.
        components: how many to keep, 1 to n - 1.

    Returns:
        The code.

    Raises:
        ValueError: the pictures are of another form, or there are too few for so many components.
    """
    shape = np.shape(images)
    if len(shape) != 4 or shape[1] != shape[2]:
        raise ValueError(f"square pictures (n, size, size, 3) were wanted; the shape {shape} was given")
    rows = _flat(images, shape[1])
    if not 1 <= components < len(rows):
        raise ValueError(f"1 to {len(rows) - 1} components were wanted; {components!r} was given")
    mean = rows.mean(axis=0)
    centred = (rows - mean).astype(np.float64)
    # The products of all pairs of pictures are a much smaller matrix than those of all pairs of pixels.
    squares, weights = np.linalg.eigh(centred @ centred.T)
    squares, weights = squares[::-1][:components], weights[:, ::-1][:, :components]
    deviations = np.sqrt(squares / len(rows))
    directions = weights.T @ centred / np.sqrt(squares)[:, None]
    unit = float(np.sqrt(np.square(deviations).mean()))
    return PictureCode(shape[1], mean, directions.astype(np.float32), unit, (deviations / unit).astype(np.float32))


def _flat(images: npt.ArrayLike, size: int) -> Floats:
    pictures = np.asarray(images)
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1:] != (size, size, 3):
        raise ValueError(
            f"pictures uint8 (n, {size}, {size}, 3) were wanted; {pictures.dtype} {pictures.shape} was given"
        )
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255


# The network


def mixed(codes: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """The straight way from noise, at time 0, to a picture, at time 1: (1 - t) noise + t codes."""
    return (1 - time) * noise + time * codes


def denoiser(code: PictureCode, width: int, depth: int) -> keras.Model:
    """A residual network that says what the picture is, from its mixture with noise and its caption.

    It adds to the best linear answer, the Wiener filter, what it has learnt: for a component of deviation s the
    filter says t s² / (t² s² + (1 - t)²) times the mixture, and is wrong by s (1 - t) / √(t² s² + (1 - t)²) on
    average, which is the unit in which the network speaks.

    Args:
        code: of the pictures.
        width: the numbers that stand for a picture inside, at least 1.
        depth: how many residual blocks, at least 1.

    Returns:
        The model, from mixtures ``(n, k)``, times ``(n, 1)`` and captions ``(n, 512)`` to codes ``(n, k)``.

    Raises:
        ValueError: width or depth is below 1.
    """
    if width < 1 or depth < 1:
        raise ValueError(f"a width and a depth from 1 were wanted; {width!r} and {depth!r} were given")
    count = len(code.deviations)
    mixture, time, caption = keras.Input((count,)), keras.Input((1,)), keras.Input((WIDTH,))
    variances = np.square(code.deviations)
    total = ops.square(time) * variances + ops.square(1 - time)
    angles = time * np.geomspace(1, 100, 16).astype(np.float32)
    asked = layers.Concatenate()([caption, ops.sin(angles), ops.cos(angles)])
    x = layers.Dense(width)(mixture / ops.sqrt(total)) + layers.Dense(width)(asked)
    for _ in range(depth):
        hidden = ops.gelu(layers.Dense(width)(_normalised(x)))
        x = x + layers.Dense(width, kernel_initializer="zeros")(hidden)
    learnt = layers.Dense(count, kernel_initializer="zeros")(_normalised(x))
    unknown = (1 - time) * code.deviations / ops.sqrt(total)
    return keras.Model([mixture, time, caption], time * variances / total * mixture + unknown * learnt)


def _normalised(x: Tensor) -> Tensor:
    # A dense layer follows, whose weights and biases scale and shift anyway.
    return layers.LayerNormalization(center=False, scale=False)(x)


class _Batches(keras.utils.PyDataset):
    """Batch after batch of mixtures, times and captions, with what the pictures are and what an error costs."""

    def __init__(self, codes: Floats, captions: Floats, training: "Training", steps: int, seed: int) -> None:
        super().__init__()
        self.codes, self.captions, self.training, self.steps, self.seed = codes, captions, training, steps, seed

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> tuple[tuple[Floats, Floats, Floats], Floats, Floats]:
        how, rng = self.training, np.random.default_rng([self.seed, number])
        chosen = rng.integers(len(self.codes), size=how.batch)
        kind = rng.choice(len(self.captions), how.batch, p=how.shares)
        caption = self.captions[kind, chosen] + how.blur * rng.standard_normal((how.batch, WIDTH), np.float32)
        rows = (how.batch, 1)
        caption *= rng.random(rows) >= how.dropped
        time = (1 / (1 + np.exp(0.5 - rng.standard_normal(rows)))).astype(np.float32)
        codes = self.codes[chosen]
        mixture = mixed(codes, rng.standard_normal(codes.shape, np.float32), time)
        return (mixture, time, caption), codes, 1 / np.maximum(1 - time[:, 0], 0.1) ** 2


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        steps: how many batches.
        batch: how many pictures a batch.
        rate: the highest learning rate, from which it falls to zero as a cosine.
        shares: how often each kind of caption is taken; they add up to one.
        blur: the deviation of the noise that is added to a caption, so that its neighbourhood means the same.
        dropped: the share of pictures whose caption is left out, from 0 to below 1; guidance needs some.
        decay: AdamW's weight decay.
        again: the share of ``steps`` that a second call of ``train`` takes, at half the rate.
    """

    steps: int
    batch: int = 128
    rate: float = 2e-3
    shares: tuple[float, ...] = (0.35, 0.35, 0.15, 0.15)
    blur: float = 0.1
    dropped: float = 0.1
    decay: float = 0.01
    again: float = 0.2


class _Losses(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.sums: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self.sums.append((batch + 1) * float(logs["loss"]))


def train(model: keras.Model, codes: Floats, captions: Floats, training: Training, seed: int) -> Floats:
    """Teach the network to undo the mixing: the error is squared, and counts more the less noise there is.

    Args:
        model: as ``denoiser`` returns it. A second call goes on from where the first one ended, with other pictures
            if one likes (a warm restart, Loshchilov and Hutter 2017).
        codes: of the training pictures, ``(n, k)``.
        captions: of the same, as ``CaptionScale`` returns them, ``(kinds, n, 512)``.
        training: how.
        seed: draws pictures, captions, times and noise.

    Returns:
        The loss of each step.

    Raises:
        ValueError: codes and captions do not fit together, or there are not as many shares as kinds of captions.
    """
    if captions.shape != (len(training.shares), len(codes), WIDTH):
        wanted = (len(training.shares), len(codes), WIDTH)
        raise ValueError(f"captions {wanted} were wanted for {len(codes)} codes; {captions.shape} were given")
    steps = training.steps
    if model.compiled:
        steps = round(steps * training.again)
    else:
        rate = keras.optimizers.schedules.CosineDecayRestarts(training.rate, steps, t_mul=training.again, m_mul=0.5)
        optimiser = keras.optimizers.AdamW(rate, weight_decay=training.decay, clipnorm=1.0)
        # On TensorFlow, XLA compiles for longer than it saves.
        model.compile(optimiser, loss="mse", jit_compile=keras.backend.backend() == "jax")
    losses = _Losses()
    batches = _Batches(codes, captions, training, steps, seed)
    model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[losses])
    # Keras reports the mean over the steps so far.
    return np.diff(losses.sums, prepend=0.0).astype(np.float32)


# From words to pictures, and back


@dataclass(frozen=True)
class TextToImage:
    """All that it takes to draw a text, and to judge which text fits a picture.

    Attributes:
        code: of the pictures.
        scale: of the captions.
        model: the trained network.
    """

    code: PictureCode
    scale: CaptionScale
    model: keras.Model

    def draw(
        self, vectors: npt.ArrayLike, guidance: float = 2.0, steps: int = 16, seed: int = 0
    ) -> npt.NDArray[np.uint8]:
        """One picture a caption.

        Args:
            vectors: sentence vectors, ``(n, 512)``.
            guidance: 0 ignores the caption, 1 obeys it, above 1 exaggerates it; finite, from 0.
            steps: of the way from noise to picture, 1 to 1,000.
            seed: draws the noise.

        Returns:
            uint8 ``(n, size, size, 3)``.

        Raises:
            ValueError: one of these is not as described.
        """
        if not 0 <= guidance < np.inf or not 1 <= steps <= 1000:
            raise ValueError(f"guidance from 0 and 1 to 1,000 steps were wanted; {guidance!r}, {steps!r} were given")
        captions = self.scale(_vectors(vectors))
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(captions), len(self.code.deviations)), np.float32)
        settings = np.float32(guidance), np.int32(steps)
        codes = [self._draw(*rows, *settings) for rows in _in_rows(noise, captions)]
        return self.code.decode(np.concatenate([ops.convert_to_numpy(each) for each in codes])[: len(captions)])

    def misfit(self, images: npt.ArrayLike, vectors: npt.ArrayLike, seed: int = 0) -> Floats:
        """How badly each caption fits each picture: the error of the picture that the network makes of noisy ones.

        The same noise and the same times for all captions, so that only the caption tells them apart (Li et al.
        2023, Your Diffusion Model is Secretly a Zero-Shot Classifier).

        Args:
            images: uint8 ``(n, size, size, 3)``.
            vectors: sentence vectors, ``(m, 512)``.
            seed: draws the noise.

        Returns:
            ``(n, m)``, the mean squared error in units of the code.
        """
        codes, captions = self.code.encode(images), self.scale(_vectors(vectors))
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(_TIMES), codes.shape[1]), np.float32)
        errors = np.zeros((len(codes), len(captions)), np.float32)
        for row, code in enumerate(codes):
            for part, (rows,) in enumerate(_in_rows(captions)):
                found = ops.convert_to_numpy(self._misfit(code, noise, rows))
                errors[row, part * _ROWS : (part + 1) * _ROWS] = found[: len(captions) - part * _ROWS]
        return errors

    @cached_property
    def _draw(self) -> Any:
        return compiled(self.model, self._walk)

    def _walk(self, noise: Tensor, captions: Tensor, guidance: Tensor, steps: Tensor) -> Tensor:
        ones, length = ops.ones((noise.shape[0], 1)), 1 / ops.cast(steps, "float32")

        def step(number: Tensor, codes: Tensor) -> Tensor:
            time = ops.cast(number, "float32") * length
            asked = self.model([codes, time * ones, captions])
            free = self.model([codes, time * ones, 0 * captions])
            goal = free + guidance * (asked - free)
            return codes + length * (goal - codes) / (1 - time)

        return ops.fori_loop(0, steps, step, noise)

    @cached_property
    def _misfit(self) -> Any:
        return compiled(self.model, self._mean_error)

    def _mean_error(self, code: Tensor, noise: Tensor, captions: Tensor) -> Tensor:
        ones, errors = ops.ones((captions.shape[0], 1)), 0.0
        for number, time in enumerate(_TIMES):
            mixture = mixed(code, noise[number], time) * ones
            errors = errors + ops.mean(ops.square(self.model([mixture, time * ones, captions]) - code), axis=-1)
        return errors / len(_TIMES)


# Where the caption matters: with less noise the picture speaks for itself.
_TIMES = (0.15, 0.3)


def _vectors(vectors: npt.ArrayLike) -> Floats:
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or rows.shape[1] != WIDTH or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"finite sentence vectors (n, {WIDTH}) were wanted; the shape {rows.shape} was given")
    return rows


def _in_rows(*arrays: Floats) -> list[tuple[Floats, ...]]:
    """Arrays of as many rows, cut into pieces of one length, the last filled up with zeros."""
    missing = -len(arrays[0]) % _ROWS
    filled = [np.concatenate([each, np.zeros((missing, *each.shape[1:]), each.dtype)]) for each in arrays]
    return [tuple(each[at : at + _ROWS] for each in filled) for at in range(0, len(filled[0]), _ROWS)]


# Judging


def small(images: npt.ArrayLike) -> Floats:
    """Pictures uint8 ``(n, size, size, 3)``, averaged to 16 x 16 and as rows ``(n, 768)``, from 0 to 1."""
    pictures = np.asarray(images)
    part = pictures.shape[1] // 16
    parts = pictures.reshape(len(pictures), 16, part, 16, part, 3).astype(np.float32) / 255
    return parts.mean(axis=(2, 4)).reshape(len(pictures), -1)


def ranks(queries: npt.ArrayLike, gallery: npt.ArrayLike, own: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The place that each query's own row takes among the rows of the gallery, the nearest first, from 0.

    Args:
        queries: ``(n, d)``.
        gallery: ``(m, d)``.
        own: the number of each query's own row in the gallery, whole, ``(n,)``.

    Returns:
        ``(n,)``: how many other rows are nearer than the own one.
    """
    apart = distances(queries, gallery)
    return (apart < apart[np.arange(len(apart)), np.asarray(own)][:, None]).sum(axis=1)
