"""SqueezeNet 1.1 in Keras: what an image network sees in a picture, layer by layer (Iandola et al. 2016)."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np
import numpy.typing as npt

from artbook.data import squeezenet

# From the picture upwards; what each gives is the output of a ReLU.
LAYERS = ("conv1", *squeezenet.FIRE_MODULES)

# Below this a picture has no place left in the last layer.
SMALLEST = 35

# What the training subtracted from blue, green and red bytes: their means over ImageNet.
_MEANS = np.array([103.939, 116.779, 123.68], np.float32)
_POOLED_AFTER = ("conv1", "fire3", "fire5")

Weights = Mapping[str, tuple[npt.NDArray, npt.NDArray]]


def network(outputs: Sequence[str], weights: Weights | None = None) -> keras.Model:
    """SqueezeNet, up to the layers that are asked for. Its weights are fixed.

    Args:
        outputs: names of ``LAYERS``, or ``"classes"`` for the probabilities of ImageNet's thousand classes.
        weights: as from ``artbook.data.squeezenet.load``, which is the default.

    Returns:
        A model of pictures ``(n, height, width, 3)``, red, green, blue from 0 to 1, of sides of at least 35 pixels.
        For a layer it gives its features ``(n, h, w, channels)``, for the classes ``(n, 1000)``; a list of these if
        several are asked for.

    Raises:
        ValueError: a name is unknown or none is given, or a weight is missing or has another shape.
    """
    known = (*LAYERS, "classes")
    if not outputs or not set(outputs) <= set(known):
        raise ValueError(f"names of {', '.join(known)} were wanted; {list(outputs)} was given")
    weights = squeezenet.load() if weights is None else weights
    picture = keras.Input((None, None, 3))
    x = keras.ops.flip(picture, axis=-1) * 255 - _MEANS
    x = _convolution("conv1", strides=2, padding="valid")(x)
    features = {"conv1": x}
    for name in squeezenet.FIRE_MODULES:
        before = LAYERS[LAYERS.index(name) - 1]
        x = keras.layers.MaxPooling2D(3, 2)(features[before]) if before in _POOLED_AFTER else features[before]
        squeezed = _convolution(f"{name}/squeeze1x1")(x)
        expanded = [_convolution(f"{name}/expand{size}")(squeezed) for size in ("1x1", "3x3")]
        features[name] = keras.layers.Concatenate()(expanded)
    scores = keras.layers.GlobalAveragePooling2D()(_convolution("conv10")(features["fire9"]))
    features["classes"] = keras.layers.Softmax()(scores)
    answers = [features[name] for name in outputs]
    model = keras.Model(picture, answers if len(answers) > 1 else answers[0], trainable=False)
    _set_weights(model, weights)
    return model


def _convolution(name: str, strides: int = 1, padding: str = "same") -> keras.layers.Layer:
    size, _, _, channels = squeezenet.shapes()[name]
    # Keras gives slashes in names a meaning of their own.
    own = name.replace("/", "_")
    return keras.layers.Conv2D(channels, size, strides, padding, activation="relu", name=own)


def _set_weights(model: keras.Model, weights: Weights) -> None:
    for name, wanted in squeezenet.shapes().items():
        if (own := name.replace("/", "_")) not in {layer.name for layer in model.layers}:
            continue
        if name not in weights:
            raise ValueError(f"the weights of {name} were wanted; they are missing")
        kernel, bias = weights[name]
        if kernel.shape != wanted or bias.shape != wanted[3:]:
            raise ValueError(f"{name}: a kernel {wanted} and its bias were wanted; {kernel.shape} was given")
        model.get_layer(own).set_weights([kernel, bias])
