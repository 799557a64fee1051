"""A cache without damaged artifacts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.lineage.store import NodeExecution, executions_of_run, open_store
from tests.pipeline.run.test_runner import run, states


def trainer(folder: Path, run_id: str) -> NodeExecution:
    return executions_of_run(open_store(folder / "metadata.db"), run_id)["Trainer"]


def model_file(folder: Path, run_id: str) -> Path:
    model = trainer(folder, run_id).output("model")
    assert model is not None
    return Path(model.uri) / "model"


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "is missing": Path.unlink,
    "has 0 bytes instead of 1": lambda file: file.write_bytes(b""),
    "has different content": lambda file: file.write_bytes(b"2"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_artifact_is_made_again(tmp_path: Path, how: str) -> None:
    run(tmp_path, "first", size=1)
    first = model_file(tmp_path, "first")
    DAMAGES[how](first)
    again = run(tmp_path, "again", size=1)
    assert states(again)["Trainer"] == ("complete", False)
    assert again.warnings == [f"Trainer: {first} {how}: its result in the cache is damaged and is not used"]
    assert model_file(tmp_path, "again") != first
    assert model_file(tmp_path, "again").read_text() == "1"
    third = run(tmp_path, "third", size=1)
    assert states(third)["Trainer"] == ("complete", True)
    assert third.warnings == []
    assert model_file(tmp_path, "third") == model_file(tmp_path, "again")


def test_files_that_were_added_do_not_count(tmp_path: Path) -> None:
    run(tmp_path, "first", size=1)
    (model_file(tmp_path, "first").parent / "profile").touch()
    assert states(run(tmp_path, "again", size=1))["Trainer"] == ("complete", True)


def test_a_cached_node_leaves_no_folders(tmp_path: Path) -> None:
    run(tmp_path, "first", size=1)
    before = {path for path in tmp_path.rglob("*") if path.is_dir()}
    run(tmp_path, "again", size=1)
    assert {path for path in tmp_path.rglob("*") if path.is_dir()} == before
