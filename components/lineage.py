"""What ML Metadata says of where artifacts come from."""

from collections.abc import Iterable, Iterator

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

OUTPUT = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)
_MODEL, _INFRA_BLESSING = "Model", "InfraBlessing"


def first_makers(store: MetadataStore, artifacts: Iterable[int]) -> dict[int, int]:
    """Artifact → the first execution whose output it is; in later runs, it came from the cache.

    An artifact that is no execution's output is left out. What a Resolver chose is internal to it, not an output.
    """
    first: dict[int, int] = {}
    wanted = sorted(artifacts)
    for event in store.get_events_by_artifact_ids(wanted) if wanted else []:
        if event.type in OUTPUT:
            first[event.artifact_id] = min(first.get(event.artifact_id, event.execution_id), event.execution_id)
    return first


def model_of(store: MetadataStore, pusher: int) -> int | None:
    """The Model that an execution of the Pusher was given, by itself or as a stamped copy in an InfraBlessing."""
    for artifact in _inputs(store, pusher, _MODEL):
        return int(artifact.id)
    for maker in first_makers(store, [blessing.id for blessing in _inputs(store, pusher, _INFRA_BLESSING)]).values():
        for artifact in _inputs(store, maker, _MODEL):
            return int(artifact.id)
    return None


def _inputs(store: MetadataStore, execution: int, kind: str) -> Iterator[pb.Artifact]:
    events = store.get_events_by_execution_ids([execution])
    ids = [event.artifact_id for event in events if event.type == pb.Event.INPUT]
    return (artifact for artifact in store.get_artifacts_by_id(ids) if artifact.type == kind)
