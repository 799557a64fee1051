"""Training on several devices by tf.distribute."""

from typing import Literal

import tensorflow as tf


def make_strategy(kind: Literal["none", "mirrored"]) -> tf.distribute.Strategy:
    """The strategy of `training.distribution`."""
    if kind == "mirrored":
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def replicas() -> int:
    """How many replicas train together."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The sum of each replica's value, within a replica's step; the value itself where there is one replica."""
    context = tf.distribute.get_replica_context()
    if context is None or replicas() == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)


def rows_of_replicas(values: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, within a replica's step; the values themselves where there is one replica."""
    context = tf.distribute.get_replica_context()
    if context is None or replicas() == 1:
        return values
    return context.all_gather(values, axis=0)
