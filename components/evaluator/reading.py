"""Reads an Examples artifact in large batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis import constants
from tfx import types
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils
from tfx_bsl.tfxio import record_based_tfxio

ROWS_PER_BATCH = 8192
BYTES_PER_BATCH = 1 << 25
"""A batch has at most so many rows, and ends when it has so many bytes: examples may hold images."""

_ROWS_PER_READ = 256

_DTYPES = {schema_pb2.BYTES: tf.string, schema_pb2.INT: tf.int64, schema_pb2.FLOAT: tf.float32}


def is_readable(examples: list[types.Artifact]) -> bool:
    """Whether the artifacts hold tf.Examples, the only payload that is read here."""
    payload_format, _ = tfxio_utils.resolve_payload_format_and_data_view_uri(examples)
    return bool(payload_format == example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)


def example_files(examples: list[types.Artifact], splits: Iterable[str]) -> list[str]:
    """The files of the splits."""
    return sorted(
        path
        for split in splits
        for uri in artifact_utils.get_split_uris(examples, split)
        for path in fileio.glob(io_utils.all_files_pattern(uri))
    )


def column_types(schema: schema_pb2.Schema, columns: Iterable[str]) -> dict[str, tf.DType]:
    """The types of those columns that the schema has; others can only be transformed features."""
    wanted = set(columns)
    return {feature.name: _DTYPES[feature.type] for feature in schema.feature if feature.name in wanted}


class ReadBatches(beam.DoFn):
    """TFRecord file of tf.Examples → TFMA's batched extracts: the serialized examples, and the columns of slices.

    Only these columns are parsed; the model gets whole examples all the same.
    """

    def __init__(self, columns: Mapping[str, tf.DType]):
        self._columns = dict(columns)

    def process(self, path: str) -> Iterator[tfma.Extracts]:
        """Called by Beam."""
        parsing = {name: tf.io.VarLenFeature(dtype) for name, dtype in self._columns.items()}
        for batch in _batches(path):
            features = tf.io.parse_example(batch, parsing) if parsing else {}
            raw = record_based_tfxio.CreateRawRecordColumn(batch)
            yield {
                constants.ARROW_RECORD_BATCH_KEY: pa.RecordBatch.from_arrays([raw], [constants.ARROW_INPUT_COLUMN]),
                constants.FEATURES_KEY: {
                    name: tfma.SparseTensorValue(
                        values=values.values.numpy(),
                        indices=values.indices.numpy(),
                        dense_shape=np.array([len(raw), values.dense_shape[1]]),
                    )
                    for name, values in features.items()
                },
            }


def _batches(path: str) -> Iterator[np.ndarray]:
    """The serialized examples of a file, as arrays of bytes objects."""
    records = tf.data.TFRecordDataset(path, compression_type="GZIP" if path.endswith(".gz") else "")
    waiting: list[np.ndarray] = []
    rows = size = 0
    for read in records.batch(min(_ROWS_PER_READ, ROWS_PER_BATCH)).prefetch(1).as_numpy_iterator():
        waiting.append(read)
        rows += len(read)
        size += sum(map(len, read))
        if rows + len(read) > ROWS_PER_BATCH or size >= BYTES_PER_BATCH:
            yield np.concatenate(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield np.concatenate(waiting)


def read_batches(pipeline: beam.Pipeline, files: Sequence[str], columns: Mapping[str, tf.DType]) -> beam.PCollection:
    """A PCollection of batched extracts; files are read in parallel."""
    return (
        pipeline
        | "Files" >> beam.Create(files, reshuffle=True)
        | "ReadBatches" >> beam.ParDo(ReadBatches(columns)).with_output_types(tfma.Extracts)
    )
