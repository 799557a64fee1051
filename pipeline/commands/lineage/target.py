"""Finds a pushed version by its number in a pipeline's folder, or by its path."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml_metadata import MetadataStore

from components.pusher.journal import Rollback, history, origin
from components.pusher.layout import is_url
from components.pusher.versions import versions
from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.home import RUNS, Home
from pipeline.lineage.pushes import Push, pushes
from pipeline.lineage.store import open_store
from pipeline.preflight import check_metadata


@dataclass(frozen=True)
class Target:
    """A version whose lineage is known.

    Attributes:
        home: of the pipeline that pushed it.
        store: the home's ML Metadata.
        base: the folder of versions.
        version: its number.
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
    """A version of a pipeline; None: the served one.

    Args:
        config: the pipeline's.
        version: a number, or the path of a version in the pipeline's folder.

    Raises:
        ConfigError: there is no such version, or ML Metadata does not know it.
        JanusError: the metadata database, or the record of rollbacks, cannot be read.
    """
    base, home = os.fspath(config.push.path), Home(config.name)
    number = _number(base, version)
    if not home.metadata.exists():
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
