"""Whether the files of an artifact are still as they were when it was published."""

from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import Artifact

from janus_core.manifest import MOST_BYTES, damage, from_json, manifest_of, to_json

FILES = "__files__"
"""The property of an artifact that holds path, size and SHA-256 of each of its files."""


def record_files(artifact: pb.Artifact) -> None:
    """Records the files of an artifact that is about to be published; those behind a URL are left to their store."""
    if "://" not in artifact.uri:
        artifact.custom_properties[FILES].string_value = to_json(manifest_of(Path(artifact.uri), MOST_BYTES))


def has_record(artifact: Artifact) -> bool:
    """Whether its files were recorded when it was published."""
    return bool(artifact.has_custom_property(FILES))


def damage_of(artifact: Artifact) -> str | None:
    """The first file that changed since, as in `<path> is missing`; None if none did, or their state was not recorded.

    Files that were added do not count: TensorBoard, for one, writes into the folder of the logs that it shows.
    """
    if not has_record(artifact):
        return None
    found = damage(Path(artifact.uri), from_json(artifact.get_string_custom_property(FILES)), MOST_BYTES)
    return f"{artifact.uri}/{found[0]} {found[1]}" if found else None
