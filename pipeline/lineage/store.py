"""What ML Metadata knows of a run. Lists and filters in Python: newer versions have no filter queries."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

CONTEXT_RUN, CONTEXT_NODE = "pipeline_run", "node"
INPUT = (pb.Event.INPUT, pb.Event.DECLARED_INPUT)
RESULT = "__execution_result__"
FAILURE, FAILURE_CODE = "janus_failure", "janus_failure_exit_code"
"""Why an execution failed: TFX's launcher records no reason where a component raises."""

_COMPLETE = (pb.Execution.COMPLETE, pb.Execution.CACHED)


@dataclass(frozen=True)
class StoredArtifact:
    """An artifact, without the library's types."""

    id: int
    uri: str
    properties: dict[str, int | float | str]


@dataclass(frozen=True)
class NodeExecution:
    """One node's execution in one run.

    `message` and `exit_code` are those of its failure; the latter is None where it was not recorded.
    """

    id: int
    node: str
    cached: bool
    failed: bool
    complete: bool
    message: str
    seconds: float
    outputs: dict[str, list[StoredArtifact]]
    exit_code: int | None = None

    def output(self, key: str) -> StoredArtifact | None:
        """The only artifact of an output, if it has one."""
        artifacts = self.outputs.get(key, [])
        return artifacts[0] if artifacts else None


def open_store(database: Path) -> MetadataStore:
    """Connects to a SQLite database, which is made if need be."""
    config = pb.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    return MetadataStore(config)


def artifacts_of_type(store: MetadataStore, kind: str) -> list[pb.Artifact]:
    """All artifacts of a type, oldest first."""
    # Asked for the artifacts of a type that it does not know, ML Metadata fails.
    if kind not in [known.name for known in store.get_artifact_types()]:
        return []
    return sorted(store.get_artifacts_by_type(kind), key=lambda artifact: artifact.id)


def run_of_execution(store: MetadataStore, execution: int) -> str | None:
    """The id of the run that an execution is of."""
    return next((c.name for c in store.get_contexts_by_execution(execution) if c.type == CONTEXT_RUN), None)


def has_run(store: MetadataStore, run_id: str) -> bool:
    """Whether there was a run with this id."""
    return store.get_context_by_type_and_name(CONTEXT_RUN, run_id) is not None


def executions_of_run(store: MetadataStore, run_id: str) -> dict[str, NodeExecution]:
    """Node → its execution in a run."""
    context = store.get_context_by_type_and_name(CONTEXT_RUN, run_id)
    if context is None:
        return {}
    executions = store.get_executions_by_context(context.id)
    nodes = [_node_execution(store, execution) for execution in sorted(executions, key=lambda execution: execution.id)]
    return {execution.node: execution for execution in nodes}


def output_of(executions: Mapping[str, NodeExecution], node: str, key: str) -> StoredArtifact | None:
    """The only artifact of a node's output in a run, if it has one."""
    return executions[node].output(key) if node in executions else None


def record_failure(store: MetadataStore, run_id: str, node: str, message: str, exit_code: int) -> None:
    """Keeps why a node failed with its execution in a run, if there is one that has not succeeded."""
    recorded = executions_of_run(store, run_id).get(node)
    if recorded is None or recorded.complete:
        return
    (execution,) = store.get_executions_by_id([recorded.id])
    execution.custom_properties[FAILURE].string_value = message
    execution.custom_properties[FAILURE_CODE].int_value = exit_code
    store.put_executions([execution])


def executions_of_node(store: MetadataStore, pipeline: str, node: str) -> Iterator[NodeExecution]:
    """A node's executions in all runs, newest first, each read when it is asked for."""
    context = store.get_context_by_type_and_name(CONTEXT_NODE, f"{pipeline}.{node}")
    executions = store.get_executions_by_context(context.id) if context is not None else []
    for execution in sorted(executions, key=lambda execution: execution.id, reverse=True):
        yield _node_execution(store, execution)


def _node_execution(store: MetadataStore, execution: pb.Execution) -> NodeExecution:
    nodes = [c.name for c in store.get_contexts_by_execution(execution.id) if c.type == CONTEXT_NODE]
    custom, complete = execution.custom_properties, execution.last_known_state in _COMPLETE
    # TFX's ExecutionResult as JSON; of a Resolver that failed it has the traceback.
    result = json.loads(custom[RESULT].string_value).get("resultMessage", "") if RESULT in custom else ""
    # An execution that is taken up again keeps the properties of the attempt that failed.
    failure = FAILURE in custom and not complete
    return NodeExecution(
        id=execution.id,
        node=nodes[0].partition(".")[2] if nodes else execution.type,
        cached=execution.last_known_state == pb.Execution.CACHED,
        complete=complete,
        failed=execution.last_known_state in (pb.Execution.FAILED, pb.Execution.CANCELED),
        message=custom[FAILURE].string_value if failure else result,
        exit_code=custom[FAILURE_CODE].int_value if failure else None,
        seconds=(execution.last_update_time_since_epoch - execution.create_time_since_epoch) / 1000,
        outputs=_outputs(store, execution.id),
    )


def _outputs(store: MetadataStore, execution_id: int) -> dict[str, list[StoredArtifact]]:
    events = [
        event
        for event in store.get_events_by_execution_ids([execution_id])
        if event.type in (pb.Event.OUTPUT, pb.Event.INTERNAL_OUTPUT)
    ]
    artifacts = {a.id: a for a in store.get_artifacts_by_id([event.artifact_id for event in events])}
    outputs: dict[str, list[StoredArtifact]] = {}
    for event in events:
        key = event.path.steps[0].key
        outputs.setdefault(key, []).append(_stored(artifacts[event.artifact_id]))
    return outputs


def _stored(artifact: pb.Artifact) -> StoredArtifact:
    properties: dict[str, Any] = {}
    for source in (artifact.properties, artifact.custom_properties):
        for name, value in source.items():
            kind = value.WhichOneof("value")
            if kind in ("int_value", "double_value", "string_value"):
                properties[name] = getattr(value, kind)
    return StoredArtifact(artifact.id, artifact.uri, properties)
