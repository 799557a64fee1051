"""Guesses how a CSV table is written: its encoding, delimiter, title lines, quotes, and rows after its end."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from janus_core.tables import csv_reader
from janus_core.tables.csv_blocks import quote_after_blanks
from janus_core.tables.csv_dialect import BOM, UTF16_BOMS, Dialect, starts_midway
from janus_core.tables.csv_header import DELIMITERS, SEP
from janus_core.tables.csv_reader import escaped_quote
from janus_core.tables.files import damage_reported, file_size, open_content
from janus_core.tables.missing_markers import is_number
from pipeline.commands.init.wording import one_line

MOST_BYTES = 256 << 20
"""How much of the table is searched for bytes that are not UTF-8."""
_HEAD_CHARACTERS = 64 << 10
_READ = 4 << 20
_TITLE_LINES = 40
_SHARE = 0.9
"""With the right delimiter, at least this share of the rows have one number of cells."""


def guess_dialect(files: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The keys of `data` that need another value than their default, with that value, and with the reason.

    The beginning of the first file decides, but all files are searched for bytes that are not UTF-8.
    """
    found: dict[str, tuple[Any, str]] = {}
    head = next(_chunks(files[0]), b"")[: 4 * _HEAD_CHARACTERS]
    encoding = _marked_encoding(head)
    if encoding:
        found["encoding"] = encoding, "by its first bytes"
    elif not head.startswith(BOM) and (line := _line_not_utf8(files)) is not None:
        encoding = "cp1252"
        why = f"guessed: the file is not UTF-8; another is right if these letters are wrong: {line}"
        found["encoding"] = encoding, why
    text = head.decode(encoding or "utf-8", errors="replace").removeprefix("\ufeff")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    dialect, leading = _best(text)
    if dialect.delimiter != ",":
        mark = DELIMITERS.get(dialect.delimiter, "it")
        found["delimiter"] = dialect.delimiter, f"the cells are separated by {mark}"
    if leading:
        found["skip_rows"] = leading, f"the header comes after {_excerpt(text.lstrip().partition(chr(10))[0])}"
    if dialect.escape_char:
        found["escape_char"] = dialect.escape_char, "backslashes stand before quotes in quoted cells"
    if dialect.skip_initial_space:
        found["skip_initial_space"] = True, "blanks stand after the delimiters"
    return {key: value for key, (value, _) in found.items()}, {key: why for key, (_, why) in found.items()}


# --- encoding -----------------------------------------------------------------------------------------------------


def _marked_encoding(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith(UTF16_BOMS):
        return "utf-16"
    zeros = [head[:4096][parity::2].count(0) for parity in (0, 1)]
    if max(zeros) <= len(head[:4096]) // 5:
        return None
    return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"


def _line_not_utf8(files: Sequence[str]) -> str | None:
    """The line, as cp1252, with the first bytes that are not UTF-8; None if there are none."""
    left = MOST_BYTES
    for path in files:
        decoder = codecs.getincrementaldecoder("utf-8")()
        for chunk in _chunks(path):
            pending = decoder.getstate()[0]
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                data = pending + chunk
                start = max(data.rfind(b"\n", 0, error.start), data.rfind(b"\r", 0, error.start)) + 1
                line = re.split(rb"[\r\n]", data[start : start + 4096], maxsplit=1)[0]
                return _excerpt(line.decode("cp1252", errors="replace"), around=error.start - start)
            left -= len(chunk)
            if left <= 0:
                return None
    return None


def _chunks(path: str) -> Iterator[bytes]:
    with open_content(path) as stream, damage_reported(path):
        while chunk := stream.read(_READ):
            yield chunk


def _excerpt(text: str, around: int = 0) -> str:
    begin = max(0, around - 20)
    return f"'{text[begin : begin + 40]}'"


# --- delimiter, title lines, quotes -------------------------------------------------------------------------------


def _best(text: str) -> tuple[Dialect, int]:
    """The dialect in which most rows have the same number of cells, and the lines before its header."""
    sep = SEP.match(text.lstrip("\n").encode())
    delimiters = [sep[1].decode("latin-1")] if sep else list(DELIMITERS)
    text = text.lstrip("\n")[sep.end() :] if sep else text
    whole = text[:_HEAD_CHARACTERS].rpartition("\n")[0] or text[:_HEAD_CHARACTERS]
    best, best_score = (Dialect(), 0), (False, False, 0, 0.0, 0)
    for delimiter in delimiters:
        for dialect in _variants(whole, Dialect(delimiter)):
            score, leading = _score(whole, dialect)
            if score > best_score:
                best, best_score = (dialect, leading), score
    if sep and not best_score[0]:
        return Dialect(delimiters[0]), 0
    return best


def _variants(text: str, plain: Dialect) -> Iterator[Dialect]:
    """The dialect as it is or, where there is evidence, with other rules for quotes; the first wins a tie."""
    data = text.encode()
    escape = escaped_quote(data, plain) >= 0
    blanks = quote_after_blanks(data, plain) >= 0 or _blanks_after(text, plain.delimiter)
    likely = replace(plain, escape_char="\\" if escape else None, skip_initial_space=blanks)
    yield likely
    if not escape and '\\"' in text:
        yield replace(likely, escape_char="\\")


def _blanks_after(text: str, delimiter: str) -> bool:
    """Whether a blank follows every delimiter of the first rows, as in `a, b, c`."""
    lines = [line for line in text.split("\n")[:20] if delimiter in line]
    return len(lines) > 1 and all(line.count(delimiter) == line.count(delimiter + " ") for line in lines)


Score = tuple[bool, bool, int, float, int]


def _score(text: str, dialect: Dialect) -> tuple[Score, int]:
    """How well the rows fit, and the lines before the header."""
    try:
        widths = Counter(len(row) for row in dialect.rows_of(text) if row)
    except csv.Error:
        return (False, False, 0, 0.0, 0), 0
    width = max(widths, key=lambda size: (widths[size], size), default=0)
    if width < 2:
        return (False, False, 0, 0.0, 0), 0
    header, leading = _header(text, dialect, width)
    rows = sum(widths.values()) - (1 if leading else 0)
    share = widths[width] / max(rows, 1)
    named = bool(header) and not any(map(is_number, header))
    return (share >= _SHARE, named, -leading, round(share, 2), width), leading


def _header(text: str, dialect: Dialect, width: int) -> tuple[list[str], int]:
    """The header's cells, and the number of lines before it: titles of one cell, comments and empty rows."""
    first: list[str] = next((row for row in dialect.rows_of(text) if any(row)), [])
    if not _is_title(first, width):
        return first, 0
    lines = text.split("\n")[:_TITLE_LINES]
    for place, line in enumerate(lines):
        cells: list[str] = next(dialect.rows_of(line), [])
        if _is_title(cells, width):
            continue
        if len(cells) != width:
            # This line is no header, so an earlier one was.
            return first, 0
        while place and not lines[place - 1].strip():
            place -= 1
        return cells, place
    return first, 0


def _is_title(cells: Sequence[str], width: int) -> bool:
    filled = sum(bool(cell.strip()) for cell in cells)
    comment = bool(cells) and cells[0].startswith("#") and len(cells) != width
    return filled == 0 or (filled == 1 and width > 1 and not (width == 2 and len(cells) == 2)) or comment


# --- rows at the end that do not belong to the table --------------------------------------------------------------

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
