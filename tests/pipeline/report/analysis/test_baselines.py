"""Baselines of every kind of task beside the network: the Evaluator's metrics, and paired errors."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.baselines.job import Outcome
from components.baselines.result import EvaluatedSplit, EvaluatedTask, write_result
from pipeline.report.analysis.baselines import add_errors, baselines_of
from pipeline.report.analysis.sample import Predicted
from pipeline.report.analysis.standard_errors import metrics_by_task
from tests.pipeline.kinds_harness import TASKS, kinds_config, kinds_table
from tests.pipeline.report.sample_run import predicted_of
from trainer.config import classes_of

ROWS = 400
SHARDS = np.array([150, 0, 250])
CONFIG = kinds_config({"click": {"f1": {"min": 0.1}, "log_loss": {"max": 9.0}}})
TABLE = kinds_table(ROWS)
NETWORK = {name: predicted_of(TABLE, name) for name in TASKS}


def like_a_baseline(name: str, network: Predicted) -> np.ndarray:
    """The network's predictions as a baseline writes them, and a little worse."""
    if network.quantiles is not None:
        return network.quantiles + 0.1 * np.arange(len(network.rows))[:, None] % 3
    if len(classes_of(CONFIG.tasks[name])) == 2:
        return np.concatenate([1 - network.output, network.output], axis=1)
    return network.output


@pytest.fixture
def uri(tmp_path: Path) -> str:
    """What the component would have written."""
    tasks = {
        name: EvaluatedTask(network.rows, network.labels, network.weights, {"linear": like_a_baseline(name, network)})
        for name, network in NETWORK.items()
    }
    outcomes = [Outcome(task=name, baseline="linear", rows=7, seconds=0.5) for name in TASKS]
    outcomes.append(Outcome(task="click", baseline="boosting", problem="no memory"))
    write_result(str(tmp_path), outcomes, EvaluatedSplit(SHARDS, tasks))
    return str(tmp_path)


def places_of(rows: np.ndarray) -> np.ndarray:
    """File and place of rows, in a split of the SHARDS."""
    ends = np.cumsum(SHARDS)
    files = np.searchsorted(ends, rows, side="right")
    return np.stack([files, rows - (ends - SHARDS)[files]], axis=1)


@pytest.mark.parametrize("name", TASKS)
def test_the_metrics_are_the_evaluators(uri: str, name: str) -> None:
    found = baselines_of(CONFIG, uri)[name]
    metrics, network = metrics_by_task(CONFIG)[name], NETWORK[name]
    assert set(found.models["linear"].metrics) == {m for m, one in metrics.items() if one.facts.reads != "decision"}
    if network.quantiles is None:
        expected = {metric: metrics[metric].value(network) for metric in found.models["linear"].metrics}
        assert found.models["linear"].metrics == pytest.approx(expected, abs=1e-6)
    assert (found.models["linear"].rows, found.models["linear"].seconds) == (7, 0.5)


def test_they_are_compared_by_a_gated_metric_that_needs_no_threshold(uri: str) -> None:
    found = baselines_of(CONFIG, uri)
    assert found["click"].metric == "log_loss"
    assert {name: of.metric for name, of in found.items() if name != "click"} == {
        "visits": "deviance", "grade": "mae", "topics": "auc", "delay": "mae", "wait": "mae", "buy": "auc",
        "names": "token_accuracy", "place": "iou",
    }  # fmt: skip
    assert found["click"].models["boosting"].problem == "no memory"


def test_errors_are_of_the_difference_row_by_row(uri: str) -> None:
    baselines = baselines_of(CONFIG, uri)
    sample = np.arange(3, ROWS, 2)
    network = {
        name: dataclasses.replace(
            NETWORK[name],
            **{
                key: values[np.isin(NETWORK[name].rows, sample)]
                for key, values in vars(NETWORK[name]).items()
                if values is not None
            },
        )
        for name in TASKS
    }
    moved = {name: dataclasses.replace(one, rows=np.searchsorted(sample, one.rows)) for name, one in network.items()}
    groups = np.arange(len(sample)) % 30
    add_errors(baselines, CONFIG, uri, moved, places_of(sample), groups)
    for name, of_task in baselines.items():
        error = of_task.models["linear"].error
        assert of_task.sampled == len(network[name].rows)
        assert error is not None
        # The same predictions: without pairing, each would be uncertain by itself.
        assert (error == pytest.approx(0, abs=1e-6)) == (name not in ("delay", "wait"))
    assert baselines["click"].models["boosting"].error is None


def test_rows_that_do_not_match_are_an_error(uri: str) -> None:
    name = next(name for name in TASKS if len(NETWORK[name].rows) < ROWS)
    wrong = dataclasses.replace(NETWORK[name], rows=np.arange(len(NETWORK[name].rows)))
    with pytest.raises(ValueError, match="the transformed examples have other rows than the raw ones"):
        add_errors(baselines_of(CONFIG, uri), CONFIG, uri, {name: wrong}, places_of(np.arange(ROWS)), np.zeros(ROWS))
