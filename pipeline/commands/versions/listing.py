"""The versions in a folder, with what the folder, ML Metadata and the runs' reports say of each."""

from datetime import datetime

from pydantic import BaseModel, Field
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from components.pusher.layout import join
from components.pusher.push import read_labels
from components.pusher.state import origin, read_state
from components.pusher.storage import storage_of
from janus_core.errors import ConfigError, JanusError
from pipeline.commands.output import plain_table
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.lineage.pushes import Push, pushes
from pipeline.preflight import check_metadata
from pipeline.report.report_json import REPORT_FILE, Headline, headlines, read_report
from pipeline.report.wording import headline_text


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


def list_versions(config: JanusConfig, home: Home) -> Listing:
    """Lists the versions, with the labels of the folder's own file and of the configuration.

    Raises:
        JanusError: the record of rollbacks, or the labels, cannot be read.
    """
    try:
        return _list(config, home)
    except FileNotFoundError:
        # A push removed an old version while this read it.
        return _list(config, home)


def _list(config: JanusConfig, home: Home) -> Listing:
    base, notes = config.push.path, list[str]()
    state, labels = read_state(base), {**read_labels(base), **config.serving.deployment.labels.versions()}
    known = _pushes(home, notes)
    reports: dict[str, dict[str, Headline]] = {}
    listed = []
    storage = storage_of(base)
    for number in reversed(storage.numbers(base)):
        source = origin(state.rollbacks, number)
        push = known.get(source)
        if push and push.run_id and push.run_id not in reports:
            reports[push.run_id] = _headlines(home, push.run_id, notes)
        complete, run_id = number in state.versions, push.run_id if push else None
        withdrawal = state.withdrawal(number) if complete else None
        version = Version(
            version=number,
            complete=complete,
            served=number == state.served,
            withdrawn=withdrawal.time if withdrawal else None,
            copy_of=source if source != number else None,
            labels=sorted(label for label, version in labels.items() if version == number),
            published=storage.published_at(base, number),
            bytes=sum(storage.files(join(base, number)).values()),
            run_id=run_id,
            model_id=push.model_id if push else None,
            metrics=reports.get(run_id, {}) if run_id else {},
        )
        listed.append(version)
    return Listing(path=base, served=state.served, rollback_target=state.rollback_target, versions=listed, notes=notes)


def _pushes(home: Home, notes: list[str]) -> dict[int, Push]:
    """Version → the push that made it; empty where ML Metadata is missing or cannot be used."""
    if not home.has_metadata:
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


# --- on the terminal ----------------------------------------------------------------------------------------------


def listing_view(listing: Listing) -> RenderableType:
    """The table, what a rollback would do, and what could not be read."""
    if not listing.versions:
        return Text(f"there are no versions in {listing.path}: `janus run CONFIG` pushes the first")
    back = "`janus rollback CONFIG` has no older version to go back to with another model that is not withdrawn"
    if listing.rollback_target is not None:
        back = f"`janus rollback CONFIG` goes back to {listing.rollback_target}"
    lines = [*_unservable(listing), back, *listing.notes]
    return Group(versions_table(listing), *(Text(line) for line in lines))


def versions_table(listing: Listing) -> Table:
    """Version × pushed × size × run × model × metrics × state."""
    columns = ("version", "pushed", "size", "run", "model", "metrics", "state")
    no_wrap = [name for name in columns if name != "metrics"]
    table = plain_table(listing.path, columns, right=("version", "size", "model"), no_wrap=no_wrap)
    for version in listing.versions:
        table.add_row(
            str(version.version),
            _local(datetime.fromtimestamp(version.published)) if version.published else "unknown",
            f"{version.bytes / 1e6:,.1f} MB" if version.bytes >= 1e6 else f"{version.bytes / 1e3:,.1f} kB",
            escape(version.run_id or "unknown"),
            "unknown" if version.model_id is None else str(version.model_id),
            escape("\n".join(headline_text(name, headline) for name, headline in version.metrics.items())),
            escape("\n".join(states(version))),
            style="bold" if version.served else "",
        )
    return table


def states(version: Version) -> list[str]:
    """What a version is: served, a copy, withdrawn, labelled, not complete."""
    words = ["served"] if version.served else []
    if not version.complete:
        words.append("not complete")
    if version.copy_of is not None:
        words += [f"copy of {version.copy_of}", "(rolled back to)"]
    if version.withdrawn:
        words += ["withdrawn", _local(datetime.fromisoformat(version.withdrawn))]
    return words + [f"label {label}" for label in version.labels]


def _local(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")


def _unservable(listing: Listing) -> list[str]:
    """What TensorFlow Serving takes for the newest version although it cannot be loaded."""
    newest = max(listing.versions, key=lambda version: version.version)
    if newest.complete:
        return []
    return [
        f"warning: {newest.version} is the highest number and not complete: TensorFlow Serving cannot load it, and one "
        "that is started now serves no version; remove it, or push again"
    ]
