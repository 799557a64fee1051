"""The functions of an encoder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.features.base import FeatureConfig, column_of, embedding_size
from trainer.raw_values import Raw, numbers, strings

Inputs = Mapping[str, Any]
"""Transformed feature name → Keras input of shape [batch, n]."""


def _missing(name: str, feature: FeatureConfig, raw: Mapping[str, Raw]) -> tf.Tensor:
    values = raw[column_of(name, feature)]
    if values.dtype == tf.string:
        return tf.expand_dims(strings(values) == "", 1)
    return tf.math.is_nan(numbers(values))


@dataclass(frozen=True)
class Encoder:
    """The two sides of one kind of feature.

    Attributes:
        preprocess: (features of this kind by name, raw columns by their own names) → transformed features, each of
            shape [batch, n]. All features of the kind come in one call, so that they can share analyzers.
        encode: (name, feature, Transform's output, Keras inputs by transformed name, prefix of layer names) → float32
            [batch, width]. It may be called several times, each time with another prefix, and makes new layers then.
        missing: (name, feature, raw columns) → for `missing_indicator`, whether each row's value is missing, bool
            [batch, 1].
        refusals: (name, feature, transformed values) → why the network cannot take a row's value, string [batch]; empty
            where it can. None: there is no such value.
    """

    preprocess: Callable[[Mapping[str, Any], Mapping[str, Raw]], dict[str, tf.Tensor]]
    encode: Callable[[str, Any, tft.TFTransformOutput, Inputs, str], Any]
    missing: Callable[[str, Any, Mapping[str, Raw]], tf.Tensor] = _missing
    refusals: Callable[[str, Any, tf.Tensor], tf.Tensor] | None = None


def embed(name: str, ids: Any, tokens: int, size: int | None) -> Any:
    """Looks up a trained vector for each id: int64 [batch, 1] → float32 [batch, size]."""
    width = size or embedding_size(tokens)
    looked_up = keras.layers.Embedding(tokens, width, name=f"{name}_embedding")(ids)
    return keras.layers.Reshape((width,), name=f"{name}_vector")(looked_up)
