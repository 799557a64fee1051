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
from pipeline.commands.lineage.target import Target, pushed_models
from pipeline.home import Home
from pipeline.lineage.makers import INPUT, OUTPUT, first_makers
from pipeline.lineage.properties import plain_properties, settings_of
from pipeline.lineage.store import CONTEXT_NODE, CONTEXT_RUN
from pipeline.report.report_json import REPORT_FILE, read_report

OTHER_MODELS = frozenset({"base_model", "baseline_model"})
"""Inputs that are models of other runs: those are named, with their versions, but not followed to their own origin."""

_SCHEMA, _SCHEMA_FILE = "Schema", "schema.pbtxt"


class LineageArtifact(BaseModel):
    """An artifact, with the properties that say something of it."""

    id: int
    type: str
    uri: str
    properties: dict[str, Any] = {}


class LineageStep(BaseModel):
    """The execution that made an artifact, not one of those that found it in the cache later."""

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
    """What a task was found to be worth, before the push."""

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
    store, pushed = target.store, target.pushed
    steps, artifacts, broken = _walk(store, pushed)
    _name_other_models(store, steps, artifacts)
    pusher = next((step for step in steps if pushed.id in _ids(step.outputs)), None)
    notes = [f"ML Metadata does not know what made {found.type} {found.id}, {found.uri}" for found in broken]
    run_id = pusher.run_id if pusher else None
    version = pushed.custom_properties["pushed_version"].string_value
    return Lineage(
        version=target.version,
        path=f"{target.base.rstrip('/')}/{target.version}",
        pipeline=target.home.name,
        origin=int(version) if version.isdigit() else target.version,
        copies=[Copy(version=c.new_version, of=c.to_version, **_said(c)) for c in target.copies],
        run_id=run_id,
        pushed_model=pushed.id,
        steps=steps,
        artifacts=artifacts,
        evaluation=_evaluation(target.home, run_id, notes),
        notes=notes,
    )


def _said(copy: Any) -> dict[str, Any]:
    return {"time": copy.time, "user": copy.user, "reason": copy.reason}


def _walk(
    store: MetadataStore, pushed: pb.Artifact
) -> tuple[list[LineageStep], dict[int, LineageArtifact], list[LineageArtifact]]:
    """Steps, their artifacts, and those of them whose maker is unknown; a level of executions at a time."""
    steps: dict[int, LineageStep] = {}
    artifacts = {pushed.id: _artifact(pushed)}
    broken: list[LineageArtifact] = []
    wanted = {pushed.id}
    while wanted:
        makers = first_makers(store, wanted)
        broken += [artifacts[artifact] for artifact in sorted(wanted - set(makers))]
        level = sorted(set(makers.values()) - set(steps))
        found = _steps(store, level)
        steps |= found
        touched = {artifact for step in found.values() for artifact in _ids(step.inputs) | _ids(step.outputs)}
        for artifact in store.get_artifacts_by_id(sorted(touched - set(artifacts))) if touched else []:
            artifacts[artifact.id] = _artifact(artifact)
        made = {artifact for step in steps.values() for artifact in _ids(step.outputs)}
        followed = (
            {key: ids for key, ids in step.inputs.items() if key not in OTHER_MODELS} for step in found.values()
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
    """Adds to each model of another run which run that was, and as what versions it was pushed."""
    others = {model for step in steps for key in OTHER_MODELS for model in step.inputs.get(key, [])}
    if not others:
        return
    for model, maker in first_makers(store, others).items():
        runs = [c.name for c in store.get_contexts_by_execution(maker) if c.type == CONTEXT_RUN]
        if runs:
            artifacts[model].properties["run_id"] = runs[0]
    pushed = {
        artifact.id: artifact.custom_properties["pushed_version"].string_value for artifact in pushed_models(store)
    }
    pushers = first_makers(store, pushed)
    for step in _steps(store, sorted(set(pushers.values()))).values():
        for model in set(step.inputs.get("model", [])) & others:
            names = [pushed[artifact] for artifact in _ids(step.outputs) if pushed.get(artifact)]
            if names:
                artifacts[model].properties["pushed_version"] = names[0]


def _evaluation(home: Home, run_id: str | None, notes: list[str]) -> dict[str, TaskEvaluation]:
    if run_id is None:
        return {}
    try:
        report = read_report(home.run_folder(run_id) / REPORT_FILE)
    except ConfigError as error:
        notes.append(f"the evaluation is unknown: {error}")
        return {}
    told = ("unit", "metrics", "gates")
    return {
        name: TaskEvaluation(kind=task.get("kind", "?"), **{key: task[key] for key in told if key in task})
        for name, task in report.tasks.items()
    }


def _ids(ends: Mapping[str, Iterable[int]]) -> set[int]:
    return {artifact for ids in ends.values() for artifact in ids}


def _utc(milliseconds: int) -> str | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds") if milliseconds else None
