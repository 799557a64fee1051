"""Finds the header of a CSV file, and names its columns."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from janus_core.errors import DataError
from janus_core.tables.csv_blocks import read_blocks, row_ends
from janus_core.tables.csv_dialect import BOM, HEAD_BYTES, UTF16_BOMS, Dialect, open_rows
from janus_core.tables.files import open_content

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Delimiters, and what they are called."""

SEP = re.compile(rb'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""Excel's line before the header."""
_ROWS = 50
"""The number of rows after the header that are checked for a delimiter at their end."""


@dataclass(frozen=True)
class Header:
    """The names of the columns, and the byte and the line (from 1) after them."""

    names: list[str]
    stop: int
    line: int


def find_header(path: str, dialect: Dialect) -> Header:
    """The header after `skip_rows` lines, blank ones, and Excel's `sep=`.

    A column without a name is named by its place, unnamed_1; names that appear several times get a number, a.1 and
    a.2, to tell them apart. A last delimiter that only the header has, or only the rows, does not make a column.

    Raises DataError where there is none, and for a file that is not CSV of this dialect.
    """
    _check_first_bytes(path, dialect)
    with open_rows(path, dialect) as read:
        start, line = _first_row(read(HEAD_BYTES), path, dialect)
    with open_rows(path, dialect, start) as read:
        blocks = read_blocks(read, HEAD_BYTES, path, start, line, dialect)
        data = next((block.data for block in blocks), b"")
        ends = row_ends(data, dialect)[0]
        if ends.size == 1:
            # The rows after the header show how many cells there are.
            data += next((block.data for block in blocks), b"")
            ends = row_ends(data, dialect)[0]
    if not data.strip():
        raise DataError(f"{path} is empty: a CSV file begins with a header line that names the columns")
    stop = int(ends[0]) + 1 if ends.size else len(data)
    header = data[:stop]
    names = _cells(header, path, line, dialect)
    if ends.size > 1:
        names = _without_last_delimiter(names, data[stop : int(ends[:_ROWS][-1]) + 1], dialect)
    if not any(names):
        raise DataError(f"{path}, line {line}: the header names no column; data.skip_rows: the lines before the header")
    _check_delimiter(names, path, line, dialect)
    return Header(_unique(names), start + stop, line + header.count(b"\n"))


def _check_first_bytes(path: str, dialect: Dialect) -> None:
    with open_content(path) as stream:
        try:
            head = stream.read(1024)
        except (OSError, ValueError):
            # The file is damaged, which reading the rows reports.
            return
    kinds = {
        b"PAR1": "a Parquet file: data.format: parquet",
        b"PK\x03\x04": "a ZIP archive or a spreadsheet: export it",
    }
    for magic, what in kinds.items():
        if head.startswith(magic):
            raise DataError(f"{path} is not CSV but {what}")
    utf16 = head.startswith(UTF16_BOMS)
    if utf16 and not dialect.transcoded:
        raise DataError(f"{path} is written in UTF-16; data.encoding: utf-16")
    if "16" in dialect.encoding and not utf16 and b"\0" not in head:
        raise DataError(f"{path} is not written in UTF-16, which data.encoding names")
    if dialect.transcoded and head.startswith(BOM):
        raise DataError(f"{path} is written in UTF-8, but data.encoding is {dialect.encoding}")
    if not dialect.transcoded and head.count(0) > len(head) // 5:
        raise DataError(
            f"{path} holds many NUL bytes; if it is written in UTF-16: data.encoding: utf-16-le (or utf-16-be)"
        )


def _first_row(head: bytes, path: str, dialect: Dialect) -> tuple[int, int]:
    """The byte and the line where the header begins."""
    start = len(BOM) if head.startswith(BOM) else 0
    line = 1
    for skipped in range(dialect.skip_rows):
        end = head.find(b"\n", start)
        if end < 0:
            raise DataError(
                f"{path}: data.skip_rows is {dialect.skip_rows}, but there are only {skipped} lines to skip"
            )
        start, line = end + 1, line + 1
    start, line = _after_blank_lines(head, start, line)
    sep = SEP.match(head, start)
    if sep:
        given = sep[1].decode("latin-1")
        if given != dialect.delimiter:
            raise DataError(
                f"{path}, line {line}: sep={given} names another delimiter than data.delimiter "
                f"({dialect.delimiter!r}); data.delimiter: {given!r}"
            )
        start, line = _after_blank_lines(head, sep.end(), line + 1)
    return start, line


def _after_blank_lines(head: bytes, start: int, line: int) -> tuple[int, int]:
    while (end := head.find(b"\n", start)) >= 0 and not head[start:end].strip(b" \r"):
        start, line = end + 1, line + 1
    return start, line


def _cells(row: bytes, path: str, line: int, dialect: Dialect) -> list[str]:
    try:
        return next(dialect.rows_of(row.decode("utf-8")), [])
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: the header cannot be read ({error})") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {line}: the header is not UTF-8 (byte {error.start + 1}: {error.reason}); name the file's "
            "encoding, such as data.encoding: cp1252"
        ) from error


def _without_last_delimiter(names: list[str], rows: bytes, dialect: Dialect) -> list[str]:
    try:
        found = [row for row in dialect.rows_of(rows.decode("utf-8", errors="replace")) if row]
    except csv.Error:
        return names
    if found and all(len(row) == len(names) + 1 and not row[-1] for row in found):
        return [*names, ""]
    if names[-1] == "" and found and all(len(row) == len(names) - 1 for row in found):
        return names[:-1]
    return names


def _check_delimiter(names: Sequence[str], path: str, line: int, dialect: Dialect) -> None:
    if len(names) > 1:
        return
    for delimiter, shown in DELIMITERS.items():
        if delimiter in names[0] and delimiter != dialect.delimiter:
            raise DataError(
                f"{path}, line {line}: the cells are separated by {shown}, not by data.delimiter "
                f"({dialect.delimiter!r}); data.delimiter: {delimiter!r}"
            )


def _unique(names: Sequence[str]) -> list[str]:
    times = Counter(names)
    taken = {*names}
    counts: dict[str, int] = {}
    unique = []
    for place, name in enumerate(names, 1):
        if name and times[name] == 1:
            unique.append(name)
            continue
        counts[name] = counts.get(name, 0) + 1
        made = f"{name}.{counts[name]}" if name else f"unnamed_{place}"
        while made in taken:
            made += "_"
        taken.add(made)
        unique.append(made)
    return unique
