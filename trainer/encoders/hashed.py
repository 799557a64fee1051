"""Categories of high cardinality by a hash: id 0 is a missing value, then the buckets."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.categories import HashedFeature
from trainer.encoders.base import Inputs, embed
from trainer.raw_values import Raw, strings


def preprocess(features: Mapping[str, HashedFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as int64 ids [batch, 1]."""
    return {name: _ids(feature, strings(raw[column_of(name, feature)])) for name, feature in features.items()}


def encode(name: str, feature: HashedFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """A trained embedding of the bucket."""
    return embed(f"{prefix}{name}", inputs[name], 1 + feature.buckets, feature.embed)


def _ids(feature: HashedFeature, values: tf.Tensor) -> tf.Tensor:
    ids = tf.strings.to_hash_bucket_fast(values, feature.buckets)
    ids = tf.where(values == "", tf.zeros_like(ids), ids + 1)
    return tf.expand_dims(ids, 1)
