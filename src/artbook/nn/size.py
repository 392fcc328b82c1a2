"""What *large* counts: the parameters, operations and memory of a transformer, from its configuration alone.

The chapter ``what-is-a-large-model`` derives every formula and holds it against models that are built.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import isfinite, prod
from typing import Any

import keras
import numpy as np

# Of every parameter in single precision: itself, its gradient, Adam's two moving averages.
TRAINING_BYTES = 16


@dataclass(frozen=True)
class Transformer:
    """The configuration of a transformer, and what follows from it.

    The decoder is GPT-2's (Radford et al. 2019): learned positions, biases, a last normalisation, and an output
    that shares the token embedding's weights. The encoder is BERT's (Devlin et al. 2019) without what stands on
    top of it in training: two types of segment, a normalisation after the embeddings, and a pooler.

    Attributes:
        vocabulary: V, different tokens.
        length: T, places in the longest sequence.
        width: d, numbers that stand for a token between the blocks.
        depth: L, blocks; each has attention and a dense network with 4d hidden units.
        heads: attentions side by side in a block; they change neither parameters nor operations.
        encoder: whether it is BERT's encoder rather than GPT-2's decoder.

    Raises:
        ValueError: a number is not whole or less than 1, or ``heads`` does not divide ``width``.
    """

    vocabulary: int
    length: int
    width: int
    depth: int
    heads: int = 1
    encoder: bool = False

    def __post_init__(self) -> None:
        for field in fields(self)[:5]:
            _check_whole(**{field.name: getattr(self, field.name)})
        if self.width % self.heads:
            raise ValueError(f"a width that {self.heads} heads divide was wanted; {self.width} was given")

    @property
    def block_parameters(self) -> int:
        """Of all blocks together, L(12d² + 13d): what Kaplan et al. (2020) call non-embedding parameters."""
        return self.depth * (12 * self.width**2 + 13 * self.width)

    @property
    def embedding_parameters(self) -> int:
        """Of tokens and places, (V + T)d; in an encoder also of two segment types and of a normalisation, 4d."""
        return (self.vocabulary + self.length + (4 if self.encoder else 0)) * self.width

    @property
    def parameters(self) -> int:
        """All of them; after the blocks stand a normalisation, 2d, or in an encoder the pooler, d² + d."""
        last = self.width**2 + self.width if self.encoder else 2 * self.width
        return self.embedding_parameters + self.block_parameters + last

    def forward_operations(self, length: int | None = None) -> int:
        """Multiplications and additions in the matrix products of one pass over one sequence.

        Of a block 24Td² for the weights and 4T²d for attention; then 2TdV for the logits, or 2d² for the pooler,
        which reads the first place only. A causal mask saves nothing unless the program skips what it hides.

        Args:
            length: of the sequence, in tokens, from 1 to the model's own, which is taken if it is left out.

        Raises:
            ValueError: the length is not such a number.
        """
        length = self.length if length is None else length
        _check_whole(length=length)
        if length > self.length:
            raise ValueError(f"a sequence of at most {self.length} tokens was wanted; {length} was given")
        blocks = self.depth * (24 * length * self.width**2 + 4 * length**2 * self.width)
        return blocks + 2 * self.width * (self.width if self.encoder else length * self.vocabulary)

    def training_operations(self, tokens: float) -> float:
        """Operations to train on so many tokens, in sequences of the model's full length.

        Forward and backward: each product of the forward pass, Z = XW, has two of the same size in the backward
        pass, one for the gradient by X and one for that by W.

        Args:
            tokens: more than zero.

        Raises:
            ValueError: it is not.
        """
        _check_positive(tokens=tokens)
        return 3 * self.forward_operations() / self.length * tokens

    def cache_numbers(self, length: int | None = None) -> int:
        """Keys and values of all blocks that a decoder keeps while it writes one sequence, 2LTd.

        Args:
            length: of the sequence, in tokens, at least 1; left out, the model's own.

        Raises:
            ValueError: the length is not such a number.
        """
        length = self.length if length is None else length
        _check_whole(length=length)
        return 2 * self.depth * length * self.width

    def activation_bytes(self) -> int:
        """What the blocks keep of one sequence of full length for the backward pass, L(34Td + 5hT²) with h heads.

        Korthikanti et al. (2023), equation 1: numbers of two bytes, dropout masks of one, nothing recomputed.
        """
        return self.depth * (34 * self.length * self.width + 5 * self.heads * self.length**2)


def price(operations: float, speed: float, per_hour: float) -> float:
    """What a computation costs on rented machines.

    Args:
        operations: floating-point operations, above zero.
        speed: that one machine really does in a second, above zero; below what its maker promises.
        per_hour: rent of one machine, above zero, in any currency.

    Returns:
        The rent of as many machine hours as it takes, however many machines share them, in that currency.

    Raises:
        ValueError: a number is not finite and above zero.
    """
    _check_positive(operations=operations, speed=speed, per_hour=per_hour)
    return operations / speed / 3600 * per_hour


def count_operations(model: keras.Model, inputs: Any) -> tuple[int, int]:
    """Count the multiplications and additions in the matrix products of a model, by reading its computation graph.

    It knows no formula: it adds up 2·m·n·k over all products of an (m, k) and a (k, n) matrix that the backend
    writes down when it traces the model, and when it differentiates it.

    Args:
        model: built, with one output and trainable variables.
        inputs: one batch, an array or a list of arrays as the model takes it.

    Returns:
        Those of the forward pass, and those of the forward and the backward pass together.

    Raises:
        ValueError: the backend is neither TensorFlow nor JAX.
    """
    inputs = [np.asarray(each) for each in inputs] if isinstance(inputs, list) else np.asarray(inputs)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        def loss() -> Any:
            return keras.ops.mean(keras.ops.square(model(inputs)))

        def gradients() -> Any:
            with tf.GradientTape() as tape:
                value = loss()
            return tape.gradient(value, [variable.value for variable in model.trainable_variables])

        return _tensorflow_products(loss), _tensorflow_products(gradients)
    if backend == "jax":
        import jax

        def loss_at(trainable: list[Any]) -> Any:
            fixed = [variable.value for variable in model.non_trainable_variables]
            output, _ = model.stateless_call(trainable, fixed, inputs)
            return keras.ops.mean(keras.ops.square(output))

        weights = [variable.value for variable in model.trainable_variables]
        forward, backward = (jax.make_jaxpr(each)(weights).jaxpr for each in (loss_at, jax.grad(loss_at)))
        return sum(_jax_products(forward)), sum(_jax_products(backward))
    raise ValueError(f"the backend is tensorflow or jax; {backend!r} is in use")


def _tensorflow_products(function: Callable[[], Any]) -> int:
    import tensorflow as tf

    total = 0
    for operation in tf.function(function, autograph=False).get_concrete_function().graph.get_operations():
        if operation.type in ("MatMul", "BatchMatMulV2"):
            first = operation.inputs[0].shape.as_list()
            transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
            total += 2 * prod(operation.outputs[0].shape.as_list()) * first[-2 if transposed else -1]
    return total


def _jax_products(program: Any) -> Iterator[int]:
    """Of every product in a JAX program; functions that it calls stand in the parameters of the call."""
    for equation in program.eqns:
        if equation.primitive.name == "dot_general":
            (summed, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            yield 2 * prod(equation.outvars[0].aval.shape) * prod(shape[axis] for axis in summed)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _jax_products(inner)


def _check_whole(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 1:
            raise ValueError(f"{name}: a whole number from 1 was wanted; {number!r} was given")


def _check_positive(**numbers: float) -> None:
    for name, number in numbers.items():
        if not (isfinite(number) and number > 0):
            raise ValueError(f"{name}: a finite number above zero was wanted; {number!r} was given")
