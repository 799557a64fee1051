"""Two classes: a logit, trained by cross-entropy."""

import keras
import numpy as np
import tensorflow as tf

from trainer.heads.base import Head


class BinaryHead(Head):
    """Predicts the probability of the second class."""

    units = 1
    headline = "auc"

    def constant_output(self) -> np.ndarray:
        """The log-odds of the second class, kept finite where a class is absent."""
        positive = float(np.clip(self.statistics.frequencies[1], 1e-6, 1 - 1e-6))
        return np.array([np.log(positive / (1 - positive))], np.float32)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Cross-entropy in nats, float32 [batch]."""
        return tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), raw[:, 0])

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probability of the second class [batch, 1]; classes and probabilities [batch, 2]."""
        positive = tf.sigmoid(raw)
        return {
            self.name: positive,
            f"{self.name}/classes": tf.tile(tf.constant([self.task.classes]), [tf.shape(raw)[0], 1]),
            f"{self.name}/probabilities": tf.concat([tf.sigmoid(-raw), positive], axis=1),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Area under the ROC curve."""
        return keras.metrics.AUC(from_logits=True, name=f"{self.name}_auc")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        metric.update_state(labels, raw[:, 0], sample_weight=weights)
