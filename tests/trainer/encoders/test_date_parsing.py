"""Dates in TensorFlow's graph against Python's own, and against what ingestion takes for a date."""

import datetime as dt
import random

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from janus_core.tables.times import parse_times
from trainer.encoders.date_parsing import instants, year_place

EPOCH = dt.datetime(1970, 1, 1)
ODD = ["", "  ", "never", "2024-13-01", "2023-02-29", "0000-01-01", "2024-01-01T24:00", "2024-1-1", "20240101",
       "2024-06-31", "99999-01-01", "-2024-01-01", "2024-01-01x", "1900-02-29", "2024-01-01T00:60"]  # fmt: skip


def seconds(texts: list[str | bytes], form: str | None = None) -> np.ndarray:
    return instants(tf.constant(texts), form).numpy()[:, 0]


def test_every_year_is_exact() -> None:
    days = random.Random(7)
    dates = [dt.datetime(year, days.randint(1, 12), days.randint(1, 28), 23, 59, 58) for year in range(1, 10_000)]
    dates += [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59), dt.datetime(2000, 2, 29)]
    found = seconds([date.isoformat() for date in dates])
    assert found.tolist() == [(date - EPOCH).total_seconds() for date in dates]


def test_what_is_no_date_is_missing() -> None:
    texts = [*ODD, b"\xff\xfe2024-01-01", "x" * 1_000_000]
    assert np.isnan(seconds(texts)).all()


def test_zones_are_converted_and_may_be_mixed() -> None:
    texts = ["2024-03-01T00:30:00+02:00", "2024-02-29T22:30Z", "2024-02-29 16:30:00.000-0600", "2024-02-29T22:30:00"]
    assert set(seconds(texts).tolist()) == {1709245800.0}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%d/%m/%Y", "05/11/2013"),
        ("%m/%d/%y %I:%M %p", "11/5/13 12:05 AM"),
        ("%d-%b-%Y %H:%M:%S %z", "5-Nov-2013 06:30:00 +0100"),
        ("%b %d, %Y", "November 05, 2013"),
        ("%Y%m%d", "20131105"),
        ("%Y-%m-%d %H:%M:%S.%f", "2013-11-05 06:30:00.25"),
        (None, "2013-11"),
        (None, " 2013-11-05T06:30:00.123456789Z "),
    ],
)
def test_same_as_at_ingestion(form: str | None, text: str) -> None:
    parsed = parse_times(pa.array([text]), form)
    assert parsed.valid[0]
    assert seconds([text], form)[0] == pytest.approx(parsed.instant[0] / 1e6, abs=1e-6)
    assert np.isnan(seconds(ODD[:8], form)).all()
    assert not parse_times(pa.array(ODD[:8]), form).valid[[0, 1, 2, 3, 4, 6, 7]].any()


@pytest.mark.parametrize(
    ("form", "values", "expected"),
    [
        (None, [0, 1_600_000_000, 1_600_000_000_000], [0, 1.6e9, 1.6e9]),
        ("epoch_ms", [86_400_000], [86400]),
        ("epoch_s", [-5], [-5]),
        ("%Y%m%d", [19700102], [86400]),
    ],
)
def test_numbers(form: str | None, values: list[int], expected: list[float]) -> None:
    assert instants(tf.constant(values, tf.int64), form).numpy()[:, 0].tolist() == expected


def test_numbers_as_text_and_beyond_the_years() -> None:
    assert seconds([" 1600000000.5 "], "epoch_s").tolist() == [1600000000.5]
    assert np.isnan(seconds(["", "abc", "1e5", "999999999999999999"], "epoch_s")).all()
    assert np.isnan(instants(tf.constant([np.inf, np.nan, -1e30]), None).numpy()).all()


def test_place_in_the_year() -> None:
    dates = [dt.date(2024, 1, 1), dt.date(2024, 2, 29), dt.date(2023, 12, 31), dt.date(1, 3, 1), dt.date(1969, 7, 2)]
    days = tf.constant([float((date - EPOCH.date()).days) for date in dates], tf.float64)
    expected = [(date.month - 1 + (date.day - 1) / 31) / 12 for date in dates]
    np.testing.assert_allclose(year_place(days).numpy(), expected, atol=1e-12)
