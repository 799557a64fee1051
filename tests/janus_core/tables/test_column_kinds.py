"""Cells are typed and converted as tfx_bsl's csv_decoder and CsvExampleGen do it, but for what float32 would lose."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx_bsl.coders import csv_decoder

from janus_core.tables.column_kinds import CellError, Kind, kind_of_text, narrow, text_to_kind, to_kind, widest

NUMBER_LIKE = st.text("0123456789+-._eExXnaif( )\t", max_size=22)
CELLS = st.lists(
    st.one_of(
        NUMBER_LIKE,
        st.integers(-(2**65), 2**65).map(str),
        st.floats().map(repr),
        st.sampled_from(["", "NA", "true", "nan", "inf", "1_0", "٣"]),
    ),
    max_size=12,
)


def reference_kind(cells: list[str]) -> str | None:
    inferrer = csv_decoder.ColumnTypeInferrer(["c"], skip_blank_lines=True)
    accumulator = inferrer.create_accumulator()
    # A blank cell is missing among numbers.
    cells = [cell for cell in cells if cell.strip()]
    for cell in cells:
        accumulator = inferrer.add_input(accumulator, [cell.encode()])
    kind = inferrer.extract_output(accumulator)[0].type
    found = {"UNKNOWN": None, "INT": "int", "FLOAT": "float", "STRING": "bytes"}[kind.name]
    numbers = [float(cell.encode()) for cell in cells] if found in ("int", "float") else []
    present = [number for number in numbers if number == number]
    if any(abs(int(cell)) > 2**53 - 1 for cell in cells if _is_int(cell)) and numbers:
        return "bytes"
    if numbers and all(number.is_integer() and abs(number) <= 2**53 - 1 for number in present):
        return "int" if present else None
    return found


def _is_int(cell: str) -> bool:
    try:
        int(cell.encode())
    except ValueError:
        return False
    return True


def column(cells: list[str]) -> pa.StringArray:
    return pa.array([cell or None for cell in cells], pa.string())


@settings(max_examples=400, deadline=None)
@given(CELLS)
def test_kind_is_csv_decoders(cells: list[str]) -> None:
    assert kind_of_text(column(cells)) == reference_kind(cells)


@settings(max_examples=200, deadline=None)
@given(CELLS)
def test_values_are_csv_decoders(cells: list[str]) -> None:
    kind = reference_kind(cells)
    if kind is None:
        return
    values = text_to_kind(column(cells), kind).to_pylist()
    if kind == "float":
        expected = [float(cell.encode()) if cell.strip() else None for cell in cells]
        np.testing.assert_array_equal(np.array(values, float), np.array(expected, float))
    elif kind == "int":
        numbers = [float(cell.encode()) if cell.strip() else math.nan for cell in cells]
        assert values == [None if number != number else int(number) for number in numbers]
    else:
        assert values == [cell.encode() if cell else None for cell in cells]


def test_kind_of_nothing_is_none() -> None:
    assert kind_of_text(column(["", ""])) is None
    assert kind_of_text(column([])) is None
    assert widest(None, "float", "int") == "float"
    assert widest(None, None) is None


def test_declared_int_takes_whole_floats_only() -> None:
    assert text_to_kind(column(["1.0", "2", ""]), "int").to_pylist() == [1, 2, None]
    with pytest.raises(CellError) as error:
        text_to_kind(column(["1", "", "2.5"]), "int")
    assert (error.value.row, error.value.value) == (2, "2.5")
    with pytest.raises(CellError, match="64 bits"):
        text_to_kind(column(["9223372036854775808"]), "int")
    assert text_to_kind(column(["nan", "7.0", "8"]), "int").to_pylist() == [None, 7, 8]


def test_text_in_a_number_column_is_located() -> None:
    with pytest.raises(CellError) as error:
        text_to_kind(column(["1.5", "x", "y"]), "float")
    assert (error.value.row, error.value.value) == (1, "x")


def test_typed_columns_convert_without_loss() -> None:
    floats = pa.array([1.0, None, 3.0], pa.float32())
    assert to_kind(floats, "int").to_pylist() == [1, None, 3]
    assert to_kind(floats, "bytes").to_pylist() == [b"1", None, b"3"]
    assert to_kind(pa.array([1, None]), "float").to_pylist() == [1.0, None]
    assert to_kind(pa.array([b"7", None]), "int").to_pylist() == [7, None]
    lists = pa.array([[1, 2], None, [], [3]], pa.large_list(pa.int64()))
    assert to_kind(lists.slice(1), "float").to_pylist() == [None, [], [3.0]]
    assert to_kind(pa.array([1.0, float("nan")]), "int").to_pylist() == [1, None]
    for value in (1.5, float("inf")):
        with pytest.raises(CellError):
            to_kind(pa.array([1.0, value], pa.float32()), "int")


@pytest.mark.parametrize(
    ("cells", "kind", "wide"),
    [
        (["1.0", "2.0", "", "3.0"], "int", "bytes"),
        (["719", "720.0", "nan"], "int", "bytes"),
        (["1e3", "2"], "int", "bytes"),
        (["1e20", "2"], "float", "bytes"),
        (["16777217.0", "0.5"], "float", "bytes"),
        (["9007199254740991", "1.0"], "int", "bytes"),
        (["9007199254740992", "1.0"], "bytes", "bytes"),
        (["9007199254740993", "1"], "bytes", "bytes"),
        (["9007199254740993", "1.5"], "bytes", "bytes"),
        (["9007199254740993", "1.5"], "float", "float"),
        (["-9007199254740993", "7"], "float", "float"),
        (["1700000000000000001", "7"], "int", "int"),
        (["17000000000000000010000", "7"], "float", "int"),
    ],
)
def test_whole_numbers_and_large_ones(cells: list[str], kind: str, wide: Kind) -> None:
    assert kind_of_text(column(cells), wide) == kind


def test_text_to_int_is_exact() -> None:
    cells = ["9007199254740991.0", "16777217.0", "", "NaN", "-3"]
    assert text_to_kind(column(cells), "int").to_pylist() == [2**53 - 1, 2**24 + 1, None, None, -3]


def test_narrow() -> None:
    values = pa.array([0.1, None, 1e300])
    assert narrow(values).to_pylist() == [float(np.float32(0.1)), None, math.inf]
    lists = pa.array([[0.1], None], pa.large_list(pa.float64()))
    assert narrow(lists).type == pa.large_list(pa.float32())
    assert narrow(pa.array([2**60])).to_pylist() == [2**60]
