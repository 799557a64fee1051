"""Sets of values: id 0 is none, then the vocabulary and the out-of-vocabulary buckets, or the hash buckets."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.base import embedding_size
from trainer.config.features.set import SetFeature
from trainer.encoders.base import Inputs
from trainer.encoders.categorical import vocabulary_ids
from trainer.encoders.pooling import embed_bag
from trainer.names import vocabulary_name
from trainer.raw_values import Raw, string_lists


def preprocess(features: Mapping[str, SetFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as int64 ids [batch, max_values], from the left."""
    return {name: _ids(name, feature, raw[column_of(name, feature)]) for name, feature in features.items()}


def encode(name: str, feature: SetFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The mean of the trained embeddings of the values."""
    if feature.buckets is None:
        tokens = 1 + transform.vocabulary_size_by_name(vocabulary_name(name)) + feature.oov_buckets
    else:
        tokens = 1 + feature.buckets
    return embed_bag(f"{prefix}{name}", inputs[name], tokens, feature.embed or embedding_size(tokens), ("mean",))


def missing(name: str, feature: SetFeature, raw: Mapping[str, Raw]) -> tf.Tensor:
    """Whether the set is empty."""
    values, rows, count = string_lists(raw[column_of(name, feature)], feature.separator)
    return tf.expand_dims(tf.math.unsorted_segment_sum(tf.ones_like(rows), rows, count) == 0, 1)


def _ids(name: str, feature: SetFeature, raw: Raw) -> tf.Tensor:
    values, rows, count = string_lists(raw, feature.separator)
    if feature.buckets is None:
        ids = vocabulary_ids(name, feature, values)
    else:
        ids = tf.strings.to_hash_bucket_fast(values, feature.buckets)
    ragged = tf.RaggedTensor.from_value_rowids(ids + 1, rows, count, validate=False)
    return ragged.to_tensor(shape=[None, feature.max_values])
