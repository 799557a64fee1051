import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from components.metrics.classification import ClassAccuracy
from components.metrics.curves import OneVsRestAUC
from components.metrics.regression import AbsoluteError
from janus_core.errors import JanusError
from janus_core.kinds import metrics_of
from pipeline.config import JanusConfig
from pipeline.evaluation import eval_config
from pipeline.report.evaluation_result import EvaluationResult, read_evaluation
from tests.components.metrics.values import metric_value
from tests.pipeline.evaluation_harness import (
    Evaluated,
    Table,
    make_config,
    random_table,
    run_evaluator,
    save_model,
    write_examples,
)

pytestmark = pytest.mark.slow

ROWS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def table() -> Table:
    """Rows of which one airport, SMALL, has a single class of each kind, and some have no origin."""
    table = random_table(ROWS, origins=("JFK", "LGA"))
    small, unknown = range(5), range(5, 10)
    values = {name: list(column) for name, column in vars(table).items() if not isinstance(column, np.ndarray)}
    for row in small:
        values["origin"][row], values["status"][row], values["late"][row], values["delay"][row] = "SMALL", 0, 0, 3.5
    for row in unknown:
        values["origin"][row] = None
    return replace(table, **values)


@pytest.fixture(scope="module")
def examples(folder: Path, table: Table) -> Path:
    return write_examples(folder / "examples", table)


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return save_model(folder / "model")


@pytest.fixture(scope="module")
def worse_model(folder: Path) -> Path:
    return save_model(folder / "worse", delay_offset=15.0, flatten=0.9)


Run = Callable[..., tuple[JanusConfig, Evaluated]]


@pytest.fixture
def run(tmp_path: Path, examples: Path, model: Path) -> Run:
    def run(config: JanusConfig, baseline: Path | None = None, **changed: Path) -> tuple[JanusConfig, Evaluated]:
        inputs = {"examples": examples, "model": model, **changed}
        return config, run_evaluator(tmp_path, eval_config(config), baseline=baseline, **inputs)

    return run


def read(config: JanusConfig, found: Evaluated) -> EvaluationResult:
    return read_evaluation(config, found.evaluation, found.blessing)


@pytest.fixture(scope="module")
def evaluated(folder: Path, examples: Path, model: Path, worse_model: Path) -> tuple[JanusConfig, Evaluated]:
    """An evaluation that passes, against a worse baseline."""
    config = make_config(
        {
            "status": {"auc": {"min": 0.5, "max_drop": 0.01}},
            "delay": {"mae": {"max": 30.0, "max_rise": 0.5}, "r2": {"min": 0.1}},
        },
        slices=[["origin"], ["origin", "hour"]],
    )
    return config, run_evaluator(folder / "evaluated", eval_config(config), examples, model, baseline=worse_model)


def labelled_rows(table: Table, labels: list, predictions: np.ndarray, keep: np.ndarray | None = None) -> tuple:
    rows = [row for row, label in enumerate(labels) if label is not None and (keep is None or keep[row])]
    return np.array([labels[row] for row in rows]), predictions[rows].reshape(len(rows), -1)


def test_metrics_are_those_of_the_labelled_rows(table, evaluated):
    result = read(*evaluated)
    assert result.examples == ROWS
    assert result.problems == []
    assert result.blessed
    for name, kind in (("status", "multiclass"), ("late", "binary"), ("delay", "regression")):
        assert result.tasks[name].kind == kind
        assert tuple(result.tasks[name].metrics) == tuple(metrics_of(evaluated[0].tasks[name]))
        assert result.tasks[name].labelled == {"eval": sum(label is not None for label in getattr(table, name))}
    status = labelled_rows(table, table.status, table.status_prediction)
    assert result.tasks["status"].metrics["accuracy"] == pytest.approx(metric_value(ClassAccuracy(classes=3), *status))
    assert result.tasks["status"].metrics["auc"] == pytest.approx(metric_value(OneVsRestAUC(classes=3), *status))
    delay = labelled_rows(table, table.delay, table.delay_prediction)
    assert result.tasks["delay"].metrics["mae"] == pytest.approx(metric_value(AbsoluteError(), *delay))


def test_the_baseline_has_the_same_metrics(evaluated):
    result = read(*evaluated)
    for task in result.tasks.values():
        assert set(task.baseline) == set(task.metrics)
    delay = result.tasks["delay"]
    assert delay.baseline["bias"] == pytest.approx(delay.metrics["bias"] + 15, abs=1e-4)
    assert delay.baseline["mae"] > delay.metrics["mae"]


def test_slices_have_raw_values_and_rows_without_one_are_in_none(table, evaluated):
    slices = read(*evaluated).tasks["delay"].slices
    origins = [name for name in slices if "," not in name]
    assert origins == ["origin=JFK", "origin=LGA", "origin=SMALL"]
    assert "hour=2,origin=JFK" in slices
    keep = np.array([origin == "JFK" for origin in table.origin])
    jfk = labelled_rows(table, table.delay, table.delay_prediction, keep)
    assert slices["origin=JFK"]["mae"] == pytest.approx(metric_value(AbsoluteError(), *jfk))
    sizes = read(*evaluated).tasks["delay"].slice_sizes
    assert sizes["origin=JFK"] == len(jfk[0])
    with_origin = sum(o is not None and d is not None for o, d in zip(table.origin, table.delay, strict=True))
    assert sum(sizes[name] for name in origins) == with_origin


def test_what_a_slice_does_not_define_is_null_and_noted(evaluated):
    result = read(*evaluated)
    status, late, delay = result.tasks["status"], result.tasks["late"], result.tasks["delay"]
    assert status.slices["origin=SMALL"]["auc"] is None
    assert status.slices["origin=SMALL"]["accuracy"] is not None
    assert late.slices["origin=SMALL"]["auc_pr"] is None
    assert delay.slices["origin=SMALL"]["r2"] is None
    assert any(note.startswith("auc is not defined in ") and "origin=SMALL" in note for note in status.notes)
    assert any(note.startswith("r2 is not defined in ") for note in delay.notes)


def test_the_report_is_json_in_the_contracted_shape(evaluated):
    report = json.loads(json.dumps(read(*evaluated).report(), allow_nan=False))
    assert report["blessed"] is True
    assert report["problems"] == []
    assert report["examples"] == {"eval": ROWS}
    delay = report["tasks"]["delay"]
    assert delay["kind"] == "regression"
    assert delay["labelled"]["eval"] > 0
    gate, rise, _ = delay["gates"]
    assert gate == {"metric": "mae", "rule": "max", "limit": 30.0, "value": delay["metrics"]["mae"], "passed": True}
    assert rise == {
        "metric": "mae",
        "rule": "max_rise",
        "limit": 0.5,
        "value": delay["metrics"]["mae"],
        "passed": True,
        "baseline": delay["baseline"]["mae"],
    }


# --- gates ------------------------------------------------------------------------------------------------------


def gate_outcomes(result: EvaluationResult) -> dict[tuple[str, str, str], bool]:
    return {(name, gate.metric, gate.rule): gate.passed for name, task in result.tasks.items() for gate in task.gates}


@pytest.fixture(scope="module")
def first(folder: Path, examples: Path, model: Path) -> EvaluationResult:
    """Of a first model, which has no baseline, and fails one gate."""
    gates = {
        "delay": {"mae": {"max": 0.1, "max_rise": 0.0}},
        "late": {"auc": {"min": 0.5, "max": 1.0}},
        # In the slice SMALL there is one class only, where AUC is not defined.
        "status": {"auc": {"min": 0.5, "max_drop": 0.0}},
    }
    config = make_config(gates)
    return read(config, run_evaluator(folder / "first", eval_config(config), examples, model))


def test_a_failed_value_gate(first):
    assert not first.blessed
    assert first.problems == []
    outcomes = gate_outcomes(first)
    assert {gate: passed for gate, passed in outcomes.items() if gate[2] in ("min", "max")} == {
        ("delay", "mae", "max"): False,
        ("late", "auc", "min"): True,
        ("late", "auc", "max"): True,
        ("status", "auc", "min"): True,
    }
    assert [(name, gate.metric) for name, gate in first.failed_gates()] == [("delay", "mae")]


def test_a_gate_holds_for_all_rows_not_for_each_slice(first):
    assert first.tasks["status"].slices["origin=SMALL"]["auc"] is None
    assert gate_outcomes(first)["status", "auc", "min"]


def test_a_first_model_passes_its_change_gates(first):
    for task in ("delay", "status"):
        (gate,) = (gate for gate in first.tasks[task].gates if gate.rule in ("max_rise", "max_drop"))
        assert gate.passed
        assert gate.baseline is None
        assert "no baseline" in gate.note
        assert gate.value == first.tasks[task].metrics[gate.metric]


def test_without_gates_a_model_is_blessed(run):
    result = read(*run(make_config()))
    assert result.blessed
    assert result.problems == []
    assert gate_outcomes(result) == {}
    assert all(task.baseline == {} for task in result.tasks.values())


def test_a_model_that_is_worse_than_the_last_one_is_not_blessed(run, model, worse_model):
    config = make_config(
        {
            "delay": {"mae": {"max_rise": 0.5}, "bias": {"max_rise": 20.0}},
            "late": {"auc": {"max_drop": 0.001}, "log_loss": {"max_rise": 0.01}},
        }
    )
    result = read(*run(config, model=worse_model, baseline=model))
    assert not result.blessed
    assert result.problems == []
    assert gate_outcomes(result) == {
        ("delay", "mae", "max_rise"): False,
        ("delay", "bias", "max_rise"): True,
        # The order of the rows is the same; how sure the model is of them is not.
        ("late", "auc", "max_drop"): True,
        ("late", "log_loss", "max_rise"): False,
    }


# --- what is wrong is said --------------------------------------------------------------------------------------


def test_a_metric_that_the_evaluation_lacks_is_a_problem(evaluated):
    _, found = evaluated
    config = make_config(slices=[["origin"], ["origin", "hour"]])
    unknown = config.model_copy(
        update={"tasks": {**config.tasks, "other": config.tasks["delay"].model_copy(update={"label": "other"})}}
    )
    result = read(unknown, found)
    assert result.tasks["other"].metrics == dict.fromkeys(("mae", "rmse", "r2", "bias"))
    assert any("task other" in problem for problem in result.problems)


def test_missing_metrics_of_a_known_task_are_named(tmp_path):
    config = make_config(tasks=["delay"])
    partial = eval_config(config)
    for spec in partial.metrics_specs:
        kept = [metric for metric in spec.metrics if '"r2"' not in metric.config]
        del spec.metrics[:]
        spec.metrics.extend(kept)
    found = run_evaluator(
        tmp_path,
        partial,
        write_examples(tmp_path / "few", random_table(20)),
        save_model(tmp_path / "one_task", tasks=["delay"]),
    )
    result = read(config, found)
    assert result.tasks["delay"].metrics["r2"] is None
    assert result.problems == ["task delay: the Evaluator returned no r2"]


def test_a_task_without_labels_and_a_single_class_are_problems(run, tmp_path, table):
    unlabelled = replace(table, delay=[None] * ROWS, status=[0] * ROWS)
    config, found = run(
        make_config({"status": {"auc": {"min": 0.5}}, "delay": {"mae": {"max": 100.0}}}),
        examples=write_examples(tmp_path / "unlabelled", unlabelled),
    )
    result = read(config, found)
    assert result.tasks["delay"].labelled == {"eval": 0}
    assert result.tasks["delay"].metrics == dict.fromkeys(("mae", "rmse", "r2", "bias"))
    assert not result.blessed
    assert gate_outcomes(result) == {("status", "auc", "min"): False, ("delay", "mae", "max"): False}
    assert [gate.note for _, gate in result.failed_gates()] == [
        "auc is not defined for this model",
        "mae is not defined for this model",
    ]
    assert "task delay: no row of the eval split has a label, so the task cannot be evaluated" in result.problems
    assert sum("task status: auc" in problem for problem in result.problems) == 2
    assert "1 of 3 classes occur in the eval split; averages over classes are over these" in (
        result.tasks["status"].notes
    )
    json.dumps(result.report(), allow_nan=False)


def test_a_prediction_that_is_not_finite_is_a_problem(run, tmp_path, table):
    prediction = table.delay_prediction.copy()
    prediction[next(row for row, label in enumerate(table.delay) if label is not None)] = np.nan
    config, found = run(
        make_config(), examples=write_examples(tmp_path / "nan", replace(table, delay_prediction=prediction))
    )
    result = read(config, found)
    assert result.tasks["delay"].metrics == dict.fromkeys(("mae", "rmse", "r2", "bias"))
    assert len([problem for problem in result.problems if "a prediction is not finite" in problem]) == 4


def test_an_unknown_slice_column_is_a_problem(run):
    result = read(*run(make_config(slices=[["orgin"]])))
    assert result.problems == ["evaluation.slices: no example has a value in orgin, so there is no slice by it"]


def test_a_blessing_that_disagrees_with_the_gates_is_a_problem(evaluated, tmp_path):
    config, found = evaluated
    blessing = tmp_path / "blessing"
    shutil.copytree(found.blessing, blessing)
    (blessing / "BLESSED").rename(blessing / "NOT_BLESSED")
    result = read_evaluation(config, found.evaluation, str(blessing))
    assert not result.blessed
    assert result.problems == ["TFMA's validation passed, but the model is not blessed"]
    (blessing / "NOT_BLESSED").unlink()
    result = read_evaluation(config, found.evaluation, str(blessing))
    assert not result.blessed
    assert "does not say whether the model is blessed" in result.problems[0]


def test_gates_that_disagree_with_the_validation_are_a_problem(evaluated):
    _, found = evaluated
    stricter = make_config({"delay": {"mae": {"max": 0.1}}}, slices=[["origin"], ["origin", "hour"]])
    result = read(stricter, found)
    assert result.problems == ["the gates failed by the values that were read back, but TFMA's validation passed"]


def test_an_empty_eval_split_is_a_problem(run, tmp_path, table):
    config, found = run(
        make_config(slices=[]), examples=write_examples(tmp_path / "empty", table.where(np.zeros(ROWS, bool)))
    )
    result = read(config, found)
    assert not result.blessed
    assert result.examples == 0
    assert "no example was evaluated: the eval split is empty" in result.problems
    assert not any("disagree" in problem or "but TFMA" in problem for problem in result.problems)


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_an_evaluation_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(JanusError, match="holds no finished evaluation"):
        read_evaluation(make_config(), str(tmp_path / name))


def test_tfmas_own_readers_read_the_evaluation(evaluated):
    _, found = evaluated
    candidate = tfma.load_eval_result(found.evaluation, model_name=tfma.CANDIDATE_KEY)
    overall = dict(candidate.slicing_metrics)[()]
    assert overall["delay"][""]["mae"]["doubleValue"] > 0
    assert tfma.load_validation_result(found.evaluation).validation_ok
