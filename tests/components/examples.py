"""Small Examples artifacts, and executors run on them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_artifacts

Value = int | float | bytes | Sequence[int] | Sequence[float] | Sequence[bytes] | None


def example(features: Mapping[str, Value]) -> bytes:
    """A serialized tf.Example; None is a feature without a kind, an empty list one of int64 without values."""
    result = tf.train.Example()
    for name, value in features.items():
        feature = result.features.feature[name]
        values = [value] if isinstance(value, int | float | bytes) else list(value or [])
        if values and isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        elif values and isinstance(values[0], float):
            feature.float_list.value.extend(values)
        elif values:
            feature.bytes_list.value.extend(values)
        elif value is not None:
            feature.int64_list.SetInParent()
    return result.SerializeToString(deterministic=True)


def write_records(path: Path, records: Sequence[bytes], compression: str = "GZIP") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=compression)) as writer:
        for record in records:
            writer.write(record)
    return path


def read_records(folder: Path) -> list[bytes]:
    """All records below a folder, in the order of the files' names."""
    files = sorted(str(path) for path in folder.iterdir())
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def examples_artifact(folder: Path, splits: Mapping[str, Sequence[Sequence[bytes]]]) -> standard_artifacts.Examples:
    """An artifact with the given shards per split."""
    for split, shards in splits.items():
        for index, records in enumerate(shards):
            name = f"data_tfrecord-{index:05d}-of-{len(shards):05d}.gz"
            write_records(folder / f"Split-{split}" / name, records)
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(list(splits))
    examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
    examples_utils.set_file_format(artifact, "tfrecords_gzip")
    return artifact


def artifact_at(kind: type[types.Artifact], folder: Path) -> types.Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    artifact = kind()
    artifact.uri = str(folder)
    return artifact


def run_executor(
    executor: type[BaseBeamExecutor],
    inputs: Mapping[str, types.Artifact | Sequence[types.Artifact]],
    outputs: Mapping[str, types.Artifact],
    properties: Mapping[str, Any],
    beam_args: Sequence[str] = (),
) -> None:
    context = BaseBeamExecutor.Context(beam_pipeline_args=list(beam_args))
    executor(context).Do(
        {key: [given] if isinstance(given, types.Artifact) else list(given) for key, given in inputs.items()},
        {key: [artifact] for key, artifact in outputs.items()},
        dict(properties),
    )
