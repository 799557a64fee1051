"""Gates on all rows, on slices and on the gap between slices."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.evaluator.executor import BatchExecutor, StockExecutor
from components.evaluator.gates import Gate, GateResult, judge
from components.evaluator.result import LABELLED_COUNT, ChangeErrors, MetricKey, OutputErrors
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
    return judge(of, metrics, ChangeErrors())


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
    assert judge(of, metrics, ChangeErrors()).passed == passed


# --- the noise of changes -----------------------------------------------------------------------------------------

SURE = gate(rule="max_drop", limit=0.01, confidence=0.9)


def dropped(of: Gate, drop: float, error: float | None, rows: int = 400) -> GateResult:
    """Judges a drop from 0.7, with an error that 100 of the rows show."""
    metrics = {
        (): {
            MetricKey("late", "auc"): 0.7 - drop,
            MetricKey("late", "auc", baseline=True): 0.7,
            MetricKey("late", LABELLED_COUNT): float(rows),
        }
    }
    known = {} if error is None else {"late": OutputErrors(rows=100, errors={"auc": error})}
    return judge(of, metrics, ChangeErrors(outputs=known))


@pytest.mark.parametrize(
    ("drop", "passed"), [(-0.1, True), (0.009, True), (0.02, True), (0.0355, True), (0.0357, False), (0.1, False)]
)
def test_a_drop_fails_only_if_it_is_shown_to_be_beyond_the_limit(drop: float, passed: bool) -> None:
    # The error over 400 rows is half that over 100, and 1.2816 of it are 0.0256.
    found = dropped(SURE, drop, error=0.04)
    assert found.passed == passed
    assert (found.confidence, found.standard_error) == (0.9, pytest.approx(0.02))
    plain = dropped(SURE.model_copy(update={"confidence": None}), drop, error=0.04)
    assert plain.passed == (drop < 0.01)
    assert plain.standard_error is None


def test_where_the_noise_is_not_known_none_is_allowed_for() -> None:
    assert dropped(SURE, 0.005, error=None).passed
    found = dropped(SURE, 0.02, error=None)
    assert not found.passed
    assert failed_gate(found.model_dump()).endswith(
        "breaks max_drop 0.01 (the noise of the change cannot be estimated, so none is allowed for)"
    )


def test_the_confidence_is_in_words() -> None:
    assert gate_line(dropped(SURE, 0.02, error=0.04).model_dump()).text == "drop ≤ 0.01 at 90 % passed"
    assert failed_gate(dropped(SURE, 0.1, error=0.04).model_dump()) == (
        "auc 0.6 against 0.7 of the baseline breaks max_drop 0.01 with 90 % confidence (standard error 0.02)"
    )


@pytest.mark.slow
@pytest.mark.parametrize("executor", [BatchExecutor, StockExecutor])
@pytest.mark.parametrize("baseline", ["better", "without_late"])
def test_both_engines_measure_the_noise_of_changes(tmp_path: Path, executor: type, baseline: str) -> None:
    gates = {
        "delay": {"mae": {"max_rise": {"limit": 0.1, "confidence": 0.9}}, "bias": {"max_rise": {"limit": 1.0}}},
        "late": {"log_loss": {"max_rise": {"limit": 1.0, "confidence": 0.99}}},
    }
    config = make_config(gates)
    table = random_table(400)
    tasks = ["status", "delay"] if baseline == "without_late" else ["status", "late", "delay"]
    found = run_evaluator(
        tmp_path,
        eval_config(config),
        write_examples(tmp_path / "examples", table),
        save_model(tmp_path / "model", delay_offset=8.0, flatten=0.1),
        save_model(tmp_path / "baseline", tasks=tasks),
        executor_class=executor,
        gates=gates_of(config),
    )
    result = read_evaluation(config, found.evaluation, found.blessing)
    assert result.problems == []
    mae, bias = result.tasks["delay"].gates
    assert not result.blessed
    assert (mae.passed, bias.passed) == (False, False)
    known = np.array([label is not None for label in table.delay])
    labels = np.array([np.ravel(label)[0] for label in table.delay if label is not None])
    sides = [np.abs(table.delay_prediction[known] + offset - labels) for offset in (8.0, 0.0)]
    change = result.tasks["delay"].changes["mae"]
    assert change.change == pytest.approx(np.mean(sides[0] - sides[1]), rel=1e-4)
    assert change.standard_error == pytest.approx(np.std(sides[0] - sides[1]) / np.sqrt(known.sum()), rel=0.2)
    assert mae.standard_error == change.standard_error
    assert change.high - change.low == pytest.approx(2 * 1.96 * change.standard_error)
    # Both biases move together, but not their distances from 0, if they are on either side of it.
    assert result.tasks["delay"].changes["bias"].standard_error == pytest.approx(0.0, abs=1e-5)
    assert bias.standard_error > 0.5
    late = result.tasks["late"]
    assert set(late.changes) == (set() if baseline == "without_late" else set(late.metrics))
    assert late.gates[0].passed
    assert set(result.report()["tasks"]["delay"]["changes"]["mae"]) == {"change", "standard_error", "low", "high"}


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
