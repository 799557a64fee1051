"""The description of an exported model: its tasks and its raw columns."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tensorflow.core.protobuf import saved_model_pb2

from serving.description import ColumnDescription, DecisionDescription, ModelDescription, TaskDescription
from trainer.config import TrainerConfig, classes_of, columns_of, quantiles_of, unit_of
from trainer.encoders.categorical import unescaped
from trainer.names import vocabulary_name

MOST_VALUES = 100
"""The number of values of a categorical column that are listed, most frequent first."""

_NO_VALUES = [b"49d0cd50-04bb-48c0-bc6f-5b575dce351a"]
"""The only word of an empty vocabulary of strings (tensorflow_transform/analyzers.py)."""


def describe_model(
    config: TrainerConfig, transform: tft.TFTransformOutput, model: str, decisions: Mapping[str, DecisionDescription]
) -> ModelDescription:
    """Describes a model: its training's configuration, and the signatures of the SavedModel in the folder `model`."""
    with tf.io.gfile.GFile(f"{model}/saved_model.pb", "rb") as stream:
        definitions = saved_model_pb2.SavedModel.FromString(stream.read()).meta_graphs[0].signature_def
    return ModelDescription(tasks=_tasks(config, definitions, decisions), columns=_columns(config, transform))


def _tasks(
    config: TrainerConfig, definitions: Any, decisions: Mapping[str, DecisionDescription]
) -> dict[str, TaskDescription]:
    outputs = sorted(definitions["serving_default"].outputs)
    return {
        name: TaskDescription(
            kind=task.kind,
            label=task.label,
            classes=classes_of(task),
            unit=unit_of(task),
            quantiles=quantiles_of(task),
            outputs=[output for output in outputs if output == name or output.startswith(f"{name}/")],
            decision=decisions.get(name),
            signature=name if name in definitions else "",
        )
        for name, task in config.tasks.items()
    }


def _columns(config: TrainerConfig, transform: tft.TFTransformOutput) -> dict[str, ColumnDescription]:
    spec = transform.raw_feature_spec()
    shapes = config.column_shapes()
    sensitive = {c for name, feature in config.features.items() if feature.sensitive for c in columns_of(name, feature)}
    columns: dict[str, ColumnDescription] = {}
    for name, feature in config.features.items():
        for column in columns_of(name, feature):
            raw, (length, many) = spec[column], shapes[column]
            described = columns.setdefault(
                column,
                ColumnDescription(
                    dtype={tf.string: "string", tf.int64: "int"}.get(raw.dtype, "float"),
                    required=isinstance(raw, tf.io.FixedLenFeature),
                    length=length,
                    many=many,
                ),
            )
            described.features.append(name)
            described.kinds.append(feature.kind)
            if feature.has_vocabulary and column not in sensitive:
                values = _values(name, transform)
                # If several features read the column, the longest vocabulary is listed.
                described.values = max(described.values, values, key=len)
    return columns


def _values(feature: str, transform: tft.TFTransformOutput) -> list[str]:
    words = transform.vocabulary_by_name(vocabulary_name(feature))
    return [] if words == _NO_VALUES else [unescaped(word).decode("utf-8", "replace") for word in words[:MOST_VALUES]]
