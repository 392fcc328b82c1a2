"""Pictures from words, by flow matching with classifier-free guidance (chapter ``text-to-image``).

A picture is coded as a few hundred numbers, its principal components. A network is shown a picture mixed with noise
and the vector of its caption, and says for each place of a grid how probable each of many tiles is there, as in
Dieleman et al. (2022). The mean over the tiles is where the picture must lie (Lipman et al. 2023, Liu et al. 2023).
To draw, one walks from noise along what it says; guidance exaggerates what the caption adds (Ho and Salimans 2022).
"""

import math
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
from artbook.nn.transformer import TransformerBlock, compiled

Floats = npt.NDArray[np.floating]
Tensor = Any

# The captions of a picture, what stands between keywords, and the sentence around a name.
CAPTIONS = ("en name", "zh name", "en keywords", "zh keywords", "en sentence", "zh sentence")
_COMMA = {"en": ", ", "zh": "，"}
_SENTENCE = {"en": "a picture of {}", "zh": "一幅{}的图画"}
_LARGEST_PICTURE = 50_000_000
# The number of rows that the compiled programs take at a time.
_ROWS = 64
# The frequencies at which the network is told the time.
_ANGLES = 16


# Captions


def caption_vectors(pictures: OpenMoji) -> Floats:
    """The sentence vectors of all captions, from the cache if they are there.

    Args:
        pictures: with their names and keywords. A picture without keywords gets its name instead.

    Returns:
        ``(6, n, 512)``, in the order of ``CAPTIONS``.
    """

    def make() -> Arrays:
        texts = []
        for caption in CAPTIONS:
            language, kind = caption.split()
            names = pictures.names[language]
            if kind == "keywords":
                keywords = pictures.keywords[language]
                names = tuple(_COMMA[language].join(k) or name for k, name in zip(keywords, names, strict=True))
            elif kind == "sentence":
                names = tuple(_SENTENCE[language].format(name) for name in names)
            texts.append(names)
        return {"vectors": np.stack([sentence_vectors(each) for each in texts])}

    digest = corpus("emojibase").sha256[:8]
    return cached_arrays(f"openmoji-captions-{digest}-{len(pictures.characters)}-2", make)["vectors"]


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


def learn_caption_scale(vectors: npt.ArrayLike, floor: float = 0.5) -> CaptionScale:
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

# The pictures with a low sun, which are held out until the end.
SUNS = ("sunset", "sunrise", "sunrise over mountains", "cityscape at dusk")


@dataclass(frozen=True)
class Parts:
    """Which pictures are for what; each is an array of their numbers.

    Attributes:
        train: to learn from.
        validation: to choose on, one of each family.
        test: to judge on, one of each family.
        suns: those named in ``SUNS``, for the second training.
    """

    train: npt.NDArray[np.integer]
    validation: npt.NDArray[np.integer]
    test: npt.NDArray[np.integer]
    suns: npt.NDArray[np.integer]

    @property
    def known(self) -> npt.NDArray[np.integer]:
        """What has been learnt in the end: ``train``, then ``suns``."""
        return np.concatenate([self.train, self.suns])


def split(pictures: OpenMoji, tests: int = 120, validations: int = 100) -> Parts:
    """Split by families, so that no variant of a held-out picture is learnt from; always in the same way.

    Args:
        pictures: with their names and families.
        tests: how many families are for testing.
        validations: how many others are for choosing.

    Returns:
        The parts. The families of the suns are in none of the first three.
    """
    suns = np.array([pictures.names["en"].index(name) for name in SUNS])
    others = np.setdiff1d(pictures.families, pictures.families[suns])
    order = np.random.default_rng(2026).permutation(others)

    def members(families: npt.NDArray[Any]) -> npt.NDArray[np.integer]:
        return np.flatnonzero(np.isin(pictures.families, families))

    def one_each(families: npt.NDArray[Any]) -> npt.NDArray[np.integer]:
        rows = members(families)
        return rows[np.unique(pictures.families[rows], return_index=True)[1]]

    chosen = tests + validations
    return Parts(members(order[chosen:]), one_each(order[tests:chosen]), one_each(order[:tests]), suns)


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
class Tiles:
    """For each place of a grid, the tiles that some pictures have there; other pictures are choices among them.

    Attributes:
        side: of a tile, in pixels.
        tiles: uint8 ``(n, places, side * side * 3)``, of n pictures, the places row by row.
        choices: the pictures as choices: at each place the first picture that has the same tile there,
            int32 ``(n, places)``.
    """

    side: int
    tiles: npt.NDArray[np.uint8]
    choices: npt.NDArray[np.int32]

    def nearest(self, images: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Any pictures uint8 ``(m, size, size, 3)`` as choices of the nearest tiles, ``(m, places)``."""
        cut = _cut(np.asarray(images), self.side)
        return np.stack(
            [
                distances(cut[:, place], self.tiles[:, place]).argmin(axis=1).astype(np.int32)
                for place in range(cut.shape[1])
            ],
            axis=1,
        )

    def paint(self, choices: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Choices ``(m, places)`` as pictures uint8 ``(m, size, size, 3)``."""
        return _joined(self.tiles[choices, np.arange(choices.shape[1])], self.side)

    def sources(self, choices: npt.NDArray[np.integer]) -> int:
        """Of how many pictures a collage ``(places,)`` is made, if the one that gives most is taken each time."""
        left, count = np.ones(len(choices), bool), 0
        while left.any():
            gives = ((self.choices == choices) & left).sum(axis=1).argmax()
            left, count = left & (self.choices[gives] != choices), count + 1
        return count


def learn_tiles(images: npt.ArrayLike, side: int) -> Tiles:
    """Cut pictures into tiles.

    Args:
        images: uint8 ``(n, size, size, 3)``.
        side: of a tile, in pixels; it divides the size.

    Returns:
        The tiles.

    Raises:
        ValueError: the side does not divide the size, or the pictures are of another form.
    """
    pictures = np.asarray(images)
    if pictures.ndim != 4 or pictures.dtype != np.uint8 or side < 1 or pictures.shape[1] % side:
        raise ValueError(
            f"pictures uint8 (n, size, size, 3) and a side that divides size were wanted;"
            f" {pictures.dtype} {pictures.shape} and {side!r} were given"
        )
    tiles = _cut(pictures, side)
    choices = []
    for place in range(tiles.shape[1]):
        _, first, kind = np.unique(tiles[:, place], axis=0, return_index=True, return_inverse=True)
        choices.append(first[kind.reshape(-1)])
    return Tiles(side, tiles, np.stack(choices, axis=1).astype(np.int32))


def _cut(images: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    count, along = len(images), images.shape[1] // side
    cut = images.reshape(count, along, side, along, side, 3).transpose(0, 1, 3, 2, 4, 5)
    return cut.reshape(count, along**2, side**2 * 3)


def _joined(tiles: npt.NDArray[Any], side: int) -> npt.NDArray[Any]:
    """Tiles ``(m, places, side * side * 3)`` as pictures ``(m, size, size, 3)``."""
    along = math.isqrt(tiles.shape[1])
    joined = tiles.reshape(-1, along, along, side, side, 3).transpose(0, 1, 3, 2, 4, 5)
    return joined.reshape(-1, along * side, along * side, 3)


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


@dataclass(frozen=True)
class Sizes:
    """How large the network is.

    Attributes:
        width: the numbers that stand for the whole picture in the trunk, at least 1.
        depth: the residual blocks of the trunk, at least 1.
        detail: the numbers that stand for a place after it, a multiple of ``heads``.
        blocks: the transformer blocks in which the places look at each other, at least 0.
        heads: how many attentions a block has, at least 1.

    Raises:
        ValueError: a number is not whole or out of its range.
    """

    width: int
    depth: int
    detail: int
    blocks: int
    heads: int = 4

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("depth", 1), ("heads", 1), ("detail", 1), ("blocks", 0)):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool) or number < least:
                raise ValueError(f"{name}: a whole number from {least} was wanted; {number!r} was given")
        if self.detail % self.heads:
            raise ValueError(f"detail: a multiple of {self.heads} heads was wanted; {self.detail} was given")

    def operations(self, components: int, places: int, tiles: int) -> int:
        """Multiplications and additions in the matrix products of one answer to one picture.

        Args:
            components: of the picture's code.
            places: of the grid.
            tiles: among which each place chooses.
        """
        trunk = (components + WIDTH + 2 * _ANGLES) * self.width + 2 * self.depth * self.width**2
        to_places = self.width * places * self.detail
        block = 12 * places * self.detail**2 + 2 * places**2 * self.detail
        return 2 * (trunk + to_places + self.blocks * block + places * self.detail * tiles)


def denoiser(code: PictureCode, tiles: Tiles, sizes: Sizes) -> keras.Model:
    """A network that says what the picture is, from its mixture with noise and its caption.

    A trunk of residual blocks looks at the whole picture and says something to each place; in transformer blocks the
    places then look at each other (as patches do in Peebles and Xie 2023). The answer is a score for each place and
    tile; their softmax is a probability.

    Args:
        code: of the pictures.
        tiles: from which pictures are put together.
        sizes: of the network.

    Returns:
        The model, from mixtures ``(n, k)``, times ``(n, 1)`` and captions ``(n, 512)`` to scores
        ``(n, places, tiles)``.
    """
    width, detail = sizes.width, sizes.detail
    mixture, time, caption = keras.Input((len(code.deviations),)), keras.Input((1,)), keras.Input((WIDTH,))
    # The mixture's own deviation is divided out, so that what comes in is of one size at all times.
    total = ops.square(time * code.deviations) + ops.square(1 - time)
    angles = time * np.geomspace(1, 100, _ANGLES).astype(np.float32)
    asked = layers.Concatenate()([caption, ops.sin(angles), ops.cos(angles)])
    x = layers.Dense(width)(mixture / ops.sqrt(total)) + layers.Dense(width)(asked)
    for _ in range(sizes.depth):
        hidden = ops.gelu(layers.Dense(width)(_normalised(x)))
        x = x + layers.Dense(width, kernel_initializer="zeros")(hidden)
    count, places = tiles.choices.shape
    # A dense layer with weights of its own for each place: the blocks need not be told which place is which.
    place = layers.Reshape((places, detail))(layers.Dense(places * detail)(_normalised(x)))
    for _ in range(sizes.blocks):
        place = TransformerBlock(sizes.heads, 4 * detail, causal=False)(place)
    small = keras.initializers.RandomNormal(stddev=detail**-0.5)
    scores = layers.EinsumDense("npd,pdt->npt", (places, count), kernel_initializer=small)(place)
    return keras.Model([mixture, time, caption], scores)


def _normalised(x: Tensor) -> Tensor:
    # A dense layer follows, whose weights and biases scale and shift anyway.
    return layers.LayerNormalization(center=False, scale=False)(x)


def _times(rng: np.random.Generator, count: int) -> Floats:
    """The times ``(count, 1)`` at which the network is taught; most are early, where there is much to decide."""
    return (1 / (1 + np.exp(0.7 - rng.standard_normal((count, 1))))).astype(np.float32)


class _Batches(keras.utils.PyDataset):
    """Batch after batch of mixtures, times and captions, with the tiles that the pictures have."""

    def __init__(
        self,
        codes: Floats,
        choices: npt.NDArray[np.int32],
        captions: Floats,
        training: "Training",
        steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.codes, self.choices, self.captions, self.training, self.seed = codes, choices, captions, training, seed
        apart = [distances(each, each) for each in captions]
        self.neighbours = np.stack([np.argsort(each, axis=1)[:, 1 : 1 + _NEIGHBOURS] for each in apart])

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, number: int) -> tuple[tuple[Floats, Floats, Floats], npt.NDArray[np.int32]]:
        how, rng = self.training, np.random.default_rng([self.seed, number])
        rows = (how.batch, 1)
        chosen = rng.integers(len(self.codes), size=how.batch)
        kind = rng.choice(len(self.captions), how.batch, p=how.shares)
        caption = self.captions[kind, chosen]
        other = self.neighbours[kind, chosen, rng.integers(self.neighbours.shape[2], size=how.batch)]
        way = 0.5 * rng.random(rows) * (rng.random(rows) < how.between)
        caption = caption + way * (self.captions[kind, other] - caption)
        caption = caption + how.blur * rng.standard_normal(caption.shape)
        caption *= rng.random(rows) >= how.dropped
        time = _times(rng, how.batch)
        codes = self.codes[chosen]
        mixture = mixed(codes, rng.standard_normal(codes.shape, np.float32), time)
        return (mixture, time, caption.astype(np.float32)), self.choices[chosen]


@dataclass(frozen=True)
class Training:
    """How to train.

    Attributes:
        steps: how many batches.
        batch: how many pictures a batch.
        rate: the highest learning rate, from which it falls to zero as a cosine.
        shares: how often each kind of caption is taken; they add up to one.
        between: how often a caption is moved towards a neighbour's, up to half of the way. There, a caption means
            either of two pictures, and the mixture must decide which.
        blur: the deviation of the noise that is added to a caption, so that its neighbourhood means the same.
        dropped: the share of pictures whose caption is left out, from 0 to below 1; guidance needs some.
        decay: AdamW's weight decay.
        again: the share of ``steps`` that a second call of ``train`` takes, at half the rate.
    """

    steps: int
    batch: int = 128
    rate: float = 2e-3
    shares: tuple[float, ...] = (0.25, 0.25, 0.1, 0.1, 0.15, 0.15)
    between: float = 0.5
    blur: float = 0.2
    dropped: float = 0.2
    decay: float = 0.01
    again: float = 0.25


# Among how many of the nearest captions a neighbour is chosen.
_NEIGHBOURS = 6


@dataclass(frozen=True)
class Recipe:
    """All that decides what is trained, beside the pictures and the seed.

    Attributes:
        side: of the pictures, in pixels.
        components: of their code.
        sizes: of the network.
        training: how it learns.
    """

    side: int
    components: int
    sizes: Sizes
    training: Training


# The tiles of every recipe have so many pixels a side.
TILE = 8
# What the chapter trains in each profile.
RECIPES = {
    "smoke": Recipe(32, 96, Sizes(width=96, depth=1, detail=16, blocks=1), Training(steps=20, batch=64)),
    "cpu": Recipe(32, 384, Sizes(width=512, depth=2, detail=48, blocks=0), Training(steps=800)),
    "gpu": Recipe(64, 1024, Sizes(width=1024, depth=2, detail=256, blocks=6, heads=8), Training(1000, rate=1e-3)),
}


class _Losses(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.sums: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        assert logs is not None
        self.sums.append((batch + 1) * float(logs["loss"]))


def train(
    model: keras.Model,
    codes: Floats,
    choices: npt.NDArray[np.int32],
    captions: Floats,
    training: Training,
    seed: int,
) -> Floats:
    """Teach the network to undo the mixing; the loss is the cross-entropy of the tiles.

    Args:
        model: as ``denoiser`` returns it. A second call goes on from where the first one ended, with other pictures
            if one likes (a warm restart, Loshchilov and Hutter 2017).
        codes: of the training pictures, ``(n, k)``.
        choices: of the same, as ``Tiles`` has them, ``(n, places)``.
        captions: of the same, as ``CaptionScale`` returns them, ``(kinds, n, 512)``.
        training: how.
        seed: draws pictures, captions, times and noise.

    Returns:
        The loss of each step, in nats a tile.

    Raises:
        ValueError: codes, choices and captions do not fit together, or there are not as many shares as kinds of
            captions.
    """
    if captions.shape != (len(training.shares), len(codes), WIDTH) or len(choices) != len(codes):
        wanted = (len(training.shares), len(codes), WIDTH)
        raise ValueError(
            f"captions {wanted} and as many choices were wanted for {len(codes)} codes;"
            f" {captions.shape} and {len(choices)} were given"
        )
    steps = training.steps
    if model.compiled:
        steps = round(steps * training.again)
    else:
        rate = keras.optimizers.schedules.CosineDecayRestarts(training.rate, steps, t_mul=training.again, m_mul=0.5)
        optimiser = keras.optimizers.AdamW(rate, weight_decay=training.decay, clipnorm=1.0)
        model.compile(optimiser, keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    losses = _Losses()
    batches = _Batches(codes, choices, captions, training, steps, seed)
    model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[losses])
    # Keras reports the mean over the steps so far.
    return np.diff(losses.sums, prepend=0.0).astype(np.float32)


def loss(
    model: keras.Model,
    codes: Floats,
    choices: npt.NDArray[np.int32],
    captions: Floats,
    seed: int,
    repeats: int = 8,
) -> float:
    """What ``train`` makes small, of other pictures: the cross-entropy of their tiles.

    Args:
        model: as ``train`` leaves it.
        codes: of the pictures, ``(n, k)``.
        choices: of the same, ``(n, places)``; of pictures that are no collages, the nearest tiles.
        captions: of the same, ``(kinds, n, 512)``.
        seed: draws times and noise.
        repeats: how often each caption is asked, each time with other noise, at least 1.

    Returns:
        The mean over pictures, captions and places, in nats a tile.

    Raises:
        ValueError: codes, choices and captions do not fit together, or repeats is below 1.
    """
    if captions.shape[1:] != (len(codes), WIDTH) or len(choices) != len(codes) or repeats < 1:
        raise ValueError(
            f"captions (kinds, {len(codes)}, {WIDTH}), as many choices and repeats from 1 were wanted for {len(codes)}"
            f" codes; {captions.shape}, {len(choices)} and {repeats!r} were given"
        )
    times = repeats * len(captions)
    rng, codes = np.random.default_rng(seed), np.tile(codes, (times, 1))
    time = _times(rng, len(codes))
    mixture = mixed(codes, rng.standard_normal(codes.shape, np.float32), time)
    asked = np.tile(captions.reshape(-1, WIDTH), (repeats, 1))
    return float(model.evaluate([mixture, time, asked], np.tile(choices, (times, 1)), batch_size=_ROWS, verbose=0))


# From words to pictures, and back


@dataclass(frozen=True)
class TextToImage:
    """All that it takes to draw a text, and to judge which text fits a picture.

    Attributes:
        code: of the pictures.
        tiles: from which pictures are put together.
        scale: of the captions.
        model: the trained network.
    """

    code: PictureCode
    tiles: Tiles
    scale: CaptionScale
    model: keras.Model

    def draw(
        self, vectors: npt.ArrayLike, guidance: float = 1.0, steps: int = 16, seed: int = 0
    ) -> npt.NDArray[np.uint8]:
        """One picture a caption, uint8 ``(n, size, size, 3)``: ``choose``, painted."""
        return self.tiles.paint(self.choose(vectors, guidance, steps, seed))

    def choose(
        self, vectors: npt.ArrayLike, guidance: float = 1.0, steps: int = 16, seed: int = 0
    ) -> npt.NDArray[np.int32]:
        """The tiles of one picture a caption.

        Args:
            vectors: sentence vectors, ``(n, 512)``.
            guidance: 0 ignores the caption, 1 obeys it, above 1 exaggerates it; finite, from 0.
            steps: of the way from noise to picture, 1 to 1,000; the last one's most probable tiles are taken.
            seed: draws the noise.

        Returns:
            The choice at each place, ``(n, places)``.

        Raises:
            ValueError: one of these is not as described.
        """
        if not 0 <= guidance < np.inf or not 1 <= steps <= 1000:
            raise ValueError(f"guidance from 0 and 1 to 1,000 steps were wanted; {guidance!r}, {steps!r} were given")
        captions = self.scale(_vectors(vectors))
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((len(captions), len(self.code.deviations)), np.float32)
        settings = np.float32(guidance), np.int32(steps)
        choices = [self._draw(*rows, *settings) for rows in _in_rows(noise, captions)]
        chosen = np.concatenate([ops.convert_to_numpy(each) for each in choices])[: len(captions)]
        # Of equal tiles, the first one's number.
        return self.tiles.choices[chosen, np.arange(chosen.shape[1])]

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

        def answer(codes: Tensor, time: Tensor, heard: Tensor) -> Tensor:
            return ops.softmax(self.model([codes, time * ones, heard]))

        def step(number: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            codes, time = state[0], ops.cast(number, "float32") * length
            asked = answer(codes, time, captions)
            # With guidance 1 the answer without a caption has no weight, and the network is not asked for it.
            free = ops.cond(guidance == 1, lambda: asked, lambda: answer(codes, time, 0 * captions))
            guided = free + guidance * (asked - free)
            goal = self.mean_code(guided)
            return codes + length * (goal - codes) / (1 - time), ops.argmax(guided, axis=-1)

        nothing = ops.zeros((noise.shape[0], self.tiles.choices.shape[1]), "int32")
        return ops.fori_loop(0, steps, step, (noise, nothing))[1]

    def mean_code(self, probabilities: Tensor) -> Tensor:
        """The code ``(n, k)`` of the mean picture.

        Args:
            probabilities: of the tiles, ``(n, places, tiles)``; with guidance they may be below 0 and above 1.
        """
        code, side = self.code, self.tiles.side
        # Places first, as the product wants them: else the compiler turns the whole constant over.
        tiles = self.tiles.tiles.transpose(1, 0, 2).astype(np.float32, "C") / 255
        mean = ops.einsum("npt,ptv->npv", probabilities, tiles)
        # Components and mean are cut like the pictures, so that the tiles need not be joined.
        components = _cut(code.components.reshape(-1, code.size, code.size, 3), side).reshape(len(code.components), -1)
        middle = _cut(code.mean.reshape(1, code.size, code.size, 3), side)
        return ops.reshape(mean - middle, (probabilities.shape[0], -1)) @ components.T / code.unit

    @cached_property
    def _misfit(self) -> Any:
        return compiled(self.model, self._mean_error)

    def _mean_error(self, code: Tensor, noise: Tensor, captions: Tensor) -> Tensor:
        ones, errors = ops.ones((captions.shape[0], 1)), 0.0
        for number, time in enumerate(_TIMES):
            mixture = mixed(code, noise[number], time) * ones
            found = self.mean_code(ops.softmax(self.model([mixture, time * ones, captions])))
            errors = errors + ops.mean(ops.square(found - code), axis=-1)
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
