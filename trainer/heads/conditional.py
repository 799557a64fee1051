"""Two classes, the second of which occurs only where another task's does: a click, and a purchase after it.

ESMM: Ma, Zhao, Huang, Wang, Hu, Zhu and Gai 2018, "Entire Space Multi-Task Model: An Effective Approach for Estimating
Post-Click Conversion Rate", section 2.3. The network predicts the conditional probability, but what is trained, over
all rows, is its product with the other task's probability. So the conditional probability is not fitted to the biased
selection of rows where the other event took place, and the other task's tower learns from this label too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.config import Task
from trainer.heads.base import log_mean, logit_of_mean
from trainer.heads.binary import BinaryHead
from trainer.heads.focal import FREQUENCY_FLOOR
from trainer.label_statistics import LabelStatistics


class ConditionalHead(BinaryHead):
    """Predicts P(given and this). The raw output is [logit of it, logit of P(this | given)]."""

    units = 2

    def __init__(self, name: str, task: Task, statistics: LabelStatistics, given: BinaryHead):
        self._given = given
        super().__init__(name, task, statistics)

    def constant_output(self) -> np.ndarray:
        """The log-odds of the second class, over all rows and among those of the given one."""
        both = super().constant_output()[0]
        ratio = np.exp(_log_sigmoid(both) - _log_sigmoid(self._given.constant[0]))
        conditional = np.clip(ratio, FREQUENCY_FLOOR, 1 - FREQUENCY_FLOOR)
        return np.array([both, np.log(conditional / (1 - conditional))], np.float32)

    def build(self, hidden: Any, raw_so_far: Mapping[str, Any]) -> Any:
        """A dense layer for the conditional logit, joined with the given task's."""
        conditional = self.dense(hidden, self.constant[1:])
        given = raw_so_far[self._given.name]
        return _ProductLogit(name=f"{self.name}_product", dtype="float32")([given, conditional])

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By the mean probabilities of both and of the given one, whose ratio is P(this | given)."""
        both = [tf.math.log_sigmoid(one[:, :1]) for one in raw]
        given = [log_p - tf.math.log_sigmoid(one[:, 1:]) for log_p, one in zip(both, raw, strict=True)]
        conditional = tf.minimum(log_mean(both) - log_mean(given), -FREQUENCY_FLOOR)
        logit = conditional - tf.math.log(-tf.math.expm1(conditional))
        return tf.concat([logit_of_mean([one[:, :1] for one in raw]), logit], axis=1)

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """As for any binary task, and P(this | given) [batch, 1] as `<task>/conditional`."""
        return {**super().outputs(raw), f"{self.name}/conditional": tf.sigmoid(raw[:, 1:])}


class _ProductLogit(keras.layers.Layer):
    """([batch, …] whose first column is a logit a, [batch, 1] logit b) → [batch, 2]: the logit of σ(a)·σ(b), and b.

    With p = σ(a)·σ(b), (1 - p) / p = e^-a + e^-b + e^-(a + b).
    """

    def call(self, logits: tuple[Any, Any]) -> Any:
        given, conditional = logits[0][:, :1], logits[1]
        terms = keras.ops.concatenate([-given, -conditional, -given - conditional], axis=1)
        return keras.ops.concatenate([-keras.ops.logsumexp(terms, axis=1, keepdims=True), conditional], axis=1)


def _log_sigmoid(logit: float) -> float:
    return -float(np.logaddexp(0.0, -logit))
