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
