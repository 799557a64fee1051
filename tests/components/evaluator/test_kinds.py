"""Every kind of task, weighted and masked, in slices: the batch engine, TFMA's own and the formulas agree."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluator.executor import BatchExecutor, StockExecutor
from janus_core.examples import records
from janus_core.kinds import KINDS, metrics_of
from pipeline.evaluation import eval_config
from pipeline.report.evaluation_result import EvaluationResult, read_evaluation
from tests import formulas
from tests.pipeline.evaluation_harness import run_evaluator
from tests.pipeline.kinds_harness import (
    LEVELS,
    KindsTable,
    decisions_of,
    kinds_config,
    kinds_schema,
    kinds_table,
    save_kinds_model,
    write_kinds_examples,
)

pytestmark = pytest.mark.slow

EXECUTORS = {"batch": BatchExecutor, "tfma": StockExecutor}
ROWS = 240
GATES: dict[str, Any] = {
    "visits": {"deviance": {"max": 100.0, "max_rise": 0.0}},
    "grade": {"qwk": {"min": 0.0}, "mae": {"max": 0.001}},
    "topics": {"auc": {"min": 0.5, "max_drop": 0.01}, "subset_accuracy": {"min": 0.0}},
    "delay": {"pinball": {"max": 100.0, "max_rise": 0.0}, "coverage": {"min": 0.99}},
    "buy": {"ece": {"max": 1.0}},
}


@pytest.fixture(scope="module")
def table() -> KindsTable:
    return kinds_table(ROWS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, table: KindsTable) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    write_kinds_examples(folder / "examples", table)
    save_kinds_model(folder / "model", table)
    save_kinds_model(folder / "baseline", table, scale=0.9)
    save_kinds_model(folder / "no_quantiles", table, without=["delay/quantiles", "wait/quantiles"], scale=0.9)
    return folder


@pytest.fixture(scope="module")
def evaluated(folder: Path, table: KindsTable) -> dict[tuple[str, str | None], EvaluationResult]:
    """(engine, baseline) → result."""
    config = kinds_config(GATES)
    with pytest.MonkeyPatch.context() as patch:
        # Small, so that slices have states of several batches to merge.
        patch.setattr(records, "ROWS_PER_BATCH", 32)
        found = {}
        for engine, baseline in [
            ("batch", None),
            ("batch", "baseline"),
            ("tfma", "baseline"),
            ("tfma", "no_quantiles"),
        ]:
            output = run_evaluator(
                folder / f"{engine}_{baseline}",
                eval_config(config),
                folder / "examples",
                folder / "model",
                folder / baseline if baseline else None,
                executor_class=EXECUTORS[engine],
                schema=kinds_schema(table),
            )
            found[engine, baseline] = read_evaluation(config, output.evaluation, output.blessing)
    return found


def by_formula(table: KindsTable, task: str, rows: np.ndarray) -> dict[str, float]:
    """The task's metrics over these rows, by definition."""
    kept = rows[table.weights[task][rows] > 0]
    weights = table.weights[task][kept].astype(np.float64)
    labels = table.labels[task][kept].astype(np.float64)
    outputs = {name: values[kept].astype(np.float64) for name, values in table.outputs.items()}
    if task == "topics":
        return formulas.multilabel_metrics(labels, outputs[task], weights)
    if task == "names":
        probabilities = outputs[task].reshape(len(kept), 4, 3)
        return formulas.tag_metrics(labels, probabilities, weights, ["O", "B-A", "I-A"])
    if task == "place":
        return formulas.box_metrics(labels, outputs[task], weights)
    label = labels[:, 0]
    if task == "visits":
        return formulas.count_metrics(label, outputs[task][:, 0], weights)
    if task == "grade":
        return formulas.ordinal_metrics(label.astype(int), outputs[task], weights)
    if task in ("buy", "click"):
        probabilities = np.concatenate([1 - outputs[task], outputs[task]], axis=1)
        decided = (decisions_of(table, task)[kept, 0] == b"1").astype(int)
        return formulas.class_metrics(label.astype(int), probabilities, weights, decided)
    levels = LEVELS if task == "delay" else [0.7]
    return {
        **formulas.number_metrics(label, outputs[task][:, 0], weights),
        **formulas.quantile_metrics(label, outputs[f"{task}/quantiles"], levels, weights),
    }


def as_number(value: float | None) -> float:
    return math.nan if value is None else value


@pytest.mark.parametrize("task", kinds_config().tasks)
@pytest.mark.parametrize("engine", EXECUTORS)
def test_metrics_equal_their_formulas_in_every_slice(evaluated, table, engine, task):
    result = evaluated[engine, "baseline"].tasks[task]
    wanted = set(metrics_of(kinds_config().tasks[task]))
    places = {"": np.arange(ROWS)}
    places |= {f"origin={name}": np.flatnonzero(np.array(table.origin) == name) for name in ("JFK", "LGA", "ONE")}
    assert set(result.slices) == set(places) - {""}
    for name, rows in places.items():
        metrics = result.slices[name] if name else result.metrics
        assert set(metrics) == wanted
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = by_formula(table, task, rows)
        for metric, value in metrics.items():
            theirs = expected[metric] if math.isfinite(expected[metric]) else math.nan
            np.testing.assert_allclose(as_number(value), theirs, rtol=1e-6, atol=1e-6, err_msg=f"{metric} {name}")


def test_labelled_rows_are_counted_not_weighed(evaluated, table):
    for result in evaluated.values():
        for task, found in result.tasks.items():
            labelled = table.weights[task] > 0
            assert found.labelled == {"eval": labelled.sum()}
            assert found.slice_sizes["origin=JFK"] == (labelled & (np.array(table.origin) == "JFK")).sum()
        assert result.examples == ROWS


def test_engines_agree_on_gates_and_baseline(evaluated):
    batch, stock = evaluated["batch", "baseline"], evaluated["tfma", "baseline"]
    assert not batch.blessed
    assert not stock.blessed
    outcomes = {(name, gate.metric, gate.rule): gate.passed for name, t in batch.tasks.items() for gate in t.gates}
    assert outcomes == {
        (name, gate.metric, gate.rule): gate.passed for name, t in stock.tasks.items() for gate in t.gates
    }
    assert {key for key, passed in outcomes.items() if not passed} == {
        ("grade", "mae", "max"),
        ("delay", "coverage", "min"),
    }
    for name, task in batch.tasks.items():
        assert set(task.baseline) == set(task.metrics)
        assert task.baseline == pytest.approx(stock.tasks[name].baseline, rel=1e-9)
    assert batch.problems == stock.problems == []


def test_a_baseline_without_quantiles_is_compared_in_the_rest(evaluated):
    result = evaluated["tfma", "no_quantiles"]
    delay = result.tasks["delay"]
    assert set(delay.baseline) == {metric.name for metric in KINDS["regression"].metrics if not metric.levels}
    assert delay.baseline["mae"] == pytest.approx(evaluated["batch", "baseline"].tasks["delay"].baseline["mae"])
    (rise,) = [gate for gate in delay.gates if gate.rule == "max_rise"]
    assert rise.passed
    assert "no baseline" in (rise.note or "")
    assert result.problems == []
    assert not result.blessed


def test_without_a_baseline_change_gates_pass(evaluated):
    result = evaluated["batch", None]
    assert all(task.baseline == {} for task in result.tasks.values())
    assert {gate.metric for _, gate in result.failed_gates()} == {"mae", "coverage"}


def test_what_a_slice_of_equal_labels_does_not_define_is_noted(evaluated):
    tasks = evaluated["batch", None].tasks
    assert tasks["topics"].slices["origin=ONE"]["auc"] is None
    assert any(note.startswith("auc is not defined in 1 of 3 slices") for note in tasks["topics"].notes)
    assert tasks["visits"].slices["origin=ONE"]["r2"] is None
    assert tasks["visits"].slices["origin=ONE"]["deviance"] is not None
