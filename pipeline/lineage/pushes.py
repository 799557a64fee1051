"""What ML Metadata knows of pushed versions, and what rollbacks write into it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from components.pusher.journal import WITHDRAWN, Rollback, withdrawals
from components.pusher.layout import Location
from components.pusher.rollback import CONTENT_DIGEST
from components.pusher.state import State, read_state
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.lineage.store import CONTEXT_RUN, open_store
from pipeline.preflight import check_metadata

CONTEXT_PIPELINE = "pipeline"
EXECUTION_TYPE = "Rollback"
_PUSHED, _MODEL, _INFRA_BLESSING = "PushedModel", "Model", "InfraBlessing"
_OUTPUT = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)


@dataclass(frozen=True)
class Push:
    """One PushedModel.

    Attributes:
        artifact_id: its own.
        version: None if the model was not pushed.
        digest: of the model's content; None where an older release pushed it.
        model_id: the Model's.
        run_id: of the run that made it.
        time: in seconds since 1970.
    """

    artifact_id: int
    version: int | None
    digest: str | None
    model_id: int | None
    run_id: str | None
    time: float


def pushes(store: MetadataStore) -> list[Push]:
    """All that was pushed, or kept back, oldest first."""
    artifacts = sorted(store.get_artifacts_by_type(_PUSHED), key=lambda artifact: artifact.id)
    return [_push(store, artifact) for artifact in artifacts]


def record_rollbacks(store: MetadataStore, pipeline: str, base: Location) -> None:
    """Brings ML Metadata up to the record beside the versions; what is there already stays as it is.

    An execution per rollback, in the pipeline's context. `withdrawn` is 1 on the Models and PushedModels that a
    rollback withdrew, and 0 again on those that another one brought back.
    """
    state, pushed = read_state(base), pushes(store)
    digests = _digests(state, pushed)
    _mark(store, pushed, digests, set(withdrawals(state.rollbacks)))
    for rollback in state.rollbacks:
        _add_execution(store, pipeline, rollback, [push for push in pushed if digests.get(push) == rollback.to_digest])


def record_rollbacks_in(config: JanusConfig, home: Home) -> None:
    """Brings the pipeline's ML Metadata up to the rollbacks so far, if there is any of either.

    A run calls it before its Resolvers choose: a rollback may have been killed before it came to this, or was made on
    another machine.

    Raises:
        JanusError: the metadata database is locked or damaged, or the record of rollbacks cannot be read.
    """
    if not home.metadata.exists():
        return
    check_metadata(home.metadata)
    record_rollbacks(open_store(home.metadata), config.name, config.push.path)


def _push(store: MetadataStore, artifact: pb.Artifact) -> Push:
    properties = artifact.custom_properties
    version = properties["pushed_version"].string_value if "pushed_version" in properties else ""
    maker = _maker(store, artifact.id)
    runs = [c.name for c in store.get_contexts_by_execution(maker) if c.type == CONTEXT_RUN] if maker else []
    return Push(
        artifact_id=artifact.id,
        version=int(version) if version.isdigit() else None,
        digest=properties[CONTENT_DIGEST].string_value if CONTENT_DIGEST in properties else None,
        model_id=_model_of(store, maker) if maker else None,
        run_id=runs[0] if runs else None,
        time=artifact.create_time_since_epoch / 1000,
    )


def _maker(store: MetadataStore, artifact_id: int) -> int | None:
    """The first execution whose output it is; in later runs, the cache brought it back."""
    events = store.get_events_by_artifact_ids([artifact_id])
    return min((event.execution_id for event in events if event.type in _OUTPUT), default=None)


def _model_of(store: MetadataStore, pusher: int) -> int | None:
    """The Model that an execution of the Pusher was given, by itself or as a stamped copy in an InfraBlessing."""
    for artifact in _inputs(store, pusher, _MODEL):
        return int(artifact.id)
    for blessing in _inputs(store, pusher, _INFRA_BLESSING):
        maker = _maker(store, blessing.id)
        for artifact in _inputs(store, maker, _MODEL) if maker else ():
            return int(artifact.id)
    return None


def _inputs(store: MetadataStore, execution: int, kind: str) -> Iterator[pb.Artifact]:
    events = store.get_events_by_execution_ids([execution])
    ids = [event.artifact_id for event in events if event.type == pb.Event.INPUT]
    return (artifact for artifact in store.get_artifacts_by_id(ids) if artifact.type == kind)


def _digests(state: State, pushed: Iterable[Push]) -> dict[Push, str]:
    """What each push's content was, if that can be known: older releases left only the version."""
    if not state.rollbacks:
        return {}
    known = {version: state.digest(version) for version in state.versions}
    for rollback in state.rollbacks:
        known[rollback.from_version], known[rollback.to_version] = rollback.from_digest, rollback.to_digest
    found = {push: push.digest or (known.get(push.version) if push.version else None) for push in pushed}
    return {push: digest for push, digest in found.items() if digest}


def _mark(store: MetadataStore, pushed: Iterable[Push], digests: dict[Push, str], withdrawn: set[str]) -> None:
    marks: dict[int, int] = {}
    for push in pushed:
        mark = int(digests.get(push) in withdrawn)
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
