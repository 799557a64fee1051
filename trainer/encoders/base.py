"""The two functions of an encoder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config.size import embedding_size
from trainer.raw_values import Raw

Inputs = Mapping[str, Any]
"""Transformed feature name → Keras input of shape [batch, n]."""


@dataclass(frozen=True)
class Encoder:
    """The two sides of one kind of feature.

    Attributes:
        preprocess: (features of this kind by name, raw column of each) → transformed features, each of shape
            [batch, n]. All features of the kind come in one call, so that they can share analyzers.
        encode: (name, feature, Transform's output, Keras inputs by transformed name, prefix of layer names) → float32
            [batch, width]. It may be called several times, each time with another prefix, and makes new layers then.
    """

    preprocess: Callable[[Mapping[str, Any], Mapping[str, Raw]], dict[str, tf.Tensor]]
    encode: Callable[[str, Any, tft.TFTransformOutput, Inputs, str], Any]


def embed(name: str, ids: Any, tokens: int, size: int | None) -> Any:
    """Looks up a trained vector for each id: int64 [batch, 1] → float32 [batch, size]."""
    width = size or embedding_size(tokens)
    looked_up = keras.layers.Embedding(tokens, width, name=f"{name}_embedding")(ids)
    return keras.layers.Reshape((width,), name=f"{name}_vector")(looked_up)
