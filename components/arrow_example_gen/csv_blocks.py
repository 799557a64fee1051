"""Cuts a CSV byte stream into blocks of whole rows, so that each can be parsed by itself.

Follows Python's csv module (RFC 4180, and leniently a quote inside an unquoted cell is a plain character).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from trainer.errors import DataError

MAX_ROW_BYTES = 256 << 20
"""A longer row is taken for an unclosed quote: reading on would take the whole file into memory."""

_NEWLINE, _QUOTE = 10, 34
_CELL_BORDERS = np.frombuffer(b',\n\r"', np.uint8)


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


def read_blocks(read: Callable[[int], bytes], size: int, path: str, start: int = 0, line: int = 1) -> Iterator[Block]:
    """Blocks of about `size` bytes from `read`, which stands at the beginning of a row and returns b"" at the end.

    Raises DataError for a quote that is never closed.
    """
    rest = b""
    while True:
        chunk = read(max(size - len(rest), len(rest), 1))
        data = rest + chunk if rest else chunk
        if not data:
            return
        ends, quoted, unclosed = row_ends(data)
        if chunk and not ends.size:
            if len(data) > MAX_ROW_BYTES:
                raise _unclosed(path, line, f"a row longer than {MAX_ROW_BYTES >> 20} MiB")
            rest = data
            continue
        if not chunk and unclosed:
            raise _unclosed(path, line + int(row_lines(data)[-1]), "a quoted cell that is never closed")
        cut = int(ends[-1]) + 1 if chunk else len(data)
        block = Block(data[:cut], start, line, quoted)
        yield block
        start += cut
        line += block.data.count(b"\n")
        rest = data[cut:]
        if not chunk:
            return


def row_ends(data: bytes) -> tuple[np.ndarray, bool, bool]:
    """The positions of the newlines that end rows (int64), whether there are quotes, whether the last is unclosed.

    `data` begins at the beginning of a row.
    """
    buffer = np.frombuffer(data, np.uint8)
    newlines = np.flatnonzero(buffer == _NEWLINE)
    quotes = np.flatnonzero(buffer == _QUOTE)
    if not quotes.size:
        return newlines, False, False
    if _all_quotes_at_borders(buffer, quotes):
        inside = np.searchsorted(quotes, newlines) % 2 == 1
        return newlines[~inside], True, quotes.size % 2 == 1
    opened, closed = _quoted_spans(buffer, quotes)
    inside = np.searchsorted(opened, newlines) > np.searchsorted(closed, newlines)
    return newlines[~inside], True, opened.size > closed.size


def row_lines(data: bytes) -> np.ndarray:
    """The line, from 0, on which each row of `data` starts; rows that the parser skips as blank are left out."""
    ends = row_ends(data)[0]
    starts = np.concatenate([[0], ends + 1])
    stops = np.concatenate([ends, [len(data)]])
    newlines = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)
    lines = np.searchsorted(newlines, starts)
    filled = [bool(data[start:stop].strip(b"\r\n")) for start, stop in zip(starts, stops, strict=True)]
    return lines[np.array(filled, bool)] if any(filled) else np.zeros(1, np.int64)


def _all_quotes_at_borders(buffer: np.ndarray, quotes: np.ndarray) -> bool:
    """Whether every odd quote opens a cell and every even one closes it, so that parity tells inside from outside."""
    opening, closing = quotes[0::2], quotes[1::2]
    before = buffer[opening[opening > 0] - 1]
    after = buffer[closing[closing < buffer.size - 1] + 1]
    return bool(np.isin(before, _CELL_BORDERS).all() and np.isin(after, _CELL_BORDERS).all())


def _quoted_spans(buffer: np.ndarray, quotes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where quoted cells open and close; quotes amid a cell, which parity would take for borders, are passed over."""
    opened: list[int] = []
    closed: list[int] = []
    inside = False
    skip = -1
    for position in quotes.tolist():
        if position == skip:
            continue
        if not inside:
            if position == 0 or buffer[position - 1] in b",\n\r":
                opened.append(position)
                inside = True
        elif position + 1 < buffer.size and buffer[position + 1] == _QUOTE:
            skip = position + 1
        else:
            closed.append(position)
            inside = False
    return np.array(opened, np.int64), np.array(closed, np.int64)


def _unclosed(path: str, line: int, what: str) -> DataError:
    return DataError(f'{path}, line {line}: {what}; is a " missing or left over?')
