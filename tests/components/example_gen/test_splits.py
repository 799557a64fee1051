"""Rows are divided by a stable hash or by time."""

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen.splits import column_hashes, eval_rows
from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.config import HashSplit, TimeSplit


def batch(**columns: pa.Array) -> Batch:
    return Batch(columns, len(next(iter(columns.values()))), lambda row: f"f.csv, line {row + 2}")


def test_dates_as_yaml_reads_them() -> None:
    def shown(value: Any) -> str:
        return TimeSplit(by="time", column="t", eval_from=value).shown

    assert shown(datetime.date(2013, 11, 5)) == "2013-11-05"
    assert shown(datetime.datetime(2013, 11, 5, 6, 30)) == "2013-11-05T06:30:00"
    assert (shown(305), shown(0.5), shown("2013")) == ("305", "0.5", "2013")


def test_hash_split_is_pinned() -> None:
    """A changed hash would move rows between train and eval under users' feet."""
    table = batch(i=pa.array(range(40)), s=pa.array([f"k{i}".encode() for i in range(40)]))
    chosen, _ = eval_rows(table, HashSplit(by="hash", eval_fraction=0.25), 17)
    assert np.flatnonzero(chosen).tolist() == [0, 2, 6, 7, 13, 14, 16, 19, 25, 26, 27, 35, 38]


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_hash_split_has_its_share_and_differs_by_seed(fraction: float) -> None:
    table = batch(i=pa.array(range(20000)))
    split = HashSplit(by="hash", eval_fraction=fraction, key=["i"])
    first, _ = eval_rows(table, split, 1)
    second, _ = eval_rows(table, split, 2)
    assert abs(first.mean() - fraction) < 0.015
    assert abs((first & second).mean() - fraction**2) < 0.015


def test_rows_of_one_key_stay_together() -> None:
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 50, 2000)
    table = batch(k=pa.array(keys), x=pa.array(rng.normal(size=2000).astype(np.float32)))
    chosen, _ = eval_rows(table, HashSplit(by="hash", key=["k"]), 3)
    assert all(len(set(chosen[keys == key])) == 1 for key in range(50))
    assert 0 < chosen.mean() < 1


def test_hashes_do_not_depend_on_the_kind_or_the_order() -> None:
    ints = pa.array([7, None, -12, 2**62, 0])
    texts = pa.array([b"7", None, b"-12", str(2**62).encode(), b"0"])
    floats = pa.array([7.0, None, -12.0, 2.0**62, 0.0], pa.float32())
    lists = pa.array([[7], None, [-12], [2**62], [0]], pa.large_list(pa.int64()))
    for other in (texts, floats, lists):
        np.testing.assert_array_equal(column_hashes(ints), column_hashes(other))
    np.testing.assert_array_equal(column_hashes(ints.slice(2)), column_hashes(ints)[2:])
    np.testing.assert_array_equal(column_hashes(lists.slice(2)), column_hashes(lists)[2:])
    order = [[1, 2], [2, 1], [1], [], [1, 2, 0]]
    assert len(set(column_hashes(pa.array(order, pa.large_list(pa.int64()))).tolist())) == 5


def test_a_column_that_is_missing_throughout_may_as_well_not_be_there() -> None:
    ids, nothing = pa.array(range(100)), pa.nulls(100, pa.binary())
    split = HashSplit(by="hash", eval_fraction=0.5)
    np.testing.assert_array_equal(eval_rows(batch(i=ids, s=nothing), split, 1)[0], eval_rows(batch(i=ids), split, 1)[0])


def test_rows_with_no_key_at_all_are_found() -> None:
    table = batch(a=pa.array([1, None, None, 4]), b=pa.array([None, b"x", None, b"y"]))
    _, bad_rows = eval_rows(table, HashSplit(by="hash", key=["a", "b"]), 0)
    assert [(f.flaw, f.count, f.where) for f in bad_rows] == [("missing_key", 1, "f.csv, line 4")]
    assert eval_rows(table, HashSplit(by="hash"), 0)[1] == []


@pytest.mark.parametrize(
    ("column", "eval_from", "expected"),
    [
        (pa.array([1, 304, 305, 306]), 305, [0, 0, 1, 1]),
        (pa.array([1, 304, 305, 306]), "304.5", [0, 0, 1, 1]),
        (pa.array([2**53, 2**53 + 1]), float(2**53), [1, 1]),
        (pa.array([1.5, 2.5, float("inf")], pa.float32()), 2.5, [0, 1, 1]),
        (pa.array([b"2013-10-31", b"2013-11-01", b"2014-01-01"]), "2013-11-01", [0, 1, 1]),
        (pa.array([b"2013-10-31 23:59:59", b"2013-11-01T00:00:00"]), "2013-11-01 00:00:00", [0, 1]),
        (pa.array([2**63 - 1]), 1e300, [1]),
        (pa.array([b"2013-10-31T23:00:00-05:00", b"2013-11-01T00:00:00-05:00"]), "2013-11-01", [0, 1]),
        (pa.array([b"2013-10", b"2013-11"]), "2013-11", [0, 1]),
        (pa.array([[304], [305]], pa.large_list(pa.int64())), 305, [0, 1]),
    ],
)
def test_time_split(column: pa.Array, eval_from: Any, expected: list[int]) -> None:
    chosen, bad_rows = eval_rows(batch(t=column), TimeSplit(by="time", column="t", eval_from=eval_from), 0)
    assert chosen.astype(int).tolist() == expected
    assert bad_rows == []


@pytest.mark.parametrize(
    ("form", "values", "eval_from", "expected"),
    [
        # As text, 02/01/2014 comes before 31/12/2013.
        ("%d/%m/%Y", ["31/12/2013", "02/01/2014", "1/1/2014"], "2014-01-02", [0, 1, 0]),
        ("%m/%d/%Y %I:%M %p", ["12/31/2013 11:00 PM", "01/01/2014 12:30 AM"], "2014-01-01", [0, 1]),
        ("%d-%b-%y", ["04-Mar-21", "05-MAR-21", "31-Dec-99"], "2021-03-05", [0, 1, 0]),
        ("%Y/%m/%d", ["2021/03/04", "2021/03/05"], "2021-03-05", [0, 1]),
        (None, ["2021-03-04 23:30:00 UTC", "2021-03-05 00:30:00 UTC"], "2021-03-05", [0, 1]),
        # At 01:30 in Berlin it is yet the day before in Greenwich.
        (None, ["2021-03-05T01:30:00+02:00", "2021-03-04T20:00:00-05:00"], "2021-03-05Z", [0, 1]),
    ],
)
def test_time_split_orders_by_time_whatever_the_form(
    form: str | None, values: list[str], eval_from: str, expected: list[int]
) -> None:
    split = TimeSplit(by="time", column="t", eval_from=eval_from, format=form)
    chosen, _ = eval_rows(batch(t=pa.array([value.encode() for value in values])), split, 0)
    assert chosen.astype(int).tolist() == expected


def test_a_date_of_another_form_is_named_with_its_line() -> None:
    column = pa.array([b"31/12/2013", b"12/31/2013"])
    with pytest.raises(DataError, match="line 3: column 't' holds '12/31/2013', which is not of data.split.format"):
        eval_rows(batch(t=column), TimeSplit(by="time", column="t", eval_from="2014-01-01", format="%d/%m/%Y"), 0)
    with pytest.raises(ValueError, match="'%j' is not supported; use %Y"):
        TimeSplit(by="time", column="t", eval_from="2014-01-01", format="%Y %j")


@pytest.mark.parametrize("column", [pa.array([1, None, 3, None]), pa.array([1, float("nan"), 3, None], pa.float32())])
def test_time_split_counts_missing_times(column: pa.Array) -> None:
    _, bad_rows = eval_rows(batch(t=column), TimeSplit(by="time", column="t", eval_from=2), 0)
    assert [(f.flaw, f.count, f.where) for f in bad_rows] == [("missing_time", 2, "f.csv, line 3")]
    _, bad_rows = eval_rows(batch(x=column), TimeSplit(by="time", column="t", eval_from=2), 0)
    assert bad_rows[0].count == 4


@pytest.mark.parametrize(
    ("column", "eval_from", "message"),
    [
        (pa.array([1, 2]), "november", "'november' is text, but column 't' holds numbers"),
        (pa.array([b"2013-01-01"]), 305, "305 is a number, but column 't' holds text such as '2013-01-01'"),
        (pa.array([b"2013-01-01", b"11/02/2013"]), "2013-11-01", "line 3: column 't' holds '11/02/2013'.*ISO 8601"),
        (pa.array([b"2013-01-01"]), "November", "'November' is not an ISO 8601 date"),
        (
            pa.array([b"2013-01-01T00:00Z", b"2013-01-02T00:00+01:00"]),
            "2013-01-02",
            r"line 3: .* '2013-01-02T00:00\+01:00' and '2013-01-01T00:00Z'.* such as '2013-01-02Z'",
        ),
        (pa.array([b"2013-01-01Z", b"2013-01-02"]), "2013-01-02Z", "line 3: .* has no time zone, while"),
        (pa.array([b"2013-01-01", b"2013-02-30"]), "2013-01-02", "line 3: .*'2013-02-30', which is not an ISO 8601"),
        (pa.array([b"2013-01-01", b"\xff1"]), "2013-01-02", r"line 3: column 't' holds b'\\xff1', which is not UTF-8"),
        (pa.array([1, 2]), "nan", "'nan' is text"),
        (pa.array([[1], [1, 2]], pa.large_list(pa.int64())), 2, "line 3: column 't' has several values"),
    ],
)
def test_time_split_rejects_what_does_not_compare(column: pa.Array, eval_from: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        eval_rows(batch(t=column), TimeSplit(by="time", column="t", eval_from=eval_from), 0)
