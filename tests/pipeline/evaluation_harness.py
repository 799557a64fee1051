"""A small evaluation: examples that carry their own predictions, a model that returns them, and TFX's Evaluator."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis.proto import config_pb2
from tfx import types
from tfx.components.evaluator import executor
from tfx.types import standard_artifacts, standard_component_specs
from tfx.utils import json_utils, proto_utils

from components.evaluator.executor import GATES, BatchExecutor
from components.evaluator.gates import Gate, Gates
from pipeline.config import JanusConfig

CLASSES = ["on_time", "delayed", "cancelled"]

SCHEMA = """
feature { name: "origin" type: BYTES }
feature { name: "hour" type: INT }
feature { name: "status" type: INT }
feature { name: "late" type: INT }
feature { name: "delay" type: FLOAT }
feature { name: "status_prediction" type: FLOAT value_count { min: 3 max: 3 } presence { min_fraction: 1 } }
feature { name: "late_prediction" type: FLOAT value_count { min: 1 max: 1 } presence { min_fraction: 1 } }
feature { name: "delay_prediction" type: FLOAT value_count { min: 1 max: 1 } presence { min_fraction: 1 } }
"""


@dataclass(frozen=True)
class Table:
    """Rows with labels and predictions; a label of None is missing.

    Attributes:
        origin, hour: values to slice by; None is missing.
        status, late, delay: labels [n].
        status_prediction [n, 3], late_prediction [n], delay_prediction [n]: what the model answers.
    """

    origin: Sequence[str | None]
    hour: Sequence[int | None]
    status: Sequence[int | None]
    late: Sequence[int | None]
    delay: Sequence[float | None]
    status_prediction: np.ndarray
    late_prediction: np.ndarray
    delay_prediction: np.ndarray

    def where(self, keep: np.ndarray) -> "Table":
        """The rows that `keep`, bool [n], names."""
        chosen = np.flatnonzero(keep)
        return Table(
            **{
                name: values[chosen] if isinstance(values, np.ndarray) else [values[i] for i in chosen]
                for name, values in vars(self).items()
            }
        )


def random_table(rows: int, seed: int = 7, origins: Sequence[str] = ("JFK", "LGA", "EWR")) -> Table:
    """Rows whose labels lean towards the predictions; about a tenth of each label is missing."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3)) + np.array([1.0, 0.0, -1.0])
    status_prediction = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    late_prediction = random.uniform(size=rows).astype(np.float32)
    delay_prediction = random.normal(5, 20, size=rows).astype(np.float32)
    status = [int(random.choice(3, p=p / p.sum())) for p in status_prediction.astype(np.float64)]
    late = (random.uniform(size=rows) < late_prediction).astype(int).tolist()
    delay = (delay_prediction + random.normal(2, 10, size=rows)).astype(np.float32).tolist()

    def mask(values: list) -> list:
        return [
            None if hidden else value for value, hidden in zip(values, random.uniform(size=rows) < 0.1, strict=True)
        ]

    return Table(
        origin=[str(value) for value in random.choice(origins, size=rows)],
        hour=random.integers(0, 4, size=rows).tolist(),
        status=mask(status),
        late=mask(late),
        delay=mask(delay),
        status_prediction=status_prediction,
        late_prediction=late_prediction,
        delay_prediction=delay_prediction,
    )


def make_config(
    gates: Mapping[str, Any] | None = None,
    slices: Sequence[Sequence[str]] = (("origin",),),
    tasks: Sequence[str] = ("status", "late", "delay"),
    **evaluation: Any,
) -> JanusConfig:
    """A configuration of up to three tasks."""
    every = {
        "status": {"kind": "multiclass", "label": "status", "classes": CLASSES},
        "late": {"kind": "binary", "label": "late"},
        "delay": {"kind": "regression", "label": "delay", "unit": "minutes"},
    }
    return JanusConfig.model_validate(
        {
            "name": "small",
            "data": {"path": "data"},
            "features": {"hour": {"kind": "numeric"}},
            "tasks": {name: every[name] for name in tasks},
            "evaluation": {"slices": [list(keys) for keys in slices], "gates": dict(gates or {}), **evaluation},
            "push": {"path": "serving"},
        }
    )


class _Model(tf.Module):
    def __init__(self, tasks: Sequence[str], delay_offset: float, flatten: float, classes: int, threshold: float):
        super().__init__()
        self._threshold = threshold
        self._classes = classes
        self._tasks = tuple(tasks)
        self._delay_offset = delay_offset
        self._flatten = flatten

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        raw = tf.io.parse_example(
            examples,
            {
                "status_prediction": tf.io.FixedLenFeature([3], tf.float32),
                "late_prediction": tf.io.FixedLenFeature([1], tf.float32),
                "delay_prediction": tf.io.FixedLenFeature([1], tf.float32),
            },
        )
        status = raw["status_prediction"] * (1 - self._flatten) + self._flatten / 3
        late = raw["late_prediction"] * (1 - self._flatten) + self._flatten / 2
        # More classes than the examples have predictions for are never predicted.
        status = tf.pad(status, [[0, 0], [0, self._classes - 3]])
        rows = tf.shape(examples)[0]
        outputs = {
            "status": status,
            "status/classes": tf.tile(tf.constant([CLASSES]), [rows, 1]),
            "status/probabilities": tf.identity(status),
            "late": late,
            "late/decision": tf.where(late > self._threshold, "1", "0"),
            "late/classes": tf.tile(tf.constant([["0", "1"]]), [rows, 1]),
            "late/probabilities": tf.concat([1 - late, late], axis=1),
            "delay": raw["delay_prediction"] + self._delay_offset,
        }
        return {name: value for name, value in outputs.items() if name.split("/")[0] in self._tasks}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        dtypes = {"status": tf.int64, "late": tf.int64, "delay": tf.float32}
        raw = tf.io.parse_example(examples, {name: tf.io.VarLenFeature(dtypes[name]) for name in self._tasks})
        outputs = {}
        for name, value in raw.items():
            rows = tf.cast(tf.shape(examples)[0], tf.int64)
            value = tf.sparse.reset_shape(value, [rows, 1])
            ones = tf.SparseTensor(value.indices, tf.ones_like(value.values, tf.float32), value.dense_shape)
            outputs[f"{name}/label"] = tf.sparse.to_dense(value)
            outputs[f"{name}/weight"] = tf.sparse.to_dense(ones)
        return outputs


def save_model(
    folder: Path,
    delay_offset: float = 0.0,
    flatten: float = 0.0,
    tasks: Sequence[str] = ("status", "late", "delay"),
    classes: int = 3,
    threshold: float = 0.5,
) -> Path:
    """Saves a model that answers with the predictions in its examples, in a Model artifact's layout.

    Args:
        folder: the artifact's folder.
        delay_offset: is added to the regression's prediction.
        flatten: from 0 to 1: how far probabilities are drawn to the uniform distribution.
        tasks: the model's tasks.
        classes: width of the multiclass output, at least 3.
        threshold: the probability above which the binary task is decided as 1.
    """
    model = _Model(tasks, delay_offset, flatten, classes, threshold)
    tf.saved_model.save(
        model,
        str(folder / "Format-Serving"),
        signatures={"serving_default": model.serve, "transform_features": model.transform},
    )
    return folder


def serialized_examples(table: Table) -> list[bytes]:
    """The rows as tf.Examples; a missing value has no feature."""

    def feature(value: Any) -> tf.train.Feature:
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=np.ravel(value)))

    columns = vars(table)
    return [
        tf.train.Example(
            features=tf.train.Features(
                feature={name: feature(values[row]) for name, values in columns.items() if values[row] is not None}
            )
        ).SerializeToString()
        for row in range(len(table.origin))
    ]


def write_examples(folder: Path, table: Table, shards: int = 2) -> Path:
    """Writes the rows in an Examples artifact's layout, as the split `eval`."""
    split = folder / "Split-eval"
    split.mkdir(parents=True)
    examples = serialized_examples(table)
    for shard in range(shards):
        path = split / f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for example in examples[shard::shards]:
                writer.write(example)
    return folder


@dataclass(frozen=True)
class Evaluated:
    """Where an evaluation's artifacts are."""

    evaluation: str
    blessing: str


def run_evaluator(
    folder: Path,
    config: config_pb2.EvalConfig,
    examples: Path,
    model: Path,
    baseline: Path | None = None,
    executor_class: type = BatchExecutor,
    schema: str = SCHEMA,
    gates: Sequence[Gate] = (),
) -> Evaluated:
    """Runs an Evaluator's executor as TFX would, and returns its outputs."""
    folder.mkdir(parents=True, exist_ok=True)
    schema_folder = folder / "schema"
    schema_folder.mkdir(exist_ok=True)
    parsed = text_format.Parse(schema, schema_pb2.Schema())
    (schema_folder / "schema.pbtxt").write_text(text_format.MessageToString(parsed))

    inputs = {
        standard_component_specs.EXAMPLES_KEY: [_artifact(standard_artifacts.Examples, examples)],
        standard_component_specs.MODEL_KEY: [_artifact(standard_artifacts.Model, model)],
        standard_component_specs.SCHEMA_KEY: [_artifact(standard_artifacts.Schema, schema_folder)],
    }
    inputs[standard_component_specs.EXAMPLES_KEY][0].split_names = json.dumps(["eval"])
    if baseline is not None:
        inputs[standard_component_specs.BASELINE_MODEL_KEY] = [_artifact(standard_artifacts.Model, baseline)]
    outputs = {
        standard_component_specs.EVALUATION_KEY: [_artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")],
        standard_component_specs.BLESSING_KEY: [_artifact(standard_artifacts.ModelBlessing, folder / "blessing")],
    }
    properties = {
        standard_component_specs.EVAL_CONFIG_KEY: proto_utils.proto_to_json(config),
        standard_component_specs.EXAMPLE_SPLITS_KEY: json_utils.dumps(None),
        standard_component_specs.MODULE_PATH_KEY: None,
        GATES: Gates(gates=list(gates)).model_dump_json(),
    }
    context = executor.Executor.Context(beam_pipeline_args=[], tmp_dir=str(folder / "tmp"), unique_id="1")
    executor_class(context).Do(inputs, outputs, properties)
    return Evaluated(
        evaluation=outputs[standard_component_specs.EVALUATION_KEY][0].uri,
        blessing=outputs[standard_component_specs.BLESSING_KEY][0].uri,
    )


def _artifact(artifact_type: type[types.Artifact], folder: Path) -> types.Artifact:
    artifact = artifact_type()
    artifact.uri = str(folder)
    return artifact
