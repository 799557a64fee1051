"""A folder of versions as a person reads it on a terminal."""

from datetime import datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipeline.commands.output import plain_table
from pipeline.commands.versions.listing import Listing, Version
from pipeline.report.wording import headline_text


def listing_view(listing: Listing) -> RenderableType:
    """The table, what a rollback would do, and what could not be read."""
    if not listing.versions:
        return Text(f"there are no versions in {listing.path}: `janus run CONFIG` pushes the first")
    lines = [*_unservable(listing), _rollback_line(listing), *listing.notes]
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
            _size(version.bytes),
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


def _rollback_line(listing: Listing) -> str:
    if listing.rollback_target is None:
        return "`janus rollback CONFIG` has no older version to go back to with another model that is not withdrawn"
    return f"`janus rollback CONFIG` goes back to {listing.rollback_target}"


def _unservable(listing: Listing) -> list[str]:
    """What TensorFlow Serving takes for the newest version although it cannot be loaded."""
    newest = max(listing.versions, key=lambda version: version.version)
    if newest.complete:
        return []
    return [
        f"warning: {newest.version} is the highest number and not complete: TensorFlow Serving cannot load it, and one "
        "that is started now serves no version; remove it, or push again"
    ]


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.1f} kB"
