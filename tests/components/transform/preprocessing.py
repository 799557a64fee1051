"""A preprocessing_fn with outputs of every form."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    delay = tf.ensure_shape(tf.sparse.reduce_sum(inputs["delay"], axis=1, keepdims=True), [None, 1])
    return {
        "scaled": tft.scale_to_z_score(delay) * custom_config["factor"],
        "city": tft.compute_and_apply_vocabulary(inputs["city"], vocab_filename="cities"),
        "tags": inputs["tags"],
        "vector": inputs["vector"] * 2.0,
        "name": tf.strings.upper(inputs["city"])[:, None],
        "id": inputs["id"],
    }


def without_analyzers(inputs: dict[str, Any]) -> dict[str, Any]:
    return {"id": inputs["id"] + 1}


def several_analyzers(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    delay = inputs["delay"].values
    quantiles = tft.quantiles(delay, num_buckets=custom_config["buckets"], epsilon=0.001)
    sums = tft.sum(inputs["vector"], reduce_instance_dims=False)
    return {
        "city": tft.compute_and_apply_vocabulary(inputs["city"], vocab_filename="cities"),
        "tags": tft.compute_and_apply_vocabulary(inputs["tags"], top_k=5, vocab_filename="tags"),
        "moments": _constant(inputs["id"], tf.stack([tft.mean(delay), tft.var(delay)])),
        "quantiles": _constant(inputs["id"], tf.reshape(quantiles, [-1])),
        "vector": inputs["vector"] / sums,
        "id": inputs["id"],
    }


def two_phases(inputs: dict[str, Any]) -> dict[str, Any]:
    """The second analyzer takes what the first one made: TFT keeps only the first one's accumulators."""
    scaled = tft.scale_to_z_score(inputs["vector"], elementwise=True)
    return {"scaled": scaled / tft.max(tf.abs(scaled)), "id": inputs["id"]}


def _constant(like: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    return tf.tile(values[None, :], [tf.shape(like)[0], 1])
