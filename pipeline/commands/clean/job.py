"""What of a pipeline's home is no longer needed, and its removal."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from pydantic import BaseModel, Field
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.text import Text

from components.pusher.state import history, origin
from components.pusher.versions import versions
from janus_core.errors import ConfigError
from janus_core.files import delete
from pipeline.commands.output import plain_table
from pipeline.config import JanusConfig
from pipeline.home import Home, size_of
from pipeline.lineage.pushes import pushes
from pipeline.lineage.store import CONTEXT_RUN, artifacts_of_type, open_store
from pipeline.preflight import check_metadata
from pipeline.report.report_json import REPORT_FILE, read_report

RUN_FOLDERS, ORPHANS = "reports and logs of runs", "artifacts without metadata"


class Unneeded(BaseModel):
    """What of a kind is not needed."""

    kind: str = Field(description="The type of the artifacts, or what else it is.")
    folders: int
    size: int = Field(description="In bytes.")


class Cleaning(BaseModel):
    """What `janus clean` found in a pipeline's home."""

    pipeline: str
    kept_runs: list[str]
    size: int = Field(description="Of the home, in bytes, before anything was removed.")
    unneeded: list[Unneeded]
    removed: bool


def clean_home(config: JanusConfig, keep: int, remove: bool) -> Cleaning:
    """Finds what is not needed beside the newest runs, and removes it if asked to.

    Artifacts are marked as deleted in ML Metadata first, so that nothing finds those whose removal was interrupted.

    Args:
        config: the pipeline's.
        keep: how many of the newest runs stay whole.
        remove: whether to remove anything.

    Raises:
        ConfigError: the pipeline has no runs.
        JanusError: a run is under way, or the metadata database is locked or damaged.
    """
    home = Home(config.name)
    if not home.run_ids():
        raise ConfigError(f"pipeline '{home.name}' has no runs in {home.folder}: there is nothing to clean")
    with home.lock():
        check_metadata(home.metadata)
        kept_runs, size = home.run_ids()[:keep], size_of(home.folder)
        store = open_store(home.metadata) if home.has_metadata else None
        artifacts = list(_unneeded_artifacts(store, config, home, kept_runs)) if store else []
        places = [(kind, folder) for kind, _, folder in artifacts] + list(_unneeded_folders(home, keep))
        folders = Counter(kind for kind, _ in places)
        sizes: Counter[str] = Counter()
        for kind, folder in places:
            sizes[kind] += size_of(folder)
        if remove:
            if store and artifacts:
                _mark_deleted(store, [artifact for _, artifact, _ in artifacts])
            for _, folder in places:
                delete(folder)
    unneeded = [Unneeded(kind=kind, folders=folders[kind], size=total) for kind, total in sizes.most_common()]
    return Cleaning(pipeline=home.name, kept_runs=kept_runs, size=size, unneeded=unneeded, removed=remove)


def _unneeded_artifacts(
    store: MetadataStore, config: JanusConfig, home: Home, kept_runs: Iterable[str]
) -> Iterator[tuple[str, pb.Artifact, Path]]:
    """Type, artifact and folder of each that is there and not needed."""
    needed = {*_of_runs(store, kept_runs), *_of_versions(store, config), *_of_window(store, config)}
    blessed = [a.custom_properties for a in artifacts_of_type(store, "ModelBlessing") if _number(a, "blessed") == 1]
    needed |= {properties["current_model_id"].int_value for properties in blessed[-1:]}
    # Two artifacts never share a folder, but nothing outside of the home is this command's.
    root = home.root.resolve()
    for artifact in store.get_artifacts():
        folder = Path(artifact.uri).resolve()
        if artifact.id not in needed and root in folder.parents and folder.exists():
            yield artifact.type, artifact, folder


def _of_runs(store: MetadataStore, run_ids: Iterable[str]) -> set[int]:
    """The artifacts that runs read and made, or found in the cache."""
    contexts = [store.get_context_by_type_and_name(CONTEXT_RUN, run_id) for run_id in run_ids]
    executions = [e.id for context in contexts if context for e in store.get_executions_by_context(context.id)]
    return {event.artifact_id for event in store.get_events_by_execution_ids(executions)} if executions else set()


def _of_versions(store: MetadataStore, config: JanusConfig) -> set[int]:
    """The models behind the versions that a rollback can bring back or that a gate compares with."""
    rollbacks = history(config.push.path)
    wanted = [*versions(config.push.path), *([config.evaluation.reference] if config.evaluation.reference else [])]
    origins = {origin(rollbacks, version) for version in wanted}
    of_versions = [push for push in pushes(store) if push.version in origins]
    return {number for push in of_versions for number in (push.artifact_id, push.model_id) if number is not None}


def _of_window(store: MetadataStore, config: JanusConfig) -> set[int]:
    """The newest examples of each span that the next run may join."""
    by_span: dict[str, int] = {}
    for artifact in artifacts_of_type(store, "Examples"):
        if "span" in artifact.custom_properties:
            span = artifact.custom_properties["span"]
            by_span[span.string_value or str(span.int_value)] = artifact.id
    return {by_span[span] for span in sorted(by_span, key=int, reverse=True)[: config.data.window + 1]}


def _number(artifact: pb.Artifact, name: str) -> int:
    return artifact.custom_properties[name].int_value if name in artifact.custom_properties else 0


def _unneeded_folders(home: Home, keep: int) -> Iterator[tuple[str, Path]]:
    """What is no artifact: old runs' folders, but those of runs that pushed a version, and what lost its database."""
    for run_id in home.run_ids()[keep:]:
        folder = home.run_folder(run_id)
        try:
            pushed = read_report(folder / REPORT_FILE).pushed
        except ConfigError:
            # A run that was killed has none.
            pushed = None
        if not pushed:
            yield RUN_FOLDERS, folder
    for folder in home.folder.glob("root-without-metadata-*"):
        yield ORPHANS, folder


def _mark_deleted(store: MetadataStore, artifacts: list[pb.Artifact]) -> None:
    for artifact in artifacts:
        artifact.state = pb.Artifact.DELETED
    store.put_artifacts(artifacts)


def clean_view(found: Cleaning) -> RenderableType:
    """The table, and what to do next."""
    total = sum(item.size for item in found.unneeded)
    if not found.unneeded:
        return Text(f"all of the {decimal(found.size)} of pipeline '{found.pipeline}' is needed")
    table = plain_table(f"not needed by {found.pipeline}", ("what", "folders", "size"), right=("folders", "size"))
    for item in found.unneeded:
        table.add_row(item.kind, f"{item.folders:,}", decimal(item.size))
    outcome = "removed" if found.removed else "not needed; --remove removes them"
    kept = f"the newest {len(found.kept_runs)} runs and what served models need stay"
    return Group(table, Text(f"{decimal(total)} of {decimal(found.size)} {outcome}; {kept}"))
