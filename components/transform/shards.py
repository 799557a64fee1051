"""Applies a transform graph to whole shards of serialized tf.Examples."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import impl_helper

from janus_core.errors import DataError
from janus_core.examples.encode import encode_in_parts
from janus_core.examples.records import BYTES_PER_BATCH, record_batches
from janus_core.examples.shards import ShardWriter
from janus_core.examples.threads import Threaded
from janus_core.tables.lists import large_list, list_offsets


@dataclass(frozen=True)
class Shard:
    """A file of raw examples, and the file that its transformed examples become."""

    source: str
    target: str


class TransformShards(Threaded):
    """Shard → None; its target then holds the transformed examples, in the order of its source.

    The transform graph runs as it does in serving: from serialized examples, by TensorFlow alone. Raises DataError for
    a source that cannot be read.
    """

    def __init__(self, transform_output: str, spec: Mapping[str, Any], staging: str, threads: int):
        """Describes how shards are transformed.

        `transform_output` is the folder that WriteTransformFn fills, `spec` the feature spec of the raw columns that
        the graph reads; unfinished files wait in the folder `staging`.
        """
        super().__init__(_transform_shard, threads)
        self._transform_output = transform_output
        self._spec = dict(spec)
        self._staging = staging
        self._apply: Callable[[tf.Tensor], pa.RecordBatch] | None = None

    def process(self, shard: Shard, written: Any) -> Iterator[None]:
        """Called by Beam; `written` is there when the folder is filled."""
        del written
        if self._apply is None:
            self._apply = transform_function(self._transform_output, self._spec)
        yield from super().process(shard, self._apply, self._staging)


def transform_function(transform_output: str, spec: Mapping[str, Any]) -> Callable[[tf.Tensor], pa.RecordBatch]:
    """A function from serialized raw examples, string [n], to their transformed features, large lists [n]."""
    output = tft.TFTransformOutput(transform_output)
    layer = output.transform_features_layer()
    converter = impl_helper.make_tensor_to_arrow_converter(output.transformed_metadata.schema)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def transform(records: tf.Tensor) -> dict[str, Any]:
        return dict(layer(tf.io.parse_example(records, spec)))

    return lambda records: converter.convert(transform(records))


def _transform_shard(shard: Shard, apply: Callable[[tf.Tensor], pa.RecordBatch], staging: str) -> None:
    writer = ShardWriter(shard.target, staging)
    for records in record_batches(shard.source):
        try:
            transformed = apply(records)
        except tf.errors.InvalidArgumentError as error:
            raise DataError(f"{shard.source}: examples cannot be transformed ({error.message})") from error
        columns = {name: _encodable(transformed.column(place)) for place, name in enumerate(transformed.schema.names)}
        for _, examples in encode_in_parts(columns, transformed.num_rows, BYTES_PER_BATCH):
            writer.write(examples)
    writer.close()


def _encodable(column: pa.Array) -> pa.Array:
    if not pa.types.is_large_binary(column.type.value_type):
        return column
    return large_list(list_offsets(column), column.values.cast(pa.binary()))
