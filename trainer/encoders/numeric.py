"""Numbers: filled where missing, then scaled or put into buckets."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config import NumericFeature, column_of
from trainer.encoders.base import Inputs
from trainer.raw_values import Raw, numbers
from trainer.statistics import extremes, moments, quantile_boundaries


def preprocess(features: Mapping[str, NumericFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as float32 [batch, 1], or int64 [batch, 1] bucket ids for `scale: bucketize`."""
    columns = {name: _squash(numbers(raw[column_of(name, feature)]), feature) for name, feature in features.items()}
    packed = tf.concat(list(columns.values()), axis=1)
    mean, deviation = map(tf.unstack, moments(packed))
    needs_extremes = any(feature.scale in ("min_max", "quantile") for feature in features.values())
    lowest, greatest = map(tf.unstack, extremes(packed)) if needs_extremes else (mean, mean)
    return {
        name: _scale(name, columns[name], feature, mean[index], deviation[index], (lowest[index], greatest[index]))
        for index, (name, feature) in enumerate(features.items())
    }


def encode(name: str, feature: NumericFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The scaled number itself, or a one-hot vector of its bucket."""
    if feature.scale != "bucketize":
        return inputs[name]
    tokens = len(feature.boundaries) + 1 if feature.boundaries else feature.buckets
    return keras.layers.CategoryEncoding(tokens, output_mode="one_hot", name=f"{prefix}{name}_bucket")(inputs[name])


def _squash(values: tf.Tensor, feature: NumericFeature) -> tf.Tensor:
    if feature.scale == "log":
        return tf.sign(values) * tf.math.log1p(tf.abs(values))
    return values


def _fill(name: str, values: tf.Tensor, feature: NumericFeature, mean: tf.Tensor) -> tf.Tensor:
    if feature.missing == "mean":
        substitute = mean
    elif feature.missing == "median":
        substitute = tf.cast(tf.reshape(quantile_boundaries(values, 2, f"{name}_median"), [-1])[0], tf.float64)
    else:
        substitute = _squash(tf.constant(feature.missing, tf.float64), feature)
    return tf.where(tf.math.is_nan(values), substitute, values)


def _scale(
    name: str,
    values: tf.Tensor,
    feature: NumericFeature,
    mean: tf.Tensor,
    deviation: tf.Tensor,
    range_: tuple[tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    filled = _fill(name, values, feature, mean)
    if feature.scale in ("z_score", "log"):
        scaled = (filled - mean) / deviation
    elif feature.scale == "min_max":
        scaled = tf.math.divide_no_nan(filled - range_[0], range_[1] - range_[0])
        scaled = tf.clip_by_value(scaled, 0.0, 1.0)
    elif feature.scale == "quantile":
        boundaries = quantile_boundaries(values, feature.buckets, f"{name}_quantiles")
        scaled = _rank(filled, tf.cast(boundaries, tf.float64), *range_)
    elif feature.scale == "bucketize":
        if feature.boundaries:
            boundaries = tf.constant([feature.boundaries], tf.float32)
        else:
            boundaries = quantile_boundaries(values, feature.buckets, f"{name}_quantiles")
        return tft.apply_buckets(tf.cast(filled, tf.float32), boundaries)
    else:
        scaled = filled
    return tf.cast(scaled, tf.float32)


def _rank(values: tf.Tensor, boundaries: tf.Tensor, lowest: tf.Tensor, greatest: tf.Tensor) -> tf.Tensor:
    """Piecewise linear from the least value, 0, over the quantiles to the greatest value, 1."""
    knots = tf.concat([[lowest], tf.reshape(boundaries, [-1]), [greatest]], axis=0)
    last = tf.shape(knots)[0] - 1
    flat = tf.reshape(values, [-1])
    left = tf.clip_by_value(tf.searchsorted(knots, flat, side="right") - 1, 0, last - 1)
    low, high = tf.gather(knots, left), tf.gather(knots, left + 1)
    within = tf.clip_by_value(tf.math.divide_no_nan(flat - low, high - low), 0.0, 1.0)
    rank = (tf.cast(left, tf.float64) + within) / tf.cast(last, tf.float64)
    return tf.reshape(rank, tf.shape(values))
