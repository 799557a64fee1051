"""Cells are typed and converted as tfx_bsl's csv_decoder and CsvExampleGen do it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfx_bsl.coders import csv_decoder

from components.arrow_example_gen.kinds import CellError, kind_of_text, text_to_kind, to_kind, widest

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
    for cell in cells:
        accumulator = inferrer.add_input(accumulator, [cell.encode()])
    kind = inferrer.extract_output(accumulator)[0].type
    return {"UNKNOWN": None, "INT": "int", "FLOAT": "float", "STRING": "bytes"}[kind.name]


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
        with np.errstate(over="ignore"):
            expected = [float(np.float32(float(cell.encode()))) if cell else None for cell in cells]
        np.testing.assert_array_equal(np.array(values, float), np.array(expected, float))
    else:
        convert = int if kind == "int" else bytes
        assert values == [convert(cell.encode()) if cell else None for cell in cells]


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
    with pytest.raises(CellError):
        text_to_kind(column(["nan"]), "int")


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
    for value in (1.5, float("nan"), float("inf")):
        with pytest.raises(CellError):
            to_kind(pa.array([1.0, value], pa.float32()), "int")
