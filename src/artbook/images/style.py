"""Style as statistics: paint a photograph in the manner of another picture (Gatys et al. 2016; chapter ``style``).

Pictures are ``(height, width, 3)``, red, green, blue from 0 to 1, with sides of 35 to 1,024 pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from PIL import Image
from scipy import optimize

from artbook.images import squeezenet

Floats = npt.NDArray[np.float32]
Tensor = Any

STYLE_LAYERS = ("conv1", "fire2", "fire4", "fire6")
CONTENT_LAYER = "fire4"

# What no transfer looks at, so that it may judge one.
JUDGING_LAYERS = ("fire3", "fire5", "fire7")

# The layers whose features are used at all, from the picture upwards.
SEEN = squeezenet.LAYERS[: squeezenet.LAYERS.index("fire7") + 1]

LARGEST = 1024


def square(pixels: npt.ArrayLike, side: int) -> Floats:
    """The middle of a picture, cut to a square and resized.

    Args:
        pixels: ``(height, width, 3)``, bytes or numbers from 0 to 1; at most 50 million pixels.
        side: of the result, 35 to 1,024 pixels.

    Returns:
        The picture ``(side, side, 3)``, float32 from 0 to 1.

    Raises:
        ValueError: an array of another shape or range, or a side out of range.
    """
    array = np.asarray(pixels)
    if array.ndim != 3 or array.shape[2] != 3 or min(array.shape) < 2 or array.size > 150_000_000:
        raise ValueError(f"a picture (height, width, 3) of 4 to 50 million pixels was wanted; {array.shape} was given")
    if not squeezenet.SMALLEST <= side <= LARGEST:
        raise ValueError(f"a side of {squeezenet.SMALLEST} to {LARGEST} pixels was wanted; {side!r} was given")
    values = array / np.float32(255) if array.dtype == np.uint8 else array.astype(np.float32)
    _check_range("the picture", values)
    least = min(array.shape[:2])
    top, left = ((length - least) // 2 for length in array.shape[:2])
    middle = values[top : top + least, left : left + least]
    channels = (Image.fromarray(np.ascontiguousarray(middle[..., channel])) for channel in range(3))
    resized = [np.asarray(each.resize((side, side), Image.Resampling.LANCZOS)) for each in channels]
    return np.stack(resized, axis=-1).clip(0, 1)


def gram(features: Tensor) -> Tensor:
    """How often each two channels answer at the same place: the mean over all places of their product.

    Args:
        features: ``(..., h, w, channels)``.

    Returns:
        The Gram matrices ``(..., channels, channels)``, of the backend's kind.
    """
    *_, height, width, channels = features.shape
    rows = ops.reshape(features, (*features.shape[:-3], height * width, channels))
    return ops.matmul(ops.swapaxes(rows, -1, -2), rows) / (height * width)


def grams(picture: npt.ArrayLike, layers: Sequence[str] = JUDGING_LAYERS) -> list[Floats]:
    """The Gram matrices of some layers' features: the style of a picture.

    Args:
        picture: as above.
        layers: of ``SEEN``; by default those that no transfer looks at.

    Returns:
        A matrix ``(channels, channels)`` for each layer.

    Raises:
        ValueError: it is no picture as above.
    """
    features = _features(picture)
    return [ops.convert_to_numpy(gram(features[layer]))[0] for layer in layers]


def style_distance(picture: npt.ArrayLike, manner: npt.ArrayLike, layers: Sequence[str] = JUDGING_LAYERS) -> float:
    """How far the style of a picture is from that of another, by the Gram matrices of some layers.

    Args:
        picture: as above.
        manner: whose style is wanted; its size may differ.
        layers: as in ``grams``.

    Returns:
        The squared difference of the Gram matrices as a share of the manner's square, mean over the layers:
        0 for the same style.

    Raises:
        ValueError: one of these is no picture as above.
    """
    return float(np.mean([_share(*pair) for pair in zip(grams(picture, layers), grams(manner, layers), strict=True)]))


def content_distance(picture: npt.ArrayLike, content: npt.ArrayLike, layer: str = "fire5") -> float:
    """How far a picture is from another at the same places of a layer, as a share of the other's square.

    Args:
        picture: as above.
        content: of the same size.
        layer: of ``SEEN``; by default one that no transfer looks at.

    Raises:
        ValueError: one of these is no picture as above, or they differ in size.
    """
    if np.shape(picture) != np.shape(content):
        raise ValueError(f"pictures of one size were wanted; {np.shape(picture)} and {np.shape(content)} were given")
    return float(_share(_features(picture)[layer], _features(content)[layer]))


@dataclass(frozen=True)
class Transfer:
    """A picture that was painted, and how it went.

    Attributes:
        picture: ``(side, side, 3)``, float32 from 0 to 1.
        curve: the content's, the style's and the roughness's part of the cost, without their weights, after each
            look at the gradient, ``(looks, 3)``.
    """

    picture: Floats
    curve: npt.NDArray[np.float64]


def transfer(
    content: npt.ArrayLike,
    manners: Sequence[npt.ArrayLike],
    shares: Sequence[float] = (1.0,),
    *,
    style: float = 20.0,
    smoothness: float = 20.0,
    looks: Mapping[int, int],
) -> Transfer:
    """Paint a photograph in a manner: change its pixels until its Gram matrices are those of the manner.

    The cost is that of Gatys et al. (2016), each part as a share of what is wanted: content + style weight x
    style + smoothness x roughness. L-BFGS lowers it, first on a small picture, then on larger ones that start
    from it.

    Args:
        content: the photograph, any picture that ``square`` takes.
        manners: one or more such pictures; all styles are those of their middle squares.
        shares: of the manners in the mixture, zero or more, with the sum one.
        style: the weight of the style, zero or more.
        smoothness: the weight of the roughness, zero or more.
        looks: how often to look at the gradient, by the side of the picture, in this order.

    Returns:
        The picture, of the last side, and the curve of all sides.

    Raises:
        ValueError: one of these is not as described.
    """
    if not manners or len(shares) != len(manners) or min(shares) < 0 or not np.isclose(sum(shares), 1):
        raise ValueError(f"a share for each of {len(manners)} manners, with the sum 1, was wanted; {shares} was given")
    if not (np.isfinite([style, smoothness]).all() and min(style, smoothness) >= 0):
        raise ValueError(f"weights of zero or more were wanted; {style} and {smoothness} were given")
    if not looks or min(looks.values()) < 1:
        raise ValueError(f"at least one look for at least one side was wanted; {dict(looks)} was given")
    picture, curve = square(content, next(iter(looks))), []
    weights = np.array([1, style, smoothness], np.float32)
    for side, most in looks.items():
        wanted = targets(square(content, side), [square(each, side) for each in manners], shares)
        picture, seen = _descend(square(picture, side), [weights, *wanted], most)
        curve += seen
    return Transfer(picture, np.array(curve))


def targets(content: npt.ArrayLike, manners: Sequence[npt.ArrayLike], shares: Sequence[float] = (1.0,)) -> list[Floats]:
    """What a painted picture is to have: the features of the content, then the Gram matrices of the mixed manner.

    Args:
        content: a picture, as above.
        manners: one or more.
        shares: of the manners in the mixture.

    Returns:
        Arrays, in the order in which ``cost`` takes them.

    Raises:
        ValueError: one of these is no picture as above.
    """
    styles = [grams(each, STYLE_LAYERS) for each in manners]
    mixed = [np.tensordot(shares, np.stack(layer), axes=1).astype(np.float32) for layer in zip(*styles, strict=True)]
    return [_features(content)[CONTENT_LAYER], *mixed]


def _descend(picture: Floats, wanted: list[Floats], looks: int) -> tuple[Floats, list[npt.NDArray]]:
    curve: list[npt.NDArray] = []

    def look(pixels: npt.NDArray) -> tuple[float, npt.NDArray]:
        value, parts, slope = gradient(pixels.reshape(picture.shape), *wanted)
        curve.append(parts)
        return value, slope.ravel()

    start = picture.ravel().astype(np.float64)
    options = {"maxfun": looks, "maxiter": looks, "ftol": 0, "gtol": 0}
    bounds = optimize.Bounds(0, 1)
    found = optimize.minimize(look, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return found.x.reshape(picture.shape).astype(np.float32), curve


def gradient(picture: npt.ArrayLike, weights: npt.ArrayLike, *wanted: npt.ArrayLike) -> tuple[float, Floats, Floats]:
    """The cost of a picture, its parts, and its gradient with respect to the pixels.

    Args:
        picture: as above.
        weights: of content, style and roughness, ``(3,)``.
        *wanted: as from ``targets``.

    Returns:
        The cost, its three parts without their weights, and the gradient in the form of the picture, float64.
    """
    arrays = [np.asarray(each, np.float32) for each in (np.asarray(picture)[np.newaxis], weights, *wanted)]
    value, parts, slope = _program()(*(ops.convert_to_tensor(each) for each in arrays))
    return float(value), np.asarray(parts), np.asarray(slope, np.float64)[0]


def cost(pictures: Tensor, weights: Tensor, content: Tensor, *styles: Tensor) -> tuple[Tensor, Tensor]:
    """What ``transfer`` lowers.

    Args:
        pictures: one, ``(1, side, side, 3)``.
        weights: of content, style and roughness, ``(3,)``.
        content: the features that are wanted of ``CONTENT_LAYER``.
        *styles: the Gram matrices that are wanted of each of ``STYLE_LAYERS``.

    Returns:
        The weighted sum, and its three parts ``(3,)``.
    """
    features = dict(zip(_NAMES, _network(_NAMES)(pictures), strict=True))
    given = [gram(features[name]) for name in STYLE_LAYERS]
    style = ops.mean(ops.stack([_share(ours, theirs) for ours, theirs in zip(given, styles, strict=True)]))
    down, right = pictures[:, 1:] - pictures[:, :-1], pictures[:, :, 1:] - pictures[:, :, :-1]
    roughness = ops.mean(ops.square(down)) + ops.mean(ops.square(right))
    parts = ops.stack([_share(features[CONTENT_LAYER], content), style, roughness])
    return ops.sum(weights * parts), parts


_NAMES = tuple(name for name in squeezenet.LAYERS if name in (*STYLE_LAYERS, CONTENT_LAYER))


@cache
def _program() -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """The cost, its parts and its gradient with respect to the pixels, as one program of the backend."""
    # Built here: weights that were made inside a program would be lost with it.
    _network(_NAMES)
    if keras.backend.backend() == "jax":
        import jax

        derived = jax.jit(jax.value_and_grad(cost, has_aux=True))

        def rearranged(pictures: Tensor, *wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            (value, parts), gradient = derived(pictures, *wanted)
            return value, parts, gradient

        return rearranged
    import tensorflow as tf

    @tf.function(autograph=False)
    def program(pictures: Tensor, *wanted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            value, parts = cost(pictures, *wanted)
        return value, parts, tape.gradient(value, pictures)

    return program


@cache
def _network(layers: tuple[str, ...]) -> keras.Model:
    return squeezenet.network(layers)


def _features(picture: npt.ArrayLike) -> dict[str, Floats]:
    """What the layers of ``SEEN`` answer to a picture, each ``(1, h, w, channels)``."""
    values = np.asarray(picture)
    within = values.ndim == 3 and min(values.shape[:2]) >= squeezenet.SMALLEST and max(values.shape[:2]) <= LARGEST
    if not within or values.shape[2] != 3:
        sides = f"{squeezenet.SMALLEST} to {LARGEST}"
        raise ValueError(f"a picture (height, width, 3) of sides of {sides} was wanted; {values.shape} was given")
    _check_range("the picture", values)
    answers = _network(SEEN).predict_on_batch(values[np.newaxis].astype(np.float32))
    return dict(zip(SEEN, answers, strict=True))


def _check_range(name: str, values: npt.NDArray) -> None:
    if not (values.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"{name}: numbers from 0 to 1 were wanted; {values.dtype} {values.min()} to {values.max()} came"
        )


def _share(given: Tensor, wanted: Tensor) -> Tensor:
    return ops.sum(ops.square(given - wanted)) / ops.sum(ops.square(wanted))
