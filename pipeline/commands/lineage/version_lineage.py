"""All that a pushed version was made of, by ML Metadata: from the push back to the data."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from pydantic import BaseModel, Field

from janus_core.errors import ConfigError
from pipeline.commands.lineage.target import Target
from pipeline.home import Home
from pipeline.lineage.properties import plain_properties, settings_of
from pipeline.lineage.pushes import Push, pushes
from pipeline.lineage.store import CONTEXT_NODE, CONTEXT_RUN, INPUT, OUTPUT, first_makers, run_of_execution
from pipeline.report.report_json import REPORT_FILE, read_report

OTHER_MODELS = frozenset({"base_model", "baseline_model"})
"""Inputs that are models of other runs: those are named, with their versions, but not followed to their own origin."""

_SCHEMA, _SCHEMA_FILE = "Schema", "schema.pbtxt"


class LineageArtifact(BaseModel):
    """An artifact and its properties."""

    id: int
    type: str
    uri: str
    properties: dict[str, Any] = {}


class LineageStep(BaseModel):
    """The execution that made an artifact, not a later one that took it from the cache."""

    execution: int
    node: str
    type: str
    run_id: str | None
    started: str | None = Field(description="In UTC, as ISO 8601 has it.")
    code: str | None = Field(description="The fingerprint of the component's code, if it records one.")
    settings: dict[str, Any] = {}
    inputs: dict[str, list[int]] = Field({}, description="Key → artifacts.")
    outputs: dict[str, list[int]] = Field({}, description="Key → artifacts.")


class TaskEvaluation(BaseModel):
    """How a task was evaluated before the push."""

    kind: str
    unit: str | None = None
    metrics: dict[str, float | None] = {}
    gates: list[dict[str, Any]] = []


class Copy(BaseModel):
    """A rollback that published a copy."""

    version: int
    of: int
    time: str
    user: str
    reason: str | None = None


class Lineage(BaseModel):
    """One version's. Steps are in the order in which they ran."""

    version: int
    path: str
    pipeline: str
    origin: int = Field(description="The version that was once pushed: this one, unless it is a copy.")
    copies: list[Copy] = Field([], description="How it came from `origin`, oldest first.")
    run_id: str | None = Field(description="Of the run that pushed it, or what it is a copy of.")
    pushed_model: int = Field(description="The PushedModel's id.")
    steps: list[LineageStep]
    artifacts: dict[int, LineageArtifact]
    evaluation: dict[str, TaskEvaluation] = {}
    notes: list[str] = Field([], description="What could not be read.")


def read_lineage(target: Target) -> Lineage:
    """Follows a version back through ML Metadata."""
    store, push = target.store, target.push
    steps, artifacts, broken = _walk(store, push)
    _name_other_models(store, steps, artifacts)
    pusher = next((step for step in steps if push.artifact_id in _ids(step.outputs)), None)
    notes = [
        f"ML Metadata does not know what made {artifact.type} {artifact.id}, {artifact.uri}" for artifact in broken
    ]
    run_id = pusher.run_id if pusher else None
    return Lineage(
        version=target.version,
        path=f"{target.base.rstrip('/')}/{target.version}",
        pipeline=target.home.name,
        origin=target.version if push.version is None else push.version,
        copies=[
            Copy(version=copy.new_version, of=copy.to_version, time=copy.time, user=copy.user, reason=copy.reason)
            for copy in target.copies
        ],
        run_id=run_id,
        pushed_model=push.artifact_id,
        steps=steps,
        artifacts=artifacts,
        evaluation=_evaluation(target.home, run_id, notes),
        notes=notes,
    )


def _walk(
    store: MetadataStore, push: Push
) -> tuple[list[LineageStep], dict[int, LineageArtifact], list[LineageArtifact]]:
    """Steps, their artifacts, and the artifacts whose maker is unknown; a level of executions at a time."""
    steps: dict[int, LineageStep] = {}
    artifacts = {artifact.id: _artifact(artifact) for artifact in store.get_artifacts_by_id([push.artifact_id])}
    broken: list[LineageArtifact] = []
    wanted = {push.artifact_id}
    while wanted:
        makers = first_makers(store, wanted)
        broken += [artifacts[artifact] for artifact in sorted(wanted - set(makers))]
        level = sorted(set(makers.values()) - set(steps))
        reached = _steps(store, level)
        steps |= reached
        touched = {artifact for step in reached.values() for artifact in _ids(step.inputs) | _ids(step.outputs)}
        for artifact in store.get_artifacts_by_id(sorted(touched - set(artifacts))) if touched else []:
            artifacts[artifact.id] = _artifact(artifact)
        made = {artifact for step in steps.values() for artifact in _ids(step.outputs)}
        followed = (
            {key: ids for key, ids in step.inputs.items() if key not in OTHER_MODELS} for step in reached.values()
        )
        wanted = {artifact for inputs in followed for artifact in _ids(inputs)} - made
    return [steps[execution] for execution in sorted(steps)], artifacts, broken


def _steps(store: MetadataStore, ids: list[int]) -> dict[int, LineageStep]:
    steps: dict[int, LineageStep] = {}
    if not ids:
        return steps
    kinds = {kind.id: kind.name for kind in store.get_execution_types()}
    for execution in store.get_executions_by_id(ids):
        settings, code = settings_of(execution)
        contexts = {context.type: context.name for context in store.get_contexts_by_execution(execution.id)}
        kind = kinds.get(execution.type_id, "?")
        steps[execution.id] = LineageStep(
            execution=execution.id,
            node=contexts.get(CONTEXT_NODE, "").partition(".")[2] or kind.rpartition(".")[2],
            type=kind,
            run_id=contexts.get(CONTEXT_RUN),
            started=_utc(execution.create_time_since_epoch),
            code=code,
            settings=settings,
        )
    for event in sorted(store.get_events_by_execution_ids(ids), key=lambda event: event.artifact_id):
        step = steps[event.execution_id]
        key = event.path.steps[0].key if event.path.steps else "?"
        side = step.inputs if event.type in INPUT else step.outputs if event.type in OUTPUT else {}
        side.setdefault(key, []).append(event.artifact_id)
    return steps


def _artifact(artifact: pb.Artifact) -> LineageArtifact:
    properties = plain_properties(artifact.properties, artifact.custom_properties)
    path = Path(artifact.uri) / _SCHEMA_FILE
    if artifact.type == _SCHEMA and path.is_file():
        properties["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    return LineageArtifact(id=artifact.id, type=artifact.type, uri=artifact.uri, properties=properties)


def _name_other_models(
    store: MetadataStore, steps: Iterable[LineageStep], artifacts: Mapping[int, LineageArtifact]
) -> None:
    """Adds to each model of another run that run's id, and the version that it was pushed as."""
    others = {model for step in steps for key in OTHER_MODELS for model in step.inputs.get(key, [])}
    if not others:
        return
    for model, maker in first_makers(store, others).items():
        run_id = run_of_execution(store, maker)
        if run_id:
            artifacts[model].properties["run_id"] = run_id
    for push in pushes(store):
        if push.model_id in others and push.version is not None:
            artifacts[push.model_id].properties["pushed_version"] = str(push.version)


def _evaluation(home: Home, run_id: str | None, notes: list[str]) -> dict[str, TaskEvaluation]:
    if run_id is None:
        return {}
    try:
        report = read_report(home.run_folder(run_id) / REPORT_FILE)
    except ConfigError as error:
        notes.append(f"the evaluation is unknown: {error}")
        return {}
    kept = ("unit", "metrics", "gates")
    return {
        name: TaskEvaluation(kind=task.get("kind", "?"), **{key: task[key] for key in kept if key in task})
        for name, task in report.tasks.items()
    }


def _ids(ends: Mapping[str, Iterable[int]]) -> set[int]:
    return {artifact for ids in ends.values() for artifact in ids}


def _utc(milliseconds: int) -> str | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds") if milliseconds else None
