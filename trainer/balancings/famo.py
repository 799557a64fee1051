"""Weights by the losses' relative progress."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.balancings.adam import VectorAdam
from trainer.balancings.base import BalancedTask, LossWeighting, Step

FLOOR = 1e-8
"""Added to losses before their logarithm, as in the authors' code."""


class Famo(LossWeighting):
    """Liu, Feng, Stone and Liu 2023, "FAMO: Fast Adaptive Multitask Optimization", algorithm 1, and 2 in appendix C.

    With z = softmax(ξ) the network descends on Σ (z_i/c)·log L_i, c = Σ z_i/L_i held constant: the weights
    (z_i/L_i)/c sum to 1, and tasks are compared by the relative fall of their losses, not by their scale. Then the
    logits take a step (of Adam with weight decay γ, as in algorithm 2) along the softmax's Jacobian times
    δ_i = log L_i(t) - log L_i(t+1): a task whose loss fells more than the others' loses weight.

    L(t+1) is wanted at the parameters after the step. Two ways:

    - `same_batch: true`, as in the authors' code: on the batch of the step, by a second forward pass.
    - `same_batch: false`, the default: on the next batch, whose forward pass is made anyway; the logits move before
      that batch is weighted. This is algorithm 1 with stochastic losses. δ then holds the difference between two
      batches besides the progress. That noise is added in one step and taken away in the next, so it does not pile up
      in the logits, but Adam divides by its size: the weights follow more slowly than with `same_batch`.

    A task without a label in a batch has no part in z and c, its logit stands still, and its next δ is taken from the
    last batch in which it had one. `loss_weight` multiplies the weights afterwards; inside, FAMO would cancel it.
    """

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(settings, tasks, seed)
        self._logits = self.state("logits", np.zeros(len(tasks)))
        self._adam = VectorAdam(self, len(tasks), settings.learning_rate)
        # Each task's last log-loss, and whether there was one.
        self._last = None if settings.same_batch else self.state("last_log_losses", np.zeros((2, len(tasks))))

    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """(z_i/L_i)/c."""
        relative = _softmax_of(tf.convert_to_tensor(self._logits), present) / (losses + FLOOR)
        return tf.math.divide_no_nan(relative, tf.reduce_sum(relative))

    def before_step(self, losses: tf.Tensor, present: tf.Tensor) -> None:
        """Learns what the last step has brought, from the next batch."""
        if self._last is None:
            return
        log_losses = tf.math.log(losses + FLOOR)
        last, known = tf.unstack(tf.convert_to_tensor(self._last))
        self._learn(last - log_losses, present * known)
        self._last.assign(tf.where(present > 0, tf.stack([log_losses, tf.ones_like(known)]), self._last))

    def after_step(self, step: Step, losses_now: Callable[[], tf.Tensor]) -> None:
        """Learns what the step has brought, from the same batch."""
        if self._last is None:
            fall = tf.math.log(step.losses + FLOOR) - tf.math.log(losses_now() + FLOOR)
            self._learn(fall, step.present)

    def _learn(self, fall: tf.Tensor, counted: tf.Tensor) -> None:
        logits = tf.convert_to_tensor(self._logits)
        shares = _softmax_of(logits, counted)
        gradient = shares * (fall - tf.reduce_sum(shares * fall)) + self.settings.gamma * logits
        self._logits.assign(self._adam.step(logits, gradient, counted))


def _softmax_of(logits: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """The softmax over counted positions, 0 elsewhere."""
    exponentials = tf.exp(logits - tf.reduce_max(logits)) * counted
    return tf.math.divide_no_nan(exponentials, tf.reduce_sum(exponentials))
