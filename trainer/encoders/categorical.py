"""Categories by a vocabulary: id 0 is a missing value, then the vocabulary, then the out-of-vocabulary buckets."""

import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features import column_of
from trainer.config.features.categories import CategoricalFeature
from trainer.config.features.sequence import SequenceFeature
from trainer.config.features.set import SetFeature
from trainer.encoders.base import Inputs, embed
from trainer.names import vocabulary_name
from trainer.raw_values import Raw, strings

_ESCAPES = {b"\x1b": b"\x1b0", b"\n": b"\x1bn", b"\r": b"\x1br"}
"""Transform leaves values with line breaks out of a vocabulary, which is a file of lines (get_vocab_newline_characters
_regex in tensorflow_transform/analyzers.py). They are escaped with ASCII's escape character, which is rare in texts, so
that all other values are unchanged."""


def preprocess(features: Mapping[str, CategoricalFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as int64 ids [batch, 1]."""
    return {name: _ids(name, feature, strings(raw[column_of(name, feature)])) for name, feature in features.items()}


def encode(
    name: str, feature: CategoricalFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str
) -> Any:
    """A trained embedding of the id."""
    tokens = 1 + transform.vocabulary_size_by_name(vocabulary_name(name)) + feature.oov_buckets
    return embed(f"{prefix}{name}", inputs[name], tokens, feature.embed)


def unescaped(word: bytes) -> bytes:
    """A vocabulary's word → the column's value."""
    originals = {escape: plain for plain, escape in _ESCAPES.items()}
    return re.sub(rb"\x1b.", lambda match: originals[match[0]], word)


def _escaped(values: tf.Tensor) -> tf.Tensor:
    for plain, escape in _ESCAPES.items():
        values = tf.strings.regex_replace(values, plain, escape)
    return values


def vocabulary_ids(
    name: str, feature: CategoricalFeature | SetFeature | SequenceFeature, values: tf.Tensor
) -> tf.Tensor:
    """string [n] → int64 [n]: the place in the vocabulary, then the out-of-vocabulary buckets."""
    return tft.compute_and_apply_vocabulary(
        _escaped(values),
        top_k=feature.top_k,
        frequency_threshold=feature.min_frequency,
        num_oov_buckets=feature.oov_buckets,
        vocab_filename=vocabulary_name(name),
        name=name,
    )


def _ids(name: str, feature: CategoricalFeature, values: tf.Tensor) -> tf.Tensor:
    ids = vocabulary_ids(name, feature, values)
    ids = tf.where(values == "", tf.zeros_like(ids), ids + 1)
    return tf.expand_dims(ids, 1)
