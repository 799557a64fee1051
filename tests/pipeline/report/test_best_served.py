"""How far metrics are from the best version that was served."""

from pathlib import Path
from typing import Any

import pytest

from components.pusher.state import Rollback, begin
from pipeline.home import Home
from pipeline.report.best_served import add_best_served
from pipeline.report.report_json import RunReport, write_report
from pipeline.report.wording import gate_lines
from tests.pipeline.small import small_config


def run(home: Home, auc: float | None, mae: float = 1.0, version: int | None = None, limit: float = 0.02) -> RunReport:
    """A run that evaluated this, and pushed a version if one is given."""
    gates: list[dict[str, Any]] = [
        {"metric": "auc", "rule": "min", "limit": 0.6, "value": auc, "passed": True},
        {"metric": "auc", "rule": "max_drop", "limit": limit, "value": auc, "passed": True, "baseline": 0.626},
        {"metric": "auc", "rule": "min", "limit": 0.5, "value": auc, "passed": True, "slices": "carrier"},
    ]
    late = {"kind": "binary", "metrics": {"auc": auc, "accuracy": 0.9}, "gates": gates}
    rise = [{"metric": "mae", "rule": "max_rise", "limit": 0.5, "value": mae, "passed": True}]
    tasks = {"late": late, "delay": {"kind": "regression", "metrics": {"mae": mae}, "gates": rise}}
    report = RunReport(janus="0", pipeline="small", run_id=home.new_run(), seconds=1.0, stack={}, tasks=tasks)
    report.pushed = f"serving/{version}" if version else None
    add_best_served(report, small_config(Path.cwd()), home)
    write_report(report, home.run_folder(report.run_id))
    return report


def test_small_drops_that_add_up_are_reported(home: Home) -> None:
    first = run(home, 0.640, version=17)
    assert "best_served" not in first.tasks["late"]
    second = run(home, 0.626, version=18)
    assert second.tasks["late"]["best_served"]["auc"] == {
        "value": 0.640, "version": "17", "worse_by": pytest.approx(0.014),
    }  # fmt: skip
    assert second.warnings == []
    third = run(home, 0.608, version=19)
    (warning,) = third.warnings
    assert warning.startswith("task late: auc 0.608 is 0.032 worse than 0.64 of version 17, the best that was served")
    assert "max_drop 0.02 allows no more in one run" in warning
    assert [line.text for line in gate_lines(third.tasks["late"], "auc")][:2] == [
        "≥ 0.6 passed",
        "drop ≤ 0.02 passed; 0.032 since the best served",
    ]


def test_a_rise_is_worse_where_lower_is_better(home: Home) -> None:
    run(home, 0.7, mae=2.0, version=17)
    (warning,) = run(home, 0.7, mae=2.6, version=18).warnings
    assert warning.startswith("task delay: mae 2.6 is 0.6 worse than 2 of version 17")
    better = run(home, 0.8, mae=1.0, version=19)
    assert better.tasks["delay"]["best_served"]["mae"]["worse_by"] == -1.0
    assert better.warnings == []


def test_what_was_not_served_does_not_count(home: Home) -> None:
    """A failed gate, a damaged report, and a version that a rollback withdrew."""
    run(home, 0.99)
    damaged = run(home, 0.98, version=16)
    (home.run_folder(damaged.run_id) / "report.json").write_bytes(b"\xff")
    run(home, 0.70, version=17)
    run(home, 0.97, version=18)
    base = Path("serving")
    (base / "19").mkdir(parents=True)
    (base / "19" / "saved_model.pb").touch()
    record = {"time": "t", "user": "u", "withdrawn": True, "from_digest": "b", "to_digest": "a"}
    begin(base, Rollback(from_version=18, to_version=17, new_version=19, **record))
    found = run(home, 0.69, version=20)
    assert found.tasks["late"]["best_served"]["auc"]["version"] == "17"
    assert run(home, None).tasks["late"].get("best_served", {}).keys() == set()
