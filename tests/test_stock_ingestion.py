"""Stock ingestion of the same split trains the same model: only the order of the examples differs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tensorflow_model_analysis as tfma
from tfx.components.example_gen.csv_example_gen.component import CsvExampleGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.proto import example_gen_pb2

import pipeline.dag
from pipeline.config import JanusConfig
from pipeline.config.file import load_config
from pipeline.dag import Places, create_pipeline
from pipeline.run.runner import run_on_beam

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

SOURCES = Path(__file__).parents[1]
ROWS = 3000


def test_metrics_are_those_of_stock_ingestion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    prepare = [sys.executable, str(SOURCES / "configs/flights.py"), "--rows", str(ROWS), "--output", str(data)]
    subprocess.run(prepare, cwd=tmp_path, capture_output=True, check=True)
    overrides = [
        f"data.path={data}",
        f"push.path={tmp_path / 'serving'}",
        # Inferred: stock ingestion writes a missing value as an empty list, which the curated schema does not allow.
        "schema=null",
        "training.epochs=2",
        "evaluation.gates={}",
    ]
    config = load_config(SOURCES / "configs/flights.yaml", overrides)
    ours = run(config, tmp_path / "ours")
    monkeypatch.setattr(pipeline.dag, "example_gen_of", lambda *_: stock_example_gen(split_files(config, tmp_path)))
    stock = run(config, tmp_path / "stock")
    assert len(ours["slices"]) > 5
    assert ours["history"] == [pytest.approx(epoch, rel=1e-6) for epoch in stock["history"]]
    assert ours["slices"].keys() == stock["slices"].keys()
    for key, metrics in ours["slices"].items():
        assert metrics == pytest.approx(stock["slices"][key], rel=1e-6, abs=1e-6, nan_ok=True)


def run(config: JanusConfig, folder: Path) -> dict[str, Any]:
    """The training's history and the evaluation's metrics by slice."""
    folder.mkdir()
    places = Places(str(folder / "root"), str(folder / "metadata.db"), folder / "schemas", None)
    run_on_beam(create_pipeline(config, places), "once")
    (history,) = (folder / "root/Trainer/model_run").glob("*/history.json")
    (evaluation,) = (folder / "root/Evaluator/evaluation").iterdir()
    slices = {}
    for key, outputs in tfma.load_eval_result(str(evaluation)).slicing_metrics:
        slices[str(key)] = {
            f"{output}/{name}": float(value["doubleValue"])
            for output, classes in outputs.items()
            for metrics in classes.values()
            for name, value in metrics.items()
            if "doubleValue" in value
        }
    return {"history": json.loads(history.read_text()), "slices": slices}


def split_files(config: JanusConfig, folder: Path) -> Path:
    """The rows as two files, divided as the configuration says."""
    (file,) = Path(config.data.path).glob("*.csv")
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    column = header.split(",").index(config.data.split.column)
    for name in ("train", "eval"):
        chosen = [r for r in rows if (float(r.split(",")[column]) >= config.data.split.eval_from) == (name == "eval")]
        (folder / "split" / name).mkdir(parents=True)
        (folder / "split" / name / "rows.csv").write_text("\n".join([header, *chosen]) + "\n", encoding="utf-8")
    return folder / "split"


def stock_example_gen(folder: Path) -> BaseNode:
    """CsvExampleGen of an already divided input."""
    splits = [example_gen_pb2.Input.Split(name=name, pattern=f"{name}/*") for name in ("train", "eval")]
    return CsvExampleGen(input_base=str(folder), input_config=example_gen_pb2.Input(splits=splits)).with_id(
        "ExampleGen"
    )
