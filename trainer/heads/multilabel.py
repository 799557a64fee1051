"""Classes of which any number may apply: a logit each, trained by cross-entropy or focal loss."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.area import AreaUnderROC
from trainer.heads.base import Head, logit_of_mean, repeated
from trainer.heads.focal import best_constant, gamma_of, sigmoid_focal
from trainer.names import log_name


class MultilabelHead(Head):
    """Predicts for each class the probability that it applies. Labels are float32 [batch, classes], 0 or 1."""

    headline = "auc"

    @property
    def units(self) -> int:  # type: ignore[override]
        """One logit per class."""
        return len(self.task.classes)

    def constant_output(self) -> np.ndarray:
        """Each class's log-odds, kept finite where it applies to no row or to all."""
        pairs = (best_constant(np.array([1 - f, f]), gamma_of(self.task)) for f in self.frequencies)
        return np.array([np.log(positive / negative) for negative, positive in pairs], np.float32)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By each class's mean probability."""
        return logit_of_mean(raw)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Mean over the classes of the cross-entropy in nats, or of the focal loss, float32 [batch]."""
        return tf.reduce_mean(sigmoid_focal(labels, raw, gamma_of(self.task)), axis=1)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities [batch, classes], under two names, and the classes that their columns stand for."""
        probabilities = tf.sigmoid(raw)
        return {
            self.name: probabilities,
            f"{self.name}/classes": repeated(self.task.classes, raw),
            f"{self.name}/probabilities": tf.identity(probabilities),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Area under the ROC curve, macro average over the classes."""
        return AreaUnderROC(self.units, name=f"{log_name(self.name)}_auc")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        metric.update_state(labels, raw, weights)

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.float32
