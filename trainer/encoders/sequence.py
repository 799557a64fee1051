"""Sequences of tokens: a vocabulary in Transform; in the network an embedding, and states of tokens in context."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
import tensorflow_transform as tft
from keras import ops

from trainer.config.features import column_of
from trainer.config.features.sequence import SequenceFeature
from trainer.encoders.base import Inputs
from trainer.encoders.categorical import vocabulary_ids
from trainer.encoders.pooling import Pool
from trainer.names import vocabulary_name
from trainer.raw_values import Raw, string_lists

HEADS = 4
KERNEL = 5


def preprocess(features: Mapping[str, SequenceFeature], raw: Mapping[str, Raw]) -> dict[str, tf.Tensor]:
    """Each feature as int64 ids [batch, max_length], from the left; 0 is padding."""
    return {name: _ids(name, feature, raw[column_of(name, feature)]) for name, feature in features.items()}


def encode(name: str, feature: SequenceFeature, transform: tft.TFTransformOutput, inputs: Inputs, prefix: str) -> Any:
    """The mean and the maximum of the tokens' states, float32 [batch, 2 · units].

    The states themselves, [batch, max_length, units], are the output of the layer that `states_name` names.
    """
    ids, name = inputs[name], f"{prefix}{name}"
    tokens = 1 + transform.vocabulary_size_by_name(vocabulary_name(name[len(prefix) :])) + feature.oov_buckets
    start = keras.initializers.RandomNormal(stddev=0.5)
    vectors = keras.layers.Embedding(tokens, feature.embed, embeddings_initializer=start, name=f"{name}_embedding")(ids)
    states = Masked(name=states_name(name))(ids, _ENCODERS[feature.encoder](name, feature, ids, vectors))
    return Pool(("mean", "max"), name=f"{name}_pool")(ids, states)


def missing(name: str, feature: SequenceFeature, raw: Mapping[str, Raw]) -> tf.Tensor:
    """Whether there is no token."""
    _, rows, count = string_lists(raw[column_of(name, feature)], feature.separator)
    return tf.expand_dims(tf.math.unsorted_segment_sum(tf.ones_like(rows), rows, count) == 0, 1)


def states_name(feature: str) -> str:
    """The layer whose output are the tokens' states."""
    return f"{feature}_states"


class Masked(keras.layers.Layer):
    """States of tokens, 0 where there is none."""

    def call(self, ids: Any, states: Any) -> Any:
        """Ids [batch, n], 0 for none, and states [batch, n, size] → [batch, n, size]."""
        return ops.where(ops.expand_dims(ids != 0, -1), states, ops.zeros_like(states))

    def compute_output_shape(self, ids_shape: Any, states_shape: Any) -> Any:
        """See Keras."""
        return states_shape


class Attention(keras.layers.Layer):
    """One transformer block (Vaswani et al. 2017) with trained positions; padding is not attended to."""

    def __init__(self, length: int, units: int, name: str):
        super().__init__(name=name)
        self._length = length
        self._units = units

    def build(self, ids_shape: Any, vectors_shape: Any) -> None:
        """See Keras."""
        units, size = self._units, vectors_shape[-1]
        self._project = keras.layers.Dense(units, name="project")
        self._positions = keras.layers.Embedding(self._length, units, name="positions")
        self._attention = keras.layers.MultiHeadAttention(HEADS, units // HEADS, name="attention")
        self._wide = keras.layers.Dense(2 * units, activation="relu", name="wide")
        self._narrow = keras.layers.Dense(units, name="narrow")
        self._norms = [keras.layers.LayerNormalization(name=f"norm_{place}") for place in range(2)]
        states = (None, self._length, units)
        self._project.build((None, self._length, size))
        self._positions.build((self._length,))
        self._attention.build(states, states)
        self._wide.build(states)
        self._narrow.build((None, self._length, 2 * units))
        for norm in self._norms:
            norm.build(states)

    def call(self, ids: Any, vectors: Any) -> Any:
        """Ids [batch, n] and vectors [batch, n, size] → [batch, n, units]."""
        hidden = self._project(vectors) + self._positions(ops.arange(self._length))
        known = ops.expand_dims(ids != 0, 1)
        hidden = self._norms[0](hidden + self._attention(hidden, hidden, attention_mask=known))
        return self._norms[1](hidden + self._narrow(self._wide(hidden)))

    def compute_output_shape(self, ids_shape: Any, vectors_shape: Any) -> Any:
        """See Keras."""
        return (*ids_shape, self._units)


class BothDirections(keras.layers.Layer):
    """A recurrent network in each direction (Cho et al. 2014), whose state stays as it is at padding."""

    def __init__(self, units: int, name: str):
        super().__init__(name=name)
        self._units = units
        forward = keras.layers.GRU(units // 2, return_sequences=True, use_cudnn=False)
        self._both = keras.layers.Bidirectional(forward, name="both")

    def build(self, ids_shape: Any, vectors_shape: Any) -> None:
        """See Keras."""
        self._both.build(vectors_shape)

    def call(self, ids: Any, vectors: Any) -> Any:
        """Ids [batch, n] and vectors [batch, n, size] → [batch, n, units]."""
        return self._both(vectors, mask=ids != 0)

    def compute_output_shape(self, ids_shape: Any, vectors_shape: Any) -> Any:
        """See Keras."""
        return (*ids_shape, self._units)


def _gru(name: str, feature: SequenceFeature, ids: Any, vectors: Any) -> Any:
    return BothDirections(feature.units, name=f"{name}_gru")(ids, vectors)


def _conv(name: str, feature: SequenceFeature, ids: Any, vectors: Any) -> Any:
    hidden = vectors
    for depth in range(2):
        # A convolution gives padding a state too, which the next one must not see.
        hidden = Masked(name=f"{name}_masked_{depth}")(ids, hidden)
        layer = keras.layers.Conv1D(
            feature.units, KERNEL, padding="same", activation="relu", name=f"{name}_conv_{depth}"
        )
        hidden = layer(hidden)
    return hidden


def _transformer(name: str, feature: SequenceFeature, ids: Any, vectors: Any) -> Any:
    return Attention(feature.max_length, feature.units, name=f"{name}_transformer")(ids, vectors)


_ENCODERS = {"gru": _gru, "conv": _conv, "transformer": _transformer}


def _ids(name: str, feature: SequenceFeature, raw: Raw) -> tf.Tensor:
    values, rows, count = string_lists(raw, feature.separator)
    ids = vocabulary_ids(name, feature, values) + 1
    ragged = tf.RaggedTensor.from_value_rowids(ids, rows, count, validate=False)
    return ragged.to_tensor(shape=[None, feature.max_length])
