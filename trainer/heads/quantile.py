"""Quantiles of a number: standardised inside the model, in its own unit outside, trained by the pinball loss.

Koenker and Bassett 1978, "Regression Quantiles". The quantiles of a row never cross: the first is predicted as it is,
each further one as a distance above the one before.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.regression import RegressionHead
from trainer.label_statistics import weighted_quantiles

LEAST_GAP = 1e-2
"""Distance between quantiles, in standard deviations, from which training starts where the labels' own coincide: at
none at all, the gradient would vanish."""


class QuantileHead(RegressionHead):
    """Predicts several quantiles in the label's own unit. The raw output is those of the standardised label.

    Of the outputs of its dense layer, only the first quantile is linear in the label: the others are distances.
    """

    linear = False

    @property
    def units(self) -> int:  # type: ignore[override]
        """One number per level."""
        return len(self.task.quantiles)

    @property
    def median(self) -> int:
        """The index of the level nearest to 0.5, the lower of two."""
        distances = np.round(np.abs(np.array(self.task.quantiles) - 0.5), 9)
        return int(np.argmin(distances))

    def constant_output(self) -> np.ndarray:
        """The quantiles of the standardised training labels."""
        found = weighted_quantiles(self.statistics.labels, self.statistics.weights, self.task.quantiles)
        return ((found - self.statistics.mean) / self.statistics.deviation).astype(np.float32)

    def build(self, hidden: Any, raw_so_far: Mapping[str, Any]) -> Any:
        """A dense layer for the first quantile and the distances, and their sums."""
        del raw_so_far
        gaps = np.maximum(np.diff(self.constant.astype(np.float64)), LEAST_GAP)
        # The inverse of softplus.
        bias = np.concatenate([self.constant[:1], gaps + np.log(-np.expm1(-gaps))]).astype(np.float32)
        return _Ascending(name=f"{self.name}_quantiles", dtype="float32")(self.dense(hidden, bias))

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Mean over the levels of the pinball loss in standard deviations, float32 [batch]."""
        levels = tf.constant(self.task.quantiles, tf.float32)
        error = self.standardised(labels)[:, None] - raw
        return tf.reduce_mean(tf.maximum(levels * error, (levels - 1) * error), axis=1)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The median [batch, 1], all quantiles and their levels [batch, levels], in the label's own unit.

        The median is the quantile of the level that is nearest to 0.5, the lower of two.
        """
        quantiles = self.in_own_unit(raw)
        levels = tf.constant([self.task.quantiles], tf.float32)
        return {
            self.name: quantiles[:, self.median : self.median + 1],
            f"{self.name}/quantiles": quantiles,
            f"{self.name}/levels": tf.tile(levels, [tf.shape(raw)[0], 1]),
        }


class _Ascending(keras.layers.Layer):
    """[batch, n] → [batch, n]: the first column, then each further one's softplus on top of the one before.

    By additions one after the other: a cumulative sum may round its terms differently, and cross by a last digit.
    """

    def call(self, values: Any) -> Any:
        columns = [values[:, :1]]
        for index in range(1, values.shape[1]):
            columns.append(columns[-1] + keras.ops.softplus(values[:, index : index + 1]))
        return keras.ops.concatenate(columns, axis=1)
