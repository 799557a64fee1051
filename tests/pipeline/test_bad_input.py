"""Tables that must stop a run before anything is trained, through TFX as far as it takes."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pipeline.home import Home
from pipeline.run.job import run_job
from tests.pipeline.small import small_config

pytestmark = pytest.mark.slow

HEADER = "distance,carrier,late,delay"
SCHEMA = """
feature { name: "distance" type: FLOAT }
feature { name: "carrier" type: BYTES }
feature { name: "late" type: BYTES }
feature { name: "delay" type: FLOAT presence { min_fraction: 0.5 } float_domain { min: -60 max: 600 } }
"""


def good_rows(folder: Path) -> list[list[str]]:
    return [line.split(",") for line in (folder / "data/table.csv").read_text().splitlines()[1:]]


def write_rows(folder: Path, rows: list[list[str]]) -> None:
    (folder / "data/table.csv").write_text("\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n")


def with_column(rows: list[list[str]], column: str, *values: str) -> list[list[str]]:
    """The rows with these values in a column, over and over."""
    place = HEADER.split(",").index(column)
    return [[*row[:place], values[i % len(values)], *row[place + 1 :]] for i, row in enumerate(rows)]


def end(folder: Path, capfd: pytest.CaptureFixture[str], **changed: Any) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and what stands on stderr; nothing may have been trained or pushed."""
    code = run_job(small_config(folder, **changed))
    report = json.loads((Home("small").latest / "report.json").read_text())
    assert report["exit_code"] == code
    assert "Transform" not in report["components"]
    assert report["pushed"] is None
    assert list((folder / "serving").iterdir()) == []
    error = capfd.readouterr().err
    assert "Traceback" not in error
    return code, report, error


@pytest.mark.parametrize(
    ("column", "values", "component", "words"),
    [
        ("delay", ("",), "AnomalyGate", ["delay, train split", "task 'delay' cannot be trained"]),
        ("late", ("",), "AnomalyGate", ["late, train split", "task 'late' cannot be trained"]),
        ("late", ("no", "yes", "maybe"), "ExampleGen", ["'late'", "'maybe'", "66 rows", "no, yes"]),
        ("distance", ("100", "far"), "AnomalyGate", ["distance, train split", "expected a number", "'far'"]),
        ("distance", ("100.5", "inf", "-inf"), "AnomalyGate", ["distance, train split", "saw infinity"]),
        ("delay", ("1.5", "inf"), "AnomalyGate", ["delay, eval split", "saw infinity"]),
        ("distance", ("",), "AnomalyGate", ["distance, train split", "values for feature 'distance'", "none"]),
    ],
)
def test_a_column_that_cannot_be_learnt_from(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    column: str,
    values: tuple[str, ...],
    component: str,
    words: list[str],
) -> None:
    write_rows(folder, with_column(good_rows(folder), column, *values))
    code, report, error = end(folder, capfd)
    assert code == 3
    assert report["components"][component]["state"] == "failed"
    assert [word for word in words if word not in error] == []
    assert all(problem.startswith(component) for problem in report["problems"])


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (
            {"delays": {"kind": "count", "label": "delay"}},
            ["delay, train split", "label of task 'delays', of at least 0", "saw values from -"],
        ),
        (
            {"late": {"kind": "binary", "label": "late", "classes": ["no", "yes"], "sample_weight": "delay"}},
            ["delay, train split", "sample_weight of task 'late', of at least 0", "saw values from -"],
        ),
        (
            {"tags": {"kind": "multilabel", "label": "late", "classes": ["no", "on"], "separator": "|"}},
            ["late, train split", "classes of task 'tags'", "saw 'yes'"],
        ),
    ],
)
def test_labels_and_weights_out_of_range(
    folder: Path, capfd: pytest.CaptureFixture[str], tasks: dict[str, Any], words: list[str]
) -> None:
    code, report, error = end(folder, capfd, tasks=tasks, evaluation={})
    assert code == 3
    assert report["components"]["AnomalyGate"]["state"] == "failed"
    assert [word for word in words if word not in error] == []


def test_the_schema_is_kept(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "small.pbtxt").write_text(SCHEMA)
    write_rows(folder, with_column(good_rows(folder), "delay", "", "", "601"))
    code, report, error = end(folder, capfd, schema="small.pbtxt")
    assert code == 3
    assert report["components"]["AnomalyGate"]["state"] == "failed"
    assert "delay, train split: expected a value in at least 0.5 of the rows; saw values in 0.3" in error
    assert "delay, eval split: expected values from -60 to 600; saw values from 601 to 601" in error
    assert report["examples"]["train"] + report["examples"]["eval"] == 200


def test_text_where_the_schema_has_a_number(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "small.pbtxt").write_text(SCHEMA)
    write_rows(folder, with_column(good_rows(folder), "distance", "100", "far"))
    code, _, error = end(folder, capfd, schema="small.pbtxt")
    assert code == 3
    assert "line 3" in error
    assert "'far'" in error


def test_a_ragged_row(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_rows(folder, [*good_rows(folder)[:50], ["1", "A"], *good_rows(folder)[50:]])
    code, _, error = end(folder, capfd)
    assert code == 3
    assert "table.csv, line 52" in error


def test_bytes_that_are_no_text(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = folder / "data/table.csv"
    path.write_bytes(path.read_bytes() + b"100,M\xfcnchen,no,1\n")
    code, _, error = end(folder, capfd)
    assert code == 3
    assert "table.csv, line 202" in error
    assert "UTF-8" in error


def test_a_split_that_leaves_nothing_to_evaluate(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    split = {"by": "time", "column": "distance", "eval_from": 100000}
    code, _, error = end(folder, capfd, data={"path": str(folder / "data"), "split": split})
    assert code == 3
    assert "eval" in error


def test_a_locked_database(folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.preflight.LOCK_TIMEOUT_SECONDS", 0.1)
    home = Home("small")
    home.create()
    connection = sqlite3.connect(home.metadata, isolation_level=None)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN EXCLUSIVE")
    (folder / "serving").mkdir()
    code, report, error = end(folder, capfd)
    connection.close()
    assert code == 1
    assert report["components"] == {}
    assert "runs/small/metadata.db is locked by another process" in error
