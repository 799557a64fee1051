"""What killed runs of a pipeline have left behind, which the next one removes while it holds the home's lock."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from janus_core.files import delete, delete_abandoned
from pipeline.home import Home
from pipeline.lineage.store import FAILURE, FAILURE_CODE, open_store

_TFX_FOLDER = ".system"
"""In a node's folder: what its executions and drivers write for TFX's launcher, which reads it at once or never."""

_UNFINISHED = (pb.Execution.NEW, pb.Execution.RUNNING)


def remove_leftovers(home: Home) -> None:
    """Removes what is half-written, and marks executions as failed that ML Metadata has as running.

    The caller holds the home's lock, so that no other run of the pipeline is under way.
    """
    for folder in (home.folder, *(path for path in home.folder.glob("*") if path.is_dir() and not path.is_symlink())):
        delete_abandoned(folder)
    for folder in home.root.glob(f"*/{_TFX_FOLDER}"):
        delete(folder)
    unfinished = _unfinished(home.metadata)
    # The folders first: a kill in between leaves the executions to be found again.
    for execution in unfinished:
        for folder in home.root.glob(f"*/*/{execution}"):
            logging.getLogger(__name__).warning("%s is of a run that was killed, and is removed", folder)
            delete(folder)
    if unfinished:
        _mark_failed(open_store(home.metadata), unfinished)


def _unfinished(database: Path) -> list[int]:
    """By SQL: newer versions of ML Metadata have no filter queries, and a list of all executions takes seconds."""
    if not database.exists():
        return []
    question = f"SELECT id FROM Execution WHERE last_known_state IN ({', '.join(map(str, _UNFINISHED))})"
    with closing(sqlite3.connect(database)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'Execution'").fetchall()
        return [execution for (execution,) in connection.execute(question)] if tables else []


def _mark_failed(store: MetadataStore, executions: list[int]) -> None:
    found = store.get_executions_by_id(executions)
    for execution in found:
        execution.last_known_state = pb.Execution.FAILED
        execution.custom_properties[FAILURE].string_value = "its run was killed"
        execution.custom_properties[FAILURE_CODE].int_value = 1
    store.put_executions(found)
