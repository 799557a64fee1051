"""Baselines in report.json and in words: which is better, by how much, and what is missing."""

from typing import Any

import pytest

from pipeline.report.analysis.analysis_json import BaselineAnalysis, TaskBaselines
from pipeline.report.baselines import add_baselines, baseline_lines, baseline_table, baseline_warnings
from pipeline.report.report_json import RunReport


def report_of(**tasks: dict[str, Any]) -> RunReport:
    return RunReport(janus="0", pipeline="p", run_id="r", seconds=1.0, stack={}, tasks=tasks)


def model(value: float | None, metric: str, error: float | None = 0.01) -> BaselineAnalysis:
    return BaselineAnalysis(rows=90, seconds=1.5, metrics={metric: value}, error=error)


@pytest.fixture
def report() -> RunReport:
    """A network that is better than one baseline, level with another, and worse than a third."""
    labelled = {"labelled": {"train": 900, "eval": 400}}
    report = report_of(
        late={"kind": "binary", "metrics": {"auc": 0.8}, **labelled},
        delay={"kind": "regression", "metrics": {"mae": 21.0}, **labelled},
        rest={"kind": "regression", "metrics": {"mae": None}, **labelled},
        none={"kind": "regression", "metrics": {"mae": 1.0}, **labelled},
    )
    models = {"constant": model(0.5, "auc", None), "linear": model(0.7, "auc"), "boosting": model(0.805, "auc")}
    delays = {"constant": model(23.0, "mae"), "linear": model(20.0, "mae"), "boosting": model(20.9, "mae", 0.06)}
    broken = BaselineAnalysis(problem="every label in the training rows is 3: a constant says it all")
    add_baselines(
        report,
        {
            "late": TaskBaselines(metric="auc", sampled=100, models=models),
            "delay": TaskBaselines(metric="mae", sampled=400, models=delays),
            "rest": TaskBaselines(metric="mae", sampled=400, models={"linear": broken, "constant": model(3.0, "mae")}),
            "none": TaskBaselines(metric="mae"),
            "gone": TaskBaselines(metric="mae", models=models),
        },
    )
    return report


def test_the_difference_has_an_interval_and_a_direction(report: RunReport) -> None:
    late = report.tasks["late"]["baselines"]
    assert late["linear"] == {
        "metric": "auc",
        "value": 0.7,
        "difference": pytest.approx(0.1),
        # 1.96 standard errors, of a quarter of the rows.
        "low": pytest.approx(0.1 - 0.0098),
        "high": pytest.approx(0.1 + 0.0098),
        "network_is": "better",
        "metrics": {"auc": 0.7},
        "rows": 90,
        "seconds": 1.5,
        "problem": "",
    }
    assert {name: one["network_is"] for name, one in late.items()} == {
        "constant": None, "linear": "better", "boosting": "level",
    }  # fmt: skip
    delay = report.tasks["delay"]["baselines"]
    assert {name: one["network_is"] for name, one in delay.items()} == {
        "constant": "better", "linear": "worse", "boosting": "level",
    }  # fmt: skip
    assert "baselines" not in report.tasks["none"]
    assert RunReport.model_validate_json(report.model_dump_json()) == report


def test_a_line_per_task(report: RunReport) -> None:
    assert list(baseline_lines(report)) == [
        "late auc 0.8000 beside constant 0.5000, linear 0.7000, boosting 0.8050: "
        "the network is better than linear; level with boosting",
        "delay mae 21.0000 beside constant 23.0000, linear 20.0000, boosting 20.9000: "
        "the network is better than constant; level with boosting; worse than linear",
    ]


def test_what_is_better_than_the_network_or_missing_is_a_warning(report: RunReport) -> None:
    worse, missing = baseline_warnings(report)
    assert worse.startswith(
        "task delay: the network is worse than a linear model, mae 21 against 20 (difference 0.9804 – 1.02)"
    )
    assert missing == (
        "task rest: there is no linear baseline: every label in the training rows is 3: a constant says it all"
    )


def test_a_table_per_task(report: RunReport) -> None:
    linear, constant = baseline_table(report.tasks["rest"])
    assert linear.verdict.startswith("every label")
    assert (constant.value, constant.difference, constant.verdict) == ("3.0000", "–", "–")
    boosting = baseline_table(report.tasks["late"])[2]
    assert (boosting.difference, boosting.verdict) == ("-0.005", "the network is level")
    assert boosting.fitted == "90 rows, 1.5 s"
