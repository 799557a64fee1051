"""Dates, texts and sets through the whole pipeline, from a Parquet table to requests to the pushed model."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from janus_core.errors import DataError
from pipeline.config.file import parse_config
from pipeline.run.job import run_job
from serving.description import read_description

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(900)]

ROWS = 1200
WORDS = {"good": 2.0, "fine": 1.0, "bread": 0.0, "slow": -1.0, "awful": -2.0}
TAGS = {"new": 1.0, "sale": 0.5, "old": -1.0}
FEATURES: dict[str, dict[str, Any]] = {
    "price": {"kind": "numeric"},
    "note": {"kind": "text", "max_tokens": 8, "buckets": 256, "embed": 4, "characters": 3, "missing_indicator": True},
    "tags": {"kind": "set", "embed": 2, "missing_indicator": True},
    "codes": {"kind": "set", "separator": ";", "buckets": 16, "embed": 2},
    "sent": {"kind": "datetime", "format": "%d/%m/%Y %H:%M", "since": "ordered"},
    "seen": {"kind": "datetime", "missing_indicator": True},
}
SPLIT = {"by": "time", "column": "sent", "format": "%d/%m/%Y %H:%M", "eval_from": "2023-10-01"}
"""By the column of the feature `sent`: the model meets later dates than those it was trained on."""


def table(**changed: list[Any]) -> pa.Table:
    """A score that depends on each column, and a day on which no one knows it."""
    random = np.random.default_rng(3)
    words = random.choice(list(WORDS), size=(ROWS, 5))
    tags = random.uniform(size=(ROWS, 3)) < 0.4
    minutes = random.integers(0, 800 * 1440, ROWS)
    sent = np.datetime64("2022-01-01T00:00", "m") + minutes
    waited = random.integers(0, 9000, ROWS)
    score = sum(np.vectorize(WORDS.get)(words).T) / 3 + tags @ list(TAGS.values()) + waited / 4000
    score = score + np.cos(2 * np.pi * (minutes % 1440) / 1440) + random.normal(size=ROWS) / 5
    columns: dict[str, Any] = {
        "price": random.uniform(1, 9, ROWS).round(2).tolist(),
        "note": [None if row % 19 == 0 else " ".join(words[row]).capitalize() + "!" for row in range(ROWS)],
        "tags": [[tag for tag, flag in zip(TAGS, flags, strict=True) if flag] for flags in tags],
        "codes": [str(row % 7) if row % 3 else f"{row % 7}; {row % 5}" for row in range(ROWS)],
        "sent": [one.item().strftime("%d/%m/%Y %H:%M") for one in sent],
        "ordered": [one.item().strftime("%d/%m/%Y %H:%M") for one in sent - waited],
        "seen": [None if row % 11 == 0 else row * 86_400_000 for row in range(ROWS)],
        "score": [None if row % 23 == 0 else float(value) for row, value in enumerate(score)],
        "liked": ["yes" if value > 1 else "no" for value in score],
    }
    return pa.table({**columns, **changed})


def config_in(folder: Path, **changed: Any) -> Any:
    raw = {
        "name": "kinds",
        "seed": 5,
        "data": {"path": str(folder / "data"), "format": "parquet"},
        "features": FEATURES,
        "tasks": {
            "score": {"kind": "regression", "label": "score"},
            "liked": {"kind": "binary", "label": "liked", "classes": ["no", "yes"]},
        },
        "model": {"trunk": {"units": [16]}, "towers": {}},
        "training": {"epochs": 25, "batch_size": 32, "learning_rate": 0.01},
        "evaluation": {"gates": {"liked": {"auc": {"min": 0.8}}, "score": {"r2": {"min": 0.5}}}},
        "push": {"path": str(folder / "models")},
    }
    return parse_config({**raw, **changed})


@dataclass(frozen=True)
class Run:
    report: dict[str, Any]
    analysis: dict[str, Any]
    model: Path
    signatures: Any


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "data").mkdir()
    pq.write_table(table(), folder / "data" / "table.parquet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        code = run_job(config_in(folder, data={"path": "data", "format": "parquet", "split": SPLIT}))
    report = json.loads((folder / "runs" / "kinds" / "latest" / "report.json").read_text())
    assert code == 0, report["problems"]
    model = Path(report["pushed"]) if Path(report["pushed"]).is_absolute() else folder / report["pushed"]
    analysis = json.loads((folder / "runs" / "kinds" / "latest" / "analysis.json").read_text())
    return Run(report, analysis, model, tf.saved_model.load(str(model)).signatures)


def example(**values: Any) -> bytes:
    made = tf.train.Example()
    for name, value in values.items():
        given = value if isinstance(value, list) else [value]
        if isinstance(given[0] if given else "", str | bytes):
            texts = [one.encode() if isinstance(one, str) else one for one in given]
            made.features.feature[name].bytes_list.value.extend(texts)
        elif isinstance(given[0], int):
            made.features.feature[name].int64_list.value.extend(given)
        else:
            made.features.feature[name].float_list.value.extend(given)
    return made.SerializeToString()


USUAL: dict[str, Any] = {
    "price": 2.0,
    "note": "Good good bread",
    "tags": ["new", "sale"],
    "codes": "1;2",
    "sent": "03/04/2023 09:30",
    "ordered": "01/04/2023 09:30",
    "seen": 1_700_000_000_000,
}


def test_a_date_is_a_feature_and_splits_the_rows(run: Run) -> None:
    dates = [datetime.strptime(text, SPLIT["format"]) for text in table()["sent"].to_pylist()]
    later = sum(date >= datetime.fromisoformat(SPLIT["eval_from"]) for date in dates)
    assert 100 < later < ROWS / 2
    assert run.report["examples"] == {"train": ROWS - later, "eval": later}


def test_every_kind_is_learnt(run: Run) -> None:
    assert run.report["tasks"]["score"]["metrics"]["r2"] > 0.6
    importance = {entry["column"]: entry["worse"] for entry in run.analysis["tasks"]["score"]["importance"]}
    assert set(importance) == set(USUAL)
    assert min(importance[column] for column in ("note", "tags", "sent")) > max(importance["codes"], 0.1)


def test_baselines_read_every_kind(run: Run) -> None:
    baselines = run.report["tasks"]["score"]["baselines"]
    assert {name for name, one in baselines.items() if not one["problem"]} == {"constant", "linear", "boosting"}
    # Words and tags alone explain most of the score.
    assert baselines["linear"]["metric"] == "r2"
    assert baselines["linear"]["value"] > 0.4


def test_description(run: Run) -> None:
    description = read_description(run.model)
    assert description is not None
    columns = description.columns
    assert list(columns) == ["price", "note", "tags", "codes", "sent", "ordered", "seen"]
    assert columns["tags"].many
    assert set(columns["tags"].values) == set(TAGS)
    assert columns["note"].kinds == ["text"]
    assert columns["seen"].dtype == "int"


def test_signatures_agree(run: Run) -> None:
    rows = [USUAL, {**USUAL, "note": "awful and slow", "tags": ["old"]}]
    of_examples = run.signatures["serving_default"](examples=tf.constant([example(**row) for row in rows]))
    columns: dict[str, Any] = {
        name: tf.constant([row[name] for row in rows]) for name in USUAL if name not in ("tags", "seen", "price")
    }
    columns["price"] = tf.constant([2.0, 2.0])
    columns["tags"] = tf.constant([["new", "sale"], ["old", ""]])
    columns["seen"] = tf.constant([float(USUAL["seen"])] * 2, tf.float64)
    of_columns = run.signatures["serving_columns"](**columns)
    np.testing.assert_allclose(of_examples["score"], of_columns["score"], atol=1e-5)
    assert of_examples["score"][0, 0] > of_examples["score"][1, 0] + 1


@pytest.mark.parametrize(
    ("changes", "like"),
    [
        ({"note": ""}, {"note": None}),
        ({"note": b"\xff\xfe good"}, {"note": "good"}),
        ({"note": "Good good bread" + " " * 1_000_000 + "x"}, {"note": "Good good bread"}),
        ({"tags": []}, {"tags": None}),
        ({"tags": ["new", "", "sale"]}, {}),
        ({"codes": " ; "}, {"codes": None}),
        ({"codes": "2; 1"}, {}),
        ({"sent": "soon"}, {"sent": None}),
        ({"sent": "31/02/2023 00:00"}, {"sent": None}),
    ],
)
def test_odd_values(run: Run, changes: dict[str, Any], like: dict[str, Any]) -> None:
    pair = [{**USUAL, **changes}, {**USUAL, **like}]
    pair = [{name: value for name, value in row.items() if value is not None} for row in pair]
    scores = run.signatures["serving_default"](examples=tf.constant([example(**row) for row in pair]))["score"].numpy()
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_other_odd_values_are_answered(run: Run) -> None:
    rows = [{**USUAL, **{"note": text}} for text in ("x" * 1_000_000, b"\xc3\x28", "\0", "日本語")]
    rows += [{**USUAL, "sent": "01/01/0001 00:00", "ordered": "31/12/9999 23:59"}, {**USUAL, "tags": ["?"] * 1000}, {}]
    scores = run.signatures["serving_default"](examples=tf.constant([example(**row) for row in rows[:-1]]))
    assert np.isfinite(scores["score"]).all()


def test_what_is_no_date_stops_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    sent = table()["sent"].to_pylist()
    pq.write_table(table(sent=[*sent[:-1], "soon"]), tmp_path / "data" / "table.parquet")
    monkeypatch.chdir(tmp_path)
    code = run_job(config_in(tmp_path))
    assert code == DataError.exit_code
