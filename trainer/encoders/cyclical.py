"""Numbers on a circle: sine and cosine of the angle, the circle's centre where missing."""

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from keras import ops

from trainer.config import CyclicalFeature, column_of
from trainer.encoders.base import Inputs
from trainer.raw_values import Raw, numbers


def preprocess(features: Mapping[str, CyclicalFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as float32 [batch, 2]."""
    return {
        name: _on_circle(numbers(raw[column_of(name, feature)]), feature.period) for name, feature in features.items()
    }


def encode(name: str, feature: CyclicalFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The two coordinates themselves."""
    return inputs[name]


def turn(point: Any) -> Any:
    """The place on the circle as a share of a turn: [batch, 2] → float32 [batch, 1] in [0, 1]; 0 where missing."""
    angle = ops.arctan2(point[:, :1], point[:, 1:])
    # A hair below 0, which rounding makes of a whole turn, is the beginning and not the end.
    return ops.where(angle < -1e-6, angle / (2 * math.pi) + 1, ops.maximum(angle, 0.0) / (2 * math.pi))


def _on_circle(values: tf.Tensor, period: float) -> tf.Tensor:
    angle = values * (2 * math.pi / period)
    point = tf.concat([tf.sin(angle), tf.cos(angle)], axis=1)
    return tf.cast(tf.where(tf.math.is_nan(point), tf.zeros_like(point), point), tf.float32)
