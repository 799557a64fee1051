"""All that a pushed version was made of, by ML Metadata: finds the version, and follows its push back to the data."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from pydantic import BaseModel, Field

from components.lineage import OUTPUT, first_makers
from components.pusher.layout import is_url
from components.pusher.state import Rollback, history, origin
from components.pusher.versions import versions
from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.home import RUNS, Home
from pipeline.lineage.properties import plain_properties, settings_of
from pipeline.lineage.pushes import Push, pushes
from pipeline.lineage.store import CONTEXT_NODE, CONTEXT_RUN, INPUT, open_store, run_of_execution
from pipeline.preflight import check_metadata
from pipeline.report.report_json import REPORT_FILE, read_report

OTHER_MODELS = frozenset({"base_model", "baseline_model"})
"""Inputs that are models of other runs: those are named, with their versions, but not followed to their own origin."""

_SCHEMA, _SCHEMA_FILE = "Schema", "schema.pbtxt"


@dataclass(frozen=True)
class Target:
    """A version whose lineage is known, in its folder of versions, and the home of the pipeline that pushed it.

    Attributes:
        copies: rollbacks that led from the version that was once pushed to this one, oldest first; none if it is that.
        push: of the version, or of that which it is a copy of.
    """

    home: Home
    store: MetadataStore
    base: str
    version: int
    copies: Sequence[Rollback]
    push: Push


def is_version_path(text: str) -> bool:
    """Whether it can be the path or URL of a pushed version: its last part is a number."""
    return not Path(text).is_file() and text.rstrip("/").rpartition("/")[2].isdigit()


def target_of_config(config: JanusConfig, version: str | None) -> Target:
    """A version of a pipeline by its number, or its path in the pipeline's folder; None: the served one.

    Raises:
        ConfigError: there is no such version, or ML Metadata does not know it.
        JanusError: the metadata database, or the record of rollbacks, cannot be read.
    """
    base, home = os.fspath(config.push.path), Home(config.name)
    number = _number(base, version)
    if not home.has_metadata:
        raise ConfigError(
            f"there is no metadata database {home.metadata}: version {number} was pushed elsewhere, or before it was "
            "removed"
        )
    target = _find(home, base, number)
    if target is None:
        known = ", ".join(map(str, versions(base))) or "none"
        raise ConfigError(
            f"{home.metadata} does not know what pushed version {number} (versions in {base}: {known}); "
            "`janus versions CONFIG` lists them"
        )
    return target


def target_of_path(path: str) -> Target:
    """A version by its path or URL, of whichever pipeline has its home here.

    Raises:
        ConfigError: no pipeline here pushed it.
        JanusError: a metadata database, or the record of rollbacks, cannot be read.
    """
    base, _, name = path.rstrip("/").rpartition("/")
    base = base or "."
    homes = sorted(folder.parent for folder in RUNS.glob("*/metadata.db"))
    for folder in homes:
        target = _find(Home(folder.name), base, int(name))
        if target is not None:
            return target
    names = ", ".join(folder.name for folder in homes) or "none"
    raise ConfigError(
        f"no pipeline with a home in {RUNS} pushed {path} (pipelines there: {names}): start in the project's folder, "
        "or name the configuration, `janus lineage CONFIG VERSION`"
    )


def _find(home: Home, base: str, version: int) -> Target | None:
    records = history(base)
    source = origin(records, version)
    check_metadata(home.metadata)
    store = open_store(home.metadata)
    for push in pushes(store):
        # The first push of a version is its own; a later run that left it in place records it again.
        if push.destination and _same(push.destination, f"{base.rstrip('/')}/{source}"):
            return Target(home, store, base, version, _copies(records, version), push)
    return None


def _copies(records: Sequence[Rollback], version: int) -> list[Rollback]:
    made = {record.new_version: record for record in records}
    copies: list[Rollback] = []
    while version in made:
        copies.insert(0, made[version])
        version = made[version].to_version
    return copies


def _number(base: str, version: str | None) -> int:
    if version is None:
        present = versions(base)
        if not present:
            raise ConfigError(f"there are no versions in {base}: `janus run CONFIG` pushes the first")
        return present[-1]
    folder, _, name = version.rstrip("/").rpartition("/")
    if not name.isdigit():
        raise ConfigError(f"'{version}' is not a version: give its number, or its path, such as {base}/1700000000")
    if folder and not _same(folder, base):
        raise ConfigError(f"{version} is not in the configuration's push.path, {base}")
    return int(name)


def _same(one: str, other: str) -> bool:
    if is_url(one) or is_url(other):
        return one.rstrip("/") == other.rstrip("/")
    return Path(one).resolve() == Path(other).resolve()


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
        started = datetime.fromtimestamp(execution.create_time_since_epoch / 1000, UTC)
        steps[execution.id] = LineageStep(
            execution=execution.id,
            node=contexts.get(CONTEXT_NODE, "").partition(".")[2] or kind.rpartition(".")[2],
            type=kind,
            run_id=contexts.get(CONTEXT_RUN),
            started=started.isoformat(timespec="seconds") if started.year > 1970 else None,
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
