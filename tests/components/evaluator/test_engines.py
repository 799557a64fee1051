"""The batch engine against TFMA's own evaluation of the same EvalConfig."""

import json
import logging
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluator.executor import BatchExecutor, StockExecutor
from components.evaluator.summarise import MergeStates
from janus_core.examples import records
from pipeline.evaluation import eval_config
from pipeline.report.evaluation_result import read_evaluation
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

SLICES = [["origin"], ["hour"], ["origin", "hour"]]
GATES = {
    "status": {"auc": {"min": 0.5, "max_drop": 0.01}, "f1": {"min": 0.9}},
    "late": {"log_loss": {"max_rise": 0.0}},
    "delay": {"mae": {"max": 30.0, "max_rise": 0.1}},
}
EXECUTORS = {"batch": BatchExecutor, "tfma": StockExecutor}


@pytest.fixture(scope="module")
def table() -> Table:
    """Rows with missing labels and slice values, a slice of one class, and one without any label of a task."""
    table = random_table(300)
    values = {name: list(column) for name, column in vars(table).items() if not isinstance(column, np.ndarray)}
    for row in range(0, 300, 30):
        values["origin"][row] = None if row % 60 else "ONE"
        values["status"][row], values["delay"][row] = 1, None
    return replace(table, **values)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, table: Table) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    write_examples(folder / "examples", table, shards=3)
    save_model(folder / "model")
    save_model(folder / "baseline", delay_offset=3.0, flatten=0.2)
    save_model(folder / "without_delay", tasks=["status", "late"])
    return folder


def evaluate(
    output: Path, folder: Path, engine: str, config: config_pb2.EvalConfig, baseline: str | None = None
) -> Evaluated:
    return run_evaluator(
        output / engine,
        config,
        folder / "examples",
        folder / "model",
        None if baseline is None else folder / baseline,
        executor_class=EXECUTORS[engine],
    )


def metrics(found: Evaluated) -> dict[tuple[str, str], float]:
    return {
        (str(record.slice_key), str(item.key)): item.value.double_value.value
        for record in tfma.load_metrics(found.evaluation)
        for item in record.metric_keys_and_values
    }


@pytest.mark.parametrize("baseline", [None, "baseline", "without_delay"])
def test_both_engines_write_the_same(folder, tmp_path, monkeypatch, baseline):
    # Small, so that every slice has states of several batches to merge.
    monkeypatch.setattr(records, "ROWS_PER_BATCH", 16)
    monkeypatch.setattr(MergeStates, "GATHERED", 3)
    config = make_config(GATES, SLICES)
    found = {engine: evaluate(tmp_path, folder, engine, eval_config(config), baseline) for engine in EXECUTORS}

    batch, stock = metrics(found["batch"]), metrics(found["tfma"])
    assert set(batch) == set(stock)
    assert len(batch) > 400
    assert sum(math.isnan(value) for value in batch.values()) > 0
    for key, value in stock.items():
        np.testing.assert_allclose(batch[key], value, rtol=1e-9, atol=1e-9, err_msg=str(key))

    validations = {engine: tfma.load_validation_result(of.evaluation) for engine, of in found.items()}
    assert validations["batch"].validation_ok == validations["tfma"].validation_ok
    failures = {
        engine: [
            sorted(str(failure.metric_key) for failure in of_slice.failures)
            for of_slice in result.metric_validations_per_slice
        ]
        for engine, result in validations.items()
    }
    assert failures["batch"] == failures["tfma"]
    assert failures["batch"]

    model_name = None if baseline is None else tfma.CANDIDATE_KEY
    views = {engine: tfma.load_eval_result(of.evaluation, model_name=model_name) for engine, of in found.items()}
    assert views["batch"].config == views["tfma"].config
    assert {key for key, _ in views["batch"].slicing_metrics} == {key for key, _ in views["tfma"].slicing_metrics}

    results = {engine: read_evaluation(config, of.evaluation, of.blessing) for engine, of in found.items()}
    assert results["batch"].problems == results["tfma"].problems == []
    outcomes = {
        engine: [(gate.rule, gate.passed) for task in result.tasks.values() for gate in task.gates]
        for engine, result in results.items()
    }
    assert outcomes["batch"] == outcomes["tfma"]


@pytest.mark.parametrize("engine", EXECUTORS)
def test_a_task_that_the_baseline_lacks_has_no_baseline(folder, tmp_path, engine):
    gates = {"delay": {"mae": {"max_rise": 0.0}}, "late": {"auc": {"max_drop": 0.0}}}
    config = make_config(gates, slices=[])
    found = evaluate(tmp_path, folder, engine, eval_config(config), "without_delay")
    result = read_evaluation(config, found.evaluation, found.blessing)
    assert result.problems == []
    assert result.blessed
    assert result.tasks["delay"].baseline == {}
    assert "no baseline with this task" in result.tasks["delay"].gates[0].note
    assert result.tasks["late"].baseline == result.tasks["late"].metrics
    assert result.tasks["late"].gates[0].baseline is not None


def test_a_baseline_with_no_task_in_common_is_left_out(folder, tmp_path):
    config = make_config({"delay": {"mae": {"max_rise": 0.0}}}, slices=[], tasks=["delay"])
    found = run_evaluator(
        tmp_path,
        eval_config(config),
        folder / "examples",
        folder / "model",
        folder / "without_delay",
        executor_class=BatchExecutor,
    )
    result = read_evaluation(config, found.evaluation, found.blessing)
    assert result.blessed
    assert result.problems == []
    assert result.tasks["delay"].baseline == {}


def test_what_is_not_batched_is_left_to_tfma(folder, tmp_path, caplog):
    config = eval_config(make_config(tasks=["delay"]))
    config.metrics_specs[-1].metrics.add(class_name="MeanLabel", config=json.dumps({"name": "mean_label"}))
    with caplog.at_level(logging.WARNING):
        found = run_evaluator(tmp_path, config, folder / "examples", folder / "model", executor_class=BatchExecutor)
    assert "Falling back to TFMA's row-wise evaluation" in caplog.text
    names = {item.key.name for record in tfma.load_metrics(found.evaluation) for item in record.metric_keys_and_values}
    assert {"mae", "mean_label"} <= names


def test_a_model_whose_output_does_not_fit_the_task_is_an_error_that_says_so(folder, tmp_path):
    save_model(tmp_path / "wider", classes=4)
    with pytest.raises(Exception, match="predicts 4 classes, the task has 3"):
        run_evaluator(
            tmp_path,
            eval_config(make_config()),
            folder / "examples",
            tmp_path / "wider",
            executor_class=BatchExecutor,
        )
