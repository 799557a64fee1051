"""The files behind Examples artifacts."""

import posixpath
import uuid
from collections.abc import Sequence

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
