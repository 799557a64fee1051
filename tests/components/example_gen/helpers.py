"""Runs ExampleGens on small files and reads back what they wrote."""

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.orchestration.data_types import ComponentInfo, PipelineInfo
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.example_gen.component import ArrowExampleGen
from janus_core.tables.config import DataConfig

TAKE_ALL = {"by": "hash", "eval_fraction": 0.5}


Row = dict[str, tuple[str, tuple[Any, ...]]]


def write_csv(path: Path, header: list[str], rows: list[list[Any]], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", **options)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def data_config(path: Path | str, format: str = "csv", split: dict[str, Any] | None = None) -> DataConfig:
    return DataConfig(path=str(path), format=format, split=split or TAKE_ALL)


def run(data: DataConfig, out: Path, **parameters: Any) -> standard_artifacts.Examples:
    """Runs ArrowExampleGen's driver and executor; returns its artifact."""
    return run_component(ArrowExampleGen(data=data, **parameters), out)


def run_component(component: Any, out: Path) -> standard_artifacts.Examples:
    properties = {}
    given = {name: value for name, value in component.spec.exec_properties.items() if value is not None}
    for name, value in given.items():
        properties[name] = value if isinstance(value, int | str) else proto_utils.proto_to_json(value)
    info = PipelineInfo("p", "r")
    properties = component.DRIVER_CLASS(None).resolve_exec_properties(properties, info, ComponentInfo("t", "i", info))
    examples = standard_artifacts.Examples()
    examples.uri = str(out)
    executor = component.EXECUTOR_SPEC.executor_class(BaseBeamExecutor.Context(beam_pipeline_args=[]))
    executor.Do({}, {"examples": [examples]}, properties)
    return examples


def shards(examples: standard_artifacts.Examples, split: str) -> list[Path]:
    return sorted(Path(examples.uri, f"Split-{split}").iterdir())


def records(examples: standard_artifacts.Examples, split: str) -> list[bytes]:
    """The serialized examples of a split, as TensorFlow reads them."""
    names = [str(path) for path in shards(examples, split)]
    return list(tf.data.TFRecordDataset(names, compression_type="GZIP").as_numpy_iterator())


def row_of(record: bytes) -> Row:
    """Each feature's kind and values; a feature without values is missing."""
    row = {}
    for name, feature in tf.train.Example.FromString(record).features.feature.items():
        kind = feature.WhichOneof("kind")
        values = tuple(getattr(feature, kind).value) if kind else ()
        if values:
            row[name] = (kind, values)
    return row


def rows(examples: standard_artifacts.Examples, split: str | None = None) -> list[Row]:
    splits = [split] if split else ["train", "eval"]
    return [row_of(record) for name in splits for record in records(examples, name)]


def contents(examples: standard_artifacts.Examples) -> Counter[str]:
    """The rows of both splits as a multiset; NaNs are equal to each other in text."""
    return Counter(repr(sorted(row.items())) for row in rows(examples))


def counts(examples: standard_artifacts.Examples) -> dict[str, int]:
    return json.loads(examples.get_string_custom_property("num_examples"))
