"""Cutting a CSV stream changes none of its rows, wherever the cuts fall."""

import csv
import io

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from janus_core.errors import DataError
from janus_core.tables import csv_blocks
from janus_core.tables.csv_blocks import read_blocks, row_lines
from janus_core.tables.csv_header import Header
from janus_core.tables.csv_reader import CsvFile, parse_block

FILE = CsvFile("f.csv", Header(["a", "b", "c"], 0, 1))
CELL = st.text('ab,"\n\r é1', max_size=8)
TABLES = st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=12)


def blocks_of(data: bytes, size: int) -> list[csv_blocks.Block]:
    return list(read_blocks(io.BytesIO(data).read, size, "f.csv"))


def parsed(blocks: list[csv_blocks.Block]) -> list[list[str]]:
    rows: list[list[str]] = []
    for block in blocks:
        columns = parse_block(block, FILE)
        rows += [[cell or "" for cell in row] for row in zip(*(c.to_pylist() for c in columns.values()), strict=True)]
    return rows


@settings(max_examples=400, deadline=None)
@given(TABLES, st.integers(1, 60), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), st.sampled_from(["\n", "\r\n"]))
@pytest.mark.slow
def test_quoted_newlines_survive_any_cut(table: list[list[str]], size: int, quoting: int, end: str) -> None:
    # Python's writer leaves a carriage return unquoted where it ends its lines by \n alone.
    assume(not any("\r" in cell for row in table for cell in row) or end == "\r\n" or quoting == csv.QUOTE_ALL)
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(table)
    data = text.getvalue().encode()
    blocks = blocks_of(data, size)
    assert b"".join(block.data for block in blocks) == data
    assert parsed(blocks) == table
    lines = [block.line + line for block in blocks for line in row_lines(block.data)]
    reader = csv.reader(io.StringIO(text.getvalue(), newline=""))
    starts, line = [], 1
    for _ in reader:
        starts.append(line)
        # csv counts a lone \r as a line, editors and we do not.
        line = 1 + data[: _end(data, len(starts))].count(b"\n")
    assert lines == (starts or [])


def _end(data: bytes, rows: int) -> int:
    ends = csv_blocks.row_ends(data)[0]
    return int(ends[rows - 1]) + 1


@pytest.mark.parametrize("size", range(1, 40, 3))
def test_stray_quotes_are_plain_characters(size: int) -> None:
    data = b'5" pipe,a"b,c\n"x\ny","z ""q"" ",d\ne,6" f,"g\nh"\n'
    expected = [['5" pipe', 'a"b', "c"], ["x\ny", 'z "q" ', "d"], ["e", '6" f', "g\nh"]]
    assert parsed(blocks_of(data, size)) == expected


def test_unclosed_quote_names_the_line_where_its_row_begins() -> None:
    with pytest.raises(DataError, match="line 3: a quoted cell that is never closed"):
        blocks_of(b'a,b,c\nd,e,f\ng,"h,i\nj,k,l\n', 8)


def test_a_row_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_blocks, "MAX_ROW_BYTES", 1 << 20)
    with pytest.raises(DataError, match="line 2: a row longer than 1 MiB"):
        blocks_of(b'a,b,c\n"' + b"x\n" * (1 << 20), 1 << 16)
