"""Training on several devices or machines by tf.distribute."""

import json
import os
from typing import Literal

import tensorflow as tf


def make_strategy(kind: Literal["none", "mirrored", "multi_worker"]) -> tf.distribute.Strategy:
    """The strategy of `training.distribution`.

    For multi_worker, TF_CONFIG names the workers and which one this process is, as the Kubeflow training operator
    sets it (tf.distribute.cluster_resolver.TFConfigClusterResolver).
    """
    if kind == "mirrored":
        return tf.distribute.MirroredStrategy()
    if kind == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    return tf.distribute.get_strategy()


def is_chief() -> bool:
    """Whether this process writes the model: the chief, else worker 0, else the only process there is."""
    task = json.loads(os.environ.get("TF_CONFIG") or "{}").get("task") or {"type": "worker", "index": 0}
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster") or {}
    if "chief" in cluster:
        return task["type"] == "chief"
    return task["type"] == "worker" and int(task["index"]) == 0


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
    """The rows of all replicas, within a replica's step; the values themselves where there is one replica.

    A replica with fewer rows is padded with zeros; its weights, which are gathered in the same way, mask the padding.
    The rows are gathered by sums, because `ReplicaContext.all_gather` fails between workers in these TensorFlow
    versions.
    """
    context = tf.distribute.get_replica_context()
    if context is None or replicas() == 1:
        return values
    replica = context.replica_id_in_sync_group
    rows = tf.shape(values)[0]
    most = tf.reduce_max(sum_over_replicas(tf.one_hot(replica, replicas(), on_value=rows, off_value=0, dtype=tf.int32)))
    filled = tf.pad(values, [[0, most - rows]] + [[0, 0]] * (values.shape.rank - 1))
    shape = tf.concat([[replicas()], tf.shape(filled)], axis=0)
    placed = tf.scatter_nd([[replica]], filled[None], shape)
    return tf.reshape(sum_over_replicas(placed), tf.concat([[-1], tf.shape(filled)[1:]], axis=0))


def as_step_logs(logs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scalars in the shape that Keras 3 expects of a step's logs: between workers it averages over the first axis."""
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}
    return logs
