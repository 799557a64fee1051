"""Heads from a few labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter

from trainer.config import Task, classes_of
from trainer.heads import make_head
from trainer.heads.base import Head
from trainer.label_statistics import LabelStatistics, label_statistics

_TASK: TypeAdapter = TypeAdapter(Task)


def statistics(labels: Sequence[Any], weights: Sequence[float] | None = None, classes: int = 0) -> LabelStatistics:
    """Those of a task 't' with the label column 'y'."""
    return label_statistics("t", "y", np.array(labels), np.array(weights or [1.0] * len(labels)), classes)


def head(
    kind: str,
    labels: Sequence[Any],
    weights: Sequence[float] | None = None,
    name: str = "t",
    given: Head | None = None,
    **settings: Any,
) -> Head:
    """The head of a task by its training labels: class indices, numbers, or multi-hot rows."""
    task = _TASK.validate_python({"kind": kind, "label": "y", **settings})
    return make_head(name, task, statistics(labels, weights, len(classes_of(task))), given)


def indices(*labels: int) -> tf.Tensor:
    """Labels as class indices."""
    return tf.constant(labels, tf.int64)


def sigmoid(logit: Any) -> Any:
    """1 / (1 + e^-logit), in numpy."""
    return 1 / (1 + np.exp(-np.asarray(logit, np.float64)))


def tensorflow_gradient(function: Any, values: Any) -> np.ndarray:
    """d(sum of the function's values) / d(values)."""
    variable = tf.Variable(values, dtype=tf.float32)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(function(variable))
    return tape.gradient(total, variable).numpy()
