"""The layout of the days, and the table of the nights."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.simulated_month import SHOWN, Night, table_lines, write_results, write_span

FLIGHTS = pd.DataFrame({"day_of_year": [1, 2, 2], "status": ["on_time", "delayed", "on_time"]})


def night(span: int, auc: float, before: float | None, exit_code: int = 0) -> Night:
    keys = [f"{task}/{name}" for task, name in SHOWN]
    return Night(
        span=span,
        date=f"2013-01-{span:02d}",
        exit_code=exit_code,
        spans=30,
        train=26000,
        evaluated=900,
        delayed=0.25,
        metrics=dict.fromkeys(keys, auc),
        baseline=dict.fromkeys(keys, before),
        seconds=10.0 * span,
        peak_memory_mb=900.0,
        problems=["task status: auc is too low"] if exit_code else [],
    )


def test_a_day_is_a_span_that_is_written_once(tmp_path: Path) -> None:
    day = write_span(FLIGHTS, 2, tmp_path)
    written = tmp_path / "2/v1/flights.csv"
    assert pd.read_csv(written)["status"].tolist() == day["status"].tolist() == ["delayed", "on_time"]
    before = written.stat().st_mtime_ns
    write_span(FLIGHTS, 2, tmp_path)
    assert written.stat().st_mtime_ns == before
    assert [path.name for path in written.parent.iterdir()] == ["flights.csv"]
    with pytest.raises(SystemExit, match="no day 3"):
        write_span(FLIGHTS, 3, tmp_path)


def test_means_are_over_the_nights_that_had_a_model_before() -> None:
    lines = table_lines([night(1, 0.9, None), night(2, 0.7, 0.6), night(3, 0.8, 0.7, exit_code=4)])
    assert lines[2].startswith("| 2013-01-01 | 30 | 26,000 | 25% | 0.900 (–) |")
    assert lines[5].startswith("| mean of 2 | | | | 0.750 (0.650) |")
    assert lines[5].endswith("| 2 of 3 | 20.0 |")
    assert lines[-1] == "- 2013-01-03: task status: auc is too low"


def test_the_results_are_three_files(tmp_path: Path) -> None:
    write_results([night(1, 0.9, None), night(2, 0.7, 0.6)], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["month.json", "month.md", "month.png"]
    assert (tmp_path / "month.png").read_bytes().startswith(b"\x89PNG")
