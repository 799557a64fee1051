"""The preprocessing_fn that Transform runs; its graph is also part of the served model."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainer.config import LabelConfig, PreprocessingConfig
from trainer.encoders import ENCODERS
from trainer.names import TIME, label_name, missing_name, weight_name
from trainer.raw_values import Raw, first_values, numbers, string_lists, strings


def preprocessing_fn(inputs: Mapping[str, Raw], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Raw columns → transformed features, labels and weights, each of shape [batch, n].

    Args:
        inputs: raw column → tensor, parsed by the schema's feature spec.
        custom_config: has `preprocessing`, the JSON of a `PreprocessingConfig`.
    """
    config = PreprocessingConfig.model_validate_json(custom_config["preprocessing"])
    outputs: dict[str, tf.Tensor] = {}
    for kind, encoder in ENCODERS.items():
        features = {name: feature for name, feature in config.features.items() if feature.kind == kind}
        if features:
            outputs.update(encoder.preprocess(features, inputs))
    for name, feature in config.features.items():
        if feature.missing_indicator:
            outputs[missing_name(name)] = tf.cast(ENCODERS[feature.kind].missing(name, feature, inputs), tf.float32)
    if config.time is not None:
        outputs[TIME] = first_values(inputs[config.time])
    for task, label in config.labels.items():
        outputs[label_name(task)], outputs[weight_name(task)] = _label(label, inputs)
    return outputs


def _label(label: LabelConfig, inputs: Mapping[str, Raw]) -> tuple[tf.Tensor, tf.Tensor]:
    """The label, [batch, width] as `trainer.names.label_name` says, and its weight, float32 [batch, 1]."""
    values, present = _FORMS[label.form](label, inputs[label.column])
    weight = tf.cast(present, tf.float32)
    if label.sample_weight is not None:
        weight *= _sample_weight(inputs[label.sample_weight])
    return values, weight


def _number(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    values = numbers(raw)
    present = tf.math.is_finite(values)
    if label.form == "count":
        present &= values >= 0
    return tf.cast(tf.where(present, values, tf.zeros_like(values)), tf.float32), present


def _class(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    matches = tf.expand_dims(strings(raw), 1) == tf.constant([label.classes])
    present = tf.reduce_any(matches, axis=1, keepdims=True)
    return tf.expand_dims(tf.argmax(tf.cast(matches, tf.int32), axis=1), 1), present


def _classes(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    """Multi-hot labels. A row with a value that is not a class is masked, as with single classes."""
    tokens, rows, count = string_lists(raw, label.separator)
    matches = tf.cast(tf.expand_dims(tokens, 1) == tf.constant([label.classes]), tf.float32)
    known = tf.reduce_sum(matches, axis=1, keepdims=True)
    # Per row: how often each class occurs, how many values are known, how many there are.
    sums = tf.math.unsorted_segment_sum(tf.concat([matches, known, tf.ones_like(known)], axis=1), rows, count)
    sums = tf.ensure_shape(sums, [None, len(label.classes) + 2])
    known, total = sums[:, -2:-1], sums[:, -1:]
    present = known == total
    if label.empty == "masked":
        present &= total > 0
    applies = (sums[:, :-2] > 0) & present
    return tf.cast(applies, tf.float32), present


def _box(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    """[top, left, bottom, right]; a row without four finite numbers is masked."""
    del label
    values = numbers(raw, 4)
    present = tf.reduce_all(tf.math.is_finite(values), axis=1, keepdims=True)
    return tf.cast(tf.where(present, values, tf.zeros_like(values)), tf.float32), present


def _tags(label: LabelConfig, raw: Raw) -> tuple[tf.Tensor, tf.Tensor]:
    """The index of each tag, -1 for none and for what is no class; a row without any is masked."""
    tags, rows, count = string_lists(raw, label.separator)
    matches = tf.expand_dims(tags, 1) == tf.constant([label.classes])
    known = tf.reduce_any(matches, axis=1)
    indices = tf.where(known, tf.argmax(tf.cast(matches, tf.int32), axis=1), -1)
    ragged = tf.RaggedTensor.from_value_rowids(indices, rows, count, validate=False)
    found = ragged.to_tensor(default_value=-1, shape=[None, label.length])
    return found, tf.reduce_any(found >= 0, axis=1, keepdims=True)


def _sample_weight(raw: Raw) -> tf.Tensor:
    """The rows' weights, float32 [batch, 1]; 0 where one is missing, negative or not finite."""
    values = numbers(raw)
    return tf.cast(tf.where(tf.math.is_finite(values) & (values >= 0), values, tf.zeros_like(values)), tf.float32)


_FORMS: dict[str, Callable[[LabelConfig, Raw], tuple[tf.Tensor, tf.Tensor]]] = {
    "number": _number,
    "count": _number,
    "class": _class,
    "classes": _classes,
    "box": _box,
    "tags": _tags,
}
"""The form of a label → the function of its raw column that returns (label, present); an absent label is 0."""
