"""Which component of a run read what of which other, by ML Metadata."""

from collections.abc import Mapping

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from components.lineage import OUTPUT, first_makers
from pipeline.lineage.store import CONTEXT_NODE, INPUT, NodeExecution
from pipeline.report.analysis.analysis_json import NodeLineage


def lineage_of(store: MetadataStore, executions: Mapping[str, NodeExecution]) -> list[NodeLineage]:
    """Each component of a run, in the order in which they ran."""
    ordered = sorted(executions.values(), key=lambda execution: execution.id)
    events: dict[int, list[pb.Event]] = {execution.id: [] for execution in ordered}
    for event in store.get_events_by_execution_ids(list(events)) if events else []:
        events[event.execution_id].append(event)
    ids = {event.artifact_id for of_execution in events.values() for event in of_execution}
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id(sorted(ids))}
    makers = _makers(store, executions, artifacts)
    lineage = []
    for execution in ordered:
        read = [(event, artifacts[event.artifact_id]) for event in events[execution.id] if event.type in INPUT]
        made = [(event, artifacts[event.artifact_id]) for event in events[execution.id] if event.type in OUTPUT]
        lineage.append(
            NodeLineage(
                node=execution.node,
                execution=execution.id,
                cached=execution.cached,
                takes=sorted({makers[artifact.id] for _, artifact in read if artifact.id in makers} - {execution.node}),
                inputs=sorted({_words(event, artifact) for event, artifact in read}),
                outputs=sorted({f"{_words(event, artifact)} at {artifact.uri}" for event, artifact in made}),
            )
        )
    return lineage


def _makers(
    store: MetadataStore, executions: Mapping[str, NodeExecution], artifacts: Mapping[int, pb.Artifact]
) -> dict[int, str]:
    """Artifact → the component of this run that made it, in this run or, as the cache has it, in an earlier one."""
    first = first_makers(store, artifacts)
    names: dict[int, str] = {}
    for execution_id in sorted(set(first.values())):
        for context in store.get_contexts_by_execution(execution_id):
            node = context.name.partition(".")[2]
            if context.type == CONTEXT_NODE and node in executions:
                names[execution_id] = node
    return {artifact: names[execution] for artifact, execution in first.items() if execution in names}


def _words(event: pb.Event, artifact: pb.Artifact) -> str:
    key = event.path.steps[0].key if event.path.steps else "?"
    return f"{key}: {artifact.type} {artifact.id}"
