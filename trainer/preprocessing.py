"""The preprocessing_fn that Transform runs; the same graph serves."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from trainer.config import LabelConfig, PreprocessingConfig, column_of
from trainer.encoders import ENCODERS
from trainer.names import label_name, missing_name, weight_name
from trainer.raw_values import Raw, numbers, strings


def preprocessing_fn(inputs: Mapping[str, Raw], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Raw columns → transformed features, labels and weights, each of shape [batch, n].

    Args:
        inputs: raw column → tensor, as the schema's feature spec parses it.
        custom_config: holds `preprocessing`, the JSON of a `PreprocessingConfig`.
    """
    config = PreprocessingConfig.model_validate_json(custom_config["preprocessing"])
    outputs: dict[str, tf.Tensor] = {}
    for kind, encoder in ENCODERS.items():
        features = {name: feature for name, feature in config.features.items() if feature.kind == kind}
        if features:
            raw = {name: inputs[column_of(name, feature)] for name, feature in features.items()}
            outputs.update(encoder.preprocess(features, raw))
    for name, feature in config.features.items():
        if feature.missing_indicator:
            outputs[missing_name(name)] = _missing(inputs[column_of(name, feature)])
    for task, label in config.labels.items():
        outputs[label_name(task)], outputs[weight_name(task)] = _label(label, inputs[label.column])
    return outputs


def _missing(raw: Raw) -> tf.Tensor:
    if raw.dtype == tf.string:
        return tf.cast(tf.expand_dims(strings(raw) == "", 1), tf.float32)
    return tf.cast(tf.math.is_nan(numbers(raw)), tf.float32)


def _label(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    """The label and its weight, [batch, 1] each."""
    if label.classes is None:
        values = numbers(raw)
        present = tf.math.is_finite(values)
        return tf.cast(tf.where(present, values, tf.zeros_like(values)), tf.float32), tf.cast(present, tf.float32)
    matches = tf.expand_dims(strings(raw), 1) == tf.constant([label.classes])
    present = tf.reduce_any(matches, axis=1, keepdims=True)
    return tf.expand_dims(tf.argmax(tf.cast(matches, tf.int32), axis=1), 1), tf.cast(present, tf.float32)
