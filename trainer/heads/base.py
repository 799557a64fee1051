"""What a head is made of."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.distribution import sum_over_replicas
from trainer.heads.class_weights import class_weights, weighted_frequencies
from trainer.label_statistics import LabelStatistics


class Head(abc.ABC):
    """A task's last layers, loss, outputs and headline metric.

    Attributes:
        name: the task's name.
        units: width of the network's raw output for this task.
        class_weights: float32 [classes], each class's factor in the loss; None where all count the same.
        frequencies: float64 [classes], of the training labels as the loss weighs them; empty for numbers.
        constant: float32 [units], the raw output of the best constant prediction, where training starts.
        headline: name of the metric that is shown while training.
        linear: whether what its dense layer gives is the standardised label.
    """

    units: int
    headline: str
    linear = False

    def __init__(self, name: str, task: Any, statistics: LabelStatistics):
        self.name = name
        self.task = task
        self.statistics = statistics
        self.class_weights = class_weights(task, statistics.frequencies)
        self.frequencies = weighted_frequencies(statistics.frequencies, self.class_weights)
        self.constant = self.constant_output()

    @abc.abstractmethod
    def constant_output(self) -> np.ndarray:
        """The raw output of the best constant prediction, float32 [units]."""

    def build(self, hidden: Any, raw_so_far: Mapping[str, Any]) -> Any:
        """Makes the task's last layers; by default a dense one.

        Args:
            hidden: Keras tensor [batch, width], the output of the task's tower.
            raw_so_far: the raw outputs of the tasks before this one in `dependency_order`.

        Returns:
            The raw output, a float32 Keras tensor [batch, units].
        """
        del raw_so_far
        return self.dense(hidden, self.constant)

    def dense(self, hidden: Any, bias: np.ndarray) -> Any:
        """A dense layer in float32 that starts with the given bias."""
        return keras.layers.Dense(
            len(bias), bias_initializer=keras.initializers.Constant(bias), name=f"{self.name}_head", dtype="float32"
        )(hidden)

    def average(self, raw: Sequence[tf.Tensor]) -> tf.Tensor:
        """The raw output of the mean prediction; by default the mean itself, where predictions are linear in it.

        Args:
            raw: each network's raw output, float32 [batch, units].
        """
        # One after the other, so that quantiles in order stay in order.
        return tf.add_n(list(raw)) / len(raw)

    @abc.abstractmethod
    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Loss per row, float32 [batch], from the raw output [batch, units] and labels [batch] or [batch, classes]."""

    @abc.abstractmethod
    def outputs(self, raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature's outputs, keyed by the task's name and `<task>/…`."""

    @abc.abstractmethod
    def make_metric(self) -> keras.metrics.Metric:
        """A fresh headline metric."""

    @abc.abstractmethod
    def update_metric(
        self, metric: keras.metrics.Metric, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor
    ) -> None:
        """Adds a batch to a headline metric, each row by its weight; class weights do not count."""

    def loss(self, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Mean of the rows' losses by weight and class weight, a scalar; 0 for a batch without any label.

        A weighted mean, divided by the sum of the weights used: so neither the unit of the weights nor the share of
        rare classes in a batch changes the size of the loss and its gradient, which other tasks' losses are added to.

        With several replicas, a replica's share of it: the sum over the replicas is the mean over all their rows.
        """
        weights = self._loss_weights(labels, weights)
        total = tf.reduce_sum(self.row_losses(labels, raw) * weights)
        return tf.math.divide_no_nan(total, sum_over_replicas(tf.reduce_sum(weights)))

    def trivial_loss(self) -> float:
        """Loss of the best constant prediction on the training labels: the unit in which tasks are compared."""
        labels = tf.constant(self.statistics.labels, self.label_dtype())
        raw = tf.broadcast_to(self.constant[None, :], [len(self.statistics.labels), len(self.constant)])
        weights = self._loss_weights(labels, tf.constant(self.statistics.weights, tf.float32))
        return max(float(np.average(self.row_losses(labels, raw), weights=weights.numpy().astype(np.float64))), 1e-6)

    def with_offset(self, values: Any) -> Any:
        """Labels as Transform wrote them → as the table has them."""
        return values

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.int64

    def _loss_weights(self, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        return weights if self.class_weights is None else weights * tf.gather(self.class_weights, labels)


def log_mean(logarithms: Sequence[tf.Tensor]) -> tf.Tensor:
    """The logarithm of the mean of numbers of which the logarithms are given."""
    return tf.reduce_logsumexp(tf.stack(logarithms), axis=0) - float(np.log(len(logarithms)))


def logit_of_mean(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """The logit of the mean of probabilities of which the logits are given."""
    return log_mean(list(map(tf.math.log_sigmoid, logits))) - log_mean([tf.math.log_sigmoid(-one) for one in logits])


def repeated(classes: list[str], raw: tf.Tensor) -> tf.Tensor:
    """The classes in every row: string [batch, classes]."""
    return tf.tile(tf.constant([classes]), [tf.shape(raw)[0], 1])
