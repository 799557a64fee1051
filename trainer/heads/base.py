"""What a head is made of."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.distribution import sum_over_replicas
from trainer.label_statistics import LabelStatistics


class Head(abc.ABC):
    """A task's loss, outputs and headline metric.

    Attributes:
        name: the task's name.
        units: width of the network's raw output for this task.
        initial_bias: float32 [units], at which the raw output is the best constant prediction.
        headline: name of the metric that is shown while training.
    """

    units: int
    headline: str

    def __init__(self, name: str, task: Any, statistics: LabelStatistics):
        self.name = name
        self.task = task
        self.statistics = statistics
        self.initial_bias = self.constant_output()

    @abc.abstractmethod
    def constant_output(self) -> np.ndarray:
        """The raw output of the best constant prediction, float32 [units]."""

    @abc.abstractmethod
    def row_losses(self, labels: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
        """Loss per row, float32 [batch], from labels [batch] and the raw output [batch, units]."""

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
        """Adds a batch to a headline metric, masked rows (weight 0) left out."""

    def loss(self, labels: tf.Tensor, raw: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """Mean loss over the labelled rows, a scalar; 0 for a batch without any label.

        With several replicas, a replica's share of it: the sum over the replicas is the mean over all their rows.
        """
        total = tf.reduce_sum(self.row_losses(labels, raw) * weights)
        return tf.math.divide_no_nan(total, sum_over_replicas(tf.reduce_sum(weights)))

    def trivial_loss(self) -> float:
        """Loss of the best constant prediction on the training labels: the unit in which tasks are compared."""
        labels = tf.constant(self.statistics.labels, self.label_dtype())
        raw = tf.tile(tf.constant(self.initial_bias)[None, :], [len(self.statistics.labels), 1])
        return max(float(tf.reduce_mean(self.row_losses(labels, raw))), 1e-6)

    def label_dtype(self) -> tf.DType:
        """The labels' dtype."""
        return tf.int64
