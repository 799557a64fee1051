"""Each shipped example runs as it is, mostly on a small part of its data; metrics that TFMA has are its own."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma

from benchmarks.stock_pipeline import stock_eval_config
from benchmarks.tagging import beside_crf
from pipeline.config import JanusConfig
from pipeline.config.file import load_config

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

SOURCES = Path(__file__).parents[1]
ROWS = {"flights": 3000, "taxi": 4000, "tutorial": 1500, "tweets": 3000}
NO_TFMA_COUNTERPART = {"f1", "ece", "r2", "bias", "auc_pr"}
"""TFMA's AUCPrecisionRecall interpolates between thresholds, Janus's is the average precision."""
AUC_BUCKETS = 2e-2
"""TFMA ranks probabilities by 10,000 buckets, Janus by themselves, which is seen where a slice has few rows."""


@pytest.fixture(scope="module", params=sorted(ROWS))
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """An example that was run, and the folder that it was run in."""
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    run_example(name, folder, ROWS[name], "evaluation.gates={}")
    return name, folder


def run_example(name: str, folder: Path, rows: int, *overrides: str) -> dict[str, Any]:
    """Prepares an example's data, runs it as its documentation says, and returns the report."""
    (folder / "configs").symlink_to(SOURCES / "configs")
    (folder / "schema").symlink_to(SOURCES / "schema")
    prepare = [sys.executable, f"configs/{name}.py", "--rows", str(rows), "--output", f"data/{name}"]
    subprocess.run(prepare, cwd=folder, capture_output=True, check=True)
    janus = [shutil.which("janus", path=str(Path(sys.executable).parent)) or "janus", "run", f"configs/{name}.yaml"]
    options = [word for override in overrides for word in ("--set", override)]
    done = subprocess.run([*janus, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "runs" / name / "latest" / "report.json").read_text())


def test_metrics_equal_tfmas_own_in_every_slice(example: tuple[str, Path], tmp_path: Path) -> None:
    name, folder = example
    config = load_config(SOURCES / "configs" / f"{name}.yaml", ["evaluation.gates={}"])
    report = json.loads((folder / "runs" / name / "latest" / "report.json").read_text())
    stock = _tfma_metrics(config, folder / "runs" / name / "root", tmp_path)
    classes = _classes_of_slices(config, folder / "runs" / name / "root")
    compared = 0
    for task in config.tasks:
        ours = {"": report["tasks"][task]["metrics"], **report["tasks"][task]["slices"]}
        assert set(ours) == set(stock)
        for slice_name, metrics in ours.items():
            for metric, value in metrics.items():
                theirs = stock[slice_name][task].get(metric)
                if metric in NO_TFMA_COUNTERPART or value is None:
                    continue
                if metric == "accuracy" and config.tasks[task].kind == "binary":
                    continue  # TFMA decides at 0.5, Janus at the task's own threshold
                if metric == "auc" and len(classes[task, slice_name]) < len(config.tasks[task].classes):
                    continue  # TFMA counts an absent class as an area of 0, Janus leaves it out
                assert theirs is not None, (task, slice_name, metric)
                tolerance = AUC_BUCKETS if metric == "auc" else 1e-6
                assert value == pytest.approx(theirs, rel=tolerance, abs=tolerance), (task, slice_name, metric)
                compared += 1
    assert compared >= 3 * len(stock)


def test_the_example_of_images_passes_its_gates(tmp_path: Path) -> None:
    report = run_example("digits", tmp_path, 3 * 1797)
    assert report["tasks"]["digit"]["metrics"]["accuracy"] >= 0.95
    assert report["tasks"]["box"]["metrics"]["iou"] >= 0.75


def test_the_example_of_sentences_is_level_with_a_crf_and_passes_its_gates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_example("tagging", tmp_path, 4000)
    monkeypatch.chdir(tmp_path)
    compared = list(beside_crf(load_config("configs/tagging.yaml")))
    assert {(one.task, one.metric) for one in compared} >= {("pos", "token_accuracy"), ("entities", "entity_f1")}
    assert [one for one in compared if one.network < one.crf - 0.02] == []


def _classes_of_slices(config: JanusConfig, root: Path) -> dict[tuple[str, str], set[str]]:
    """(task, slice) → the classes among its labels."""
    found: dict[tuple[str, str], set[str]] = {}
    for file in (root / "ExampleGen" / "examples").glob("*/Split-eval/*"):
        for record in tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator():
            example = tf.train.Example.FromString(record)
            keys = [[], *config.evaluation.slices]
            slices = [",".join(f"{column}={_value(example, column)}" for column in columns) for columns in keys]
            for name, task in config.tasks.items():
                for slice_name in slices:
                    label = _value(example, task.label)
                    found.setdefault((name, slice_name), set()).update([label] if label else [])
    return found


def _value(example: tf.train.Example, column: str) -> str:
    feature = example.features.feature[column]
    values = [*feature.bytes_list.value, *feature.int64_list.value, *feature.float_list.value]
    return _text(values[0]) if values else ""


def _tfma_metrics(config: JanusConfig, root: Path, folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Slice → task → metric, by TFMA's own metrics and engine."""
    (model,) = (root / "Trainer" / "model").glob("*/Format-Serving")
    (examples,) = (root / "ExampleGen" / "examples").glob("*/Split-eval")
    (schema,) = root.glob("*SchemaGen/schema/*/schema.pbtxt")
    eval_config = stock_eval_config(config)
    result = tfma.run_model_analysis(
        eval_shared_model=tfma.default_eval_shared_model(str(model), eval_config=eval_config),
        eval_config=eval_config,
        data_location=str(examples / "*"),
        schema=tfdv.load_schema_text(str(schema)),
        output_path=str(folder),
    )
    found = {}
    for key, outputs in result.slicing_metrics:
        slice_name = ",".join(f"{column}={_text(value)}" for column, value in key)
        found[slice_name] = {output: _macro(sub_keys) for output, sub_keys in outputs.items()}
    return found


def _macro(sub_keys: dict[str, dict[str, dict[str, float]]]) -> dict[str, float]:
    """Metric → value; the mean over the classes where TFMA gives one for each."""
    values: dict[str, list[float]] = {}
    for metrics in sub_keys.values():
        for metric, value in metrics.items():
            if not math.isnan(float(value.get("doubleValue", "nan"))):
                values.setdefault(metric, []).append(float(value["doubleValue"]))
    return {metric: sum(parts) / len(parts) for metric, parts in values.items()}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
