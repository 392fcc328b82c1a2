"""From votes and logits to a token: the count, temperature, nucleus and the draw, on both backends.

Everything is made of ``keras.ops`` on shapes that are known, so it can stand inside a compiled loop. The chapters are
``composing`` and ``sequence-models``.
"""

from typing import Any

from keras import ops

Tensor = Any


def counted(tokens: Tensor, weights: Tensor, vocabulary: int) -> Tensor:
    """Count weighted votes for tokens.

    Args:
        tokens: what each voter votes for, whole, from 0 to below ``vocabulary``, (n, voters).
        weights: what each vote counts, (n, voters).
        vocabulary: how many tokens there are.

    Returns:
        The sums of the weights, (n, ``vocabulary``).
    """
    count = tokens.shape[0]
    places = tokens + vocabulary * ops.arange(count)[:, None]
    sums = ops.segment_sum(ops.reshape(weights, (-1,)), ops.reshape(places, (-1,)), count * vocabulary)
    return ops.reshape(sums, (count, vocabulary))


def nucleus(logits: Tensor, top_p: Tensor) -> Tensor:
    """Leave only the likeliest tokens that together hold the share ``top_p`` (Holtzman et al. 2020).

    A token stays if the tokens that are likelier than it hold less than ``top_p``; the likeliest always stays.

    Args:
        logits: (..., vocabulary).
        top_p: a scalar above 0; at 1 every token stays whose probability is not lost in rounding.

    Returns:
        The logits, -1e9 where a token is left out.
    """
    shares = ops.softmax(logits)
    likelier = logits[..., None, :] > logits[..., None]
    before = ops.sum(ops.where(likelier, shares[..., None, :], 0.0), axis=-1)
    return ops.where(before < ops.cast(top_p, logits.dtype), logits, ops.cast(-1e9, logits.dtype))


def draw(logits: Tensor, uniform: Tensor, temperature: Tensor = 1.0, top_p: Tensor | None = None) -> Tensor:
    """Draw a token from the softmax of logits, divided by the temperature and cut to the nucleus.

    Args:
        logits: (..., vocabulary).
        uniform: numbers drawn uniformly from 0 to below 1, (...): the only chance in the draw.
        temperature: a scalar above 0: 1 leaves the probabilities as they are, less favours what is likely.
        top_p: a scalar above 0 and at most 1, of the nucleus, taken after the temperature; left out, every token stays.

    Returns:
        Whole numbers int32 (...): the first token at which the summed probabilities exceed ``uniform``.
    """
    kept = logits / ops.cast(temperature, logits.dtype)
    if top_p is not None:
        kept = nucleus(kept, top_p)
    shares = ops.softmax(kept)
    vocabulary = logits.shape[-1]
    # A product with ones above the diagonal sums faster than a loop. Its sums are rounded each in its own way, and so
    # those of tokens without a share are left out, and the highest need not be 1.
    summed = ops.where(shares > 0, ops.matmul(shares, ops.triu(ops.ones((vocabulary, vocabulary), shares.dtype))), 0.0)
    exceeds = summed > ops.cast(uniform, logits.dtype)[..., None] * ops.max(summed, axis=-1, keepdims=True)
    return ops.min(ops.where(exceeds, ops.arange(vocabulary, dtype="int32"), vocabulary), axis=-1)
