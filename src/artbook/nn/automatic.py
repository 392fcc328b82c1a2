"""Automatic differentiation of a Keras model, the same on TensorFlow and on JAX.

The chapter on backpropagation holds its own gradients against these.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike


def keras_gradients(
    model: keras.Model, cost: Callable[[Any, Any], Any], X: ArrayLike, targets: ArrayLike
) -> list[np.ndarray]:
    """The gradients of a cost by every trainable variable of a Keras model.

    Args:
        model: built, with at least one trainable variable.
        cost: takes the model's output and the targets, as tensors, and returns a scalar tensor.
        X: the model's input, (m, n), finite; computed in the dtype of the first variable.
        targets: (m, p), finite.

    Returns:
        One array a variable, of its shape, in the order of ``model.trainable_variables``; zeros for a variable
        that the cost does not depend on.

    Raises:
        ValueError: the model is not built or has nothing to train, X or the targets are not finite or do not fit,
            or the backend is neither TensorFlow nor JAX.
    """
    if not model.trainable_variables:
        raise ValueError("a built model with trainable variables is wanted; this one has none")
    for name, array in (("X", X), ("targets", targets)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: finite numbers were wanted, not NaN or infinity")
    dtype = model.trainable_variables[0].dtype
    X, targets = (keras.ops.convert_to_tensor(array, dtype=dtype) for array in (X, targets))
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = cost(model(X, training=True), targets)
        variables = [variable.value for variable in model.trainable_variables]
        found = tape.gradient(value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        # Of a table that is looked up, TensorFlow gives the rows that were used.
        gradients = [tf.convert_to_tensor(gradient) for gradient in found]
    elif backend == "jax":
        import jax

        def value_of(trainable: list[Any]) -> Any:
            fixed = [variable.value for variable in model.non_trainable_variables]
            output, _ = model.stateless_call(trainable, fixed, X, training=True)
            return cost(output, targets)

        gradients = jax.grad(value_of)([variable.value for variable in model.trainable_variables])
    else:
        raise ValueError(f"the backend is tensorflow or jax; {backend!r} is in use")
    return [np.asarray(gradient) for gradient in gradients]
