"""Column statistics over the training split, several columns per analyzer.

Each function packs its columns into one tensor, so that the number of analyzers, which is what Transform's graphs
cost, does not grow with the number of columns.
"""

import tensorflow as tf
import tensorflow_transform as tft

RELATIVE_VARIANCE_FLOOR = 1e-12
"""Below this share of the squared mean, a variance is rounding noise and the column is constant."""


def moments(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation of each column of float64 [batch, columns], over the values that are not NaN.

    Returns:
        float64 [columns] each; a column without values has mean 0, and a constant one has standard deviation 1.
    """
    present = tf.math.is_finite(values)
    filled = tf.where(present, values, tf.zeros_like(values))
    columns = values.shape[1]
    sums = tft.sum(
        tf.concat([filled, filled * filled, tf.cast(present, tf.float64)], axis=1), reduce_instance_dims=False
    )
    total, squares, count = sums[:columns], sums[columns : 2 * columns], sums[2 * columns :]
    mean = tf.math.divide_no_nan(total, count)
    variance = tf.math.divide_no_nan(squares, count) - mean * mean
    constant = variance <= RELATIVE_VARIANCE_FLOOR * mean * mean
    deviation = tf.where(constant, tf.ones_like(mean), tf.sqrt(tf.maximum(variance, 0.0)))
    return mean, deviation


def extremes(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Least and greatest value of each column of float64 [batch, columns], over the values that are not NaN.

    Returns:
        float64 [columns] each; 0 and 0 for a column without values.
    """
    present = tf.math.is_finite(values)
    lowest = tf.fill(tf.shape(values), tf.constant(values.dtype.min, values.dtype))
    greatest = tft.max(
        tf.concat([tf.where(present, -values, lowest), tf.where(present, values, lowest)], axis=1),
        reduce_instance_dims=False,
    )
    columns = values.shape[1]
    empty = greatest[columns:] == values.dtype.min
    zero = tf.zeros_like(greatest[:columns])
    return tf.where(empty, zero, -greatest[:columns]), tf.where(empty, zero, greatest[columns:])


def quantile_boundaries(values: tf.Tensor, buckets: int, name: str) -> tf.Tensor:
    """Boundaries between buckets of about the same size: float64 [batch, 1] with NaN → float32 [1, buckets - 1].

    Transform's cache recognises the analyzer by its name.
    """
    flat = tf.cast(tf.boolean_mask(values, tf.math.is_finite(values)), tf.float32)
    return tft.quantiles(flat, num_buckets=buckets, epsilon=min(0.01, 0.1 / buckets), name=name)
