"""Gradient surgery."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.balancings.base import BalancedTask, GradientCombination


class Pcgrad(GradientCombination):
    """Yu, Kumar, Gupta, Levine, Hausman and Finn 2020, "Gradient Surgery for Multi-Task Learning", algorithm 1.

    Each task's gradient meets those of the other tasks in random order; where the inner product is negative, its part
    along the other's (original) gradient is taken away. The results are added up. Since every step of it is linear,
    it is carried out on coefficients: g_i becomes Σ_j C_ij·g_j, and all inner products follow from those of the
    original gradients.

    The order depends on the seed and the number of the step alone, so that a resumed training is the same. (Compiled by
    XLA, `jit_compile`, it is another one: XLA has a random generator of its own.)
    """

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(settings, tasks, seed)
        self._steps = self.state("steps", 0, "int64")

    def coefficients(self, products: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Σ_i C_ij. A task without a part in the batch has a zero gradient, which conflicts with none."""
        tasks = len(self.tasks)
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.convert_to_tensor(self._steps)])
        order = tf.argsort(tf.random.stateless_uniform([tasks, tasks], seed), axis=1)
        self._steps.assign_add(1)
        return tf.reduce_sum(project_conflicts(products, order), axis=0)


def project_conflicts(products: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Row i: what task i's gradient becomes, as coefficients of the original gradients.

    Args:
        products: float32 [T, T], the gradients' inner products.
        order: int32 [T, T]; row i lists all tasks in the order in which task i meets them; itself is passed over.

    Returns:
        float32 [T, T].
    """
    tasks = products.shape[0]
    lengths = tf.linalg.diag_part(products)
    coefficients = tf.eye(tasks)
    for other in tf.unstack(tf.one_hot(order, tasks), axis=1):
        others = other * (1 - tf.eye(tasks))
        product = tf.reduce_sum(tf.matmul(coefficients, products) * others, axis=1, keepdims=True)
        length = tf.linalg.matvec(others, lengths)[:, None]
        coefficients -= tf.math.divide_no_nan(tf.minimum(product, 0.0), length) * others
    return coefficients
