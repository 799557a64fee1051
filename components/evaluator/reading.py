"""Reads an Examples artifact as TFMA's batched extracts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_model_analysis import constants
from tfx_bsl.tfxio import record_based_tfxio

from janus_core.examples.records import record_batches
from janus_core.examples.shards import spread

_DTYPES = {schema_pb2.BYTES: tf.string, schema_pb2.INT: tf.int64, schema_pb2.FLOAT: tf.float32}


def column_types(schema: schema_pb2.Schema, columns: Iterable[str]) -> dict[str, tf.DType]:
    """The types of those columns that the schema has; others can only be transformed features."""
    wanted = set(columns)
    return {feature.name: _DTYPES[feature.type] for feature in schema.feature if feature.name in wanted}


def read_extracts(path: str, columns: Mapping[str, tf.DType]) -> Iterator[tfma.Extracts]:
    """TFMA's batched extracts of a TFRecord file: the serialized examples, and the columns of slices.

    Only these columns are parsed; the model still gets whole examples. Raises DataError for a damaged file.
    """
    parsing = {name: tf.io.VarLenFeature(dtype) for name, dtype in columns.items()}
    for records in record_batches(path):
        features = tf.io.parse_example(records, parsing) if parsing else {}
        raw = record_based_tfxio.CreateRawRecordColumn(records.numpy())
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


def read_batches(pipeline: beam.Pipeline, files: Sequence[str], columns: Mapping[str, tf.DType]) -> beam.PCollection:
    """A PCollection of batched extracts; files are read in parallel."""
    return (
        pipeline
        | "Files" >> spread(files)
        | "ReadExtracts" >> beam.FlatMap(read_extracts, columns).with_output_types(tfma.Extracts)
    )
