"""Gradients as flat vectors."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def flat_gradients(gradients: Sequence[Sequence[Any]], variables: Sequence[Any]) -> tf.Tensor:
    """Joins gradients to one row each.

    Args:
        gradients: [T] lists, each of one gradient per variable: dense, `tf.IndexedSlices` (of an embedding, whose
            repeated indices are added up), or None for 0.
        variables: whose gradients they are; not empty.

    Returns:
        float32 [T, total size of the variables].
    """
    rows = []
    for row in gradients:
        parts = [
            tf.zeros(math.prod(variable.shape))
            if gradient is None
            else tf.reshape(tf.cast(tf.convert_to_tensor(gradient), tf.float32), [-1])
            for gradient, variable in zip(row, variables, strict=True)
        ]
        rows.append(tf.concat(parts, axis=0))
    return tf.stack(rows)


def split_like(vector: tf.Tensor, variables: Sequence[Any]) -> list[tf.Tensor]:
    """The inverse for one row: float32 [total size] → a tensor of each variable's shape."""
    parts = tf.split(vector, [math.prod(variable.shape) for variable in variables])
    return [tf.reshape(part, variable.shape) for part, variable in zip(parts, variables, strict=True)]
