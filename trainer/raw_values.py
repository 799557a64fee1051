"""Raw columns as Transform sees them: sparse or dense, of any type, with missing values."""

from typing import Any, TypeAlias

import tensorflow as tf

Raw: TypeAlias = Any
"""tf.Tensor or tf.SparseTensor, [batch, …]."""


def to_sparse(raw: Raw) -> tf.SparseTensor:
    """A [batch, n] sparse view of a raw column, whether its schema fixes a shape or not."""
    if isinstance(raw, tf.SparseTensor):
        return raw
    dense = tf.reshape(raw, [tf.shape(raw)[0], -1])
    rows, columns = tf.shape(dense, out_type=tf.int64)[0], tf.shape(dense, out_type=tf.int64)[1]
    grid = tf.meshgrid(tf.range(rows), tf.range(columns), indexing="ij")
    indices = tf.reshape(tf.stack(grid, axis=-1), [-1, 2])
    return tf.SparseTensor(indices=indices, values=tf.reshape(dense, [-1]), dense_shape=[rows, columns])


def numbers(raw: Raw, length: int = 1) -> tf.Tensor:
    """A raw numeric column as float64 [batch, length], NaN where the value is missing or not a number.

    A row with fewer values is padded with NaN, one with more is cut.
    """
    sparse = to_sparse(raw)
    if sparse.dtype == tf.string:
        raise ValueError("a numeric column holds text; correct its type in the schema or its kind in the configuration")
    indices, values = sparse.indices, tf.cast(sparse.values, tf.float64)
    inside = indices[:, 1] < length
    indices, values = tf.boolean_mask(indices, inside), tf.boolean_mask(values, inside)
    shape = tf.stack([sparse.dense_shape[0], tf.constant(length, tf.int64)])
    present = tf.scatter_nd(indices, tf.ones_like(values), shape)
    filled = tf.scatter_nd(indices, values, shape)
    dense = tf.where(present > 0, filled, tf.constant(float("nan"), tf.float64))
    return tf.ensure_shape(dense, [None, length])


def strings(raw: Raw) -> tf.Tensor:
    """A raw column as string [batch], empty where the value is missing.

    Whole numbers stand as their decimal digits, also those that come as floats.
    """
    sparse = to_sparse(raw)
    values = sparse.values
    if values.dtype.is_floating:
        whole = tf.strings.as_string(tf.cast(values, tf.int64))
        text = tf.strings.as_string(values, shortest=True)
        values = tf.where(values == tf.floor(values), whole, text)
        values = tf.where(tf.math.is_finite(sparse.values), values, "")
    elif values.dtype != tf.string:
        values = tf.strings.as_string(values)
    first = sparse.indices[:, 1] == 0
    indices = tf.boolean_mask(sparse.indices[:, :1], first)
    dense = tf.tensor_scatter_nd_update(tf.fill([sparse.dense_shape[0]], ""), indices, tf.boolean_mask(values, first))
    return tf.ensure_shape(dense, [None])
