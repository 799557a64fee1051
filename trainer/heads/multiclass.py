"""Exclusive classes: logits, trained by cross-entropy."""

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head


class MulticlassHead(Head):
    """Predicts the probability of each class."""

    headline = "auc"

    @property
    def units(self) -> int:  # type: ignore[override]
        """One logit per class."""
        return len(self.task.classes)

    def constant_output(self) -> np.ndarray:
        """The log of each class's frequency, kept finite where a class is absent."""
        return np.log(np.maximum(self.statistics.frequencies, 1e-6)).astype(np.float32)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Cross-entropy in nats, float32 [batch]."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, raw)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities [batch, classes], under two names, and the classes that their columns stand for."""
        probabilities = tf.nn.softmax(raw)
        return {
            self.name: probabilities,
            f"{self.name}/classes": tf.tile(tf.constant([self.task.classes]), [tf.shape(raw)[0], 1]),
            f"{self.name}/probabilities": tf.identity(probabilities),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Area under the ROC curve, macro average of each class against the rest."""
        return keras.metrics.AUC(multi_label=True, num_labels=self.units, from_logits=False, name=f"{self.name}_auc")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        metric.update_state(tf.one_hot(labels, self.units), tf.nn.softmax(raw), sample_weight=weights)
