"""The Keras model that trains all tasks together."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from trainer.balancings import Step, last_shared_variables, make_balancing
from trainer.config import TrainerConfig
from trainer.distribution import as_step_logs, rows_of_replicas, sum_over_replicas
from trainer.heads.base import Head
from trainer.names import log_name
from trainer.network import Network

BALANCED_LOSS = "balanced_loss"


class MultiTaskModel(keras.Model):
    """Trains a network on masked labels, with one loss per task, combined by the configuration's balancing.

    A batch is (features, labels, weights): dicts of tensors, the latter two keyed by task, [batch] each. The logs, in
    which tasks have the names of `trainer.names.log_name`, contain:

    - `<task>_loss`: the mean over labelled rows; and `loss`: their sum, weighted by the balancing (by `loss_weight` if
      the balancing combines gradients);
    - in training, `<task>_weight`: the mean factor of the task's loss, or of its gradient on shared variables, over the
      steps in which the task had a label;
    - in training with a balancing that combines gradients, `<task>_conflict`: the share of those steps in which the
      task's gradient had a negative inner product with that of another task;
    - in validation, each task's headline metric, and `balanced_loss`: the mean over the tasks of the loss relative to
      that of the best constant prediction, so that the scale of a task's loss does not matter.
    """

    def __init__(self, network: Network, heads: Mapping[str, Head], config: TrainerConfig):
        super().__init__(name="multi_task_model")
        self.structure = network
        self.network = network.model
        self.balancing = make_balancing(config, heads, network)
        self.heads = dict(heads)
        self._shared = frozenset(id(variable) for variable in network.shared_variables)
        self._last_shared = last_shared_variables(network)
        self._counted = [name for name, task in config.tasks.items() if task.loss_weight > 0]
        self._scales = {name: head.trivial_loss() for name, head in heads.items()}
        logged = {name: log_name(name) for name in heads}
        loss_names = ["loss", *(f"{name}_loss" for name in logged.values())]
        kinds = ("weight", "conflict") if self.balancing.tracks_conflicts else ("weight",)
        self._training_means = NamedMeans(
            [*loss_names, *(f"{name}_{kind}" for kind in kinds for name in logged.values())]
        )
        self._validation_means = NamedMeans(loss_names)
        self.not_finite_at = tf.Variable(
            tf.zeros([len(heads)], tf.int64),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            name="not_finite_at",
        )
        """Per task, the first step, from 1, whose loss was not finite; 0 if there is none."""
        self._headlines = {name: head.make_metric() for name, head in heads.items()}

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics, which Keras resets between epochs."""
        return [self._training_means, self._validation_means, *self._headlines.values()]

    @property
    def trainable_weights(self) -> list[keras.Variable]:
        """The network's, in the order in which the optimizer knows them: `fit` ends by giving them their averages."""
        return list(self.network.trainable_variables)

    @property
    def stops_at_once(self) -> bool:
        """Whether a loss that is not finite is an error. With float16 it may be, and then the step is skipped."""
        return not isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Does nothing: the network is built, and Keras's implementation fails on nested batches with replicas."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Raw outputs by task."""
        return self.network(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of the optimizer."""
        features, labels, weights = data
        with tf.GradientTape(persistent=True) as tape:
            own_losses = self._training_losses(features, labels, weights)
        losses, labelled, present = self._over_replicas(own_losses, weights)
        self._check_finite(losses)
        step = Step(
            tape=tape,
            own_losses=own_losses,
            losses=losses,
            present=present,
            scale=self.optimizer.scale_loss(tf.constant(1.0)),
            variables=self.network.trainable_variables,
            shared=self._shared,
            last_shared=self._last_shared,
        )
        balanced = self.balancing.balance(step)
        self.optimizer.apply(balanced.gradients, step.variables)

        def losses_now() -> tf.Tensor:
            return sum_over_replicas(tf.stack(self._training_losses(features, labels, weights)))

        self.balancing.after_step(step, losses_now)
        parts = [balanced.weights] if balanced.conflicts is None else [balanced.weights, balanced.conflicts]
        self._training_means.update_state(
            tf.concat([_with_total(losses, balanced.weights), *parts], axis=0),
            tf.concat([[1.0], labelled, *[present] * len(parts)], axis=0),
        )
        return as_step_logs(self._training_means.by_name())

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Losses and headline metrics of a batch."""
        features, labels, weights = data
        raw = self.network(features, training=False)
        own_losses = self._own_losses(labels, raw, weights)
        losses, labelled, present = self._over_replicas(own_losses, weights)
        self._validation_means.update_state(
            _with_total(losses, self.balancing.loss_weights(losses, present)), tf.concat([[1.0], labelled], axis=0)
        )
        for name, head in self.heads.items():
            rows = (rows_of_replicas(values[name]) for values in (labels, raw, weights))
            head.update_metric(self._headlines[name], *rows)
        logs = self._validation_means.by_name()
        logs.update({metric.name: metric.result() for metric in self._headlines.values()})
        relative = [logs[f"{log_name(name)}_loss"] / self._scales[name] for name in self._counted]
        logs[BALANCED_LOSS] = tf.add_n(relative) / len(relative)
        return as_step_logs(logs)

    def _check_finite(self, losses: tf.Tensor) -> None:
        finite, before = tf.math.is_finite(losses), tf.convert_to_tensor(self.not_finite_at)
        step = tf.cast(tf.convert_to_tensor(self.optimizer.iterations), tf.int64) + 1
        noted = self.not_finite_at.assign(tf.where(finite | (before > 0), before, step), read_value=False)
        if self.stops_at_once:
            with tf.control_dependencies([noted] if noted is not None else []):
                # tf.debugging.Assert would add a branch to each step.
                tf.raw_ops.Assert(condition=tf.reduce_all(finite), data=["a loss is not finite"])

    def _training_losses(self, features: Any, labels: Any, weights: Any) -> list[tf.Tensor]:
        """Each task's loss; of several members, the mean of their own losses."""
        members = self.structure.members or [self.structure]
        raw = [member.model(features, training=True) for member in members]
        # One below another, so that a task's losses are computed once.
        joined, labels, weights = (
            {name: tf.concat([one[name] for one in parts], axis=0) for name in self.heads}
            if len(members) > 1
            else parts[0]
            for parts in (raw, [labels] * len(members), [weights] * len(members))
        )
        return self._own_losses(labels, joined, weights)

    def _own_losses(self, labels: Any, raw: Any, weights: Any) -> list[tf.Tensor]:
        return [head.loss(labels[name], raw[name], weights[name]) for name, head in self.heads.items()]

    def _over_replicas(self, own_losses: list[tf.Tensor], weights: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Over the rows of all replicas: losses, sums of weights, and 1 for tasks that count; float32 [tasks] each."""
        labelled = [tf.reduce_sum(weights[name]) for name in self.heads]
        losses, sums = tf.unstack(sum_over_replicas(tf.stack([tf.stack(own_losses), tf.stack(labelled)])))
        return losses, sums, tf.cast(sums > 0, tf.float32) * (self.balancing.priors > 0)


class NamedMeans(keras.metrics.Metric):
    """Several weighted means in one metric: one metric per mean would take more time than the losses themselves."""

    def __init__(self, names: list[str]):
        super().__init__(name="means")
        self._names = tuple(names)
        self._sums = self.add_variable(shape=(2, len(names)), initializer="zeros", name="sums")

    def update_state(self, values: tf.Tensor, weights: tf.Tensor) -> None:
        """Adds values and their weights, float32 [means] each; a value with weight 0 may also be NaN."""
        self._sums.assign_add(tf.stack([tf.math.multiply_no_nan(values, weights), weights]))

    def result(self) -> tf.Tensor:
        """float32 [means]; 0 where nothing was added."""
        total, weight = tf.unstack(tf.convert_to_tensor(self._sums))
        return tf.math.divide_no_nan(total, weight)

    def by_name(self) -> dict[str, tf.Tensor]:
        """The means as scalars."""
        return dict(zip(self._names, tf.unstack(self.result()), strict=True))


def _with_total(losses: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The weighted sum of the losses, then the losses."""
    return tf.concat([[tf.tensordot(losses, weights, 1)], losses], axis=0)
