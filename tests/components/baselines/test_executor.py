"""The component on small transformed examples: rows, masks, weights, and what cannot be fitted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types import standard_artifacts

from components.baselines import executor
from components.baselines.config import BaselinesConfig, BaselineTask
from components.baselines.examples import training_rows
from components.baselines.executor import Executor
from components.baselines.job import Outcome
from components.baselines.result import EvaluatedTask, read_outcomes, read_split
from janus_core.examples.shards import shard_files
from tests.components.examples import artifact_at, example, examples_artifact, run_executor

pytestmark = pytest.mark.slow

SPEC = {
    "x": tf.io.FixedLenFeature([1], tf.float32),
    "letter": tf.io.FixedLenFeature([1], tf.int64),
    "late/label": tf.io.FixedLenFeature([1], tf.int64),
    "late/weight": tf.io.FixedLenFeature([1], tf.float32),
    "delay/label": tf.io.FixedLenFeature([1], tf.float32),
    "delay/weight": tf.io.FixedLenFeature([1], tf.float32),
}
CONFIG = BaselinesConfig(
    names=["constant", "linear", "boosting"],
    rows=200,
    seconds=60,
    seed=1,
    inputs={"x": "number", "letter": "category"},
    tasks={
        "late": BaselineTask(form="class", loss="log", classes=["no", "yes"]),
        "delay": BaselineTask(form="number", loss="absolute"),
    },
)


def row(place: int, **changed: Any) -> bytes:
    """A row of which every fifth has no delay; `x` is its place."""
    known = place % 5 > 0
    features = {
        "x": float(place),
        "letter": place % 3,
        "late/label": int(place % 3 == 1),
        "late/weight": 1.0,
        "delay/label": 2.0 * (place % 3) + place / 1024 if known else 0.0,
        "delay/weight": 1.0 + place % 2 if known else 0.0,
    }
    return example({**features, **changed})


@pytest.fixture
def transformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tft.TFTransformOutput, "transformed_feature_spec", lambda self: SPEC)


def run(
    folder: Path, config: BaselinesConfig = CONFIG, **changed: Any
) -> tuple[list[Outcome], dict[str, EvaluatedTask]]:
    train = [[row(place, **changed) for place in range(start, start + 200)] for start in (0, 200)]
    examples = examples_artifact(folder / "examples", {"train": train, "eval": [[row(n) for n in range(50)]]})
    graph = artifact_at(standard_artifacts.TransformGraph, folder / "graph")
    made = artifact_at(standard_artifacts.InferenceResult, folder / "made")
    inputs = {"examples": examples, "transform_graph": graph}
    run_executor(Executor, inputs, {"predictions": made}, {"config": config.model_dump_json()})
    return read_outcomes(made.uri), read_split(made.uri).tasks


def problems(outcomes: list[Outcome]) -> dict[str, str]:
    return {f"{outcome.task} {outcome.baseline}": outcome.problem for outcome in outcomes if outcome.problem}


@pytest.mark.usefixtures("transformed")
def test_labelled_rows_are_fitted_and_predicted(tmp_path: Path) -> None:
    outcomes, tasks = run(tmp_path)
    assert problems(outcomes) == {}
    assert {(outcome.task, outcome.baseline) for outcome in outcomes} == {
        (task, name) for task in CONFIG.tasks for name in CONFIG.names
    }
    assert {outcome.rows for outcome in outcomes} == {200}
    np.testing.assert_array_equal(tasks["late"].rows, np.arange(50))
    delay = tasks["delay"]
    np.testing.assert_array_equal(delay.rows, [n for n in range(50) if n % 5])
    np.testing.assert_array_equal(delay.labels[:, 0], 2.0 * (delay.rows % 3) + delay.rows / 1024)
    np.testing.assert_array_equal(delay.weights, 1.0 + delay.rows % 2)
    np.testing.assert_allclose(delay.predictions["constant"], np.full((40, 1), 2.2), atol=0.2)
    np.testing.assert_allclose(delay.predictions["boosting"], delay.labels, atol=0.2)
    assert tasks["late"].predictions["linear"].shape == (50, 2)


@pytest.mark.usefixtures("transformed")
def test_a_task_that_cannot_be_fitted_takes_no_other_with_it(tmp_path: Path) -> None:
    outcomes, tasks = run(tmp_path, **{"late/label": 0, "delay/weight": 0.0})
    missing = "no training row has a label and a weight"
    same = "every label in the training rows is 'no': a constant says it all"
    assert problems(outcomes) == {
        **{f"delay {name}": missing for name in CONFIG.names},
        **{f"late {name}": same for name in ("linear", "boosting")},
    }
    assert set(tasks["late"].predictions) == {"constant"}
    assert tasks["delay"].predictions == {}


@pytest.mark.usefixtures("transformed")
def test_what_is_not_fitted_in_time_is_a_problem(tmp_path: Path) -> None:
    outcomes, tasks = run(tmp_path, CONFIG.model_copy(update={"seconds": 0.01}))
    assert set(problems(outcomes).values()) == {"not fitted within report.baseline_seconds 0.01"}
    assert len(outcomes) == 6
    assert len(tasks["late"].rows) == 50


@pytest.mark.usefixtures("transformed")
def test_a_process_that_ends_badly_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor.sys, "executable", "/bin/false")
    outcomes, _ = run(tmp_path)
    assert "the process that fits the baselines ended with exit code 1" in next(iter(problems(outcomes).values()))


def test_examples_that_cannot_be_read_are_a_problem(tmp_path: Path) -> None:
    outcomes, tasks = run(tmp_path)
    assert len(problems(outcomes)) == 6
    assert tasks == {}


def test_rows_are_drawn_per_task(tmp_path: Path) -> None:
    # Few rows have a delay.
    rows = [row(n, **{"delay/weight": float(n % 10 == 0)}) for n in range(2000)]
    uri = examples_artifact(tmp_path, {"train": [rows[:900], rows[900:]]}).uri
    files = shard_files(f"{uri}/Split-train")
    drawn = training_rows(files, SPEC, ["x", "letter"], ["late", "delay"], rows=50, seed=4)
    places = {task: drawn.matrix[of.rows, 0] for task, of in drawn.tasks.items()}
    assert {task: len(of) for task, of in places.items()} == {"late": 50, "delay": 50}
    assert (places["delay"] % 10 == 0).all()
    assert np.abs(np.mean(places["late"]) - 1000) < 250
    assert len(drawn.matrix) < 200
    again = training_rows(files, SPEC, ["x", "letter"], ["late", "delay"], rows=50, seed=4)
    np.testing.assert_array_equal(again.matrix, drawn.matrix)
