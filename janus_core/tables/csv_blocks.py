"""Cuts a CSV byte stream into blocks of whole rows, so that each can be parsed by itself.

Follows Python's csv module (RFC 4180, and leniently a quote inside an unquoted cell is a plain character).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from janus_core.errors import DataError
from janus_core.tables.csv_dialect import RFC_4180, Dialect

MAX_ROW_BYTES = 256 << 20
"""A longer row is treated as an unclosed quote: reading on would load the whole file into memory."""

_NEWLINE, _SPACE, _QUOTE = 10, 32, 34


@dataclass(frozen=True)
class Block:
    """Whole rows of a file: `data` starts at byte `start` and line `line` (from 1)."""

    data: bytes
    start: int
    line: int
    quoted: bool

    @property
    def stop(self) -> int:
        """The byte after the last row."""
        return self.start + len(self.data)

    def line_at(self, place: int) -> int:
        """The line of the byte at `place` in `data`."""
        return self.line + self.data.count(b"\n", 0, place)


def read_blocks(
    read: Callable[[int], bytes], size: int, path: str, start: int = 0, line: int = 1, dialect: Dialect = RFC_4180
) -> Iterator[Block]:
    """Blocks of about `size` bytes from `read`, which starts at the beginning of a row and returns b"" at the end.

    Raises DataError for a quote that is never closed.
    """
    rest = b""
    while True:
        chunk = read(max(size - len(rest), len(rest), 1))
        data = rest + chunk if rest else chunk
        if not data:
            return
        ends, quoted, unclosed = row_ends(data, dialect)
        if chunk and not ends.size:
            if len(data) > MAX_ROW_BYTES:
                raise _unclosed(path, line, f"a row longer than {MAX_ROW_BYTES >> 20} MiB", data, dialect)
            rest = data
            continue
        if not chunk and unclosed:
            begun = line + int(row_lines(data, dialect)[-1])
            raise _unclosed(path, begun, "a quoted cell that is never closed", data, dialect)
        cut = int(ends[-1]) + 1 if chunk else len(data)
        block = Block(data[:cut], start, line, quoted)
        yield block
        start += cut
        line += block.data.count(b"\n")
        rest = data[cut:]
        if not chunk:
            return


def row_ends(data: bytes, dialect: Dialect = RFC_4180) -> tuple[np.ndarray, bool, bool]:
    """The positions of the newlines that end rows (int64), whether there are quotes, whether the last is unclosed.

    `data` begins at the beginning of a row.
    """
    if dialect.escape_char and dialect.escape_char.encode() in data:
        data = re.sub(re.escape(dialect.escape_char.encode()) + b".", b"xx", data, flags=re.DOTALL)
    buffer = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(buffer == _NEWLINE)
    quotes = np.flatnonzero(buffer == _QUOTE)
    if not quotes.size:
        return newlines, False, False
    borders = f'{dialect.delimiter}\n\r"'.encode()
    if not dialect.skip_initial_space and _all_quotes_at_borders(buffer, quotes, borders):
        inside = np.searchsorted(quotes, newlines) % 2 == 1
        return newlines[~inside], True, quotes.size % 2 == 1
    opened, closed = _quoted_spans(data, quotes, borders[:-1], dialect.skip_initial_space)
    inside = np.searchsorted(opened, newlines) > np.searchsorted(closed, newlines)
    return newlines[~inside], True, opened.size > closed.size


def row_lines(data: bytes, dialect: Dialect = RFC_4180) -> np.ndarray:
    """The line, from 0, on which each row of `data` starts; rows that the parser skips as blank are left out."""
    ends = row_ends(data, dialect)[0]
    starts = np.concatenate([[0], ends + 1])
    stops = np.concatenate([ends, [len(data)]])
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    lines = np.searchsorted(newlines, starts)
    filled = [bool(data[start:stop].strip(b"\r\n")) for start, stop in zip(starts, stops, strict=True)]
    return lines[np.array(filled, bool)] if any(filled) else np.zeros(1, np.int64)


def quote_after_blanks(data: bytes, dialect: Dialect = RFC_4180) -> int:
    """The position of the first quote, outside quoted cells, with nothing but blanks before it in its cell; else -1."""
    borders = f"{dialect.delimiter}\n".encode()
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == _QUOTE)
    opened, closed = _quoted_spans(data, quotes, borders + b"\r", skip_blanks=False)
    for found in re.finditer(rb'(?:\A|[%b]) +"' % re.escape(borders), data):
        place = found.end() - 1
        if np.searchsorted(opened, place) == np.searchsorted(closed, place):
            return place
    return -1


def _all_quotes_at_borders(buffer: np.ndarray, quotes: np.ndarray, borders: bytes) -> bool:
    """Whether every odd quote opens a cell and every even one closes it, so that parity tells inside from outside."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < buffer.size - 1] + 1]
    allowed = np.frombuffer(borders, np.uint8)
    return bool(np.isin(before, allowed).all() and np.isin(after, allowed).all())


def _quoted_spans(data: bytes, quotes: np.ndarray, borders: bytes, skip_blanks: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where quoted cells open and close; quotes within a cell, which parity would count as borders, are ignored."""
    opened: list[int] = []
    closed: list[int] = []
    inside = False
    skip = -1
    for position in quotes.tolist():
        if position == skip:
            continue
        if not inside:
            before = position - 1
            while skip_blanks and before >= 0 and data[before] == _SPACE and _SPACE not in borders:
                before -= 1
            if before < 0 or data[before] in borders:
                opened.append(position)
                inside = True
        elif position + 1 < len(data) and data[position + 1] == _QUOTE:
            skip = position + 1
        else:
            closed.append(position)
            inside = False
    return np.array(opened, np.int64), np.array(closed, np.int64)


def _unclosed(path: str, line: int, what: str, data: bytes, dialect: Dialect) -> DataError:
    escaped = not dialect.escape_char and b'\\"' in data
    remedy = "; if \\\" means a quote within a cell: data.escape_char: '\\'" if escaped else ""
    return DataError(f'{path}, line {line}: {what}; is a " missing or left over?{remedy}')
