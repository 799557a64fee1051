"""Raw columns in Transform: sparse or dense, of any type, with missing values.

Transform traces its function about ten times, so that few operations per column save seconds.
"""

import math
from typing import Any, TypeAlias

import tensorflow as tf

Raw: TypeAlias = Any
"""tf.Tensor or tf.SparseTensor, [batch, …]."""


def numbers(raw: Raw, length: int = 1) -> tf.Tensor:
    """A raw numeric column as float64 [batch, length], NaN where the value is missing or not a number.

    A row with fewer values is padded with NaN, and one with more is truncated.
    """
    if raw.dtype == tf.string:
        raise ValueError("a numeric column holds text; correct its type in the schema or its kind in the configuration")
    return _dense(_with_values(raw, lambda values: tf.cast(values, tf.float64)), length, math.nan)


def strings(raw: Raw) -> tf.Tensor:
    """A raw column as string [batch], empty where the value is missing.

    Whole numbers become their decimal digits, also those stored as floats.
    """
    return _dense(_with_values(raw, _text), 1, "")[:, 0]


def first_values(raw: Raw) -> tf.Tensor:
    """A raw column in its own type, [batch, 1]; 0 or empty where the value is missing."""
    return _dense(raw, 1, "" if raw.dtype == tf.string else 0)


def string_lists(raw: Raw, separator: str | None = None) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """All values of a raw column of lists, except empty strings.

    With a `separator`, a string holds several values, and white space around them is removed.

    Returns:
        The values, string [values]; the row of each, int64 [values]; the number of rows, a scalar.
    """
    raw = _with_values(raw, _text)
    if isinstance(raw, tf.SparseTensor):
        values, rows, count = raw.values, raw.indices[:, 0], raw.dense_shape[0]
    else:
        count = tf.shape(raw, out_type=tf.int64)[0]
        flat = tf.reshape(raw, [count, -1])
        values = tf.reshape(flat, [-1])
        rows = tf.repeat(tf.range(count), tf.shape(flat)[1])
    if separator is not None:
        parts = tf.strings.split(values, separator)
        values, rows = tf.strings.strip(parts.values), tf.gather(rows, parts.value_rowids())
    kept = values != ""
    return tf.boolean_mask(values, kept), tf.boolean_mask(rows, kept), count


def _with_values(raw: Raw, change: Any) -> Raw:
    return raw.with_values(change(raw.values)) if isinstance(raw, tf.SparseTensor) else change(raw)


def _text(values: tf.Tensor) -> tf.Tensor:
    if values.dtype.is_floating:
        whole = tf.strings.as_string(tf.cast(values, tf.int64))
        text = tf.strings.as_string(values, shortest=True)
        text = tf.where(values == tf.floor(values), whole, text)
        return tf.where(tf.math.is_finite(values), text, "")
    return values if values.dtype == tf.string else tf.strings.as_string(values)


def _dense(raw: Raw, length: int, missing: float | str) -> tf.Tensor:
    """The first `length` values of each row: [batch, length]."""
    if isinstance(raw, tf.SparseTensor):
        shape = tf.stack([raw.dense_shape[0], length])
        first = tf.sparse.slice(raw, [0, 0], shape)
        dense = tf.sparse.to_dense(tf.SparseTensor(first.indices, first.values, shape), missing)
    else:
        width = math.prod(raw.shape[1:])
        dense = tf.reshape(raw, [-1, width])[:, :length] if raw.shape.rank > 1 else tf.expand_dims(raw, 1)
        if width < length:
            dense = tf.pad(dense, [[0, 0], [0, length - width]], constant_values=missing)
    return tf.ensure_shape(dense, [None, length])
