"""Adam on a short vector, some positions of which may stand still."""

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from trainer.balancings.base import Balancing

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class VectorAdam:
    """Adam (Kingma and Ba 2015, algorithm 1) with β1 = 0.9, β2 = 0.999, ε = 1e-8.

    Unlike a Keras optimizer it can leave out positions altogether: in a batch without any label of a task, the task's
    weight must not drift by momentum.
    """

    def __init__(self, owner: "Balancing", size: int, learning_rate: float):
        self._learning_rate = learning_rate
        # Rows: first moments, second moments, steps taken. One variable, because each costs time in every step.
        self._moments = owner.state("adam", np.zeros((3, size)))

    def step(self, values: tf.Tensor, gradients: tf.Tensor, moves: tf.Tensor) -> tf.Tensor:
        """The values after a step.

        Args:
            values: float32 [size].
            gradients: float32 [size]; a position that is not finite stands still.
            moves: float32 [size], 0 where a position and its moments are left as they are.
        """
        moving = tf.logical_and(moves > 0, tf.math.is_finite(gradients))
        first, second, count = tf.unstack(tf.convert_to_tensor(self._moments))
        first_now = BETA_1 * first + (1 - BETA_1) * gradients
        second_now = BETA_2 * second + (1 - BETA_2) * tf.square(gradients)
        count_now = count + 1
        size = first_now / (1 - tf.pow(BETA_1, count_now))
        spread = tf.sqrt(second_now / (1 - tf.pow(BETA_2, count_now)))
        self._moments.assign(tf.where(moving, tf.stack([first_now, second_now, count_now]), self._moments))
        return tf.where(moving, values - self._learning_rate * size / (spread + EPSILON), values)
