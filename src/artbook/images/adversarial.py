"""Two networks against each other, for any kind of example (chapter ``adversarial-brush``).

The game takes its losses from the chapter. The penalties are those of Mescheder et al. 2018, at real and at made
examples, estimated from the critic's change in a small random step.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

Tensor = Any
# Of the critic's values of real and of made examples, (m, 1) each, gives a loss of each pair, (m, 1).
Loss = Callable[[Tensor, Tensor], Tensor]


class Game(keras.Model):
    """A generator and a critic that train each other; its output are the losses of both, ``(m, 2)``.

    It is called with a list: real examples ``(m, ...)``, and whatever is given with each of them, such as a mask.
    Both networks see what is given. The critic judges real and made examples in one batch.

    Attributes:
        generator: of noise ``(m, noise)``, in a list with what is given if anything is, makes examples.
        critic: of examples, in such a list too, gives a number, ``(m, 1)``: higher is more real.
    """

    def __init__(
        self,
        generator: keras.Model,
        critic: keras.Model,
        losses: tuple[Loss, Loss],
        penalty: float = 0.0,
        nudge: float = 0.05,
        seed: int = 0,
    ) -> None:
        """Set the game up.

        Args:
            generator: as in the attributes, built.
            critic: as in the attributes, built.
            losses: of the generator and of the critic.
            penalty: zero or more, the weight of half the critic's squared slope at real and at made examples.
            nudge: above zero, the deviation of the small steps by which the slope is measured.
            seed: of all noise.

        Raises:
            ValueError: the penalty or the nudge is out of range.
        """
        super().__init__()
        if not 0 <= penalty < float("inf") or not 0 < nudge < float("inf"):
            raise ValueError(f"a penalty from 0 and a nudge above 0 were wanted; {penalty} and {nudge} were given")
        self.generator, self.critic = generator, critic
        self.for_generator, self.for_critic = losses
        self.penalty, self.nudge = penalty, nudge
        self._random = keras.random.SeedGenerator(seed)

    def call(self, examples: list[Tensor], training: bool | None = None) -> Tensor:
        """The losses of the generator and of the critic."""
        real, *given = (ops.convert_to_tensor(each) for each in examples)
        width = self.generator.inputs[0].shape[1]
        noise = keras.random.normal((ops.shape(real)[0], width), seed=self._random)
        made = self.generator(_with(noise, given), training=training)
        tested = [real, ops.stop_gradient(made)]
        if self.penalty:
            tested += [x + self.nudge * keras.random.normal(ops.shape(x), seed=self._random) for x in tested]
        of_real, of_made, *near = ops.split(self._judged(self.critic, tested, given, training), len(tested))
        critic_loss = self.for_critic(of_real, of_made)
        for value, changed in zip((of_real, of_made), near, strict=False):
            critic_loss += self.penalty / 2 * ((changed - value) / self.nudge) ** 2
        of_real, of_made = ops.split(self._judged(self._frozen, [real, made], given, training), 2)
        return ops.concatenate([self.for_generator(of_real, of_made), critic_loss], axis=1)

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Tensor = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """The mean of the sum of both losses; each reaches the weights of its own network only."""
        return ops.mean(ops.sum(y_pred, axis=1))

    def _judged(self, critic: Any, examples: list[Tensor], given: list[Tensor], training: bool | None) -> Tensor:
        """The critic's values of several batches, one after the other, in one call."""
        pairs = [ops.concatenate([each] * len(examples)) for each in given]
        return critic(_with(ops.concatenate(examples), pairs), training=training)

    def _frozen(self, inputs: Any, training: bool | None) -> Tensor:
        """The critic with its weights as constants that no gradient reaches."""
        weights = [ops.stop_gradient(weight) for weight in self.critic.trainable_variables]
        return self.critic.stateless_call(weights, self.critic.non_trainable_variables, inputs, training=training)[0]


def _with(x: Tensor, given: list[Tensor]) -> Any:
    return [x, *given] if given else x


def stroke_generator(strokes: int, components: int, noise: int, width: int) -> keras.Model:
    """A network that makes codes of characters (``artbook.images.strokes``).

    Args:
        strokes: the most that a character has.
        components: numbers a stroke.
        noise: numbers that it is given.
        width: neurons of each hidden layer.

    Returns:
        A model of noise ``(m, noise)`` and a mask ``(m, strokes)`` of the strokes that exist, 1 or 0. It gives codes
        ``(m, strokes, components)`` that are 0 where the mask is.
    """
    start, mask = keras.Input((noise,)), keras.Input((strokes,))
    codes = layers.Dense(strokes * components)(_hidden(layers.Concatenate()([start, mask]), width))
    codes = layers.Reshape((strokes, components))(codes)
    return keras.Model([start, mask], layers.Multiply()([codes, layers.Reshape((strokes, 1))(mask)]))


def stroke_critic(strokes: int, components: int, width: int) -> keras.Model:
    """A network that judges codes of characters.

    Args:
        strokes: the most that a character has.
        components: numbers a stroke.
        width: neurons of each hidden layer.

    Returns:
        A model of codes ``(m, strokes, components)`` and a mask ``(m, strokes)``. It gives a number, ``(m, 1)``.
    """
    codes, mask = keras.Input((strokes, components)), keras.Input((strokes,))
    seen = layers.Concatenate()([layers.Flatten()(codes), mask])
    return keras.Model([codes, mask], layers.Dense(1)(_hidden(seen, width)))


def _hidden(x: Tensor, width: int) -> Tensor:
    """A layer and two residual blocks of two layers each (He et al. 2016), without normalisation."""
    x = layers.Dense(width)(x)
    for _ in range(2):
        inner = layers.Dense(width, activation="silu")(layers.Activation("silu")(x))
        x = layers.Add()([x, layers.Dense(width, kernel_initializer=_small())(inner)])
    return layers.Activation("silu")(x)


def _small() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(0.25)
