"""The area under the ROC curve while training."""

import keras
import tensorflow as tf

GREATEST = 24.0
STEPS, STEPS_OF_MANY, MANY = 256, 32, 32
"""Buckets per unit of the logit, and for more than MANY classes."""


class AreaUnderROC(keras.metrics.Metric):
    """Area under the ROC curve, the mean over the classes that some rows have and others do not; NaN if there is none.

    Logits from -24 to 24 are counted in buckets of 1/256, so that probabilities of rare classes are told apart as well
    as others: `keras.metrics.AUC` has 200 thresholds, equally apart in the probability, all but a few of which are
    above every row's where positives are rare.
    """

    def __init__(self, classes: int, name: str):
        super().__init__(name=name)
        self._classes = classes
        self._steps = STEPS_OF_MANY if classes > MANY else STEPS
        self._buckets = 2 * int(GREATEST) * self._steps + 1
        self._weights = self.add_variable((2, classes, self._buckets), initializer="zeros", name="weights")

    def update_state(self, positive: tf.Tensor, logits: tf.Tensor, weights: tf.Tensor) -> None:
        """Adds rows.

        Args:
            positive: float32 [rows, classes], 1 where a row has the class, else 0.
            logits: float32 [rows, classes].
            weights: float32 [rows].
        """
        # A logit that is no number has no bucket; the loss shows it.
        logits = tf.where(tf.math.is_nan(logits), 0.0, tf.clip_by_value(logits, -GREATEST, GREATEST))
        buckets = tf.cast(tf.round((logits + GREATEST) * self._steps), tf.int32)
        buckets += tf.range(self._classes) * self._buckets
        both = tf.stack([positive, 1 - positive], axis=-1) * weights[:, None, None]
        sums = tf.math.unsorted_segment_sum(
            tf.reshape(both, [-1, 2]), tf.reshape(buckets, [-1]), self._classes * self._buckets
        )
        self._weights.assign_add(tf.reshape(tf.transpose(sums), [2, self._classes, self._buckets]))

    def result(self) -> tf.Tensor:
        """The area, a scalar."""
        positive, negative = tf.unstack(tf.cast(tf.convert_to_tensor(self._weights), tf.float64))
        below = tf.cumsum(negative, axis=1) - negative / 2
        pairs = tf.reduce_sum(positive, axis=1) * tf.reduce_sum(negative, axis=1)
        areas = tf.math.divide_no_nan(tf.reduce_sum(positive * below, axis=1), pairs)
        both = tf.cast(pairs > 0, tf.float64)
        return tf.cast(tf.reduce_sum(areas * both) / tf.reduce_sum(both), tf.float32)
