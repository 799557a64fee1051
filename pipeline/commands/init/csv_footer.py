"""Guesses which rows at the end of a CSV file do not belong to the table: a total, notes, empty cells."""

import re
from collections.abc import Sequence
from statistics import median

from janus_core.tables import csv_reader
from janus_core.tables.csv_dialect import Dialect, starts_midway
from janus_core.tables.files import file_size
from pipeline.commands.init.wording import one_line

MOST_ROWS = 4
"""More rows than this belong to the table."""
_MOST_BYTES = 64 << 20
"""A larger file that can only be read from its beginning is not read for this."""
_LAST_ROWS = 200
_TOTAL = re.compile(r"(grand |sub)?totale?\b|sum(me|ma)?\b|gesamt|insgesamt|average\b|mean\b", re.IGNORECASE)


def guess_footer(files: Sequence[str], dialect: Dialect) -> tuple[int, str]:
    """How many rows at each file's end do not belong to the table, and why; 0 where the files differ in it."""
    footer: list[str] = []
    for path in files:
        if not starts_midway(path, dialect) and file_size(path) > _MOST_BYTES:
            return 0, ""
        file = csv_reader.open_csv(path, dialect)
        texts = [row.decode("utf-8", "replace") for _, row in csv_reader.last_rows(file)][-_LAST_ROWS:]
        count = _count([next(dialect.rows_of(text), []) for text in texts], len(file.header.names))
        if not count or (footer and count != len(footer)):
            return 0, ""
        footer = texts[-count:]
    one = len(footer) == 1
    rows = "the last row does" if one else f"the last {len(footer)} rows do"
    first = one_line(footer[0].strip())[:60]
    return len(footer), f"{rows} not belong to the table: '{first}'{'' if one else ' and what follows'}"


def _count(rows: Sequence[Sequence[str]], width: int) -> int:
    """How many rows at the end are unlike the others."""
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
