"""What each kind of column is taken for."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.commands.init.features import guess_feature
from pipeline.commands.init.profile import profile, repeated_rows, time_form_of

ROWS = 200
RANDOM = np.random.RandomState(1)


def column(name: str, values: list[Any], arrow_type: pa.DataType | None = None) -> Any:
    if arrow_type is None and isinstance(next((v for v in values if v is not None), None), str):
        arrow_type = pa.binary()
    return profile(name, pa.array(values, arrow_type))


WORDS = [f"w{number}" for number in range(2000)]


GENRES = ["Drama", "Comedy", "Crime", "War", "Film noir"]


@pytest.mark.parametrize(
    ("name", "values", "kind", "options"),
    [
        ("price", RANDOM.normal(size=ROWS).tolist(), "numeric", {}),
        ("income", np.exp(RANDOM.normal(size=ROWS) * 3).tolist(), "numeric", {"scale": "log"}),
        ("gap", [None if i % 5 == 0 else i % 17 + 0.5 for i in range(ROWS)], "numeric", {"missing_indicator": True}),
        ("colour", [WORDS[i % 5] for i in range(ROWS)], "categorical", {}),
        ("flag", ["True" if i % 3 else "False" for i in range(ROWS)], "categorical", {}),
        ("word", [WORDS[i % 300] for i in range(1000)], "hashed", {"buckets": 512}),
        ("customer_id", RANDOM.randint(0, 90, ROWS).tolist(), "hashed", {"buckets": 128}),
        ("shop", [100_000_000 + i % 40 for i in range(ROWS)], "categorical", {}),
        ("shop", [str(2**60 + i % 40) for i in range(ROWS)], "categorical", {}),
        ("area code", RANDOM.randint(200, 230, ROWS).tolist(), "categorical", {}),
        ("zip", RANDOM.randint(10_000, 10_090, ROWS).tolist(), "hashed", {"buckets": 128}),
        ("income", np.cumsum(RANDOM.randint(1, 900, ROWS)).tolist(), "numeric", {}),
        ("month", [i % 12 + 1 for i in range(ROWS)], "cyclical", {"period": 12}),
        ("pickupHour", [i % 24 for i in range(ROWS)], "cyclical", {"period": 24}),
        ("day_of_week", [i % 7 for i in range(ROWS)], "cyclical", {"period": 7}),
        ("wind_dir", [float(i % 36) * 10 for i in range(ROWS)], "cyclical", {"period": 360}),
        ("dep_time", [(i % 24) * 100 + i % 60 for i in range(ROWS)], "cyclical", {"period": 2400}),
        ("vector", [[1.0, 2.0, float(i)] for i in range(ROWS)], "vector", {"length": 3}),
        ("note", [" ".join(RANDOM.choice(WORDS, 6)) for _ in range(ROWS)], "text", {"max_tokens": 8}),
        ("tags", [["a", "b"][: i % 3] for i in range(ROWS)], "set", {}),
        ("tags", [[f"v{i}", f"w{i}"] for i in range(ROWS)], "set", {"buckets": 1024}),
        ("genres", [GENRES[i % 5] + "|" + GENRES[i % 4] for i in range(ROWS)], "set", {"separator": "|"}),
        ("when", [f"2024-01-{i % 28 + 1:02d}" for i in range(ROWS)], "datetime", {}),
        ("day", [f"{i % 28 + 1}/03/2021" for i in range(ROWS)], "datetime", {"format": "%d/%m/%Y"}),
        ("created", [1_700_000_000 + 977 * (i * 7 % ROWS) for i in range(ROWS)], "datetime", {"format": "epoch_s"}),
        (
            "created",
            [1_700_000_000_000 + 7 * (i * 7 % ROWS) for i in range(ROWS)],
            "datetime",
            {"format": "epoch_ms"},
        ),
        ("date", [20240101 + i % 28 for i in range(ROWS)], "datetime", {"format": "%Y%m%d"}),
        ("monthly", [i % 12 + 1 for i in range(ROWS)], "numeric", {}),
        ("children", [str(i % 4) if i % 4 < 3 else "3+" for i in range(ROWS)], "categorical", {}),
    ],
)
def test_features(name: str, values: list[Any], kind: str, options: dict[str, Any]) -> None:
    found = guess_feature(column(name, values))
    assert (found.kind, found.options) == (kind, options), found.reason


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("c", ["same"] * ROWS, "constant: 'same'"),
        ("n", [7] * ROWS, "constant: '7'"),
        ("empty", [None] * ROWS, "no value"),
        ("rare", [1.5, *[None] * (ROWS - 1)], "a value in only 1 of 200 rows"),
        ("row", list(range(ROWS)), "grows from row to row"),
        ("uuid", [f"{i:x}-{i * 7}" for i in range(ROWS)], "identifier: 200 values in 200 rows"),
        ("ticket no id", RANDOM.permutation(100_000)[:ROWS].tolist(), "identifier"),
        (
            "when",
            [f"{i % 12 + 1:02d}/{i % 11 + 1:02d}/2024" for i in range(ROWS)],
            "in time .day or month first",
        ),
        ("due", [f"2024-01-{i % 28 + 1:02d}" if i else "soon" for i in range(ROWS)], "'soon'.*data.null_values"),
        ("temp", ["NA" if i % 9 == 0 else str(i) for i in range(ROWS)], "numbers, but for 'NA': leave these cells"),
        ("ratio", [float("inf"), *[float(i) for i in range(ROWS)]], "infinite in 1 rows"),
        ("label", [f"{a} {b}" for a, b in zip(WORDS, WORDS[9:], strict=False)][:ROWS], "text that hardly repeats: 200"),
        ("contact", [f"w{i}@example.org" for i in range(ROWS)], "e-mail addresses, which identify people"),
        ("e-mail", [f"w{i % 40}@example.org" for i in range(ROWS)], "e-mail addresses"),
        ("host", [f"10.0.{i % 7}.{i}" for i in range(ROWS)], "network addresses"),
        ("phone", [5_550_000 + 7 * (i * 13 % 97) for i in range(ROWS)], "identifies people, by the column's name"),
        ("customer name", [WORDS[i % 50] for i in range(ROWS)], "identifies people"),
        ("date_of_birth", [f"19{i % 90 + 10}-01-{i % 28 + 1:02d}" for i in range(ROWS)], "dates of birth"),
        ("price", [f"1,{i:03d}.50" for i in range(ROWS)], "numbers as text, written with ',' between thousands"),
        ("load", [f"{i / 7:.2f} kg" if i % 3 else f"{i} g" for i in range(ROWS)], r"several units \(kg, g\)"),
        (
            "temp",
            [f"{i / 7:.2f}" if i % 4 else f"n{i}" for i in range(ROWS)],
            "numbers in 75 % of the rows, but not 'n0'",
        ),
        ("load", [f"{i % 90}.5{'kM'[i % 2]}" for i in range(ROWS)], r"several units \(k, M\): write them in one"),
        ("lists", [[1.0] * (1 + i % 3) for i in range(ROWS)], "lists of 1 to 3 numbers"),
        ("blob", [b"\xff\xfe" + bytes([i % 5]) for i in range(ROWS)], "not UTF-8"),
    ],
)
def test_left_out(name: str, values: list[Any], reason: str) -> None:
    found = guess_feature(column(name, values, pa.binary() if name == "blob" else None))
    assert found.kind == "dropped"
    assert re.search(reason, found.reason), found.reason


def test_a_value_that_is_there_or_not_is_no_constant() -> None:
    assert guess_feature(column("bonus", ["paid" if i % 2 else None for i in range(ROWS)])).kind == "categorical"


def form_of(found: Any) -> str | None:
    times = time_form_of(found)
    return times.form if times else None


def test_points_in_time() -> None:
    assert form_of(column("t", ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"])) == "iso"
    assert form_of(column("t", ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00+01:00"])) == "iso"
    assert form_of(column("t", ["2024-01-01T00:00:00Z", "2024-01-02T00:00:00"])) is None
    assert form_of(column("t", ["2024-01-01 00:00:00 UTC", "2024-01-02 00:00:00 UTC"])) == "iso"
    assert form_of(column("t", ["01/02/2024", "02/02/2024"])) == "day or month first"
    assert form_of(column("t", ["01/02/2024", "22/02/2024"])) == "%d/%m/%Y"
    assert form_of(column("t", ["01/02/2024 9:30 AM", "02/22/2024 1:00 PM"])) == "%m/%d/%Y %I:%M %p"
    assert form_of(column("t", ["04.03.2021", "31.03.2021"])) == "%d.%m.%Y"
    assert form_of(column("t", ["2021/03/04", "2021/12/31"])) == "%Y/%m/%d"
    assert form_of(column("t", ["04-Mar-21", "31-Mar-21"])) == "%d-%b-%y"
    assert form_of(column("date", [20240131, 20240201])) == "yyyymmdd"
    assert form_of(column("date_of_birth", ["1980-01-01", "1990-01-01"])) is None
    assert form_of(column("revenue", [1_500_000_000, 1_600_000_000])) is None


def test_rows_that_stand_there_before_are_counted() -> None:
    columns = [column("a", [1, 1, 2, 1]), column("b", ["x", "x", "x", "y"]), column("c", [None, None, 1.5, None])]
    assert repeated_rows(columns) == 1
    assert repeated_rows([column("v", [[1.0], [1.0], [2.0]])]) == 1
