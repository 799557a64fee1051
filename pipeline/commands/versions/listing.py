"""The versions in a folder, with what the folder, ML Metadata and the runs' reports say of each."""

import os
from collections.abc import Mapping

from pydantic import BaseModel, Field

from components.pusher.journal import origin
from components.pusher.layout import join
from components.pusher.retention import read_labels
from components.pusher.state import State, read_state
from components.pusher.storage import storage_of
from janus_core.errors import ConfigError, JanusError
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.lineage.pushes import Push, pushes
from pipeline.preflight import check_metadata
from pipeline.report.report_json import REPORT_FILE, Headline, headlines, read_report


class Version(BaseModel):
    """One version. `run_id` and `model_id` are those of the run that made it, or made what it is a copy of."""

    version: int
    complete: bool
    served: bool = False
    withdrawn: str | None = Field(None, description="When a rollback withdrew its model, in UTC; null if none did.")
    copy_of: int | None = Field(None, description="The version that a rollback copied.")
    labels: list[str] = []
    published: float = Field(description="When it appeared, in seconds since 1970.")
    bytes: int
    run_id: str | None = None
    model_id: int | None = Field(None, description="The Model's id in ML Metadata.")
    metrics: dict[str, Headline] = {}


class Listing(BaseModel):
    """A folder of versions, newest first."""

    path: str
    served: int | None
    rollback_target: int | None = Field(description="Where `janus rollback` would go to; null if nowhere.")
    versions: list[Version]
    notes: list[str] = Field(description="What could not be read.")


def list_versions(config: JanusConfig, home: Home, labels: Mapping[str, int] | None = None) -> Listing:
    """Lists the versions; `labels` are those of the configuration, beside the folder's own file of labels.

    Raises:
        JanusError: the record of rollbacks, or the labels, cannot be read.
    """
    try:
        return _list(config, home, labels or {})
    except FileNotFoundError:
        # A push removed an old version while this read it.
        return _list(config, home, labels or {})


def _list(config: JanusConfig, home: Home, configured: Mapping[str, int]) -> Listing:
    base, notes = config.push.path, list[str]()
    state, labels = read_state(base), {**read_labels(base), **configured}
    known = _pushes(home, notes)
    reports: dict[str, dict[str, Headline]] = {}
    listed = []
    for number in reversed(storage_of(base).numbers(base)):
        source = origin(state.rollbacks, number)
        push = known.get(source)
        if push and push.run_id and push.run_id not in reports:
            reports[push.run_id] = _headlines(home, push.run_id, notes)
        listed.append(_version(state, number, source, push, labels, reports))
    return Listing(path=base, served=state.served, rollback_target=state.rollback_target, versions=listed, notes=notes)


def _version(
    state: State,
    number: int,
    source: int,
    push: Push | None,
    labels: dict[str, int],
    reports: dict[str, dict[str, Headline]],
) -> Version:
    base = os.fspath(state.base)
    complete = number in state.versions
    withdrawal = state.withdrawal(number) if complete else None
    run_id = push.run_id if push else None
    return Version(
        version=number,
        complete=complete,
        served=number == state.served,
        withdrawn=withdrawal.time if withdrawal else None,
        copy_of=source if source != number else None,
        labels=sorted(label for label, version in labels.items() if version == number),
        published=storage_of(base).published_at(base, number),
        bytes=sum(storage_of(base).files(join(base, number)).values()),
        run_id=run_id,
        model_id=push.model_id if push else None,
        metrics=reports.get(run_id, {}) if run_id else {},
    )


def _pushes(home: Home, notes: list[str]) -> dict[int, Push]:
    """Version → the push that made it; empty where ML Metadata is missing or cannot be used."""
    if not home.metadata.exists():
        notes.append(f"there is no metadata database {home.metadata}: which runs the versions come from is unknown")
        return {}
    try:
        check_metadata(home.metadata)
    except JanusError as error:
        notes.append(f"which runs the versions come from is unknown: {error}")
        return {}
    from pipeline.lineage.store import open_store

    # The first push of a version is its own; a later run that left it in place records it again.
    return {push.version: push for push in reversed(pushes(open_store(home.metadata))) if push.version is not None}


def _headlines(home: Home, run_id: str, notes: list[str]) -> dict[str, Headline]:
    path = home.run_folder(run_id) / REPORT_FILE
    try:
        return headlines(read_report(path)) if path.exists() else {}
    except ConfigError as error:
        notes.append(str(error))
        return {}
