"""What later executions did with an artifact, from ML Metadata."""

from collections.abc import Iterable

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

_PASSED = (pb.Execution.COMPLETE, pb.Execution.CACHED)


def passed_anomaly_gate(store: MetadataStore, examples_id: int, gate_type: str) -> bool:
    """Whether the anomaly gate passed the examples, the last time that it saw their statistics.

    `gate_type` is the name of its execution type: it reads statistics that another component made from the examples.
    """
    readers = _readers(store, [examples_id])
    made = [event.artifact_id for event in store.get_events_by_execution_ids(readers) if event.type == pb.Event.OUTPUT]
    executions = store.get_executions_by_id(_readers(store, made))
    gates = [execution for execution in executions if _type_name(store, execution) == gate_type]
    last = max(gates, key=lambda execution: execution.id, default=None)
    return last is not None and last.last_known_state in _PASSED


def _readers(store: MetadataStore, artifact_ids: Iterable[int]) -> list[int]:
    events = store.get_events_by_artifact_ids(list(artifact_ids))
    return sorted({event.execution_id for event in events if event.type == pb.Event.INPUT})


def _type_name(store: MetadataStore, execution: pb.Execution) -> str:
    (kind,) = store.get_execution_types_by_id([execution.type_id])
    return str(kind.name)
