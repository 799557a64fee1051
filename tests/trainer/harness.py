"""Runs Transform and the Trainer's run_fn on a pyarrow table, as TFX would."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.tf_metadata import metadata_io
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.public import tfxio
from tfx_bsl.tfxio import tensor_representation_util

from trainer.config import TrainerConfig
from trainer.preprocessing import preprocessing_fn

_TYPES = {
    pa.string(): schema_pb2.BYTES,
    pa.binary(): schema_pb2.BYTES,
    pa.int64(): schema_pb2.INT,
    pa.float32(): schema_pb2.FLOAT,
}


def schema_of(table: pa.Table, required: Collection[str] = ()) -> schema_pb2.Schema:
    """A feature per column, optional but for those that every row must have."""
    schema = schema_pb2.Schema()
    for field in table.schema:
        value_type = field.type.value_type if pa.types.is_list(field.type) else field.type
        feature = schema.feature.add(name=field.name, type=_TYPES[value_type])
        if field.name in required:
            feature.presence.min_fraction = 1.0
            feature.shape.dim.add(size=1)
    return schema


def as_lists(table: pa.Table) -> pa.RecordBatch:
    """Each scalar column as a list column: null where missing."""
    columns = []
    for column in table.columns:
        if pa.types.is_list(column.type):
            columns.append(column.combine_chunks())
            continue
        values = column.to_pylist()
        columns.append(pa.array([None if v is None else [v] for v in values], pa.list_(column.type)))
    return pa.RecordBatch.from_arrays(
        [c.chunk(0) if isinstance(c, pa.ChunkedArray) else c for c in columns], table.schema.names
    )


def run_transform(
    table: pa.Table, config: TrainerConfig, folder: Path, required: Collection[str] = ()
) -> tft.TFTransformOutput:
    """Analyzes and transforms the table; transformed examples lie in `folder`/examples*.gz."""
    schema = schema_of(table, required)
    representations = tensor_representation_util.InferTensorRepresentationsFromSchema(schema)
    adapter_config = tfxio.TensorAdapterConfig(as_lists(table).schema, representations)
    custom = {"preprocessing": config.preprocessing().model_dump_json()}
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp")):
        raw = pipeline | beam.Create([as_lists(table)])
        (data, metadata), function = (raw, adapter_config) | tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, custom), output_record_batches=False
        )
        coder = tft.coders.ExampleProtoCoder(metadata.schema)
        # Always the same bytes for the same values, as the pipeline's Transform writes them: rows are held out by them.
        encoded = data | beam.Map(coder.encode) | beam.Map(_in_fixed_order)
        _ = encoded | beam.io.WriteToTFRecord(str(folder / "examples"), file_name_suffix=".gz")
        _ = function | tft_beam.WriteTransformFn(str(folder / "transform"))
    # TFX's executor leaves the raw schema here; the serving signatures read it.
    metadata_io.write_metadata(tft.DatasetMetadata(schema), str(folder / "transform" / "metadata"))
    return tft.TFTransformOutput(str(folder / "transform"))


def _in_fixed_order(example: bytes) -> bytes:
    return tf.train.Example.FromString(example).SerializeToString(deterministic=True)


def fn_args(config: TrainerConfig, folder: Path, checkpoint_root: Path | None = None) -> FnArgs:
    """What TFX's Trainer passes to run_fn."""
    custom = {"trainer": config.model_dump_json(), "code": "test"}
    if checkpoint_root:
        custom["checkpoint_root"] = str(checkpoint_root)
    return FnArgs(
        train_files=[str(folder / "examples*.gz")],
        eval_files=[],
        transform_graph_path=str(folder / "transform"),
        serving_model_dir=str(folder / "model"),
        model_run_dir=str(folder / "logs"),
        custom_config=custom,
    )


def example_of(row: dict[str, Any]) -> bytes:
    """A serialized tf.Example of one row; None and empty lists are left out."""
    example = tf.train.Example()
    for name, value in row.items():
        if value is None or value == []:
            continue
        values = value if isinstance(value, list) else [value]
        feature = example.features.feature[name]
        if isinstance(values[0], (str, bytes)):
            feature.bytes_list.value.extend(os.fsencode(v) for v in values)
        elif isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()
