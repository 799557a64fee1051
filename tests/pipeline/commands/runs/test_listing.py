"""`janus runs`."""

import json

import pytest

from pipeline.commands.output import print_result
from pipeline.commands.runs.listing import list_runs, runs_view
from pipeline.config import JanusConfig
from pipeline.home import Home
from tests.pipeline.commands.harness import Runs


def print_runs(config: JanusConfig, limit: int | None = 20, as_json: bool = False) -> int:
    return print_result(list_runs(Home(config.name), limit), as_json, runs_view)


def listed(config: JanusConfig, capsys: pytest.CaptureFixture[str], limit: int | None = None) -> dict:
    capsys.readouterr()
    assert print_runs(config, limit, as_json=True) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_without_runs_the_command_that_starts_one_is_named(
    config: JanusConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert print_runs(config) == 0
    assert "has no runs yet: start one with `janus run CONFIG`" in capsys.readouterr().out


def test_runs_are_listed_newest_first_with_how_they_ended(
    config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    part = {"seconds": 1.0, "state": "complete"}
    components = {"ExampleGen": {**part, "cached": True}, "Pusher": {**part, "cached": False}}
    runs.report("2026-01-01T10-00-00", pushed="serving/7", blessed=True, components=components, span=3)
    runs.report("2026-01-02T10-00-00", exit_code=4, problems=["task late: auc 0.5 is below min 0.6"])
    runs.report("2026-01-02T10-00-00-2", exit_code=3, tasks={}, problems=["ExampleGen: no files\nmore"])
    runs.report("2026-01-02T10-00-00-10", exit_code=130)
    runs.home.run_folder("2026-01-03T10-00-00").mkdir()
    (runs.home.folder / "compare").mkdir()
    found = listed(config, capsys)
    assert [(run["run_id"], run["outcome"]) for run in found["runs"]] == [
        ("2026-01-03T10-00-00", "no report"),
        ("2026-01-02T10-00-00-10", "interrupted"),
        ("2026-01-02T10-00-00-2", "failed"),
        ("2026-01-02T10-00-00", "gate failed"),
        ("2026-01-01T10-00-00", "pushed"),
    ]
    oldest = found["runs"][-1]
    assert (oldest["components"], oldest["cached"], oldest["span"], oldest["pushed"]) == (2, 1, 3, "serving/7")
    assert oldest["metrics"]["delay"] == {"metric": "mae", "value": 12.5, "unit": "minutes"}
    assert print_runs(config) == 0
    out = capsys.readouterr().out
    assert "delay mae 12.5000 minutes" in out
    assert "1 of 2" in out
    assert "ExampleGen: no files" in out


def test_the_limit_says_how_many_are_older(config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    for day in range(1, 4):
        runs.report(f"2026-01-0{day}T10-00-00")
    assert [run["run_id"] for run in listed(config, capsys, limit=1)["runs"]] == ["2026-01-03T10-00-00"]
    assert print_runs(config, 1) == 0
    assert "2 older: --limit 3 shows them" in capsys.readouterr().out


def test_a_broken_report_hides_no_other_run(
    config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.report("2026-01-01T10-00-00")
    runs.report("2026-01-02T10-00-00").write_text("{")
    found = listed(config, capsys)
    assert [run["outcome"] for run in found["runs"]] == ["unreadable report", "not pushed"]
    assert "runs/small/2026-01-02T10-00-00/report.json cannot be read" in found["notes"][0]
    assert not Home(config.name).latest.exists()
