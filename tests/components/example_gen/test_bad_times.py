"""Dates that are none, at ingestion."""

import pyarrow as pa
import pytest

from components.example_gen.bad_rows import describe
from components.example_gen.bad_times import check_times
from janus_core.tables.batch import Batch


def found(column: pa.Array, form: str, sensitive: bool = False) -> list[tuple[str, int, str]]:
    batch = Batch({"at": column}, len(column), lambda row: f"row {row}")
    bad = check_times(batch, {"at": form, "gone": ""}, ["at"] if sensitive else [])
    return [(one.value, one.count, one.where) for one in bad]


@pytest.mark.parametrize(
    ("column", "form", "expected"),
    [
        (pa.array(["2024-01-31T01:00+02:00", "2024-01-31Z", None, " ", "0001-01-01"]), "", []),
        (
            pa.array([b"2024-02-30", b"2024-01-01", b"soon", b"soon", b"0000-01-01"]),
            "",
            [("2024-02-30", 1, "row 0"), ("soon", 2, "row 2"), ("0000-01-01", 1, "row 4")],
        ),
        (pa.array([b"\xff2024-01-01"]), "", [("�2024-01-01", 1, "row 0")]),
        (pa.array(["31/12/2024", "12/31/2024"]), "%d/%m/%Y", [("12/31/2024", 1, "row 1")]),
        (pa.array([20240131, 20241301, None]), "%Y%m%d", [("20241301", 1, "row 1")]),
        (pa.array([1.5, None, float("nan"), 1e18]), "", [(str(10**18), 1, "row 3")]),
        (pa.array(["17", "x", "99999999999999"]), "epoch_s", [("x", 1, "row 1"), ("99999999999999", 1, "row 2")]),
        (pa.nulls(2), "", []),
    ],
)  # fmt: skip
def test_values(column: pa.Array, form: str, expected: list[tuple[str, int, str]]) -> None:
    assert [(value.replace("\\xff", "�"), *rest) for value, *rest in found(column, form)] == expected


def test_words() -> None:
    column = pa.array(["soon", "2024-01-01", "later"])
    batch = Batch({"at": column}, 3, lambda row: f"row {row}")
    (first, _) = check_times(batch, {"at": "%d.%m.%Y"})[:2]
    assert describe(first, {}, {"at": "%d.%m.%Y"}).startswith(
        "row 0: column 'at' holds 'soon' in 1 row (this is the first), which is no date of the format '%d.%m.%Y'"
    )
    (hidden,) = check_times(batch, {"at": ""}, ["at"])
    assert (hidden.value, hidden.count) == ("", 2)
    assert "holds a value in 2 rows" in describe(hidden, {}, {"at": ""})
