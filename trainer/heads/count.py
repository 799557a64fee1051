"""How often something happens: the logarithm of its expected number, trained by Poisson likelihood."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head, log_mean
from trainer.names import log_name

LEAST_RATE = 1e-6
"""Expected count from which training starts where every training label is 0."""


class CountHead(Head):
    """Predicts an expected count. The raw output is its logarithm."""

    units = 1
    headline = "deviance"

    def constant_output(self) -> np.ndarray:
        """The log of the mean, which is where the likelihood is greatest."""
        return np.array([np.log(max(self.statistics.mean, LEAST_RATE))], np.float32)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By the mean of the expected counts."""
        return log_mean(raw)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Negative log-likelihood in nats, λ - y·log λ + log y!, float32 [batch].

        With the last term, which no prediction changes, the loss is never negative and tasks can be compared by it. A
        fraction is allowed for y: the factorial is the gamma function's then, and the optimum is still the mean.
        """
        log_rate = raw[:, 0]
        return tf.exp(log_rate) - labels * log_rate + tf.math.lgamma(labels + 1)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The expected count, float32 [batch, 1]."""
        return {self.name: tf.exp(raw)}

    def make_metric(self) -> keras.metrics.Metric:
        """Mean Poisson deviance, 2·(y·log(y/λ) - (y - λ)); 0 for a perfect prediction."""
        return keras.metrics.Mean(name=f"{log_name(self.name)}_deviance")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        log_rate = raw[:, 0]
        deviance = 2 * (tf.math.xlogy(labels, labels) - labels * log_rate - labels + tf.exp(log_rate))
        metric.update_state(deviance, sample_weight=weights)

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.float32
