"""Images and boxes through the whole pipeline, from PNG files that a CSV names to a pushed model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from janus_core.examples.records import record_batches
from janus_core.kinds import KINDS
from pipeline.config.file import parse_config
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE
from pipeline.run.job import run_job
from serving.description import read_description
from serving.rows import columns_of_rows
from serving.saved_model import LoadedModel
from serving.signatures import COLUMNS, ERROR, signature_of
from serving.warmup import warmup_rows
from tests.images import huge_png, png

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

ROWS = 300


def write_table(path: Path) -> pa.Table:
    """A light square on a dark ground: whether it is large, and where it is."""
    random = np.random.default_rng(3)
    columns: dict[str, list] = {"photo": [], "size": [], "place": []}
    for _ in range(ROWS):
        large = bool(random.integers(2))
        side = 8 if large else 4
        top, left = random.integers(0, 16 - side, size=2)
        pixels = random.uniform(0, 40, size=(16, 16))
        pixels[top : top + side, left : left + side] += 200
        columns["photo"].append(png(pixels))
        columns["size"].append("large" if large else "small")
        columns["place"].append([top / 16, left / 16, (top + side) / 16, (left + side) / 16])
    columns["photo"][7] = None
    columns["place"][9] = None
    types = {"photo": pa.binary(), "size": pa.string(), "place": pa.list_(pa.float32())}
    table = pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_table(folder / "data" / "t.parquet")
    raw = {
        "name": "images",
        "seed": 2,
        "data": {"path": "data", "format": "parquet", "split": {"by": "hash", "eval_fraction": 0.3}},
        "features": {"photo": {"kind": "image", "size": [16, 16], "channels": 1, "filters": [8, 16], "embed": 16}},
        "tasks": {
            "size": {"kind": "multiclass", "label": "size", "classes": ["small", "large"]},
            "place": {"kind": "box", "label": "place"},
        },
        "model": {"trunk": {"units": [16]}, "towers": {"default": [8]}},
        "training": {"epochs": 6, "batch_size": 32, "learning_rate": 0.01},
        "evaluation": {"gates": {"place": {"iou": {"min": 0.2, "max_drop": 0.1}}, "size": {"accuracy": {"min": 0.5}}}},
        "push": {"path": "models"},
    }
    (folder / "images.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_job(parse_config(raw)) == 0
    return folder


def test_the_report_has_metrics_importance_baselines_and_examples(folder: Path) -> None:
    latest = folder / "runs" / "images" / "latest"
    report = json.loads((latest / "report.json").read_text())
    place = report["tasks"]["place"]
    assert set(place["metrics"]) == {"iou", "iou_50"}
    assert set(place["baselines"]) == {"constant", "linear", "boosting"}
    assert all(one["value"] is not None for one in place["baselines"].values())
    assert place["metrics"]["iou"] > place["baselines"]["constant"]["value"]
    analysis = json.loads((latest / ANALYSIS_FILE).read_text())
    assert analysis["notes"] == []
    assert [one["column"] for one in analysis["tasks"]["place"]["importance"]] == ["photo"]
    boxes = [answer["boxes"] for row in analysis["shown"] for answer in row["answers"] if answer["task"] == "place"]
    assert boxes
    assert "data:image/png;base64," in (latest / "report.html").read_text()


def model_of(folder: Path) -> Path:
    return max((folder / "models").iterdir())


def test_the_pushed_model_answers_bytes_and_what_is_no_image_is_an_error_of_its_row(folder: Path) -> None:
    description = read_description(model_of(folder))
    assert description is not None
    assert description.columns["photo"].is_image
    model = LoadedModel(model_of(folder))
    signature = signature_of(model.signature(COLUMNS))
    pixels = np.zeros((16, 16))
    pixels[2:10, 4:12] = 220
    good = [{"photo": png(pixels)}, {"photo": None}]
    expected = model.run(COLUMNS, columns_of_rows(signature, good))
    assert expected["place"].shape == (2, 4)
    assert expected[ERROR].tolist() == [b"", b""]
    # As TensorFlow Serving's batching does with the requests of several clients.
    bad = [{"photo": image} for image in (b"x", huge_png(), png(pixels)[:-20])]
    answer = model.run(COLUMNS, columns_of_rows(signature, [good[0], *bad, good[1]]))
    texts = [text.decode() for text in answer[ERROR]]
    assert [text.split(", ")[0] for text in texts] == [
        "",
        "feature photo is not an image in JPEG",
        "feature photo is an image of no pixels",
        "feature photo is a damaged image",
        "",
    ]
    for output, values in answer.items():
        np.testing.assert_array_equal(values[[0, 4]], expected[output])
        if output != ERROR:
            wrong = values[1:4]
            assert (wrong == b"").all() if wrong.dtype == object else np.isnan(wrong).all(), output


def test_predict_names_the_row_of_a_damaged_image(folder: Path, tmp_path: Path) -> None:
    table = pa.table({"photo": pa.array([png(np.zeros((16, 16))), None, b"GIF8"], pa.binary())})
    pq.write_table(table, tmp_path / "bad.parquet")
    command = [sys.executable, "-m", "pipeline", "predict", "images.yaml", "--input", str(tmp_path / "bad.parquet")]
    done = subprocess.run(
        [*command, "--output", "bad.csv", "--only-predictions"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "bad.parquet, row 2: feature photo is an image of no pixels" in " ".join(done.stderr.split())
    assert not (folder / "bad.csv").exists()


def test_warm_up_requests_have_an_image_that_is_nobodys(folder: Path) -> None:
    (example, *_) = warmup_rows(model_of(folder))
    assert b"PNG" in example
    assert len(example) < 300


def test_predict_writes_the_edges(folder: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "predict", "images.yaml", "--input", "data/t.parquet"]
    done = subprocess.run(
        [*command, "--output", "out.parquet"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = pq.read_table(folder / "out.parquet")
    assert table.num_rows == ROWS
    assert {f"predicted_place.{edge}" for edge in KINDS["box"].parts} <= set(table.column_names)


def test_a_damaged_image_ends_the_run_with_its_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_table(tmp_path / "data" / "t.parquet").to_pydict()
    table["photo"][20] = table["photo"][20][:40]
    types = {"photo": pa.binary(), "size": pa.string(), "place": pa.list_(pa.float32())}
    columns = {name: pa.array(values, types[name]) for name, values in table.items()}
    pq.write_table(pa.table(columns), tmp_path / "data" / "t.parquet")
    monkeypatch.chdir(tmp_path)
    assert run_job(parse_config(yaml.safe_load((folder / "images.yaml").read_text()))) == 3
    (problem,) = json.loads((tmp_path / "runs/images/latest/report.json").read_text())["problems"]
    assert "row 20: column 'photo' (features.photo) holds a damaged image" in problem


def test_examples_hold_the_encoded_image(folder: Path) -> None:
    (file, *_) = sorted((folder / "runs" / "images" / "root" / "ExampleGen" / "examples").glob("*/Split-train/*"))
    records = next(iter(record_batches(str(file)))).numpy()
    assert sum(b"\x89PNG" in record for record in records) >= len(records) - 1
