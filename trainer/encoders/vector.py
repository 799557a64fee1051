"""Lists of numbers of one length: each position scaled by itself."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.numbers import VectorFeature
from trainer.encoders.base import Inputs
from trainer.raw_values import Raw, numbers
from trainer.statistics import extremes, moments


def preprocess(features: Mapping[str, VectorFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as float32 [batch, length]."""
    columns = {name: numbers(raw[column_of(name, feature)], feature.length) for name, feature in features.items()}
    packed = tf.concat(list(columns.values()), axis=1)
    mean, deviation = moments(packed)
    needs_extremes = any(feature.scale == "min_max" for feature in features.values())
    lowest, greatest = extremes(packed) if needs_extremes else (mean, mean)
    result, start = {}, 0
    for name, feature in features.items():
        part = slice(start, start + feature.length)
        start += feature.length
        substitute = mean[part] if feature.missing == "mean" else tf.constant(feature.missing, tf.float64)
        values = tf.where(tf.math.is_nan(columns[name]), substitute, columns[name])
        if feature.scale == "z_score":
            values = (values - mean[part]) / deviation[part]
        elif feature.scale == "min_max":
            values = tf.math.divide_no_nan(values - lowest[part], greatest[part] - lowest[part])
            values = tf.clip_by_value(values, 0.0, 1.0)
        result[name] = tf.ensure_shape(tf.cast(values, tf.float32), [None, feature.length])
    return result


def encode(name: str, feature: VectorFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The scaled numbers themselves."""
    return inputs[name]
