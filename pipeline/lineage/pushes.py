"""What ML Metadata knows of pushed versions, and what rollbacks write into it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.components.evaluator.constants import ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY
from tfx.types.artifact_utils import deserialize_artifact

from components.lineage import first_makers, model_of
from components.pusher.identity import IDENTITY
from components.pusher.rollback import CONTENT_DIGEST
from components.pusher.state import WITHDRAWN, Rollback, history, origin, read_state, withdrawals
from components.resolver.models import is_readable
from components.resolver.served import damaged_reference, unknown_reference
from janus_core.errors import ConfigError
from janus_core.progress import PROGRESS
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.lineage.store import NodeExecution, artifacts_of_type, open_store, run_of_execution
from pipeline.preflight import check_metadata

CONTEXT_PIPELINE = "pipeline"
EXECUTION_TYPE = "Rollback"


@dataclass(frozen=True)
class Push:
    """One PushedModel; without a version and its destination, a path or URL, if the model was not pushed."""

    artifact_id: int
    version: int | None
    destination: str | None
    digest: str | None
    identity: str | None
    model_id: int | None
    run_id: str | None


def pushes(store: MetadataStore) -> list[Push]:
    """All models that the Pusher received, also those that it did not push, oldest first."""
    artifacts = artifacts_of_type(store, "PushedModel")
    makers = first_makers(store, [artifact.id for artifact in artifacts])
    return [_push(store, artifact, makers.get(artifact.id)) for artifact in artifacts]


def record_rollbacks_in(config: JanusConfig, home: Home) -> None:
    """Adds to the pipeline's ML Metadata, if there is any, the rollbacks that are in the record beside the versions.

    An execution per rollback, in the pipeline's context. `withdrawn` is 1 on the Models and PushedModels that a
    rollback withdrew, and 0 again on those that another one brought back. A run calls it before its Resolvers choose:
    a rollback may have been killed before it did this, or was made on another machine.

    Raises:
        JanusError: the metadata database is locked or damaged, or the record of rollbacks cannot be read.
    """
    if not home.has_metadata:
        return
    check_metadata(home.metadata)
    store = open_store(home.metadata)
    rollbacks, pushed = read_state(config.push.path).rollbacks, pushes(store)
    _mark(store, pushed, set(withdrawals(rollbacks)))
    for rollback in rollbacks:
        _add_execution(store, config.name, rollback, [push for push in pushed if push.digest == rollback.to_digest])


def check_reference(config: JanusConfig, home: Home) -> None:
    """Checks, before anything is trained, that `evaluation.reference` can be compared with; warns if it was withdrawn.

    Raises:
        ConfigError: no run of this pipeline pushed it, or its model is damaged or gone.
    """
    reference = config.evaluation.reference
    if reference is None:
        return
    store = open_store(home.metadata) if home.has_metadata else None
    known = {push.version: push for push in pushes(store)} if store else {}
    push = known.get(origin(history(config.push.path), reference))
    if store is None or push is None or push.model_id is None:
        raise ConfigError(unknown_reference(reference, known))
    (model,) = store.get_artifacts_by_id([push.model_id])
    if not is_readable(deserialize_artifact(store.get_artifact_type(model.type), model)):
        raise ConfigError(damaged_reference(reference))
    if model.custom_properties[WITHDRAWN].int_value:
        PROGRESS.warning(
            "evaluation.reference: a rollback withdrew the model of version %d; gates compare with it all the same",
            reference,
        )


def baseline_version(store: MetadataStore, executions: Mapping[str, NodeExecution]) -> int | None:
    """The first version of the model that a run's candidate was compared with; None if there was none.

    Args:
        store: ML Metadata.
        executions: of the run, each node's.
    """
    blessing = executions["Evaluator"].output("blessing") if "Evaluator" in executions else None
    model = blessing.properties.get(ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY) if blessing else None
    return (
        next((push.version for push in pushes(store) if push.version and push.model_id == model), None)
        if model
        else None
    )


def _push(store: MetadataStore, artifact: pb.Artifact, maker: int | None) -> Push:
    texts = {key: value.string_value for key, value in artifact.custom_properties.items()}
    version = texts.get("pushed_version", "")
    return Push(
        artifact_id=artifact.id,
        version=int(version) if version.isdigit() else None,
        destination=texts.get("pushed_destination"),
        digest=texts.get(CONTENT_DIGEST),
        identity=texts.get(IDENTITY),
        model_id=model_of(store, maker) if maker else None,
        run_id=run_of_execution(store, maker) if maker else None,
    )


def _mark(store: MetadataStore, pushed: Iterable[Push], withdrawn: set[str]) -> None:
    marks: dict[int, int] = {}
    for push in pushed:
        mark = int(push.digest in withdrawn or push.identity in withdrawn)
        for artifact_id in filter(None, (push.artifact_id, push.model_id)):
            marks[artifact_id] = max(mark, marks.get(artifact_id, 0))
    changed = []
    for artifact in store.get_artifacts_by_id(list(marks)):
        before = artifact.custom_properties[WITHDRAWN].int_value if WITHDRAWN in artifact.custom_properties else 0
        if before != marks[artifact.id]:
            artifact.custom_properties[WITHDRAWN].int_value = marks[artifact.id]
            changed.append(artifact)
    if changed:
        store.put_artifacts(changed)


def _add_execution(store: MetadataStore, pipeline: str, rollback: Rollback, sources: list[Push]) -> None:
    name = f"{rollback.time} {rollback.new_version}"
    context = store.get_context_by_type_and_name(CONTEXT_PIPELINE, pipeline)
    if context is None or store.get_execution_by_type_and_name(EXECUTION_TYPE, name) is not None:
        return
    kind = pb.ExecutionType(name=EXECUTION_TYPE)
    numbers = {key: getattr(rollback, key) for key in ("from_version", "to_version", "new_version")}
    texts = {"time": rollback.time, "user": rollback.user, "reason": rollback.reason or ""}
    kind.properties.update({**dict.fromkeys(numbers, pb.INT), **dict.fromkeys(texts, pb.STRING)})
    execution = pb.Execution(type_id=store.put_execution_type(kind), name=name, last_known_state=pb.Execution.COMPLETE)
    for key, number in numbers.items():
        execution.properties[key].int_value = number
    for key, text in texts.items():
        execution.properties[key].string_value = text
    artifacts = {artifact.id: artifact for artifact in store.get_artifacts_by_id([p.artifact_id for p in sources[:1]])}
    path = pb.Event.Path(steps=[pb.Event.Path.Step(key="pushed_model"), pb.Event.Path.Step(index=0)])
    events = [(artifact, pb.Event(type=pb.Event.INPUT, path=path)) for artifact in artifacts.values()]
    store.put_execution(execution, events, [context])
