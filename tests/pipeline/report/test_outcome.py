"""What a run's artifacts say of its training, and what is left of the report where they are damaged."""

import json
from pathlib import Path

import pytest

from components.anomaly_gate.data_gates import DataGateResult, write_results
from janus_core.errors import exit_code_of
from pipeline.lineage.store import NodeExecution, StoredArtifact
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.report.outcome import add_analysis, add_outcome
from pipeline.report.report_json import RunReport
from pipeline.report.wording import data_gates_line
from tests.pipeline.small import small_config

EPOCHS = [
    {"val_balanced_loss": 0.9, "val_late_gate/expert_0": 0.5, "val_late_gate/expert_1": 0.5},
    {"val_balanced_loss": 0.5, "val_late_gate/expert_0": 0.3, "val_late_gate/expert_1": 0.7},
    {"val_balanced_loss": 0.6, "val_late_gate/expert_0": float("nan"), "val_late_gate/expert_1": 0.9},
]


def executed(node: str, key: str, folder: Path, **properties: int | str) -> NodeExecution:
    outputs = {key: [StoredArtifact(1, str(folder), dict(properties))]}
    return NodeExecution(
        1, node, cached=False, failed=False, complete=True, message="", seconds=1.0, outputs=outputs
    )  # fmt: skip


def collect(folder: Path, *nodes: NodeExecution) -> RunReport:
    report = RunReport(janus="0", pipeline="small", run_id="1", seconds=0.0, stack={})
    add_outcome(report, small_config(folder), {node.node: node for node in nodes})
    return report


def trainer(folder: Path) -> NodeExecution:
    return executed("Trainer", "model_run", folder)


def test_data_gates_are_reported_and_broken_ones_are_warnings(tmp_path: Path) -> None:
    given = {"limit": 0.05, "level": "warning"}
    gates = [
        DataGateResult(gate="duplicates", split="train", value=0.01, passed=True, text="1 % of …", **given),
        DataGateResult(gate="shared_rows", value=0.2, passed=False, text="20 % of …", **given),
        DataGateResult(gate="label_drift", of="late", value=None, passed=True, text="no labels", **given),
    ]
    write_results(str(tmp_path), gates)
    found = collect(tmp_path, executed("AnomalyGate", "result", tmp_path))
    assert found.data_gates == [gate.model_dump() for gate in gates]
    add_analysis(found, small_config(tmp_path), Analysis())
    assert found.warnings == ["20 % of …"]
    assert data_gates_line(found) == "data gates: 1 passed, 1 broken (shared_rows)"
    assert RunReport.model_validate_json(found.model_dump_json()).data_gates == found.data_gates
    assert collect(tmp_path).data_gates == []


@pytest.mark.parametrize("pushed", [True, False])
def test_after_a_push_what_is_damaged_is_a_gap_in_the_report(tmp_path: Path, pushed: bool) -> None:
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "Split-train" / "FeatureStats.pb").write_bytes(b"damaged")
    (tmp_path / "history.json").write_bytes(b"\xff")
    (tmp_path / "validations").write_bytes(b"damaged")
    executions = {
        "StatisticsGen": executed("StatisticsGen", "statistics", tmp_path),
        "Trainer": executed("Trainer", "model_run", tmp_path),
        "Evaluator": executed("Evaluator", "evaluation", tmp_path),
        "Pusher": executed("Pusher", "pushed_model", tmp_path, pushed=int(pushed), pushed_destination="models/17"),
    }
    report = RunReport(janus="0", pipeline="small", run_id="1", seconds=0.0, stack={})
    if not pushed:
        with pytest.raises(Exception, match=r".") as caught:
            add_outcome(report, small_config(tmp_path), executions)
        assert exit_code_of(caught.value) != 0
        return
    add_outcome(report, small_config(tmp_path), executions)
    assert (report.exit_code, report.pushed, report.blessed) == (0, "models/17", True)
    gaps = [warning.partition(":")[0] for warning in report.warnings]
    parts = ("the numbers of rows", "the history of the training", "the metrics and gates")
    assert gaps == [f"the report lacks {part}" for part in parts]
    assert all("`janus report CONFIG --rebuild` makes it again" in warning for warning in report.warnings)


def test_history_and_the_exported_epochs_gates(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps(EPOCHS))
    found = collect(tmp_path, trainer(tmp_path))
    assert found.tasks["late"]["gate_utilisation"] == {"expert_0": 0.3, "expert_1": 0.7}
    assert "gate_utilisation" not in found.tasks["delay"]
    assert found.tasks["late"]["gates"] == []
    assert found.history[:2] == EPOCHS[:2]
    assert found.history[2] == {**EPOCHS[2], "val_late_gate/expert_0": None}


@pytest.mark.parametrize("trained", [True, False])
def test_a_run_that_left_no_history(tmp_path: Path, trained: bool) -> None:
    found = collect(tmp_path, *([trainer(tmp_path)] if trained else []))
    assert found.history == []
    assert "gate_utilisation" not in found.tasks["late"]
