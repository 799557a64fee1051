"""Which execution made an artifact."""

from collections.abc import Iterable

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

INPUT = (pb.Event.INPUT, pb.Event.DECLARED_INPUT)
OUTPUT = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)


def first_makers(store: MetadataStore, artifacts: Iterable[int]) -> dict[int, int]:
    """Artifact → the first execution that put it out; in later runs, the cache brought it back.

    An artifact that no execution put out is not in it. What a Resolver chose is internal to it, not put out.
    """
    first: dict[int, int] = {}
    wanted = sorted(artifacts)
    for event in store.get_events_by_artifact_ids(wanted) if wanted else []:
        if event.type in OUTPUT:
            first[event.artifact_id] = min(first.get(event.artifact_id, event.execution_id), event.execution_id)
    return first
