"""Parquet's types arrive as tf.Example's three kinds, or are refused by name."""

import datetime
import decimal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from janus_core.errors import DataError, MachineError
from janus_core.tables import parquet_reader
from janus_core.tables import pieces as plan
from tests.components.example_gen.helpers import contents, counts, data_config, rows, run

D = decimal.Decimal
UTC = datetime.UTC
NOON = datetime.datetime(2013, 11, 5, 12, 30)

TYPES: dict[str, tuple[pa.DataType, list[Any], str, list[Any]]] = {
    "bool": (pa.bool_(), [True, False, None], "int64", [1, 0, None]),
    "int8": (pa.int8(), [-5, 7, None], "int64", [-5, 7, None]),
    "int64": (pa.int64(), [2**53 - 1, -(2**53) + 1, None], "int64", [2**53 - 1, -(2**53) + 1, None]),
    "wide": (pa.int64(), [2**53 + 1, -(2**63), None], "bytes", [b"9007199254740993", b"-9223372036854775808", None]),
    "uint64": (pa.uint64(), [2**64 - 1, 0, None], "bytes", [b"18446744073709551615", b"0", None]),
    "whole": (pa.float64(), [719.0, 16777217.0, None], "int64", [719, 16777217, None]),
    "nan": (pa.float64(), [7.0, float("nan"), None], "int64", [7, None, None]),
    "whole_decimal": (pa.decimal128(12, 2), [D("719.00"), D("16777217.00"), None], "int64", [719, 16777217, None]),
    "wide_decimal": (
        pa.decimal128(38, 2),
        [D(2**70), D("1.00"), None],
        "bytes",
        [b"1180591620717411303424", b"1", None],
    ),
    "double": (pa.float64(), [1.5, float("inf"), None], "float", [1.5, float("inf"), None]),
    "decimal": (pa.decimal128(12, 2), [D("1.25"), D("-3.50"), None], "float", [1.25, -3.5, None]),
    "string": (pa.string(), ["a", "", None], "bytes", [b"a", b"", None]),
    "large": (pa.large_string(), ["a", "é", None], "bytes", [b"a", "é".encode(), None]),
    "binary": (pa.binary(), [b"\xff", b"b", None], "bytes", [b"\xff", b"b", None]),
    "fixed": (pa.binary(2), [b"ab", b"cd", None], "bytes", [b"ab", b"cd", None]),
    "category": (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None], "bytes", [b"a", b"b", None]),
    "date": (pa.date32(), [NOON.date(), None, None], "bytes", [b"2013-11-05", None, None]),
    "timestamp": (
        pa.timestamp("us"),
        [NOON, NOON.replace(microsecond=500000), None],
        "bytes",
        [b"2013-11-05T12:30:00", b"2013-11-05T12:30:00.500000", None],
    ),
    "zoned": (
        pa.timestamp("ms", "Europe/Paris"),
        [NOON.replace(tzinfo=UTC), None, None],
        "bytes",
        [b"2013-11-05T12:30:00Z", None, None],
    ),
    "time": (pa.time64("us"), [NOON.time(), None, None], "bytes", [b"12:30:00", None, None]),
    "duration": (pa.duration("s"), [datetime.timedelta(minutes=2), None, None], "int64", [120, None, None]),
    "ints": (pa.list_(pa.int32()), [[1, 2], [], None], "int64", [[1, 2], None, None]),
    "vector": (pa.list_(pa.float64(), 2), [[1.5, None], [2, 3], [0, 1]], "float", [[1.5, "nan"], [2, 3], [0, 1]]),
    "texts": (pa.large_list(pa.string()), [["a", ""], ["b"], None], "bytes", [[b"a", b""], [b"b"], None]),
    "nothing": (pa.null(), [None, None, None], "", [None, None, None]),
}


if int(pa.__version__.split(".")[0]) >= 15:  # earlier ones have no such Parquet type
    HALVES = [np.float16(1.5), np.float16(-2), None]
    TYPES["float16"] = (pa.float16(), HALVES, "float", [1.5, -2.0, None])


def write(path: Path, table: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def column(row: dict[str, tuple[str, tuple[Any, ...]]], name: str) -> Any:
    if name not in row:
        return None
    values = ["nan" if value != value else value for value in row[name][1]]
    return values if name in ("ints", "vector", "texts") else values[0]


def test_types(tmp_path: Path) -> None:
    # A lone row would leave a split empty: the key differs, the rows repeat.
    arrays = {name: pa.array(values * 8, arrow_type) for name, (arrow_type, values, *_) in TYPES.items()}
    table = pa.table({"row": pa.array([0, 1, 2] * 8), "key": pa.array(range(24)), **arrays})
    found = rows(run(data_config(write(tmp_path / "t.parquet", table), "parquet"), tmp_path / "out"))
    assert len(found) == 24
    for row in found:
        for name, (_, _, kind, expected) in TYPES.items():
            assert column(row, name) == expected[row["row"][1][0]], name
            if name in row:
                assert row[name][0] == f"{kind}_list"


@pytest.fixture
def table() -> pa.Table:
    rng = np.random.default_rng(0)
    rows = 5000
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "x": pa.array(
                np.where(rng.random(rows) < 0.2, None, rng.normal(size=rows).astype(np.float32)), pa.float32()
            ),
            "s": pa.array(np.where(rng.random(rows) < 0.2, None, rng.choice(["a", "b,c", "d\ne"], rows)), pa.string()),
            "v": pa.array(list(rng.integers(0, 9, (rows, 3)))),
        }
    )


def test_row_groups_and_pieces_lose_nothing(table: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(data_config(write(tmp_path / "one.parquet", table), "parquet"), tmp_path / "whole")
    monkeypatch.setattr(plan, "PIECE_BYTES", 30_000)
    monkeypatch.setattr(parquet_reader, "BATCH_ROWS", 700)
    path = write(tmp_path / "many.parquet", table, row_group_size=1700)
    pieces = run(data_config(path, "parquet"), tmp_path / "pieces")
    assert contents(pieces) == contents(whole)
    assert len(list((tmp_path / "pieces" / "Split-train").iterdir())) > 5
    assert sum(counts(pieces).values()) == 5000


def test_same_rows_as_csv_with_the_same_split(table: pa.Table, tmp_path: Path) -> None:
    flat = table.drop(["v"]).slice(0, 600)
    pyarrow.csv.write_csv(flat, tmp_path / "t.csv")
    for key in (["id"], None):
        split = {"by": "hash", "eval_fraction": 0.3, "key": key}
        csv = run(data_config(tmp_path / "t.csv", split=split), tmp_path / f"c{key}")
        path = write(tmp_path / "t.parquet", flat)
        parquet = run(data_config(path, "parquet", split=split), tmp_path / f"p{key}")
        for name in ("train", "eval"):
            assert _ids(rows(csv, name)) == _ids(rows(parquet, name))
        assert contents(csv) == contents(parquet)


def _ids(found: list[dict[str, tuple[str, tuple[Any, ...]]]]) -> Counter[int]:
    return Counter(row["id"][1][0] for row in found)


def test_time_split_on_timestamps(tmp_path: Path) -> None:
    days = [datetime.datetime(2013, 10, 30) + datetime.timedelta(hours=6 * i) for i in range(20)]
    table = pa.table({"t": pa.array(days, pa.timestamp("ns"))})
    split = {"by": "time", "column": "t", "eval_from": "2013-11-01"}
    examples = run(data_config(write(tmp_path / "t.parquet", table), "parquet", split), tmp_path / "out")
    assert counts(examples) == {"train": 8, "eval": 12}


def test_kinds_widen_across_files(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"x": pa.array(range(9)), "y": pa.array(["a"] * 9)}))
    write(tmp_path / "b.parquet", pa.table({"y": pa.nulls(9), "x": pa.array([0.5] * 9)}))
    write(tmp_path / "c.parquet", pa.table({"x": pa.array([], pa.int64()), "y": pa.array([], pa.string())}))
    found = rows(run(data_config(tmp_path, "parquet"), tmp_path / "out"))
    assert {row["x"][0] for row in found} == {"float_list"}
    assert sum("y" in row for row in found) == 9


def test_whole_numbers_and_doubles_in_different_files_are_one_kind(tmp_path: Path) -> None:
    ids = [100_000_000 + place for place in range(40)]
    write(tmp_path / "a.parquet", pa.table({"id": pa.array(ids)}))
    write(tmp_path / "b.parquet", pa.table({"id": pa.array([*map(float, ids), None])}))
    write(tmp_path / "c.parquet", pa.table({"id": pa.array([D(i) for i in ids], pa.decimal128(12, 0))}))
    found = [row["id"] for row in rows(run(data_config(tmp_path, "parquet"), tmp_path / "out")) if "id" in row]
    assert Counter(found) == {("int64_list", (i,)): 3 for i in ids}


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([{"x": pa.array([{"a": 1}])}], r"column 'x' is of type struct<.*flatten"),
        ([{"x": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}], "column 'x' is of type map<"),
        ([{"x": pa.array([[[1]]])}], "column 'x' is of type list<.*list<"),
        ([{"x": pa.array([[1], [1, None]])}], r"0\.parquet, row 1: column 'x' holds '\[1, None\]'.*gap"),
        ([{"x": [1, 2]}, {"x": ["a", "b"]}], r"column 'x' is int64 in .*0\.parquet, but string in .*1\.parquet"),
        ([{"x": [1, 2]}, {"z": [1]}], r"1\.parquet lacks column 'x' of .*1\.parquet has column 'z'"),
        ([{"x": pa.array([], pa.int64())}], r"0\.parquet: there are no rows"),
    ],
)
def test_bad_tables(tables: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    for i, table in enumerate(tables):
        write(tmp_path / "in" / f"{i}.parquet", pa.table(table))
    with pytest.raises(DataError, match=message):
        run(data_config(tmp_path / "in", "parquet"), tmp_path / "out")


def test_declared_kinds_are_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", pa.table({"x": [1.0, 2.5, 3.0] * 5, "n": ["1", "2", None] * 5}))
    with pytest.raises(DataError, match=r"t\.parquet, row 1: column 'x' holds '2.5', which is not a whole number"):
        run(data_config(path, "parquet"), tmp_path / "out", column_types={"x": "int"})
    found = rows(run(data_config(path, "parquet"), tmp_path / "out2", column_types={"n": "int"}))
    assert {row["n"][0] for row in found if "n" in row} == {"int64_list"}


def test_missing_lists_of_a_fixed_size() -> None:
    values = pa.array([1, 2, None, None, 3, 4], pa.int64())
    fixed = pa.Array.from_buffers(pa.list_(pa.int64(), 2), 3, [pa.py_buffer(b"\x05")], children=[values])
    lists = parquet_reader._canonical(fixed)
    assert lists.to_pylist() == [[1, 2], None, [3, 4]]
    assert parquet_reader._canonical(fixed.slice(1)).to_pylist() == [None, [3, 4]]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (pa.ArrowMemoryError("malloc of size 64 failed"), "there is not enough memory"),
        (PermissionError(13, "Cannot open for reading"), r"t\.parquet: permission denied"),
    ],
)
def test_what_the_machine_refuses_is_not_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def refuse(*_: Any, **_kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    with path.open("rb") as file, pytest.raises(MachineError, match=words):
        parquet_reader._parquet_file(pa.PythonFile(file), str(path))


def test_a_footer_whose_row_groups_name_other_columns_than_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"whole": [1, 2, 3]}), path)
    content = path.read_bytes()
    # Of the names in the footer, this is the row group's; Arrow's own schema follows.
    place = content.rindex(b"whole", 0, content.index(b"ARROW:schema"))
    path.write_bytes(content[:place] + b"whola" + content[place + 5 :])
    assert parquet_reader.infer_kinds(str(path), 0, 3, {"whole": "float"}) == {"whole": "int"}


def test_damaged_files(tmp_path: Path) -> None:
    path = write(tmp_path / "t.parquet", pa.table({"x": list(range(100000))}), compression="gzip")
    content = path.read_bytes()
    for damaged in (content[:-20], b"", b"PAR1" + content[4:-8] + b"\xff\xff\xff\x7fPAR1", b"not parquet"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"t\.parquet: not a readable Parquet file"):
            run(data_config(path, "parquet"), tmp_path / "out")
    path.write_bytes(content[:2000] + bytes(len(content) // 2) + content[2000 + len(content) // 2 :])
    with pytest.raises(DataError, match=r"t\.parquet: row groups \[0\] cannot be read"):
        run(data_config(path, "parquet"), tmp_path / "out")
