"""Rows of plain values and tf.Examples ↔ the inputs of a signature."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.description import ColumnDescription, ModelDescription
from serving.errors import Code, RequestError
from serving.rows import (
    EXACT,
    columns_of_examples,
    columns_of_rows,
    example_of_row,
    require_values,
    rows_of_examples,
)
from serving.signatures import Signature, TensorInfo
from tests.trainer import harness

FLOAT, DOUBLE, STRING = 1, 2, 7


def signature(**inputs: tuple[int, list[int], bool]) -> Signature:
    """Input → dtype, shape, whether it is optional."""
    infos = {name: TensorInfo(dtype, shape) for name, (dtype, shape, _) in inputs.items()}
    return Signature(infos, {}, {name: np.zeros(1) for name, (_, _, optional) in inputs.items() if optional})


SIGNATURE = signature(
    distance=(FLOAT, [-1], False),
    seats=(DOUBLE, [-1], True),
    carrier=(STRING, [-1], False),
    tail=(STRING, [-1], True),
    board=(FLOAT, [-1, 3], True),
)
DESCRIPTION = ModelDescription(
    tasks={},
    columns={
        "distance": ColumnDescription(dtype="float", required=True),
        "seats": ColumnDescription(dtype="int", required=False),
        "carrier": ColumnDescription(dtype="string", required=True),
        "tail": ColumnDescription(dtype="string", required=False),
        "board": ColumnDescription(dtype="float", required=False, length=3),
    },
)


def test_rows_become_columns_of_the_signatures_types() -> None:
    rows = [
        {"distance": 100, "carrier": "UA", "seats": 12, "board": [1, 2, 3], "other": "x"},
        {"distance": "7.5", "carrier": 17.0, "seats": None},
    ]
    columns = columns_of_rows(SIGNATURE, rows)
    assert set(columns) == {"distance", "carrier", "seats", "board"}
    assert columns["distance"].dtype == np.float32
    assert columns["distance"].tolist() == [100.0, 7.5]
    assert columns["seats"].dtype == np.float64
    assert columns["seats"][0] == 12
    assert math.isnan(columns["seats"][1])
    assert columns["carrier"].tolist() == [b"UA", b"17"]
    assert columns["board"].shape == (2, 3)
    assert columns["board"][0].tolist() == [1, 2, 3]
    assert np.isnan(columns["board"][1]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"distance": "far"}, "row 2: column 'distance' is 'far', not a number"),
        ({"distance": None}, "row 2: column 'distance' is missing, but required"),
        ({"carrier": ""}, "row 2: column 'carrier' is missing, but required"),
        ({"carrier": {"a": 1}}, "row 2: column 'carrier' is dict, not text"),
        ({"distance": [1, 2]}, "row 2: column 'distance' has 2 values instead of one"),
        ({"board": [1, 2]}, "row 2: column 'board' has 2 values instead of 3"),
    ],
)
def test_a_wrong_value_is_named(changed: dict[str, Any], message: str) -> None:
    good = {"distance": 1.0, "carrier": "UA"}
    with pytest.raises(RequestError) as error:
        columns_of_rows(SIGNATURE, [good, {**good, **changed}])
    assert str(error.value) == message
    assert error.value.code == Code.INVALID_ARGUMENT


ROWS = st.lists(
    st.fixed_dictionaries(
        {"distance": st.floats(width=32, allow_nan=False), "carrier": st.text(min_size=1)},
        optional={
            "seats": st.none() | st.integers(-EXACT, EXACT),
            "tail": st.none() | st.text(),
            "board": st.none() | st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3),
        },
    ),
    min_size=1,
    max_size=5,
)


@given(ROWS)
def test_by_way_of_examples_rows_become_the_same_columns(rows: list[dict[str, Any]]) -> None:
    rows = [
        {
            name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    records = [example_of_row(DESCRIPTION, row) for row in rows]
    direct, by_examples = columns_of_rows(SIGNATURE, rows), columns_of_examples(SIGNATURE, records)
    assert set(direct) == set(by_examples)
    for name, values in direct.items():
        np.testing.assert_array_equal(values, by_examples[name])
    back = rows_of_examples(DESCRIPTION, records)
    assert [example_of_row(DESCRIPTION, row) for row in back] == records


def test_a_row_of_text_becomes_an_example_of_the_columns_types() -> None:
    record = example_of_row(DESCRIPTION, {"distance": "12.5", "seats": "4", "carrier": 1, "tail": ""})
    assert rows_of_examples(DESCRIPTION, [record]) == [
        {"distance": 12.5, "seats": 4, "carrier": "1", "tail": None, "board": None}
    ]
    with pytest.raises(RequestError, match="column 'seats' is 'four', not a number"):
        example_of_row(DESCRIPTION, {"seats": "four"})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"distance": True}, "column 'distance' is bool, not a number"),
        ({"distance": "1_000"}, "column 'distance' is '1_000', not a number"),
        ({"seats": 3.5}, "column 'seats' is 3.5, not a whole number"),
        ({"seats": "inf"}, "column 'seats' is inf, not a whole number"),
        ({"seats": 2**53 + 1}, f"column 'seats' is {2**53 + 1}, beyond {EXACT}, up to which whole numbers are exact"),
        # As float64 it is 2^53 + 1 too.
        ({"seats": 2**53}, f"column 'seats' is {2**53}, beyond {EXACT}"),
        ({"seats": str(2**53 + 1)}, f"column 'seats' is {2**53 + 1}, beyond {EXACT}"),
        ({"tail": True}, "column 'tail' is bool, not text"),
        ({"board": 1.0}, "column 'board' has one value instead of 3"),
    ],
)
def test_what_would_silently_become_another_value_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as error:
        columns_of_rows(SIGNATURE, [{"distance": 1.0, "carrier": "UA", **changed}])
    assert message in str(error.value)


VALUES = st.none() | st.sampled_from(["", " ", "7", "-2.5", "1e3", "nan", "x"]) | st.integers(-9, 9) | st.floats()


@given(st.sampled_from(["distance", "seats", "tail"]), st.lists(VALUES, min_size=1, max_size=4))
def test_a_column_reads_each_value_as_it_would_alone(name: str, values: list[Any]) -> None:
    """Columns of one type are read at once, others value by value."""
    definition = signature(**{name: ({"distance": FLOAT, "seats": DOUBLE, "tail": STRING}[name], [-1], True)})

    def read(rows: list[Any]) -> list[Any] | str:
        try:
            found = columns_of_rows(definition, [{name: value} for value in rows])[name]
        except RequestError as error:
            return str(error).partition(": ")[2]
        return [repr(value) for value in found.tolist()]

    alone = [read([value]) for value in values]
    wrong = [found for found in alone if isinstance(found, str)]
    assert read(values) == (wrong[0] if wrong else [found[0] for found in alone])


def test_missing_values_in_any_form_are_the_same() -> None:
    for missing in (None, float("nan"), "", np.float32("nan")):
        columns = columns_of_rows(
            SIGNATURE,
            [{"distance": 1.0, "carrier": "UA", "seats": missing, "tail": missing}, {"distance": 1.0, "carrier": "UA"}],
        )
        assert set(columns) == {"distance", "carrier"}


def test_rows_of_nothing_but_defaults_are_still_counted() -> None:
    optional = signature(seats=(DOUBLE, [-1], True), tail=(STRING, [-1], True))
    columns = columns_of_rows(optional, [{}, {}])
    assert np.isnan(columns["seats"]).tolist() == [True, True]
    assert columns["tail"].tolist() == [b"", b""]
    assert columns_of_examples(optional, [b""] * 3)["tail"].shape == (3,)
    assert columns_of_rows(optional, [])["seats"].shape == (0,)


def test_lists_of_text_are_padded_to_the_longest() -> None:
    definition = signature(tags=(STRING, [-1, -1], True))
    columns = columns_of_rows(definition, [{"tags": ["a", "b"]}, {"tags": "c"}, {}])
    assert columns["tags"].tolist() == [[b"a", b"b"], [b"c", b""], [b"", b""]]


def test_examples_are_read_as_the_model_reads_them() -> None:
    """The first of several values; a vector cut or padded."""
    records = [
        harness.example_of({"distance": [1.0, 2.0], "carrier": "UA", "board": [1.0, 2.0, 3.0, 4.0]}),
        harness.example_of({"distance": 5.0, "carrier": "EV", "board": [6.0]}),
    ]
    columns = columns_of_examples(SIGNATURE, records)
    assert columns["distance"].tolist() == [1.0, 5.0]
    np.testing.assert_array_equal(columns["board"], [[1.0, 2.0, 3.0], [6.0, np.nan, np.nan]])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"\xff", "row 2: not a serialized tf.Example"),
        (harness.example_of({"carrier": "UA"}), "row 2: column 'distance' is missing, but required"),
        (
            harness.example_of({"distance": "far", "carrier": "UA"}),
            "row 2: column 'distance' holds a bytes_list, not a float_list",
        ),
    ],
)
def test_a_wrong_example_is_named(record: bytes, message: str) -> None:
    good = harness.example_of({"distance": 1.0, "carrier": "UA"})
    with pytest.raises(RequestError) as error:
        columns_of_examples(SIGNATURE, [good, record])
    assert str(error.value).startswith(message)
    assert error.value.code == Code.INVALID_ARGUMENT


def test_values_read_back_are_plain_and_short() -> None:
    record = example_of_row(DESCRIPTION, {"distance": 0.1, "seats": 2**60, "carrier": "Zürich"})
    assert rows_of_examples(DESCRIPTION, [record]) == [
        {"distance": 0.1, "seats": 2**60, "carrier": "Zürich", "tail": None, "board": None}
    ]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seats", np.inf, "is inf, not a whole number"),
        ("seats", 3.5, "is 3.5, not a whole number"),
        ("seats", 2.0**53, f"is {2**53}, beyond {EXACT}, up to which whole numbers are exact"),
        ("distance", np.nan, "is missing, but required"),
        ("carrier", b"", "is missing, but required"),
    ],
)
def test_arrays_that_would_be_cast_to_nonsense_are_refused(name: str, value: Any, message: str) -> None:
    columns = {
        "distance": np.float32([1, 2]),
        "seats": np.float64([3, np.nan]),
        "carrier": np.array([b"UA", b"EV"], object),
        "board": np.float32([[1, 2, 3], [np.nan] * 3]),
    }
    require_values(SIGNATURE, columns)
    columns[name][1] = value
    with pytest.raises(RequestError) as refused:
        require_values(SIGNATURE, columns)
    assert str(refused.value) == f"row 2: column '{name}' {message}"
    assert refused.value.code == Code.INVALID_ARGUMENT
