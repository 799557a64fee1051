"""What Kubeflow's pages are given, held against KFP's own messages and types."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp import dsl
from kfp.pipeline_spec import pipeline_spec_pb2

from pipeline.kubeflow.artifacts import (
    CARD,
    METRICS,
    MODEL,
    PAGE,
    classification_metadata,
    classification_outputs,
    local_path,
    metrics_metadata,
    write_artifacts,
)
from tests.pipeline.report.sample_run import analysis_of, config, report_of, small_table

NAMES = [METRICS, PAGE, CARD, MODEL]


@pytest.fixture
def run(tmp_path: Path) -> dict[str, Any]:
    """A run of every kind of task, and what KFP asks of its report's step."""
    table, of = small_table(), config()
    for name in ("report.html", "model_card.md"):
        (tmp_path / name).write_text(name)
    names = [*NAMES, *classification_outputs(of), "executor-logs"]
    artifacts = {
        name: {"artifacts": [{"name": name, "uri": f"{tmp_path}/kfp/{name}", "metadata": {"kept": "yes"}}]}
        for name in names
    }
    given = {"inputs": {}, "outputs": {"artifacts": artifacts, "outputFile": f"{tmp_path}/out/executor_output.json"}}
    report, analysis = report_of(table, of), analysis_of(table, of)
    report.pushed = "models/small/1764489600"
    return {"config": of, "report": report, "analysis": analysis, "folder": tmp_path, "given": json.dumps(given)}


def written(run: dict[str, Any], executor_input: str | None = None) -> list[str]:
    text = run["given"] if executor_input is None else executor_input
    return write_artifacts(text, run["config"], run["report"], run["analysis"], run["folder"])


def test_kfp_reads_the_metadata_and_finds_the_files(run: dict[str, Any]) -> None:
    names = written(run)
    text = (run["folder"] / "out/executor_output.json").read_text()
    # As strict as the launcher's protojson: no NaN, no null, no unknown field.
    assert "NaN" not in text
    assert "null" not in text
    message = pipeline_spec_pb2.ExecutorOutput()
    json_format.Parse(text, message)
    assert sorted(message.artifacts) == names
    assert {*NAMES} <= set(names)
    assert (run["folder"] / "kfp" / PAGE).read_text() == "report.html"
    assert (run["folder"] / "kfp" / CARD).read_text() == "model_card.md"
    model = message.artifacts[MODEL].artifacts[0]
    assert dict(model.metadata)["version"] == "1764489600"
    assert dict(model.metadata)["kept"] == "yes"


def test_each_tasks_metrics_and_gates(run: dict[str, Any]) -> None:
    found = metrics_metadata(run["report"])
    for name, task in run["report"].tasks.items():
        for metric, value in task["metrics"].items():
            assert found.get(f"{name}/{metric}") == value
        for gate in task["gates"]:
            assert found[f"{name}/{gate['metric']} {gate['rule']}"] == gate["passed"]
    run["report"].tasks["click"]["metrics"] |= {"auc": None, "f1": float("nan")}
    assert not {"click/auc", "click/f1"} & set(metrics_metadata(run["report"]))


def test_curves_and_matrices_are_of_kfps_form(run: dict[str, Any]) -> None:
    analysis, of = run["analysis"], run["config"]
    (name,) = (name for name, (task, _) in classification_outputs(of).items() if task == "click")
    found = classification_metadata(analysis, *classification_outputs(of)[name])
    (curve,) = analysis.tasks["click"].classes
    wanted = dsl.ClassificationMetrics()
    wanted.log_roc_curve(curve.false_positive_rate, curve.true_positive_rate, curve.threshold)
    confusion = analysis.tasks["click"].confusion
    wanted.log_confusion_matrix(confusion.classes, confusion.counts)
    assert found == wanted.metadata
    assert curve.threshold == sorted(curve.threshold, reverse=True)
    assert curve.threshold[0] <= 1


def test_a_threshold_is_the_score_at_which_its_rates_are_reached(run: dict[str, Any]) -> None:
    for task in run["analysis"].tasks.values():
        for curve in task.classes:
            assert len(curve.threshold) == len(curve.false_positive_rate) == len(curve.true_positive_rate)


@pytest.mark.parametrize("text", ["", "{{$}}", "{}", "[]", '{"outputs": {}}', '{"outputs": null}'])
def test_another_orchestrator_gets_nothing_and_nothing_fails(run: dict[str, Any], text: str) -> None:
    assert written(run, text) == []
    assert not (run["folder"] / "out").exists()


def test_a_run_that_came_to_nothing_has_its_report_alone(run: dict[str, Any]) -> None:
    run["report"].tasks, run["report"].pushed, run["analysis"].tasks = {}, None, {}
    assert written(run) == [PAGE, CARD]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("gs://bucket/a/b", "/gcs/bucket/a/b"),
        ("minio://mlpipeline/v2/a", "/minio/mlpipeline/v2/a"),
        ("s3://bucket/a", "/s3/bucket/a"),
        ("/local/a", "/local/a"),
        ("http://host/a", None),
        ("", None),
    ],
)
def test_where_the_launcher_looks(uri: str, path: str | None) -> None:
    """LocalPathForURI in backend/src/v2/component/launcher_v2.go, 2.16 and 2.17."""
    assert local_path(uri) == (Path(path) if path else None)
