"""Weights by gradient norms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.balancings.adam import VectorAdam
from trainer.balancings.base import BalancedTask, LossWeighting


class GradNorm(LossWeighting):
    """Chen, Badrinarayanan, Lee and Rabinovich 2018, "GradNorm: Gradient Normalization for Adaptive Loss Balancing".

    Algorithm 1. With G_i = w_i·‖∇_W L_i‖₂ at the last shared layers W, their mean Ḡ, and r_i the relative inverse
    training rate, (L_i/L_i(0)) divided by its mean over the tasks, the weights descend on Σ |G_i - Ḡ·r_i^α|, in which
    Ḡ·r_i^α counts as constant, and are then rescaled to sum to the number of tasks.

    Where this differs from the paper, or fills a gap in it:

    - The step is taken on log w_i, along sign(G_i - Ḡ·r_i^α)·G_i, by an Adam of its own. A step on w_i itself, as in
      the paper, can turn a weight negative when losses differ by orders of magnitude.
    - The weights start in inverse proportion to L_i(0), not at 1: where losses are of like size that is the same, and
      elsewhere no task rules the first steps. (It would matter for long: Adam's mean of squared gradients takes
      thousands of steps to forget gradients 1000 times as large.)
    - L_i(0) is the loss of the best constant prediction. Heads start at that prediction, so it is what the first
      batch's loss, the paper's choice, estimates; but without its noise, and known even if the first batch has no label
      of the task. The paper advises a theoretical initial loss too where the first is unreliable (section 3.2).
    - A task without a label in a batch has no part in Ḡ and in the mean rate, its weight stands still, and the others
      keep their sum.
    - `loss_weight` multiplies the weights afterwards. Inside, GradNorm would cancel it.
    """

    watches_norms = True

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(settings, tasks, seed)
        self._first_losses = np.array([task.trivial_loss for task in tasks], np.float32)
        counted = self.priors > 0
        start = np.where(counted, 1 / self._first_losses, 0.0)
        self._task_weights = self.state("weights", np.where(counted, counted.sum() * start / start.sum(), 1.0))
        self._adam = VectorAdam(self, len(tasks), settings.learning_rate)

    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """w."""
        return tf.convert_to_tensor(self._task_weights)

    def learn(self, losses: tf.Tensor, present: tf.Tensor, norms: tf.Tensor | None) -> None:
        """A step of Adam on log w, then the rescaling."""
        if norms is None:
            raise ValueError("GradNorm needs the norms of the gradients")
        weights = tf.convert_to_tensor(self._task_weights)
        count = tf.reduce_sum(present)
        sizes = weights * norms
        mean_size = tf.math.divide_no_nan(tf.reduce_sum(sizes * present), count)
        progress = losses / self._first_losses
        mean_progress = tf.math.divide_no_nan(tf.reduce_sum(progress * present), count)
        rates = tf.math.divide_no_nan(progress, mean_progress)
        gradient = tf.sign(sizes - mean_size * tf.pow(rates, self.settings.alpha)) * sizes
        # Norms overflow where mixed precision's loss scale is too high: then the optimizer skips the step too.
        moves = present * tf.cast(tf.math.is_finite(mean_size), tf.float32)
        moved = tf.exp(self._adam.step(tf.math.log(weights), gradient, moves))
        rescaling = tf.math.divide_no_nan(tf.reduce_sum(weights * present), tf.reduce_sum(moved * present))
        self._task_weights.assign(tf.where(moves > 0, moved * rescaling, weights))
