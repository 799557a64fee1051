"""Exclusive classes in an order: logits of "above this class", trained by their cross-entropies.

CORAL: Cao, Mirjalili and Raschka 2020, "Rank consistent ordinal regression for neural networks with application to age
estimation", sections 3.2-3.4. All logits share one weight vector and differ in their bias alone, so that they have the
same order in every row; where the loss is least, that order is the classes' (theorem 1).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head, logit_of_mean, repeated
from trainer.heads.focal import FREQUENCY_FLOOR
from trainer.names import log_name


class OrdinalHead(Head):
    """Predicts the probability of each class. The raw output is the logit of "above" for each class but the last."""

    headline = "mae"

    @property
    def units(self) -> int:  # type: ignore[override]
        """One logit between each class and the next."""
        return len(self.task.classes) - 1

    def constant_output(self) -> np.ndarray:
        """The log-odds of "above" for each class but the last, kept finite where classes are absent."""
        above = np.cumsum(self.frequencies[::-1])[::-1][1:]
        above = np.clip(above, FREQUENCY_FLOOR, 1 - FREQUENCY_FLOOR)
        return np.log(above / (1 - above)).astype(np.float32)

    def build(self, hidden: Any, raw_so_far: Mapping[str, Any]) -> Any:
        """One weight vector, and a bias per logit."""
        del raw_so_far
        score = keras.layers.Dense(1, use_bias=False, name=f"{self.name}_head", dtype="float32")(hidden)
        return _Thresholds(self.constant, name=f"{self.name}_thresholds", dtype="float32")(score)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By the mean probabilities of "above", which are in order as each network's are."""
        return logit_of_mean(raw)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Sum over the logits of their cross-entropies in nats, float32 [batch]."""
        above = tf.cast(labels[:, None] > tf.range(self.units, dtype=labels.dtype), tf.float32)
        return tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(above, raw), axis=1)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities [batch, classes], under two names, and the classes that their columns stand for.

        A class's probability is the fall of "above" at it. Where training has left the biases out of order, it would be
        negative: it is set to 0 then, and the row is divided by its sum.
        """
        above = tf.pad(tf.pad(tf.sigmoid(raw), [[0, 0], [1, 0]], constant_values=1.0), [[0, 0], [0, 1]])
        falls = tf.maximum(above[:, :-1] - above[:, 1:], 0.0)
        probabilities = falls / tf.reduce_sum(falls, axis=1, keepdims=True)
        return {
            self.name: probabilities,
            f"{self.name}/classes": repeated(self.task.classes, raw),
            f"{self.name}/probabilities": tf.identity(probabilities),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Mean distance in classes between the label and the median of the predicted distribution."""
        return keras.metrics.Mean(name=f"{log_name(self.name)}_mae")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch. The median is the number of logits above 0 (the paper's equation 1)."""
        median = tf.reduce_sum(tf.cast(raw > 0, labels.dtype), axis=1)
        metric.update_state(tf.abs(median - labels), sample_weight=weights)


class _Thresholds(keras.layers.Layer):
    """[batch, 1] → [batch, n]: the input plus each of n trained biases."""

    def __init__(self, initial: np.ndarray, **options: Any):
        super().__init__(**options)
        self._initial = initial

    def build(self, input_shape: Any) -> None:
        del input_shape
        self.bias = self.add_weight(
            shape=self._initial.shape, initializer=keras.initializers.Constant(self._initial), name="bias"
        )

    def call(self, score: Any) -> Any:
        return score + self.bias
