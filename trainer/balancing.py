"""Balancing: how the tasks' losses become one. A new kind is one function and one line in `BALANCINGS`."""

from collections.abc import Callable, Mapping

import tensorflow as tf


def fixed(losses: Mapping[str, tf.Tensor], weights: Mapping[str, float]) -> tf.Tensor:
    """The sum of the losses, each by its task's `loss_weight`; a scalar."""
    return tf.add_n([losses[name] * weights[name] for name in losses])


BALANCINGS: dict[str, Callable[[Mapping[str, tf.Tensor], Mapping[str, float]], tf.Tensor]] = {"fixed": fixed}
