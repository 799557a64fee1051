"""Static weights."""

from collections.abc import Mapping

import tensorflow as tf


def fixed(losses: Mapping[str, tf.Tensor], weights: Mapping[str, float]) -> tf.Tensor:
    """The sum of the losses, each by its task's `loss_weight`; a scalar."""
    return tf.add_n([losses[name] * weights[name] for name in losses])
