"""What a run's artifacts say of its training."""

import json
from pathlib import Path

import pytest

from pipeline.lineage.store import NodeExecution, StoredArtifact
from pipeline.report.outcome import add_outcome
from pipeline.report.report_json import RunReport
from tests.pipeline.small import small_config

EPOCHS = [
    {"val_balanced_loss": 0.9, "val_late_gate/expert_0": 0.5, "val_late_gate/expert_1": 0.5},
    {"val_balanced_loss": 0.5, "val_late_gate/expert_0": 0.3, "val_late_gate/expert_1": 0.7},
    {"val_balanced_loss": 0.6, "val_late_gate/expert_0": float("nan"), "val_late_gate/expert_1": 0.9},
]


def collect(folder: Path, trained: bool) -> RunReport:
    artifact = StoredArtifact(1, str(folder), {})
    outputs = {"model_run": [artifact]}
    trainer = NodeExecution(
        1,
        "Trainer",
        cached=False,
        failed=False,
        complete=True,
        message="",
        seconds=1.0,
        outputs=outputs,
    )
    report = RunReport(janus="0", pipeline="small", run_id="1", seconds=0.0, stack={})
    add_outcome(report, small_config(folder), {"Trainer": trainer} if trained else {})
    return report


def test_history_and_the_exported_epochs_gates(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps(EPOCHS))
    found = collect(tmp_path, trained=True)
    assert found.tasks["late"]["gate_utilisation"] == {"expert_0": 0.3, "expert_1": 0.7}
    assert "gate_utilisation" not in found.tasks["delay"]
    assert found.tasks["late"]["gates"] == []
    assert found.history[:2] == EPOCHS[:2]
    assert found.history[2] == {**EPOCHS[2], "val_late_gate/expert_0": None}


@pytest.mark.parametrize("trained", [True, False])
def test_a_run_that_left_no_history(tmp_path: Path, trained: bool) -> None:
    found = collect(tmp_path, trained)
    assert found.history == []
    assert "gate_utilisation" not in found.tasks["late"]
