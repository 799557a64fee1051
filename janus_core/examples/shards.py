"""The files behind Examples artifacts."""

from collections.abc import Sequence

from tfx import types
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.utils import io_utils

from janus_core.errors import DataError


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
