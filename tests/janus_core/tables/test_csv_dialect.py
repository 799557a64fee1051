"""CSV as other programs write it: read with the right values, or refused with the cause, the line and the remedy."""

import gzip
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from components.example_gen.parameters import Parameters, settings_digest
from components.example_gen.work import Job, infer_kinds
from janus_core.errors import DataError
from janus_core.tables import csv_reader
from janus_core.tables.config import DataConfig
from janus_core.tables.csv_blocks import read_blocks
from janus_core.tables.csv_dialect import Dialect, dialect_of
from janus_core.tables.csv_header import Header
from janus_core.tables.inspect import inspect_source
from janus_core.tables.pieces import plan_work

PLAIN = "id,name,note\n1,Müller,x\n2,Ana,\n"
TABLE = {"id": ["1", "2"], "name": ["Müller", "Ana"], "note": ["x", None]}


def table(path: Path, **keys: Any) -> dict[str, list[str | None]]:
    """What ExampleGen's workers read of a file, as text."""
    data = DataConfig(path=str(path), **keys)
    columns: dict[str, list[str | None]] = {name: [] for name in inspect_source(data).columns}
    for item in plan_work([str(path)], data):
        for piece in item.pieces:
            file = csv_reader.open_csv(piece.path, dialect_of(data))
            for block in csv_reader.blocks_between(file, piece.start, piece.stop, piece.line):
                for name, cells in csv_reader.parse_block(block, file).items():
                    columns[name] += cells.to_pylist()
    return columns


CASES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "semicolons": (PLAIN.replace(",", ";").encode(), {"delimiter": ";"}),
    "tabs": (PLAIN.replace(",", "\t").encode(), {"delimiter": "\t"}),
    "tabs by name": (PLAIN.replace(",", "\t").encode(), {"delimiter": "tab"}),
    "bars by name": (PLAIN.replace(",", "|").encode(), {"delimiter": "bar"}),
    "bars": (PLAIN.replace(",", "|").encode(), {"delimiter": "|"}),
    "Excel's sep": (b"\xef\xbb\xbfsep=;\r\n" + PLAIN.replace(",", ";").encode(), {"delimiter": ";"}),
    "title rows": (b'Sales of "2024\n\n' + PLAIN.encode(), {"skip_rows": 1}),
    "empty lines first": (b"\r\n  \n" + PLAIN.encode(), {}),
    "byte order mark": (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
    "utf-16": (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
    "utf-16 big end first": (b"\xfe\xff" + PLAIN.encode("utf-16-be"), {"encoding": "UTF-16"}),
    "utf-16 without a mark": (PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}),
    "utf-16 in gzip": (gzip.compress(PLAIN.encode("utf-16")), {"encoding": "utf-16"}),
    "cp1252": (PLAIN.encode("cp1252"), {"encoding": "cp1252"}),
    "carriage returns": (PLAIN.replace("\n", "\r").encode(), {}),
    "carriage returns in utf-16": (PLAIN.replace("\n", "\r").encode("utf-16"), {"encoding": "utf-16"}),
    "carriage returns and newlines": (PLAIN.replace("\n", "\r\n").encode(), {}),
    "no final newline": (PLAIN.rstrip("\n,").encode() + b",", {}),
    "delimiter at every end": (PLAIN.replace("\n", ",\n").replace("note,", "note").encode(), {}),
    "delimiter at the header's end": (PLAIN.replace("note\n", "note,\n").encode(), {}),
    "quotes after blanks": (
        'id, name, note\n1, "Müller", "x"\n2, Ana,\n'.encode(),
        {"skip_initial_space": True},
    ),
    "backslash": (PLAIN.replace("Müller", r'"M\üller"').encode(), {"escape_char": "\\"}),
    "MySQL's missing": (PLAIN.replace("Ana,", r"Ana,\N").encode(), {"escape_char": "\\"}),
}


@pytest.mark.parametrize("case", CASES)
def test_other_programs_csv_is_read(case: str, tmp_path: Path) -> None:
    content, keys = CASES[case]
    (tmp_path / "t.csv").write_bytes(content)
    found = table(tmp_path / "t.csv", **keys)
    extra = [name for name in found if name.startswith("unnamed_")]
    assert all(found.pop(name) == [None, None] for name in extra)
    assert found == TABLE


QUOTED: list[tuple[str, Dialect, list[list[str]]]] = [
    (
        'a, "b, c", d\n"e" ,  "f\ng", "h ""i"" "\n 1,2 , 3\n',
        Dialect(skip_initial_space=True),
        [["a", "b, c", "d"], ["e ", "f\ng", 'h "i" '], ["1", "2 ", "3"]],
    ),
    (
        'a,"b \\"c\\", d",e\n"f\\\\","g\nh",i\\,j\n',
        Dialect(escape_char="\\"),
        [["a", 'b "c", d', "e"], ["f\\", "g\nh", "i,j"]],
    ),
    ('a;\'b;"c;d\n"\n', Dialect(delimiter=";"), [["a", "'b", "c;d\n"]]),
    ("1   2 3\n4 5    6\n", Dialect(delimiter=" ", skip_initial_space=True), [["1", "2", "3"], ["4", "5", "6"]]),
]


@pytest.mark.parametrize(("text", "dialect", "expected"), QUOTED)
@pytest.mark.parametrize("size", [1, 7, 13, 1000])
def test_quotes_of_other_formats_survive_any_cut(
    text: str, dialect: Dialect, expected: list[list[str]], size: int
) -> None:
    rows: list[list[str]] = []
    file = csv_reader.CsvFile("f.csv", Header(list("abc"[: len(expected[0])]), 0, 1), dialect)
    for block in read_blocks(io.BytesIO(text.encode()).read, size, "f.csv", dialect=dialect):
        columns = csv_reader.parse_block(block, file)
        rows += [list(row) for row in zip(*(cells.to_pylist() for cells in columns.values()), strict=True)]
    assert rows == expected


REFUSED: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "semicolons": (b"a;b\n1;2\n", {}, r"t\.csv, line 1: the cells are separated by semicolons.*data\.delimiter: ';'"),
    "commas": (b"a,b\n1,2\n", {"delimiter": ";"}, r"separated by commas, not by data\.delimiter \(';'\)"),
    "sep": (b"sep=;\na;b\n1;2\n", {}, r"t\.csv, line 1: sep=; .* data\.delimiter: ';'"),
    "title": (b"Sales\na,b\n1,2\n", {}, r"t\.csv, line 2: 2 cells, but the header names 1 columns.*data\.skip_rows"),
    "nothing named": (b",,\n1,2,3\n", {}, r"t\.csv, line 1: the header names no column"),
    "too many skipped": (b"a,b\n1,2\n", {"skip_rows": 5}, r"data\.skip_rows is 5, but there are only 2 lines"),
    "utf-16": (PLAIN.encode("utf-16"), {}, r"t\.csv is written in UTF-16; data\.encoding: utf-16"),
    "utf-16 without a mark": (PLAIN.encode("utf-16-le"), {}, r"many NUL bytes; .*data\.encoding: utf-16-le"),
    "no mark of utf-16": (
        PLAIN.encode("utf-16-le"),
        {"encoding": "utf-16"},
        r"line 0: not utf-16 \(.*BOM\); data\.enc",
    ),
    "no utf-16": (PLAIN.encode(), {"encoding": "utf-16"}, r"not written in UTF-16, which data\.encoding names"),
    "utf-8 after all": (b"\xef\xbb\xbf" + PLAIN.encode(), {"encoding": "cp1252"}, r"written in UTF-8, but data\.enc"),
    "not of the encoding": (PLAIN.encode() + b"3,\x81,z\n", {"encoding": "cp1252"}, r"not cp1252 .*data\.encoding"),
    "cp1252": (PLAIN.encode("cp1252"), {}, r"t\.csv, line 2: not UTF-8 .*data\.encoding: cp1252"),
    "quote after a blank": (
        b'a,b,c\n1,2,3\n4, "5", 6\n',
        {},
        r"t\.csv, line 3: there is a blank .*data\.skip_initial_space: true",
    ),
    "comma after it": (b'a,b,c\n1,2,3\n4, "5, 6", 7\n', {}, r"t\.csv, line 3: 4 cells.*data\.skip_initial_space"),
    "backslash": (b'a,b\n1,"say \\"hi\\" now"\n', {}, r"t\.csv, line 2: .*data\.escape_char: '\\'"),
    "comma after a backslash": (b'a,b\n1,"x\\", y"\n', {}, r"t\.csv, line 2: .*data\.escape_char: '\\'"),
    "Parquet": (b"PAR1....PAR1", {}, r"t\.csv is not CSV but a Parquet file: data\.format: parquet"),
    "spreadsheet": (b"PK\x03\x04....", {}, r"t\.csv is not CSV but a ZIP archive or a spreadsheet: export it"),
    "row names of R": (b"a,b\nx,1,2\ny,3,4\n", {}, r"t\.csv, line 2: 3 cells.*an index without a name"),
    "row with more cells": (b"a,b\n1,2,\n3,4\n", {}, r"t\.csv, line 2: 3 cells, but the header names 2 columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_names_cause_and_remedy(case: str, tmp_path: Path) -> None:
    content, keys, message = REFUSED[case]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        table(tmp_path / "t.csv", **keys)


def test_quotes_within_quoted_cells_are_no_other_format(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a,b\n1," ""x"", \\"\n2,"he said, ""hi"""\n3,"C:\\"\n4,5\\" pipe\n')
    assert table(tmp_path / "t.csv")["b"] == [' "x", \\', 'he said, "hi"', "C:\\", '5\\" pipe']


def test_columns_without_a_name_or_with_one_of_several_have_a_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b",a,b,a,,unnamed_5\n0,1,2,3,4,5\n")
    expected = {"unnamed_1": ["0"], "a.1": ["1"], "b": ["2"], "a.2": ["3"], "unnamed_5_": ["4"], "unnamed_5": ["5"]}
    assert table(tmp_path / "t.csv") == expected


def test_a_large_file_of_another_encoding_is_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 5_000)
    monkeypatch.setattr("janus_core.tables.pieces.PIECE_BYTES", 20_000)
    rows = "".join(f"{number},Müller\r" for number in range(9_000))
    (tmp_path / "t.csv").write_bytes(("id,name\r" + rows).encode("utf-16"))
    data = DataConfig(path=str(tmp_path / "t.csv"), encoding="utf-16")
    (item,) = plan_work([data.path], data)
    assert len(item.pieces) == 1
    found = table(tmp_path / "t.csv", encoding="utf-16")
    assert found["id"] == [str(number) for number in range(9_000)]
    assert set(found["name"]) == {"Müller"}
    kinds = infer_kinds(item, Job(Parameters(data=data), ["id", "name"], {}, {}, ""))
    assert kinds == {"id": "int", "name": "bytes"}


def test_a_large_file_of_carriage_returns_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 5_000)
    monkeypatch.setattr("janus_core.tables.pieces.PIECE_BYTES", 20_000)
    (tmp_path / "t.csv").write_text("id,name\r" + "".join(f"{number},x\r" for number in range(9_000)))
    assert len(plan_work([str(tmp_path / "t.csv")], DataConfig(path=str(tmp_path / "t.csv")))) > 2
    assert table(tmp_path / "t.csv")["id"] == [str(number) for number in range(9_000)]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("delimiter", "", "a single ASCII character"),
        ("delimiter", "||", "a single ASCII character"),
        ("delimiter", "x", "a letter or a digit"),
        ("delimiter", '"', "other than a quote"),
        ("escape_char", ",", "is the delimiter already"),
        ("encoding", "utf-9", "there is no encoding 'utf-9'"),
        ("skip_rows", -1, "greater than or equal to 0"),
    ],
)
def test_keys_are_validated(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataConfig.model_validate({"path": "t.csv", key: value})
    with pytest.raises(ValidationError, match="the format is parquet"):
        DataConfig.model_validate({"path": "t.parquet", "format": "parquet", "delimiter": ";"})


def test_examples_of_earlier_versions_stay_usable() -> None:
    """A key that says what was so before changes no digest; one that reads other rows does."""
    settings = {"seed": 1, "column_types": {}, "domains": {}}
    usual = DataConfig(path="t.csv").model_dump(mode="json")
    before = {key: usual[key] for key in ("path", "format", "split", "window", "null_values")}
    digests = [settings_digest({"data": data, **settings}) for data in (before, usual, {**usual, "delimiter": ";"})]
    assert digests[0] == digests[1] != digests[2]


def test_an_unused_column_may_hold_anything_but_other_cells(tmp_path: Path) -> None:
    """Other quotes and another encoding matter where a column is wanted; a row of another length always does."""
    (tmp_path / "t.csv").write_bytes(b'a,note\n1,"say \\"hi\\" now"\n2, "x"\n3,\xe4\n')
    file = csv_reader.open_csv(str(tmp_path / "t.csv"))
    (block,) = csv_reader.all_blocks(file)
    assert csv_reader.read_block(block, file, {"a": "int"}).columns["a"].to_pylist() == [1, 2, 3]
    with pytest.raises(DataError, match="line 4: not UTF-8"):
        csv_reader.parse_block(block, file)


def test_a_block_of_blank_lines_holds_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_reader, "BLOCK_BYTES", 10)
    (tmp_path / "t.csv").write_bytes(b"a\n1\n" + b"\n" * 50 + b"2\n" + b"\n" * 50)
    file = csv_reader.open_csv(str(tmp_path / "t.csv"))
    blocks = list(csv_reader.all_blocks(file))
    assert [cell for block in blocks for cell in csv_reader.parse_block(block, file)["a"].to_pylist()] == ["1", "2"]
    with pytest.raises(DataError, match="line 53: column 'a' holds 'x'"):
        csv_reader.read_block(replace(blocks[-1], data=blocks[-1].data.replace(b"2", b"x")), file, {"a": "int"})


def test_a_table_of_no_more_rows_than_the_footer_is_not_empty(tmp_path: Path) -> None:
    """`janus predict` reads a table of one row with the configuration of a training table that has a footer."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert list(inspect_source(DataConfig(path=str(tmp_path / "t.csv"), skip_footer=1)).columns) == ["a", "b"]
