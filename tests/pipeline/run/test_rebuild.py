"""The report of the newest run is made again from what is recorded of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from janus_core.errors import ConfigError
from pipeline.home import Home
from pipeline.lineage.run_config import write_config
from pipeline.lineage.store import NodeExecution, StoredArtifact, open_store
from pipeline.run.rebuild import rebuild_report
from tests.pipeline.small import small_config


@pytest.fixture
def home(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """The home of a pipeline with two runs, of which the newer has pushed version 17 and left a damaged report."""
    home.link_latest(home.new_run())
    write_config(small_config(tmp_path), home.run_folder(home.new_run()))
    open_store(home.metadata).put_execution_type(pb.ExecutionType(name="x"))
    pushed = StoredArtifact(1, str(tmp_path), {"pushed": 1, "pushed_destination": "serving/17"})

    def executions(_store: Any, run_id: str) -> dict[str, NodeExecution]:
        node = NodeExecution(1, "Pusher", True, False, True, "", 1.5, outputs={"pushed_model": [pushed]})
        return {"Pusher": node} if run_id == home.run_ids()[0] else {}

    monkeypatch.setattr("pipeline.lineage.store.executions_of_run", executions)
    monkeypatch.setattr("pipeline.report.analysis.run_lineage.lineage_of", lambda *_: [])
    return home


@pytest.mark.parametrize("content", [None, b"\xff", b"{"])
def test_a_report_that_is_lost_or_damaged_is_made_again(home: Home, tmp_path: Path, content: bytes | None) -> None:
    folder = home.run_folder(home.run_ids()[0])
    if content is not None:
        (folder / "report.json").write_bytes(content)
    rebuild_report(small_config(tmp_path), home)
    report = json.loads((home.latest / "report.json").read_text())
    assert (report["run_id"], report["pushed"], report["exit_code"]) == (folder.name, "serving/17", 0)
    assert report["components"] == {"Pusher": {"seconds": 1.5, "cached": True, "state": "complete"}}
    assert {"report.html", "model_card.md"} <= {path.name for path in folder.iterdir()}


def test_without_any_run_there_is_nothing_to_rebuild(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="has no runs yet"):
        rebuild_report(small_config(tmp_path), Home("small"))
