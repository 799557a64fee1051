"""The files behind Examples artifacts, and Beam sources over them."""

import posixpath
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.utils import io_utils

from janus_core.errors import DataError
from janus_core.tables.tfrecord_io import GzipRecordWriter


class ShardWriter(GzipRecordWriter):
    """Writes a shard, which has its name only when it is whole, so that a repeated or twin attempt does no harm."""

    def __init__(self, path: str, staging: str):
        """`staging` is a folder for the unfinished shard, on the same file system as `path`."""
        self._path = path
        self._unfinished = FileSystems.join(staging, f"{posixpath.basename(path)}.{uuid.uuid4().hex}")
        super().__init__(FileSystems.create(self._unfinished, compression_type=CompressionTypes.UNCOMPRESSED))

    def close(self) -> None:
        """Gives the shard its name."""
        super().close()
        FileSystems.rename([self._unfinished], [self._path])


def holds_tf_examples(examples: Sequence[types.Artifact]) -> bool:
    """Whether the artifacts' payload is tf.Example."""
    payload, _ = tfxio_utils.resolve_payload_format_and_data_view_uri(list(examples))
    return bool(payload == example_gen_pb2.PayloadFormat.FORMAT_TF_EXAMPLE)


def shard_files(uri: str) -> list[str]:
    """The files of a split, sorted. Raises DataError if there is none."""
    files = sorted(fileio.glob(io_utils.all_files_pattern(uri)))
    if not files:
        raise DataError(f"{uri}: there are no examples")
    return files


T = TypeVar("T")


@beam.ptransform_fn
def spread(pipeline: beam.Pipeline, elements: Sequence[T]) -> beam.PCollection:
    """A PCollection of elements that workers divide among themselves.

    As Create and Reshuffle, but one worker gets its elements always in the same order: sketches depend on it.
    """
    return (
        pipeline
        | "Number" >> beam.Create(list(enumerate(elements)))
        | "Group" >> beam.GroupByKey()
        | "Each" >> beam.FlatMapTuple(lambda _, group: group)
    )


@beam.ptransform_fn
def read_shards(
    pipeline: beam.Pipeline, files: Sequence[str], reader: Callable[[str], Iterator[pa.RecordBatch]]
) -> beam.PCollection:
    """A PCollection of the RecordBatches of all files; one worker reads a file, several read files."""
    return pipeline | "Files" >> spread(files) | "Read" >> beam.FlatMap(reader).with_output_types(pa.RecordBatch)
