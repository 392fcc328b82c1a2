"""Pictures of 64 x 64 pixels, drawn on a processor by the recipe that the chapter ``text-to-image`` has for a GPU.

The network is trained with its transformer blocks and without them. As in the chapter, it is judged on captions of
held-out families, then learns the pictures with a low sun, and draws the two prompts and what it knows. Collages are
kept as the numbers of their tiles, so that they can be painted again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from artbook.data import openmoji
from artbook.data.openmoji import OpenMoji
from artbook.images import text_to_image as t2i
from artbook.images.text_to_image import Parts, Recipe, TextToImage
from artbook.judge import distances

SEEDS = (0,)
BLOCKS = t2i.RECIPES["gpu"]
TRUNK = replace(BLOCKS, sizes=replace(BLOCKS.sizes, blocks=0))
BEGINNING = replace(BLOCKS, training=replace(BLOCKS.training, steps=8))
PROMPTS = {"English": "a beautiful sunset", "Chinese": "一幅美丽的日落场景"}
# Drawings of each prompt and of each held-out caption; held-out captions of which one drawing is kept.
SUNSETS, DRAWS, KEPT = 8, 4, 12
# The losses are kept as means over so many steps.
WINDOW = 20

Figures = dict[str, Any]
Rows = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Lesson:
    """A painter with a network that has learnt nothing yet, and what there is to learn.

    Attributes:
        pictures: all of them.
        parts: which are for what.
        vectors: of their captions, as ``caption_vectors`` returns them.
        painter: with tiles and a code of the known pictures.
    """

    pictures: OpenMoji
    parts: Parts
    vectors: t2i.Floats
    painter: TextToImage

    def learn(self, rows: Rows, training: t2i.Training, seed: int) -> t2i.Floats:
        """Learn from some rows of the known pictures, as often as they are given; the losses."""
        learnt = self.parts.known[rows]
        codes, captions = self.painter.code.encode(self.pictures.images[learnt]), self.vectors[:, learnt]
        choices = self.painter.tiles.choices[rows]
        return t2i.train(self.painter.model, codes, choices, self.painter.scale(captions), training, seed)

    def loss(self, seed: int) -> float:
        """What the nearest tiles of the validation pictures cost, given their names, in nats a tile."""
        images = self.pictures.images[self.parts.validation]
        captions = self.painter.scale(self.vectors[: len(PROMPTS), self.parts.validation])
        codes, nearest = self.painter.code.encode(images), self.painter.tiles.nearest(images)
        return t2i.loss(self.painter.model, codes, nearest, captions, seed)

    def looks(self, choices: Rows) -> t2i.Floats:
        """Collages as they are compared with pictures."""
        return t2i.small(self.painter.tiles.paint(choices))

    def sources(self, drawings: Rows) -> float:
        """Of how many pictures a drawing is made, on average."""
        return float(np.mean([self.painter.tiles.sources(each) for each in drawings]))


def prepare(recipe: Recipe, seed: int) -> Lesson:
    """Load the pictures, learn their tiles and code, and build the network."""
    pictures = openmoji.load(recipe.side)
    parts, vectors = t2i.split(pictures), t2i.caption_vectors(pictures)
    known = pictures.images[parts.known]
    code, tiles = t2i.learn_code(known, recipe.components), t2i.learn_tiles(known, t2i.TILE)
    scale = t2i.learn_caption_scale(np.concatenate(vectors[:, parts.train]))
    keras.utils.set_random_seed(seed)
    model = t2i.denoiser(code, tiles, recipe.sizes)
    return Lesson(pictures, parts, vectors, TextToImage(code, tiles, scale, model))


def beginning(seed: int) -> Figures:
    """The losses of a training of a few steps, which the chapter repeats."""
    lesson = prepare(BEGINNING, seed)
    return {"losses": lesson.learn(np.arange(len(lesson.parts.train)), BEGINNING.training, seed)}


def measure(recipe: Recipe, seed: int) -> Figures:
    """Train, judge and draw as the chapter does.

    Returns:
        ``losses`` of the first training, means of ``WINDOW`` steps; ``validation``, what held-out tiles cost; and by
        language what ``unknown`` and ``known`` find before and after the pictures with a low sun are learnt.
    """
    lesson = prepare(recipe, seed)
    first = np.arange(len(lesson.parts.train))
    losses = lesson.learn(first, recipe.training, seed)
    figures: Figures = {"losses": losses.reshape(-1, WINDOW).mean(axis=1), "validation": lesson.loss(seed)}
    for number, language in enumerate(PROMPTS):
        figures[language] = unknown(lesson, number, seed)
    suns = len(first) + np.arange(len(lesson.parts.suns))
    lesson.learn(np.concatenate([first, np.repeat(suns, 10)]), recipe.training, seed + 1)
    for number, language in enumerate(PROMPTS):
        figures[language] |= known(lesson, number, PROMPTS[language], seed)
    return figures


def unknown(lesson: Lesson, language: int, seed: int) -> Figures:
    """Draw for the names of the test pictures.

    Returns:
        ``test`` and ``copy``, the shares of own pictures among the one, five and ten nearest of the test pictures, by
        drawings and by copies of the nearest name's picture; ``new``, some drawings; ``new_sources``, of how many
        pictures one is made.
    """
    test, train, vectors = lesson.parts.test, lesson.parts.train, lesson.vectors[language]
    looks, own = t2i.small(lesson.pictures.images[test]), np.arange(len(test))
    draws = [lesson.painter.choose(vectors[test], seed=DRAWS * seed + number) for number in range(DRAWS)]
    nearest = (vectors[test] @ vectors[train].T).argmax(axis=1)
    copies = t2i.small(lesson.pictures.images[train[nearest]])
    shown = np.random.default_rng(7).choice(len(test), KEPT, replace=False)
    return {
        "test": recalls(np.stack([t2i.ranks(lesson.looks(each), looks, own) for each in draws])),
        "copy": recalls(t2i.ranks(copies, looks, own)),
        "new": written(draws[0][shown]),
        "new_sources": lesson.sources(draws[0]),
    }


def known(lesson: Lesson, language: int, prompt: str, seed: int) -> Figures:
    """Draw for the prompt, and for the names of all that has been learnt.

    Returns:
        ``sunsets``, the drawings for the prompt, and ``nearest``, the English name of the picture nearest to each;
        ``known``, the share of names whose own picture is the nearest of all; ``known_sources``, of how many pictures
        one of these drawings is made.
    """
    looks, rows = t2i.small(lesson.pictures.images), lesson.parts.known
    sunsets = lesson.painter.choose(np.repeat(t2i.prompt_vectors([prompt]), SUNSETS, axis=0), seed=seed)
    drawn = lesson.painter.choose(lesson.vectors[language, rows], seed=seed)
    return {
        "sunsets": written(sunsets),
        "nearest": [lesson.pictures.names["en"][row] for row in distances(lesson.looks(sunsets), looks).argmin(axis=1)],
        "known": recalls(t2i.ranks(lesson.looks(drawn), looks, rows))[0],
        "known_sources": lesson.sources(drawn),
    }


def recalls(places: Rows) -> list[float]:
    """The shares of places, counted from 0, among the first one, five and ten."""
    return [float((places < count).mean()) for count in (1, 5, 10)]


def written(choices: Rows) -> list[str]:
    """Collages as texts, the numbers of the tiles of one in each."""
    return [" ".join(map(str, row)) for row in choices]


CASES: dict[str, Callable[[int], Figures]] = {
    "beginning": beginning,
    "blocks": partial(measure, BLOCKS),
    "trunk": partial(measure, TRUNK),
}
