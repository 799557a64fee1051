"""Exclusive classes: logits, trained by cross-entropy or focal loss."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.area import AreaUnderROC
from trainer.heads.base import Head, log_mean, repeated
from trainer.heads.focal import best_constant, gamma_of, softmax_focal
from trainer.names import log_name


class MulticlassHead(Head):
    """Predicts the probability of each class."""

    headline = "auc"

    @property
    def units(self) -> int:  # type: ignore[override]
        """One logit per class."""
        return len(self.task.classes)

    def constant_output(self) -> np.ndarray:
        """The log of each class's frequency, kept finite where a class is absent."""
        return np.log(best_constant(self.frequencies, gamma_of(self.task))).astype(np.float32)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By each class's mean probability."""
        return log_mean(list(map(tf.nn.log_softmax, raw)))

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Cross-entropy in nats, or focal loss, float32 [batch]."""
        return softmax_focal(labels, raw, gamma_of(self.task))

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities [batch, classes], under two names, and the classes that their columns stand for."""
        probabilities = tf.nn.softmax(raw)
        return {
            self.name: probabilities,
            f"{self.name}/classes": repeated(self.task.classes, raw),
            f"{self.name}/probabilities": tf.identity(probabilities),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Area under the ROC curve, macro average of each class against the rest."""
        return AreaUnderROC(self.units, name=f"{log_name(self.name)}_auc")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        log_probabilities = tf.nn.log_softmax(raw)
        # The logit of each class against the rest.
        logits = log_probabilities - tf.math.log(-tf.math.expm1(log_probabilities))
        metric.update_state(tf.one_hot(labels, self.units), logits, weights)
