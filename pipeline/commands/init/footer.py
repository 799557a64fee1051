"""Rows at the end of a CSV file that are none of the table: a total, notes, cells of nothing."""

import re
from collections.abc import Sequence
from statistics import median

from janus_core.tables import csv_reader
from janus_core.tables.csv_dialect import Dialect, starts_midway
from janus_core.tables.files import file_size

MOST_ROWS = 4
"""More such rows are the table's own."""
_MOST_BYTES = 64 << 20
"""A larger file that can only be read from its beginning is not looked at."""
_LOOKED_AT = 200
_TOTAL = re.compile(r"(grand |sub)?totale?\b|sum(me|ma)?\b|gesamt|insgesamt|average\b|mean\b", re.IGNORECASE)


def find_footer(files: Sequence[str], dialect: Dialect) -> tuple[int, str]:
    """How many rows at each file's end are none of the table, and why; 0 where the files differ in it."""
    found: list[list[str]] = []
    for path in files:
        if not starts_midway(path, dialect) and file_size(path) > _MOST_BYTES:
            return 0, ""
        file = csv_reader.open_csv(path, dialect)
        texts = [row.decode("utf-8", "replace") for _, row in csv_reader.last_rows(file)][-_LOOKED_AT:]
        footer = texts[len(texts) - _count([_cells(text, dialect) for text in texts], len(file.header.names)) :]
        if not footer or (found and len(footer) != len(found[0])):
            return 0, ""
        found.append(footer)
    shown = "".join(char if char.isprintable() else " " for char in found[-1][0].strip())
    one = len(found[-1]) == 1
    rows = "the last row is" if one else f"the last {len(found[-1])} rows are"
    return len(found[-1]), f"{rows} none of the table: '{shown[:60]}'{'' if one else ' and what follows'}"


def _cells(text: str, dialect: Dialect) -> list[str]:
    return next(dialect.rows_of(text), [])


def _count(rows: Sequence[Sequence[str]], width: int) -> int:
    """The rows at the end that are unlike the others."""
    usual = median([_filled(row) for row in rows]) if rows else 0
    others = {cell for row in rows[: -MOST_ROWS - 1] for cell in row}
    count = 0
    for row in reversed(rows[-MOST_ROWS - 1 :]):
        first = next((cell for cell in row if cell.strip()), "")
        total = bool(_TOTAL.match(first.strip())) and first not in others
        lone = _filled(row) <= 1 and usual > 2
        if not (len(row) != width or not first or total or lone):
            break
        count += 1
    return count if count <= min(MOST_ROWS, len(rows) // 4) else 0


def _filled(row: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)
