"""What the executors of several components do with their artifacts."""

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx import types
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils

Artifacts = dict[str, list[types.Artifact]]
"""A component's inputs or outputs, by key."""


def read_schema(input_dict: Artifacts) -> schema_pb2.Schema:
    """The schema that a component was given."""
    folder = artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY])
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(folder))
