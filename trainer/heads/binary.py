"""Two classes: a logit, trained by cross-entropy or focal loss."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from serving.description import DecisionDescription
from trainer.heads.area import AreaUnderROC
from trainer.heads.base import Head, logit_of_mean, repeated
from trainer.heads.focal import best_constant, gamma_of, sigmoid_focal
from trainer.names import log_name


class BinaryHead(Head):
    """Predicts the probability of the second class. The first raw output is its logit.

    Attributes:
        decision: the probability above which the second class is decided; chosen after the training.
    """

    units = 1
    headline = "auc"
    decision = DecisionDescription(rule="fixed", threshold=0.5)

    def constant_output(self) -> np.ndarray:
        """The log-odds of the second class, kept finite where a class is absent."""
        negative, positive = best_constant(self.frequencies, gamma_of(self.task))
        return np.array([np.log(positive / negative)], np.float32)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By the mean probability."""
        return logit_of_mean(raw)

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Cross-entropy in nats, or focal loss, float32 [batch]."""
        return sigmoid_focal(tf.cast(labels, tf.float32), raw[:, 0], gamma_of(self.task))

    def probability(self, raw: tf.Tensor) -> tf.Tensor:
        """Of the second class, float32 [batch, 1]."""
        return tf.sigmoid(raw[:, :1])

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probability of the second class and the class decided [batch, 1]; classes and probabilities [batch, 2]."""
        logit = raw[:, :1]
        positive = self.probability(raw)
        decided = tf.where(positive > self.decision.threshold, self.task.classes[1], self.task.classes[0])
        return {
            self.name: positive,
            # A probability that is no number decides nothing.
            f"{self.name}/decision": tf.where(tf.math.is_nan(positive), "", decided),
            f"{self.name}/classes": repeated(self.task.classes, raw),
            f"{self.name}/probabilities": tf.concat([tf.sigmoid(-logit), positive], axis=1),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Area under the ROC curve."""
        return AreaUnderROC(1, name=f"{log_name(self.name)}_auc")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        metric.update_state(tf.cast(labels, tf.float32)[:, None], raw[:, :1], weights)
