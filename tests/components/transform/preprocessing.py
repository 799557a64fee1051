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
