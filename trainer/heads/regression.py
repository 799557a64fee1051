"""A number: standardised inside the model, in its own unit outside."""

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head
from trainer.names import log_name

HUBER_DELTA = 1.0


class RegressionHead(Head):
    """Predicts a number in the label's own unit.

    Labels, and what is known of them, are less the task's offset; predictions are not.
    """

    units = 1
    headline = "mae"
    linear = True

    def constant_output(self) -> np.ndarray:
        """The standardised median for losses that it minimises, else the mean, which is 0."""
        if self.task.loss == "mse":
            return np.zeros(1, np.float32)
        return np.array([(self.statistics.median - self.statistics.mean) / self.statistics.deviation], np.float32)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Loss in standard deviations (mae, huber) or their squares (mse), float32 [batch]."""
        error = raw[:, 0] - self.standardised(labels)
        if self.task.loss == "mse":
            return tf.square(error)
        size = tf.abs(error)
        if self.task.loss == "mae":
            return size
        return tf.where(size <= HUBER_DELTA, 0.5 * tf.square(size), HUBER_DELTA * (size - 0.5 * HUBER_DELTA))

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The prediction in the label's own unit [batch, 1], float32, or float64 with an offset."""
        return {self.name: self.in_own_unit(raw)}

    def make_metric(self) -> keras.metrics.Metric:
        """Mean absolute error in the label's own unit."""
        return keras.metrics.Mean(name=f"{log_name(self.name)}_mae")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        predicted = self.outputs(raw)[self.name][:, 0]
        metric.update_state(tf.abs(predicted - self.with_offset(labels)), sample_weight=weights)

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.float32

    def standardised(self, labels: tf.Tensor) -> tf.Tensor:
        """Labels in their own unit → standard deviations from the mean."""
        return (tf.cast(labels, tf.float32) - self.statistics.mean) / self.statistics.deviation

    def in_own_unit(self, raw: tf.Tensor) -> tf.Tensor:
        """The inverse of `standardised`."""
        return self.with_offset(raw * self.statistics.deviation + self.statistics.mean)

    def with_offset(self, values: tf.Tensor) -> tf.Tensor:
        """Values less the offset → as the table has them, float64; without an offset, they are."""
        return tf.cast(values, tf.float64) + self.task.offset if self.task.offset else values
