"""The files and folders of a pipeline: runs/<name>."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from rich.filesize import decimal

from janus_core import files
from janus_core.errors import ConfigError

RUNS = Path("runs")
METADATA_FILE = "metadata.db"
LARGE_HOME = 10e9
"""Bytes, beyond which a run says how to make a home smaller."""
LENGTH_OF_TIME = len("2026-11-30T12-00-00")
_RUN_ID = re.compile(r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)(?:-(\d+))?")


class Home:
    """The folders and files of one pipeline.

    All paths are relative to the working folder, so that a project that is moved keeps its cache.

    Attributes:
        folder: holds all the others.
        root: TFX's pipeline root.
        metadata: the SQLite database of ML Metadata.
        checkpoints: from which an interrupted training resumes.
        analyzer_cache: Transform's analyses of earlier spans.
        schemas: copies of the curated schema, a folder per content.
        compare: comparisons with single-task networks, a folder each, and what was trained for them.
        tune: the newest tuning's result, and the states from which killed ones continue.
        temporary: temporary files of the run that is under way.
        latest: links to the newest run's folder.
    """

    def __init__(self, name: str):
        self.name = name
        self.folder = RUNS / name
        self.root = self.folder / "root"
        self.metadata = self.folder / METADATA_FILE
        self.checkpoints = self.folder / "checkpoints"
        self.analyzer_cache = self.folder / "analyzer_cache"
        self.schemas = self.folder / "schemas"
        self.compare = self.folder / "compare"
        self.tune = self.folder / "tune"
        self.temporary = self.folder / "tmp"
        self.latest = self.folder / "latest"

    @property
    def has_metadata(self) -> bool:
        """Whether there is anything in the database."""
        return has_database(self.metadata)

    def run_folder(self, run_id: str) -> Path:
        """Holds one run's log and report."""
        return self.folder / run_id

    def create(self) -> None:
        """Makes the home.

        Raises:
            ConfigError: the folder cannot be written.
        """
        require_writable(self.folder, "the pipeline's home")

    def move_orphans(self) -> Path | None:
        """Moves artifacts whose metadata database is gone, or empty, to another folder, and returns it.

        A new database counts from 1 again: its first outputs would be mixed with the files of old ones.
        """
        if self.has_metadata or not self.root.exists():
            return None
        moved = self.folder / f"root-without-metadata-{now()}"
        self.root.rename(moved)
        for folder in (self.checkpoints, self.analyzer_cache):
            shutil.rmtree(folder, ignore_errors=True)
        return moved

    def new_run(self) -> str:
        """Makes a new run's folder and returns its id: the local time, made unique.

        Ids are in the order of the runs: where the clock was set back, the newest run's time is used again.
        """
        started = max([now(), *(run_id[:LENGTH_OF_TIME] for run_id in self.run_ids()[:1])])
        run_id, attempt = started, 1
        while True:
            try:
                self.run_folder(run_id).mkdir(parents=True)
                return run_id
            except FileExistsError:
                attempt += 1
                run_id = f"{started}-{attempt}"

    def run_ids(self) -> list[str]:
        """All runs that have a folder, newest first."""
        if not self.folder.is_dir():
            return []
        matches = [match for path in self.folder.iterdir() if (match := _RUN_ID.fullmatch(path.name))]
        # The second run of a second ends in -2, the tenth in -10.
        return [match[0] for match in sorted(matches, key=lambda match: (match[1], int(match[2] or 1)), reverse=True)]

    def link_latest(self, run_id: str) -> None:
        """Points `latest` to a run, in one step."""
        files.link_to(self.latest, run_id)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other runs of this pipeline from starting; the lock ends with the process.

        Raises:
            JanusError: another process holds it.
        """
        refusal = (
            f"another run of pipeline '{self.name}' is under way (process {{holder}}): wait until it ends, or stop it"
        )
        with files.exclusive(self.folder / ".lock", refusal):
            yield


def has_database(path: Path) -> bool:
    """Whether a database has content: one of 0 bytes, which a kill may leave, is no better than none."""
    return path.exists() and path.stat().st_size > 0


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder; links are not followed, and what is removed meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            with suppress(FileNotFoundError):
                total += 0 if path.is_symlink() else path.lstat().st_size
    return total


def note_on_size(home: Home) -> str | None:
    """What a person should know of a large home; None of others."""
    size = size_of(home.folder)
    return (
        f"{home.folder} holds {decimal(size)}: `janus clean CONFIG` shows what no run needs"
        if size > LARGE_HOME
        else None
    )


def unused(name: str, is_used: Callable[[str], bool]) -> str:
    """The name, or the name with the first number that nothing has yet: two commands may start in one second."""
    return next(one for one in chain([name], (f"{name}-{number}" for number in count(2))) if not is_used(one))


def now() -> str:
    """The local time, in the form that names have."""
    return datetime.now().strftime("%Y-%m-%dT%H-%M-%S")


def require_writable(folder: Path, purpose: str) -> None:
    """Makes the folder if need be, and tries to write in it.

    Raises:
        ConfigError: it cannot be made or written.
    """
    try:
        files.try_to_write(folder)
    except OSError as error:
        raise ConfigError(f"{purpose}, the folder {folder}, cannot be written: {error.strerror}") from error
