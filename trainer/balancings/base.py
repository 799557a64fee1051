"""What a balancing is made of: one of two abstractions, `LossWeighting` and `GradientCombination`."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.balancings.flat import flat_gradients, split_like
from trainer.distribution import sum_over_replicas


@dataclass(frozen=True)
class BalancedTask:
    """What balancing wants to know of a task.

    Attributes:
        name: its name.
        config: its configuration (a `Task`); `loss_weight` is the prior factor.
        trivial_loss: the loss of its best constant prediction, positive.
    """

    name: str
    config: Any
    trivial_loss: float


@dataclass(frozen=True)
class Step:
    """One training step after the forward pass, as one replica sees it. T is the number of tasks.

    Attributes:
        tape: a persistent tape that has recorded the forward pass.
        own_losses: each task's loss, scalars; with several replicas, this replica's share of it.
        losses: float32 [T], the losses over all replicas.
        present: float32 [T], 1 for tasks that count in this batch: with a label in it, and a `loss_weight` above 0.
        scale: float32 scalar, by which losses are multiplied before their gradients are taken (mixed precision).
        variables: the network's trainable variables.
        shared: ids of those that at least two tasks depend on.
        last_shared: the variables of the last layers that tasks share.
    """

    tape: tf.GradientTape
    own_losses: list[tf.Tensor]
    losses: tf.Tensor
    present: tf.Tensor
    scale: tf.Tensor
    variables: list[Any]
    shared: frozenset[int]
    last_shared: list[Any]


@dataclass(frozen=True)
class Balanced:
    """What a balancing makes of a step.

    Attributes:
        gradients: one per variable, each multiplied by the step's `scale`; None where no task depends on it.
        weights: float32 [T], the factor by which each task's loss, or its gradient on shared variables, has entered.
        conflicts: float32 [T], 1 where a task's gradient points against another task's; None where that is not known.
    """

    gradients: list[Any]
    weights: tf.Tensor
    conflicts: tf.Tensor | None = None


class Balancing(keras.layers.Layer, abc.ABC):
    """Makes one gradient of several tasks' losses.

    Whatever is remembered from step to step is in `variables`, so that a checkpoint holds it. With several replicas
    each computes the same state from sums over all of them.
    """

    tracks_conflicts = False

    def __init__(self, settings: Any, tasks: Sequence[BalancedTask], seed: int = 0):
        super().__init__(name=f"balancing_{settings.kind}", dtype="float32", trainable=False)
        self.settings = settings
        self.tasks = tuple(tasks)
        self.seed = seed
        self.priors = np.array([task.config.loss_weight for task in tasks], np.float32)

    @abc.abstractmethod
    def balance(self, step: Step) -> Balanced:
        """The gradient of a training step; may change the state."""

    @abc.abstractmethod
    def loss_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """The factors by which losses are added up to what is logged as `loss`, float32 [T], without changing state."""

    def after_step(self, step: Step, losses_now: Callable[[], tf.Tensor]) -> None:
        """Called when the optimizer has moved the network.

        Args:
            step: the step.
            losses_now: computes the losses of the same batch again, float32 [T].
        """

    def end_epoch(self, losses: Mapping[str, float]) -> None:
        """Called after each epoch with each task's mean training loss."""

    def state(self, name: str, initial: Any, dtype: str = "float32") -> Any:
        """A variable that is remembered, of the initial value's shape."""
        values = np.asarray(initial, dtype)
        return self.add_weight(
            name=name,
            shape=values.shape,
            dtype=dtype,
            initializer=lambda shape, dtype=None: tf.constant(values, dtype),
            trainable=False,
            autocast=False,
            # All replicas compute the same value.
            aggregation="only_first_replica",
        )


class LossWeighting(Balancing):
    """A balancing that multiplies each loss by a weight: one backward pass of their sum."""

    watches_norms = False

    @abc.abstractmethod
    def task_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Each task's weight without its prior, float32 [T], from the state and losses float32 [T]."""

    def before_step(self, losses: tf.Tensor, present: tf.Tensor) -> None:
        """May learn from the losses, both float32 [T], before they are weighted."""

    def learn(self, losses: tf.Tensor, present: tf.Tensor, norms: tf.Tensor | None) -> None:
        """May learn from a step once it is weighted.

        Args:
            losses: float32 [T].
            present: float32 [T].
            norms: float32 [T], if `watches_norms`: the L2 norms of the unweighted losses' gradients at the last shared
                layers.
        """

    def loss_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """The weights as they stand, with their priors."""
        return self.task_weights(losses, present) * self.priors

    def balance(self, step: Step) -> Balanced:
        """The gradient of the weighted sum of the losses."""
        self.before_step(step.losses, step.present)
        weights = self.loss_weights(step.losses, step.present)
        gradients = step.tape.gradient(
            step.own_losses, step.variables, output_gradients=tf.unstack(weights * step.scale)
        )
        norms = self._norms(step) if self.watches_norms else None
        self.learn(step.losses, step.present, norms)
        return Balanced(gradients, weights)

    def _norms(self, step: Step) -> tf.Tensor:
        gradients = [
            step.tape.gradient(loss, step.last_shared, output_gradients=step.scale) for loss in step.own_losses
        ]
        total = sum_over_replicas(flat_gradients(gradients, step.last_shared))
        return tf.norm(total, axis=1) / step.scale


class GradientCombination(Balancing):
    """A balancing that combines the tasks' gradients on the shared variables: a backward pass for each task.

    Every method of this kind makes a linear combination of the gradients whose coefficients follow from their inner
    products alone. A variable that one task alone depends on takes that task's gradient.
    """

    tracks_conflicts = True

    @abc.abstractmethod
    def coefficients(self, products: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """Factor of each task's gradient, float32 [T], from their inner products, float32 [T, T]; may change state.

        `present`, float32 [T], is 0 for tasks that have no part in the batch: their rows and columns are 0.
        """

    def loss_weights(self, losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        """The priors."""
        return tf.constant(self.priors)

    def balance(self, step: Step) -> Balanced:
        """Combined gradients on shared variables, their own elsewhere."""
        gradients = [
            step.tape.gradient(loss, step.variables, output_gradients=prior * step.scale)
            for loss, prior in zip(step.own_losses, self.priors.tolist(), strict=True)
        ]
        shared = [index for index, variable in enumerate(step.variables) if id(variable) in step.shared]
        variables = [step.variables[index] for index in shared]
        flat = flat_gradients([[task[index] for index in shared] for task in gradients], variables)
        summed = sum_over_replicas(flat)
        products = tf.matmul(summed, summed, transpose_b=True)
        coefficients = self.coefficients(products, step.present)
        # Of this replica's share: the optimizer adds up those of all replicas.
        combined = split_like(tf.linalg.matvec(flat, coefficients, transpose_a=True), variables)
        result = [_sum_of_present([task[index] for task in gradients]) for index in range(len(step.variables))]
        for index, gradient in zip(shared, combined, strict=True):
            result[index] = gradient
        conflicts = tf.cast(tf.reduce_any(products < 0, axis=1), tf.float32)
        return Balanced(result, coefficients * self.priors, conflicts)


def _sum_of_present(gradients: Sequence[Any]) -> Any:
    found = [gradient for gradient in gradients if gradient is not None]
    if len(found) < 2:
        return found[0] if found else None
    return tf.add_n([tf.convert_to_tensor(gradient) for gradient in found])
