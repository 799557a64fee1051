"""Gates on all rows, on slices and on the gap between slices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluator.executor import BatchExecutor, StockExecutor
from components.evaluator.gates import Gate, GateResult, judge
from components.evaluator.result import LABELLED_COUNT, MetricKey
from pipeline.evaluation import eval_config, gates_of
from pipeline.report.evaluation_result import read_evaluation
from pipeline.report.wording import failed_gate, gate_line, gate_name
from tests.pipeline.evaluation_harness import make_config, random_table, run_evaluator, save_model, write_examples


def gate(**changed: Any) -> Gate:
    return Gate(**{"task": "late", "metric": "auc", "output": "late", "rule": "min", "limit": 0.6, **changed})


def judged(of: Gate, slices: dict[str, tuple[float, int]]) -> GateResult:
    metrics = {
        (("origin", name),): {MetricKey("late", "auc"): value, MetricKey("late", LABELLED_COUNT): float(rows)}
        for name, (value, rows) in slices.items()
    }
    return judge(of, metrics)


EACH = gate(over="slices", columns=["origin"], min_rows=100)
GAP = gate(over="gap", columns=["origin"], min_rows=100, rule="max", limit=0.1)


def test_every_slice_with_enough_rows_must_pass() -> None:
    found = judged(EACH, {"JFK": (0.7, 500), "LGA": (0.65, 100), "EWR": (0.1, 99)})
    assert (found.passed, found.value, found.slice, found.slices) == (True, 0.65, "origin=LGA", "origin")
    assert gate_line(found.model_dump()).text == "each origin ≥ 0.6 passed (origin=LGA: 0.65)"
    found = judged(EACH, {"JFK": (0.7, 500), "LGA": (0.55, 100), "EWR": (0.5, 200)})
    assert (found.passed, found.value, found.slice) == (False, 0.5, "origin=EWR")
    assert failed_gate(found.model_dump()) == (
        "auc 0.5 of origin=EWR is below min 0.6 of each slice (2 of 3 slices fail: origin=EWR, origin=LGA)"
    )
    assert gate_name(found.model_dump()) == "auc min of each origin"


def test_the_worst_slice_of_a_maximum_is_the_highest() -> None:
    found = judged(EACH.model_copy(update={"rule": "max"}), {"JFK": (0.7, 500), "LGA": (0.55, 100)})
    assert (found.passed, found.slice) == (False, "origin=JFK")


def test_the_gap_is_between_slices_with_enough_rows() -> None:
    found = judged(GAP, {"JFK": (0.7, 500), "LGA": (0.65, 100), "EWR": (0.1, 99)})
    assert found.passed
    assert found.value == pytest.approx(0.05)
    assert gate_line(found.model_dump()).text == "gap by origin ≤ 0.1 passed (origin=JFK, origin=LGA: 0.05)"
    found = judged(GAP, {"JFK": (0.75, 500), "LGA": (0.5, 100)})
    assert failed_gate(found.model_dump()) == (
        "auc differs by 0.25 between origin=JFK, origin=LGA, more than the gap's max 0.1"
    )


@pytest.mark.parametrize(
    ("of", "slices", "note"),
    [
        (EACH, {}, "no slice by origin has at least 100 labelled rows (min_rows)"),
        (EACH, {"JFK": (0.9, 99)}, "no slice by origin has at least 100 labelled rows (min_rows); the largest has 99"),
        (GAP, {"JFK": (0.9, 500), "LGA": (0.9, 5)}, "only one slice, and a gap is between two, by origin has at least"),
        (EACH, {"JFK": (0.9, 500), "LGA": (np.nan, 500)}, "auc is not defined in origin=LGA; a higher min_rows leaves"),
        (GAP, {"JFK": (0.9, 500), "LGA": (np.nan, 500)}, "auc is not defined in origin=LGA"),
    ],
)
def test_what_cannot_be_judged_does_not_pass(of: Gate, slices: dict[str, tuple[float, int]], note: str) -> None:
    found = judged(of, slices)
    assert not found.passed
    assert found.value is None
    assert note in (found.note or "")
    assert note in failed_gate(found.model_dump())


@pytest.mark.parametrize(
    ("before", "after", "passed"), [(-5.0, -3.0, True), (-1.0, -3.0, False), (1.0, -1.5, True), (1.0, 2.5, False)]
)
def test_of_a_metric_that_is_best_at_one_value_its_distance_is_limited(
    before: float, after: float, passed: bool
) -> None:
    of = Gate(task="delay", metric="bias", output="delay", rule="max_rise", limit=1.0, best=0.0)
    metrics = {(): {MetricKey("delay", "bias"): after, MetricKey("delay", "bias", baseline=True): before}}
    assert judge(of, metrics).passed == passed


@pytest.mark.slow
@pytest.mark.parametrize("executor", [BatchExecutor, StockExecutor])
@pytest.mark.parametrize(("limit", "blessed"), [(0.3, True), (0.9999, False)])
def test_both_engines_withhold_the_blessing(tmp_path: Path, executor: type, limit: float, blessed: bool) -> None:
    gates = {
        "late": {"auc": {"min": 0.5}, "slices": {"origin": {"auc": {"min": limit, "min_rows": 20}}}},
        "status": {"gap": {"origin": {"accuracy": {"max": 1.0, "min_rows": 20}}}},
    }
    config = make_config(gates)
    examples = write_examples(tmp_path / "examples", random_table(300))
    found = run_evaluator(
        tmp_path,
        eval_config(config),
        examples,
        save_model(tmp_path / "model"),
        executor_class=executor,
        gates=gates_of(config),
    )
    result = read_evaluation(config, found.evaluation, found.blessing)
    assert result.problems == []
    assert result.blessed == blessed
    assert [gate.passed for gate in result.tasks["late"].gates] == [True, blessed]
    assert result.report()["tasks"]["status"]["gates"][0]["gap"] == "origin"
    assert read_evaluation(config, found.evaluation).blessed == blessed
