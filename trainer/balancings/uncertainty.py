"""Weights from learnt noise levels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer.balancings.adam import VectorAdam
from trainer.balancings.base import BalancedTask, LossWeighting

SETTLING_STEPS = 100


class Uncertainty(LossWeighting):
    """Kendall, Gal and Cipolla 2018, "Multi-Task Learning Using Uncertainty to Weigh Losses", equations 5 to 10.

    Each loss is read as the negative log-likelihood of a model whose noise level is a parameter, s on a logarithmic
    scale. The sum over the tasks, Σ a·exp(-s)·L + n(s), is minimised in the network and in s together; n is what
    normalises the likelihood, and keeps exp(-s) from vanishing. Per kind of loss:

    - `mse`, L = mean of e²: a Gaussian of variance exp(s), -log p = e²/(2·exp(s)) + s/2 + const (equation 5).
      a = 1/2, n = s/2.
    - `mae`, L = mean of |e|: a Laplacian of scale exp(s), -log p = |e|/exp(s) + s + log 2. a = 1, n = s.
    - `quantile`, L = mean over the levels τ of the pinball loss ρ: for each an asymmetric Laplacian of scale exp(s),
      -log p = ρ(e)/exp(s) + s - log τ(1-τ) (Yu and Moyeed 2001, equation 2). a = 1, n = s.
    - `huber`, L = mean of H(e), with δ = 1: p(e) = exp(-H(e)/t)/Z(t) at temperature t = exp(s). The integral over the
      quadratic middle is A = √(2πt)·erf(1/√(2t)), over the two linear tails B = 2t·exp(-1/(2t)), and Z = A + B. a = 1,
      n = log Z. For little noise this is the Gaussian's s/2, for much noise the Laplacian's s: by differentiation,
      n' = (A/2 + B)/(A + B).
    - classification by cross-entropy: the softmax of the logits divided by exp(s), whose normaliser is approximated as
      in the paper's equation 10, -log p ≈ exp(-s)·L + s/2. a = 1, n = s/2. So for `binary` and `multiclass`, and for
      `multilabel`, whose L is the mean over the classes of two-class cross-entropies. `ordinal` sums them over its
      K - 1 thresholds, each with a normaliser: n = (K-1)·s/2. `focal` is no likelihood and is treated as the
      cross-entropy that it modifies.
    - `count` by the Poisson likelihood: the likelihood to the power 1/exp(s) (an overdispersed Poisson; Nelder and
      Pregibon 1987), which for large rates is a Gaussian of variance exp(s)·rate: a = 1, n = s/2.

    Where L stays as it is, s settles at the task's own noise and the weight a·exp(-s) at n'/L: each loss is divided by
    about its own size. A task's `loss_weight` multiplies all of its terms, so it changes the weight but not s.

    s starts where it would settle if L stayed at the loss of the best constant prediction, at which heads start. For
    standardised labels that is about 0, as in the paper; but whatever the losses' scales, no task rules the first
    steps. (It would matter for long: Adam's mean of squared gradients takes thousands of steps to forget gradients
    1000 times as large, see benchmarks/balancing_toy.py.)
    And s has an Adam of its own. The paper trains it with the network's optimizer, whose learning rate rarely lets it
    follow in time; 0.025 is what Chen et al. 2018 used for it in their comparison.
    """

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(settings, tasks, seed)
        self._factors = np.array([_factor(task.config) for task in tasks], np.float32)
        self._slopes = np.array([_slope(task.config) for task in tasks], np.float32)
        self._huber = np.array([task.config.loss == "huber" for task in tasks])
        self._log_noise = self.state("log_noise", self._settled([task.trivial_loss for task in tasks]))
        self._adam = VectorAdam(self, len(tasks), settings.learning_rate)

    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """a·exp(-s)."""
        return self._factors * tf.exp(-tf.convert_to_tensor(self._log_noise))

    def learn(self, losses: tf.Tensor, present: tf.Tensor, norms: tf.Tensor | None) -> None:
        """A step of Adam down n'(s) - a·exp(-s)·L, for tasks with a label in the batch."""
        log_noise = tf.convert_to_tensor(self._log_noise)
        gradient = self._slopes_at(log_noise) - self._factors * tf.exp(-log_noise) * losses
        self._log_noise.assign(self._adam.step(log_noise, gradient, present))

    def _slopes_at(self, log_noise: tf.Tensor) -> tf.Tensor:
        """n'."""
        slopes = tf.constant(self._slopes)
        return tf.where(self._huber, huber_slope(log_noise), slopes) if self._huber.any() else slopes

    def _settled(self, losses: Sequence[float]) -> np.ndarray:
        """The s at which a·exp(-s)·L = n'(s), by iteration: n' lies between 1/2 and 1 where it is no constant."""
        target = np.log(self._factors * np.array(losses, np.float32))
        settled = target
        for _ in range(SETTLING_STEPS):
            settled = target - np.log(self._slopes_at(tf.constant(settled)).numpy())
        return settled


def huber_slope(log_temperature: tf.Tensor) -> tf.Tensor:
    """d/ds of log Z(exp(s)) for Huber's loss with δ = 1: between 1/2 and 1, of the argument's shape."""
    temperature = tf.exp(log_temperature)
    middle = tf.sqrt(2 * np.pi * temperature) * tf.math.erf(tf.math.rsqrt(2 * temperature))
    tails = 2 * temperature * tf.exp(-0.5 / temperature)
    return (0.5 * middle + tails) / (middle + tails)


def _factor(task: Any) -> float:
    """a."""
    return 0.5 if task.loss == "mse" else 1.0


def _slope(task: Any) -> float:
    """n', where it is a constant."""
    if task.loss in ("mae", "quantile"):
        return 1.0
    if task.loss == "coral":
        return (len(task.classes) - 1) / 2
    return 0.5
