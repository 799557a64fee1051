"""Every kind of task at once, through the whole pipeline, from a Parquet table to a pushed model."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from janus_core.kinds import metrics_of
from pipeline.config import JanusConfig
from pipeline.config.file import parse_config
from pipeline.run.job import run_job
from tests import formulas
from trainer.config import Task, classes_of

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

ROWS = 900
GRADES = ["poor", "fair", "good", "best"]
TOPICS = ["art", "law", "sea"]
TAGS = ["1", "2", "3"]
STATUS = ["on_time", "late", "lost"]
LEVELS = [0.1, 0.5, 0.9]
TOLERANCE = 1e-5

TASKS: dict[str, dict[str, Any]] = {
    "visits": {"kind": "count", "label": "visits", "unit": "visits", "sample_weight": "importance"},
    "grade": {"kind": "ordinal", "label": "grade", "classes": GRADES, "sample_weight": "importance"},
    "topics": {"kind": "multilabel", "label": "topics", "classes": TOPICS, "separator": "|", "sample_weight": "x"},
    "tags": {"kind": "multilabel", "label": "tags", "classes": TAGS, "empty": "masked"},
    "click": {"kind": "binary", "label": "click", "loss": "focal", "class_weights": {"1": 3.0}},
    "buy": {"kind": "binary", "label": "buy", "given": "click", "sample_weight": "importance"},
    "status": {
        "kind": "multiclass",
        "label": "status",
        "classes": STATUS,
        "loss": "focal",
        "class_weights": "balanced",
    },
    "delay": {
        "kind": "regression",
        "label": "delay",
        "offset": 10**9,
        "loss": "quantile",
        "quantiles": LEVELS,
        "unit": "minutes",
        "sample_weight": "importance",
    },
}
GATES: dict[str, dict[str, Any]] = {
    "visits": {"deviance": {"max": 100.0, "max_rise": 1.0}},
    "grade": {"qwk": {"min": -1.0}, "mae": {"max": 4.0}},
    "topics": {"auc": {"min": 0.1, "max_drop": 0.1}, "subset_accuracy": {"min": 0.0}},
    "tags": {"f1": {"min": 0.0}},
    "click": {"ece": {"max": 1.0}},
    "buy": {"auc": {"min": 0.1}},
    "status": {"log_loss": {"max": 10.0}},
    "delay": {"pinball": {"max": 1000.0}, "coverage": {"min": 0.1, "max": 1.0}, "mae": {"max": 1000.0}},
}


def write_table(path: Path) -> None:
    """Every kind of label, of which some are missing; the weights of some rows are missing or 0."""
    random = np.random.default_rng(5)
    x, noise = random.uniform(0, 2, size=ROWS), random.normal(size=ROWS)
    click = random.uniform(size=ROWS) < 0.2 + 0.3 * x
    buy = click & (random.uniform(size=ROWS) < 0.5)
    grade = np.clip((2 * x + 0.7 * noise).astype(int), 0, 3)
    topics = random.uniform(size=(ROWS, 3)) < np.stack([x / 2, 1 - x / 2, np.full(ROWS, 0.3)], axis=1)
    tags = random.uniform(size=(ROWS, 3)) < 0.4
    importance: list[float | None] = np.where(np.arange(ROWS) % 17 == 0, 0.0, random.uniform(0.2, 4, ROWS)).tolist()

    def with_gaps(values: list[Any], every: int) -> list[Any]:
        return [None if row % every == 0 else value for row, value in enumerate(values)]

    columns = {
        "x": pa.array(x, pa.float32()),
        "city": pa.array([["Oslo", "Rome"][row % 2] for row in range(ROWS)]),
        "importance": pa.array(with_gaps(importance, 13), pa.float32()),
        "visits": pa.array(with_gaps(random.poisson(np.exp(x)).tolist(), 10), pa.int64()),
        "grade": pa.array(with_gaps([GRADES[k] for k in grade], 9)),
        "topics": pa.array(with_gaps([" | ".join(np.array(TOPICS)[row]) for row in topics], 11)),
        "tags": pa.array(with_gaps([np.array([1, 2, 3])[row].tolist() for row in tags], 12), pa.list_(pa.int64())),
        "click": pa.array(click.astype(int)),
        "buy": pa.array(with_gaps(buy.astype(int).tolist(), 14), pa.int64()),
        "status": pa.array(with_gaps([STATUS[k] for k in random.choice(3, ROWS, p=[0.6, 0.3, 0.1])], 15)),
        "delay": pa.array(with_gaps((1e9 + 10 * x + 5 * noise).tolist(), 8)),
    }
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def make_config() -> JanusConfig:
    return parse_config(
        {
            "name": "kinds",
            "seed": 2,
            "data": {"path": "data", "format": "parquet", "split": {"by": "hash", "eval_fraction": 0.3}},
            "features": {"x": {"kind": "numeric"}, "city": {"kind": "categorical", "embed": 2}},
            "tasks": TASKS,
            "model": {"trunk": {"units": [8]}, "towers": {"default": [4]}},
            "training": {"epochs": 3, "batch_size": 64, "learning_rate": 0.01},
            "evaluation": {"slices": [["city"]], "gates": GATES},
            "push": {"path": "serving"},
        }
    )


@dataclass(frozen=True)
class Finished:
    """What a run left.

    Attributes:
        code: the exit code.
        report: report.json.
        rows: the eval split's examples, column → values.
        outputs: what the pushed model answers to them, float64 but for text.
        labels, weights: of each task, as the model's `transform_features` says.
    """

    code: int
    report: dict[str, Any]
    rows: list[dict[str, list[Any]]]
    outputs: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A whole run, and its pushed model's answers."""
    folder = tmp_path_factory.mktemp("kinds")
    write_table(folder / "data" / "table.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code = run_job(make_config())
    report = json.loads((folder / "runs/kinds/latest/report.json").read_text())
    assert code == 0, report["problems"]
    records = _records(folder / "runs/kinds" / "root" / "ExampleGen/examples")
    model = tf.saved_model.load(str(folder / report["pushed"]))
    answers = model.signatures["serving_default"](examples=tf.constant(records))
    found = model.signatures["transform_features"](examples=tf.constant(records))
    arrays = {name: value.numpy().astype(np.float64) for name, value in found.items()}
    return Finished(
        code=code,
        report=report,
        rows=[_columns(record) for record in records],
        outputs={
            name: value.numpy().astype(np.float64) if value.dtype.is_floating else value.numpy()
            for name, value in answers.items()
        },
        labels={name: arrays[f"{name}/label"] for name in TASKS},
        weights={name: arrays[f"{name}/weight"][:, 0] for name in TASKS},
    )


def _records(examples: Path) -> list[bytes]:
    files = sorted(str(path) for path in examples.glob("*/Split-eval/*"))
    return list(tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator())


def _columns(record: bytes) -> dict[str, list[Any]]:
    features = tf.train.Example.FromString(record).features.feature
    return {
        name: [*feature.bytes_list.value, *feature.int64_list.value, *feature.float_list.value]
        for name, feature in features.items()
    }


def test_the_model_is_pushed_with_all_that_was_asked_for(finished: Finished) -> None:
    assert finished.report["blessed"]
    assert finished.report["problems"] == []
    for name, task in make_config().tasks.items():
        found = finished.report["tasks"][name]
        assert set(found["metrics"]) == set(metrics_of(task))
        assert all(value is not None for value in found["metrics"].values()), name
        assert set(found["slices"]) == {"city=Oslo", "city=Rome"}
        rules = [(gate["metric"], gate["rule"]) for gate in found["gates"]]
        assert rules == [(metric, rule) for metric, gate in GATES[name].items() for rule in gate]
        assert all(gate["passed"] for gate in found["gates"])
    assert finished.report["tasks"]["delay"]["quantiles"] == LEVELS


def expected_label(task: str, row: dict[str, list[Any]]) -> list[float] | None:
    """What the label must be, from the raw row; None for a masked one."""
    values = row.get(TASKS[task]["label"], [])
    if task == "topics":
        parts = [part.strip() for part in values[0].decode().split("|")] if values else []
        return [float(topic in parts) for topic in TOPICS]
    if not values:
        return None
    if task == "tags":
        return [float(int(tag) in values) for tag in TAGS]
    if task in ("grade", "status"):
        return [TASKS[task]["classes"].index(values[0].decode())]
    # The examples have it less its offset.
    return [float(values[0]) + TASKS[task].get("offset", 0)]


@pytest.mark.parametrize("task", TASKS)
def test_labels_and_weights_are_those_of_the_raw_rows(finished: Finished, task: str) -> None:
    column = TASKS[task].get("sample_weight")
    for place, row in enumerate(finished.rows):
        label = expected_label(task, row)
        weight = (row.get(column) or [0.0])[0] if column else 1.0
        assert finished.weights[task][place] == pytest.approx(0.0 if label is None else weight)
        if label is not None:
            np.testing.assert_allclose(finished.labels[task][place], label, rtol=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_labelled_rows_are_counted(finished: Finished, task: str) -> None:
    labelled = finished.report["tasks"][task]["labelled"]
    assert labelled["eval"] == np.count_nonzero(finished.weights[task])
    assert 0 < labelled["train"] <= finished.report["examples"]["train"]


def test_labels_in_training_are_counted_with_their_weights(finished: Finished) -> None:
    tasks = finished.report["tasks"]
    weighed = {row for row in range(ROWS) if row % 13 and row % 17}
    for task, every in {"visits": 10, "delay": 8}.items():
        in_both_splits = sum(row % every != 0 for row in weighed)
        assert tasks[task]["labelled"]["train"] == in_both_splits - np.count_nonzero(finished.weights[task])
    everywhere = finished.report["examples"]["train"]
    assert tasks["topics"]["labelled"]["train"] == everywhere, "none is a label, too"


BY_FORMULA: dict[str, Callable[..., dict[str, float]]] = {
    "count": formulas.count_metrics,
    "ordinal": formulas.ordinal_metrics,
    "multilabel": formulas.multilabel_metrics,
    "multiclass": formulas.class_metrics,
    "binary": formulas.class_metrics,
    "regression": formulas.number_metrics,
}


def recomputed(name: str, task: Task, finished: Finished, keep: np.ndarray) -> dict[str, float]:
    """The task's metrics over some rows, by their definitions."""
    keep = keep & (finished.weights[name] > 0)
    weights, labels, outputs = finished.weights[name][keep], finished.labels[name][keep], finished.outputs[name][keep]
    given, label = outputs, labels[:, 0].astype(np.int64) if classes_of(task) else labels[:, 0]
    if task.kind == "multilabel":
        label = labels
    elif task.kind == "binary":
        given = np.concatenate([1 - outputs, outputs], axis=1)
        decided = (finished.outputs[f"{name}/decision"][keep, 0] == task.classes[1].encode()).astype(int)
        return formulas.class_metrics(label, given, weights, decided)
    elif not classes_of(task):
        given = outputs[:, 0]
    found = BY_FORMULA[task.kind](label, given, weights)
    if name == "delay":
        quantiles = finished.outputs["delay/quantiles"][keep]
        found |= formulas.quantile_metrics(label, quantiles, LEVELS, weights)
    return {metric: found[metric] for metric in metrics_of(task)}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_stands_beside_simple_models(finished: Finished, task: str) -> None:
    baselines = finished.report["tasks"][task]["baselines"]
    assert list(baselines) == ["constant", "linear", "boosting"]
    for name, one in baselines.items():
        assert one["problem"] == ""
        assert one["network_is"] in ("better", "level", "worse"), name
        assert one["low"] <= one["difference"] <= one["high"]


@pytest.mark.parametrize("task", TASKS)
def test_the_pushed_model_has_the_metrics_of_the_report(finished: Finished, task: str) -> None:
    config, found = make_config().tasks[task], finished.report["tasks"][task]
    everywhere = np.ones(len(finished.rows), bool)
    assert found["metrics"] == pytest.approx(
        recomputed(task, config, finished, everywhere), rel=TOLERANCE, abs=TOLERANCE
    )
    rome = np.array([row["city"] == [b"Rome"] for row in finished.rows])
    in_rome = recomputed(task, config, finished, rome)
    assert found["slices"]["city=Rome"] == pytest.approx(in_rome, rel=TOLERANCE, abs=TOLERANCE)


def test_outputs_keep_what_their_kinds_promise(finished: Finished) -> None:
    outputs = finished.outputs
    assert (outputs["visits"] > 0).all()
    assert outputs["grade"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (outputs["buy"] <= outputs["click"] + 1e-6).all(), "nothing is bought without a click"
    assert (np.diff(outputs["delay/quantiles"], axis=1) >= 0).all()
    np.testing.assert_array_equal(outputs["delay"], outputs["delay/quantiles"][:, 1:2])
    assert outputs["topics"].shape == (len(finished.rows), 3)
