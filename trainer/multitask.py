"""The Keras model that trains all tasks together."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from trainer.balancings import BALANCINGS
from trainer.config import TrainerConfig
from trainer.distribution import as_step_logs, rows_of_replicas, sum_over_replicas
from trainer.heads.base import Head
from trainer.network import Network

BALANCED_LOSS = "balanced_loss"


class MultiTaskModel(keras.Model):
    """Trains a network on masked labels, one loss per task.

    A batch is (features, labels, weights): dicts of tensors, the latter two keyed by task, [batch] each. Logged are
    `<task>_loss`, the mean over labelled rows; `loss`, what is minimised; and in validation also each task's headline
    metric and `balanced_loss`: the mean over the tasks of the loss relative to that of the best constant prediction,
    so that each task counts the same whatever its loss's scale.
    """

    def __init__(self, network: Network, heads: Mapping[str, Head], config: TrainerConfig):
        super().__init__(name="multi_task_model")
        self.network = network.model
        self._heads = dict(heads)
        self._loss_weights = {name: task.loss_weight for name, task in config.tasks.items()}
        self._combine = BALANCINGS[config.model.balancing.kind]
        self._scales = {name: head.trivial_loss() for name, head in heads.items()}
        self._loss_trackers = {name: keras.metrics.Mean(name=f"{name}_loss") for name in heads}
        self._total_tracker = keras.metrics.Mean(name="loss")
        self._headlines = {name: head.make_metric() for name, head in heads.items()}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All that is reset between epochs."""
        return [self._total_tracker, *self._loss_trackers.values(), *self._headlines.values()]

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """The network is built already; Keras's way, by a batch's mean over the replicas, fails on nested batches."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Raw outputs by task."""
        return self.network(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of the optimizer."""
        features, labels, weights = data
        with tf.GradientTape() as tape:
            raw = self.network(features, training=True)
            losses = self._task_losses(labels, raw, weights)
            total = self._combine(losses, self._loss_weights)
            scaled = self.optimizer.scale_loss(total)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(scaled, variables), variables)
        self._track(losses, total, weights)
        trackers = (self._total_tracker, *self._loss_trackers.values())
        return as_step_logs({tracker.name: tracker.result() for tracker in trackers})

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Losses and headline metrics of a batch."""
        features, labels, weights = data
        raw = self.network(features, training=False)
        losses = self._task_losses(labels, raw, weights)
        self._track(losses, self._combine(losses, self._loss_weights), weights)
        for name, head in self._heads.items():
            rows = (rows_of_replicas(values[name]) for values in (labels, raw, weights))
            head.update_metric(self._headlines[name], *rows)
        logs = {metric.name: metric.result() for metric in self.metrics}
        counted = [name for name, weight in self._loss_weights.items() if weight > 0]
        relative = [self._loss_trackers[name].result() / self._scales[name] for name in counted]
        logs[BALANCED_LOSS] = tf.add_n(relative) / len(relative)
        return as_step_logs(logs)

    def _task_losses(self, labels: Any, raw: Any, weights: Any) -> dict[str, tf.Tensor]:
        return {name: head.loss(labels[name], raw[name], weights[name]) for name, head in self._heads.items()}

    def _track(self, losses: Mapping[str, tf.Tensor], total: tf.Tensor, weights: Any) -> None:
        """Each replica tracks the losses of all, so that what one replica reports is the whole."""
        self._total_tracker.update_state(sum_over_replicas(total))
        for name, loss in losses.items():
            labelled = sum_over_replicas(tf.reduce_sum(weights[name]))
            self._loss_trackers[name].update_state(sum_over_replicas(loss), sample_weight=labelled)
