"""What is too good to be true is said; what is merely good is not."""

import io
from typing import Any

import pytest
from rich.console import Console

from pipeline.report.analysis.analysis_json import Analysis, Importance, TaskAnalysis
from pipeline.report.model_card import card_markdown, model_card
from pipeline.report.page.page import render
from pipeline.report.plausibility import class_doubts, doubts
from pipeline.report.report_json import RunReport
from pipeline.report.view import report_view
from tests.pipeline.report.sample_run import config
from trainer.config import MulticlassTask

HONEST = {"a": 0.04, "b": 0.02, "c": 0.01}


def report(metrics: dict[str, float | None], labelled: int = 500) -> RunReport:
    kind = "regression" if "r2" in metrics else "binary"
    task = {"kind": kind, "metrics": metrics, "labelled": {"train": 900, "eval": labelled}}
    return RunReport(
        janus="0", pipeline="p", run_id="r", seconds=1.0, stack={}, tasks={"click": task}, blessed=True, pushed="m/1"
    )


def analysis(worse: dict[str, float], base: float | None = 0.7, chance: bool = False) -> Analysis:
    items = [Importance(column=name, worse=w, spread=0.001, beyond_chance=not chance) for name, w in worse.items()]
    found = TaskAnalysis(rows=500, importance_metric="auc", importance_base=base, importance=items)
    return Analysis(key="k", tasks={"click": found})


@pytest.mark.parametrize(
    ("metrics", "labelled", "worse", "expected"),
    [
        ({"auc": 0.85}, 500, HONEST, None),
        ({"auc": 0.9985}, 500, HONEST, None),
        ({"r2": 0.998}, 500, HONEST, None),
        (
            {"auc": 1.0},
            500,
            HONEST,
            "auc 1.0000 is implausibly good: is every column known when a prediction is needed",
        ),
        ({"auc": 0.9991}, 500, {}, "auc 0.9991 is implausibly good"),
        ({"r2": 0.9995}, 500, {}, "r2 0.9995 is implausibly good"),
        ({"auc": 1.0}, 29, HONEST, None),
        ({"auc": None}, 500, HONEST, None),
        (
            {"auc": 1.0},
            500,
            {"a": 0.4, "b": 0.01, "c": 0.0},
            "implausibly good; column 'a' carries 98 % of the importance",
        ),
        (
            {"auc": 0.9},
            500,
            {"a": 0.3, "b": 0.02, "c": -0.1},
            "click: column 'a' carries 94 %",
        ),
        ({"auc": 0.9}, 500, {"a": 0.3, "b": 0.02, "c": 0.02}, None),
        # A model that hardly learns anything needs its one column little.
        ({"auc": 0.56}, 500, {"a": 0.05, "b": 0.0, "c": 0.0}, None),
        # Of two columns one is bound to carry most.
        ({"auc": 0.9}, 500, {"a": 0.4, "b": 0.01}, None),
    ],
)
def test_doubts(metrics: dict[str, Any], labelled: int, worse: dict[str, float], expected: str | None) -> None:
    found = doubts(report(metrics, labelled), analysis(worse))
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


def test_what_may_be_chance_or_was_not_measured_is_no_reason() -> None:
    one = {"a": 0.4, "b": 0.0, "c": 0.0}
    assert doubts(report({"auc": 0.9}), analysis(one))
    assert doubts(report({"auc": 0.9}), analysis(one, chance=True)) == []
    assert doubts(report({"auc": 0.9}), analysis(one, base=None)) == []
    assert doubts(report({"auc": 0.9}), Analysis(key="k")) == []


def test_a_doubt_stands_on_the_console_in_the_report_and_on_the_card() -> None:
    found, measured = report({"auc": 1.0}), analysis({"a": 0.4, "b": 0.0, "c": 0.0})
    found.warnings = doubts(found, measured)
    (sentence,) = found.warnings
    console = Console(file=io.StringIO(), width=400)
    console.print(report_view(found))
    of = config(("click", "delay"))
    card = model_card(found, of, measured, {})
    assert f"! {sentence}" in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"Look at this: {sentence}" in card.limits
    assert "carries 100 % of the importance" in card_markdown(card)
    assert "carries 100 % of the importance" in render(found, of, measured, card)
    assert RunReport.model_validate_json(found.model_dump_json()).warnings == [sentence]


def test_classes_that_may_be_none_or_one_are_named() -> None:
    classes = ["No", "no ", "nan", "none", "yes"]
    tasks = {"t": MulticlassTask(kind="multiclass", label="y", classes=classes)}
    missing, alike = class_doubts(tasks)
    assert missing.startswith("task t: class 'nan' may stand for a missing label")
    assert missing.endswith("data.null_values: {y: ['nan']}")
    assert alike == "task t: the classes 'No', 'no ' differ in case or blanks only"
