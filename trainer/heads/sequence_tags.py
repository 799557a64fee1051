"""A tag per token of a sequence: logits of each, trained by cross-entropy."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from trainer.heads.base import Head, log_mean
from trainer.label_statistics import LabelStatistics
from trainer.names import log_name

PADDED = -1e9
"""The logits of a place without a token."""
NO_TAG = -1
"""The label of a place without a tag."""


class SequenceTagsHead(Head):
    """Predicts the probability of each tag of each token. Labels are int64 [batch, length], -1 where there is none.

    The raw output is [batch, length · tags], place by place.
    """

    headline = "token_accuracy"

    def __init__(self, name: str, task: Any, statistics: LabelStatistics):
        # One token has one label, which `LabelStatistics` then has as a number of the row.
        self.length = statistics.labels.shape[1] if statistics.labels.ndim > 1 else 1
        super().__init__(name, task, statistics)

    @property
    def tags(self) -> int:
        """How many tags there are."""
        return len(self.task.classes)

    @property
    def units(self) -> int:  # type: ignore[override]
        """A logit per place and tag."""
        return self.length * self.tags

    def constant_output(self) -> np.ndarray:
        """The log of each tag's frequency at every place, kept finite where a tag is absent."""
        return np.tile(np.log(np.maximum(self.frequencies, 1e-6)), self.length).astype(np.float32)

    def build(self, hidden: Any, raw_so_far: Mapping[str, Any]) -> Any:
        """The logits of tokens that `over_tokens` has joined with the ids, of which those at padding are `PADDED`."""
        del raw_so_far
        ids, tokens = hidden
        logits = self.dense(tokens, self.constant[: self.tags])
        return MaskedLogits(name=f"{self.name}_masked")(ids, logits)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """By each tag's mean probability."""
        averaged = log_mean([tf.nn.log_softmax(self._places(one)) for one in raw])
        return tf.where(raw[0] <= PADDED / 2, raw[0], tf.reshape(averaged, tf.shape(raw[0])))

    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Mean over the row's tags of the cross-entropy in nats, float32 [batch]; 0 without any."""
        labels = self._labels(labels)
        of_tokens = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), self._places(raw))
        tagged = tf.cast(labels != NO_TAG, tf.float32)
        return tf.math.divide_no_nan(tf.reduce_sum(of_tokens * tagged, axis=1), tf.reduce_sum(tagged, axis=1))

    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """Probabilities [batch, length, tags] and the most probable tags [batch, length]; 0 and empty at padding."""
        logits = self._places(raw)
        known = tf.reduce_max(logits, axis=2) > PADDED / 2
        tags = tf.gather(tf.constant(self.task.classes), tf.argmax(logits, axis=2))
        return {
            self.name: tf.nn.softmax(logits) * tf.cast(known[:, :, None], tf.float32),
            f"{self.name}/tags": tf.where(known, tags, ""),
        }

    def make_metric(self) -> keras.metrics.Metric:
        """Share of the tags that are right."""
        return keras.metrics.Mean(name=f"{log_name(self.name)}_token_accuracy")

    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch."""
        labels = self._labels(labels)
        right = tf.argmax(self._places(raw), axis=2) == labels
        counted = tf.cast(labels != NO_TAG, tf.float32) * weights[:, None]
        metric.update_state(tf.cast(right, tf.float32), sample_weight=counted)

    def _places(self, raw: tf.Tensor) -> tf.Tensor:
        return tf.reshape(raw, [-1, self.length, self.tags])

    def _labels(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.cast(labels, tf.int64), [-1, self.length])

    def _loss_weights(self, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """A row counts by its tags: each token has the same weight in the loss."""
        tagged = tf.cast(self._labels(labels) != NO_TAG, tf.float32)
        return weights * tf.reduce_sum(tagged, axis=1)


class MaskedLogits(keras.layers.Layer):
    """Logits of tokens, flattened; `PADDED` where there is none."""

    def __init__(self, name: str):
        super().__init__(name=name, dtype="float32")

    def call(self, ids: Any, logits: Any) -> Any:
        """Ids [batch, n], 0 for none, and logits [batch, n, tags] → [batch, n · tags]."""
        masked = ops.where(ops.expand_dims(ids != 0, -1), logits, PADDED)
        return ops.reshape(masked, (-1, logits.shape[1] * logits.shape[2]))

    def compute_output_shape(self, ids_shape: Any, logits_shape: Any) -> Any:
        """See Keras."""
        return (logits_shape[0], logits_shape[1] * logits_shape[2])


def over_tokens(name: str, ids: Any, states: Any, hidden: Any) -> tuple[Any, Any]:
    """What `SequenceTagsHead.build` takes: the ids, and each token's state beside the row's tower.

    Args:
        name: of the task.
        ids, states, hidden: Keras tensors [batch, n], [batch, n, size] and [batch, width].
    """
    repeated = keras.layers.RepeatVector(states.shape[1], name=f"{name}_row")(hidden)
    return ids, keras.layers.Concatenate(name=f"{name}_tokens")([states, repeated])
