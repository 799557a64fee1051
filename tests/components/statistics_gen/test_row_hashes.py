"""Hashes of rows: what makes two rows the same, and what does not."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.statistics_gen.row_hashes import rounded, row_hashes


def batch(types: dict[str, pa.DataType], **columns: list[Any]) -> pa.RecordBatch:
    lists = {
        name: pa.array(
            [row if row is None or isinstance(row, list) else [row] for row in rows], pa.large_list(types[name])
        )
        for name, rows in columns.items()
    }
    return pa.RecordBatch.from_arrays(list(lists.values()), list(lists))


TYPES = {"n": pa.int64(), "x": pa.float32(), "t": pa.large_binary()}


def same(first: pa.RecordBatch, second: pa.RecordBatch, digits: int | None = None) -> list[bool]:
    columns = sorted(TYPES)
    return (row_hashes(first, columns, digits) == row_hashes(second, columns, digits)).tolist()


def test_rows_are_the_same_if_every_value_is() -> None:
    first = batch(TYPES, n=[1, 1, 1, 1, 1], x=[0.5, 0.5, 0.5, 0.5, -0.0], t=[b"a", b"a", b"a", None, b"a"])
    second = batch(TYPES, n=[1, 2, 1, 1, 1], x=[0.5, 0.5, 0.25, 0.5, 0.0], t=[b"a", b"a", b"a", b"", b"a"])
    assert same(first, second) == [True, False, False, False, True]


def test_a_missing_value_nan_and_an_absent_column_are_the_same() -> None:
    first = batch(TYPES, n=[1, 1, 1], x=[None, float("nan"), 2.0])
    second = batch(TYPES, n=[1, 1, 1])
    assert same(first, second) == [True, True, False]


def test_the_same_value_in_another_column_is_another_row() -> None:
    types = {"a": pa.int64(), "b": pa.int64()}
    first, second = batch(types, a=[3], b=[5]), batch(types, a=[5], b=[3])
    assert row_hashes(first, ["a", "b"])[0] != row_hashes(second, ["a", "b"])[0]
    assert row_hashes(first, ["a", "b"])[0] == row_hashes(first, ["b", "a"])[0]


def test_lists_count_in_their_order_and_alike_beside_longer_ones() -> None:
    types = {"v": pa.float32()}
    first = batch(types, v=[[1.0, 2.0], [1.0, 2.0], [3.0], [1.0, 1.0]])
    second = batch(types, v=[[1.0, 2.0], [2.0, 1.0], [3.0], [1.0]])
    assert (row_hashes(first, "v") == row_hashes(second, "v")).tolist() == [True, False, True, False]
    assert row_hashes(first, "v")[2] == row_hashes(batch(types, v=[3.0]), "v")[0]


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (1.23449, 1.23451, False),
        (1.23441, 1.23449, True),
        (9.9999, 10.0, True),
        (-9.9999, -10.0, True),
        (123440.0, 123449.0, True),
        (1.234e-9, 1.2341e-9, True),
        (1.234, -1.234, False),
        (1.234, 12.34, False),
        (0.0, 1e-30, False),
    ],
)
def test_fractions_are_rounded_to_significant_digits(first: float, second: float, equal: bool) -> None:
    ours, theirs = batch(TYPES, x=[first]), batch(TYPES, x=[second])
    assert same(ours, theirs, digits=4) == [equal]
    assert same(ours, theirs) == [False]
    values = rounded(np.array([first, second]), 4)
    assert (values[0] == values[1]) is np.bool_(equal)


def test_whole_numbers_are_not_rounded() -> None:
    assert same(batch(TYPES, n=[1234567]), batch(TYPES, n=[1234568]), digits=4) == [False]


def test_hashes_are_spread_and_the_same_on_every_machine() -> None:
    many = row_hashes(batch(TYPES, n=list(range(20000))), ["n"])
    assert len(set(many.tolist())) == 20000
    ones = np.unpackbits(many.view(np.uint8)).reshape(-1, 64).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 0.02
    one = row_hashes(batch(TYPES, n=[7], x=[0.5], t=[b"JFK"]), sorted(TYPES))
    assert one.tolist() == [2672669111205640558]
