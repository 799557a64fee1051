"""Bags of embeddings: the ids of a row → one vector, whatever their number."""

from typing import Any, Literal

import keras
from keras import ops

Pooling = Literal["mean", "max"]
_LOWEST = -1e9


class Pool(keras.layers.Layer):
    """The mean or the maximum of a row's embeddings, and both one after the other; 0 for a row without any."""

    def __init__(self, ways: tuple[Pooling, ...], name: str):
        super().__init__(name=name)
        self._ways = ways

    def call(self, ids: Any, embeddings: Any) -> Any:
        """Ids [batch, n], 0 for none, and their embeddings [batch, n, size] → [batch, size · ways]."""
        known = ops.expand_dims(ops.cast(ids != 0, embeddings.dtype), -1)
        count = ops.sum(known, axis=1)
        pooled = []
        if "mean" in self._ways:
            pooled.append(ops.sum(embeddings * known, axis=1) / ops.maximum(count, 1.0))
        if "max" in self._ways:
            greatest = ops.max(ops.where(known > 0, embeddings, _LOWEST), axis=1)
            pooled.append(ops.where(count > 0, greatest, 0.0))
        return ops.concatenate(pooled, axis=1) if len(pooled) > 1 else pooled[0]

    def compute_output_shape(self, ids_shape: Any, embeddings_shape: Any) -> Any:
        """See Keras."""
        return (ids_shape[0], len(self._ways) * embeddings_shape[-1])


def embed_bag(name: str, ids: Any, tokens: int, size: int, ways: tuple[Pooling, ...]) -> Any:
    """Looks up a trained vector for each id and pools them: int64 [batch, n] → float32 [batch, size · ways]."""
    # The mean of n vectors has a spread of 1/√n of theirs; Keras' default, 0.05, would be lost beside scaled numbers.
    start = keras.initializers.RandomNormal(stddev=0.5)
    vectors = keras.layers.Embedding(tokens, size, embeddings_initializer=start, name=f"{name}_embedding")(ids)
    return Pool(ways, name=f"{name}_pool")(ids, vectors)
