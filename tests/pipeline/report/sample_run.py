"""A run to report of: every kind of task, with names and values that try to break out of the page."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from janus_core.kinds import headline_of, metrics_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import (
    Analysis,
    AnomalyLine,
    Bar,
    ColumnAnalysis,
    ColumnSide,
    Importance,
    NodeLineage,
)
from pipeline.report.analysis.curves import curves_of
from pipeline.report.analysis.sample import Predicted, part_of
from pipeline.report.analysis.standard_errors import metrics_by_task, standard_errors
from pipeline.report.report_json import ComponentReport, RunReport
from tests.pipeline.kinds_harness import TASKS, THRESHOLDS, KindsTable, decisions_of, kinds_config, kinds_table

HOSTILE = "</svg><script>window.broken = 1</script>\"'$x_1$\x00\u202e{{ 7 * 7 }}"


FEW = ("click", "delay")


def config(tasks: Sequence[str] = tuple(TASKS)) -> JanusConfig:
    """Gates on two of the tasks, which must be among those asked for."""
    return kinds_config({"click": {"auc": {"min": 0.6, "max_drop": 0.1}}, "delay": {"mae": {"max": 5.0}}}, tasks)


def predicted_of(table: KindsTable, name: str) -> Predicted:
    """A task's labelled rows of a table."""
    rows = np.flatnonzero(table.weights[name] > 0)
    quantiles = table.outputs.get(f"{name}/quantiles")
    return Predicted(
        rows=rows,
        labels=table.labels[name].reshape(len(table.labels[name]), -1)[rows],
        weights=table.weights[name][rows].astype(float),
        output=table.outputs[name].reshape(len(table.outputs[name]), -1)[rows].astype(float),
        quantiles=None if quantiles is None else quantiles[rows].astype(float),
        decision=decisions_of(table, name)[rows] if name in THRESHOLDS else None,
    )


def analysis_of(table: KindsTable, of: JanusConfig) -> Analysis:
    """What `analyse` would return, had the model predicted the table's rows."""
    metrics = metrics_by_task(of)
    groups = np.random.default_rng(0).integers(0, 30, len(table.origin))
    values = {value: np.flatnonzero(np.array(table.origin) == value) for value in ("JFK", "LGA", "ONE")}
    analysis = Analysis(key="k", sampled=len(table.origin), read=len(table.origin), jackknife_groups=30)
    for name, task in of.tasks.items():
        found = predicted_of(table, name)
        analysed = curves_of(task, found)
        analysed.errors = standard_errors(metrics[name], list(metrics_of(task)), found, groups[found.rows])
        for value, rows in values.items():
            inside = part_of(found, rows)
            key = f"origin={HOSTILE if value == 'LGA' else value}"
            analysed.slice_rows[key] = len(inside.rows)
            analysed.slice_errors[key] = standard_errors(
                metrics[name], [headline_of(task).name], inside, groups[inside.rows]
            )
        analysed.importance_metric, analysed.importance_base = headline_of(task).name, 0.5
        analysed.importance = [
            Importance(column=HOSTILE, worse=0.2, spread=0.01),
            Importance(column="_hour", worse=-0.01, spread=0.01),
        ]
        analysis.tasks[name] = analysed
    side = ColumnSide(present=90, missing_share=0.1, mean=5e5, deviation=2.0, least=0.0, median=5.0, greatest=9.0)
    analysis.columns = [
        ColumnAnalysis(
            name=HOSTILE,
            type="string",
            train=ColumnSide(present=100, missing_share=0.0, distinct=3),
            eval=None,
            bars=[Bar(label=HOSTILE, train=1.0, eval=0.0)],
            measure="L-infinity",
            distance=0.4,
            unseen=0.02,
        ),
        ColumnAnalysis(
            name="hour", type="float", train=side, eval=side, bars=[Bar(label="0 – 1", train=0.5, eval=1.0)]
        ),
    ]
    analysis.anomalies = [AnomalyLine(split="eval", column=HOSTILE, severity="error", text=HOSTILE)]
    analysis.lineage = [
        NodeLineage(
            node=node, execution=place, cached=False, takes=takes, inputs=[], outputs=[f"{node}: Model {place} at x"]
        )
        for place, (node, takes) in enumerate(
            [("ExampleGen", []), ("Trainer", ["ExampleGen"]), ("Pusher", ["ExampleGen", "Trainer"])]
        )
    ]
    return analysis


def report_of(table: KindsTable, of: JanusConfig, **changed: Any) -> RunReport:
    """report.json of a run whose second gate failed."""
    metrics = metrics_by_task(of)
    tasks: dict[str, dict[str, Any]] = {}
    for name, task in of.tasks.items():
        found = predicted_of(table, name)
        values = {metric: metrics[name][metric].value(found) for metric in metrics_of(task)}
        slices = {
            f"origin={HOSTILE if value == 'LGA' else value}": part_of(
                found, np.flatnonzero(np.array(table.origin) == value)
            )
            for value in ("JFK", "LGA", "ONE")
        }
        tasks[name] = {
            "kind": task.kind,
            "labelled": {"train": 1000, "eval": len(found.rows)},
            "metrics": values,
            "baseline": {metric: value * 0.99 for metric, value in values.items()},
            "slices": {
                key: {headline_of(task).name: _finite(metrics[name][headline_of(task).name].value(part))}
                for key, part in slices.items()
            },
            "slice_sizes": {key: len(part.rows) for key, part in slices.items()},
            "gates": [],
            "notes": [HOSTILE],
        }
        headline = headline_of(task).name
        tasks[name]["baselines"] = {
            baseline: {
                "metric": headline,
                "value": values[headline] * factor,
                "difference": values[headline] * (1 - factor),
                "low": values[headline] * (1 - factor) - 0.01,
                "high": values[headline] * (1 - factor) + 0.01,
                "network_is": state,
                "metrics": {headline: values[headline] * factor},
                "rows": 900,
                "seconds": 0.2,
                "problem": "",
            }
            for baseline, factor, state in (("constant", 0.5, "worse"), ("linear", 1.0, "level"))
        }
        missing = {"metric": headline, "value": None, "difference": None, "low": None, "high": None}
        tasks[name]["baselines"]["boosting"] = {
            **missing, "network_is": None, "metrics": {}, "rows": 0, "seconds": 0.0, "problem": HOSTILE,
        }  # fmt: skip
    tasks["delay"]["unit"] = HOSTILE
    tasks["delay"]["gates"] = [
        {"metric": "mae", "rule": "max", "limit": 5.0, "value": tasks["delay"]["metrics"]["mae"], "passed": False}
    ]
    history = [
        {
            **{f"{name}_loss": 1.0 / (epoch + 1) for name in of.tasks},
            **{f"val_{name}_loss": 1.1 / (epoch + 1) for name in of.tasks},
            **{f"{name}_weight": 0.1 * epoch + 0.1 for name in of.tasks},
            "val_click_gate/shared_0": 0.4,
            "val_click_gate/click_0": 0.6,
        }
        for epoch in range(3)
    ]
    return RunReport(
        **{
            "janus": "0.1.0",
            "pipeline": "kinds",
            "run_id": "2026-01-02T03-04-05",
            "seconds": 12.5,
            "stack": {"python": "3.11"},
            "components": {
                "ExampleGen": ComponentReport(seconds=0.5, cached=True, state="complete"),
                "Trainer": ComponentReport(seconds=9.0, cached=False, state="complete"),
                "Pusher": ComponentReport(seconds=0.1, cached=False, state="failed"),
            },
            "examples": {"train": 1000, "eval": len(table.origin)},
            "data_gates": [
                {
                    "gate": "rows",
                    "of": None,
                    "split": "eval",
                    "value": 600.0,
                    "limit": 100.0,
                    "level": "error",
                    "passed": True,
                    "text": "the eval split has 600 rows",
                },
                {
                    "gate": "missing",
                    "of": HOSTILE,
                    "split": "train",
                    "value": 0.995,
                    "limit": 0.99,
                    "level": "warning",
                    "passed": False,
                    "text": f"feature {HOSTILE} is missing in 99.5 % of the train rows",
                },
                {
                    "gate": "shared_rows",
                    "of": None,
                    "split": "both",
                    "value": None,
                    "limit": 0.05,
                    "level": "warning",
                    "passed": True,
                    "text": "the rows were not counted",
                },
            ],  # fmt: skip
            "tasks": tasks,
            "history": history,
            "exit_code": 4,
            "problems": [f"task delay: mae is above max 5 {HOSTILE}"],
            **changed,
        }
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def small_table() -> KindsTable:
    """600 rows."""
    return kinds_table(600)
