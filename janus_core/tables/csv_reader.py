"""Parses blocks of CSV rows into Arrow columns, and locates bad rows and cells."""

import contextlib
import csv
import functools
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.cells import AS_PYTHON, CellForms
from janus_core.tables.column_kinds import CellError, Kind
from janus_core.tables.csv_blocks import Block, quote_after_blanks, read_blocks, row_ends, row_lines
from janus_core.tables.csv_dialect import RFC_4180, Dialect, open_rows, starts_midway
from janus_core.tables.csv_header import Header, find_header
from janus_core.tables.files import file_size, partitions_of

BLOCK_BYTES = 4 << 20
"""The bytes that are parsed at once: enough for Arrow's vectorised kernels, few enough to keep several in memory."""

TAIL_BYTES = 64 << 10
"""The part of a file's end that holds the rows which `skip_footer` leaves out."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file, and what it takes to read it.

    Attributes:
        header: its own columns, and where the rows after them begin.
        sensitive: columns whose values no message may show.
    """

    path: str
    header: Header
    dialect: Dialect = RFC_4180
    forms: CellForms = AS_PYTHON
    sensitive: Collection[str] = ()

    @property
    def columns(self) -> list[str]:
        """The names in the header, and the columns that the names of its folders give."""
        return list(dict.fromkeys([*self.header.names, *partitions_of(self.path)]))


def open_csv(
    path: str, dialect: Dialect = RFC_4180, forms: CellForms = AS_PYTHON, sensitive: Collection[str] = ()
) -> CsvFile:
    """Reads the header of a CSV file.

    Raises DataError for an empty file, and for a header that the encoding or the delimiter does not fit.
    """
    return CsvFile(path, find_header(path, dialect), dialect, forms, sensitive)


def row_bytes(file: CsvFile) -> tuple[int, int | None]:
    """(the first byte, the byte after the last one) of the rows, without the `skip_footer` last ones.

    The second is None where the rows end with the file.
    """
    start, footer = file.header.stop, file.dialect.skip_footer
    if not footer:
        return start, None
    last = deque((first for first, _ in last_rows(file)), maxlen=footer)
    return start, last[0] if last else None


def last_rows(file: CsvFile) -> Iterator[tuple[int, bytes]]:
    """The rows at a file's end, each with its first byte: those of the last TAIL_BYTES, or all of them.

    Blank lines do not count as rows.
    """
    start = file.header.stop
    begin = max(start, file_size(file.path) - TAIL_BYTES) if starts_midway(file.path, file.dialect) else start
    if begin > start:
        with open_rows(file.path, file.dialect, begin) as read:
            tail = read(TAIL_BYTES)
        # Inside a quoted cell, a newline does not end a row.
        begin = start if b'"' in tail else begin + tail.find(b"\n") + 1
    for block in blocks_between(file, begin, None, line=1):
        ends = row_ends(block.data, file.dialect)[0].tolist()
        for first, end in zip([0, *(end + 1 for end in ends)], [*ends, len(block.data)], strict=True):
            row = block.data[first:end]
            if row.strip(b"\r\n"):
                yield block.start + first, row


def has_rows(file: CsvFile) -> bool:
    """Whether anything but blank lines follows the header, the footer included, which `janus predict` reads."""
    return any(True for _ in blocks_between(file, file.header.stop, None, file.header.line))


def all_blocks(file: CsvFile) -> Iterator[Block]:
    """All rows of a file, without its footer, in blocks."""
    return blocks_between(file, *row_bytes(file), file.header.line)


def blocks_between(file: CsvFile, start: int, stop: int | None, line: int) -> Iterator[Block]:
    """The rows of a file between two bytes (of the content, where it is compressed or transcoded) in blocks.

    `start` and `stop` are at the beginning of rows, `line` is the first one's; None reads to the end. A block of
    nothing but blank lines, which Arrow does not accept as CSV, is left out. Raises DataError for a damaged gzip.
    """
    with open_rows(file.path, file.dialect, start) as read_rows:
        left = None if stop is None else stop - start

        def read(count: int) -> bytes:
            nonlocal left
            data = read_rows(count if left is None else min(count, left))
            left = None if left is None else left - len(data)
            return data

        blocks = read_blocks(read, BLOCK_BYTES, file.path, start, line, file.dialect)
        yield from (block for block in blocks if block.data.strip())


def infer_block(block: Block, file: CsvFile, wide: Mapping[str, Kind]) -> dict[str, Kind | None]:
    """The kinds of the columns named by `wide`, which gives each kind's `wide` as in `kind_of_text`.

    Raises DataError as `parse_block` does.
    """
    columns = parse_block(block, file, wide)
    return {name: file.forms.kind(name, cells, wide[name]) for name, cells in columns.items()}


def read_block(block: Block, file: CsvFile, kinds: Mapping[str, Kind | None]) -> Batch:
    """A block's columns in their kinds; those of kind None (nothing but missing values) or of none are left out.

    Raises DataError, with the line, as `parse_block` does and for text in a numeric column.
    """
    columns = parse_block(block, file, kinds)
    locate = locator(block, file)
    converted: dict[str, pa.Array] = {}
    for name, cells in columns.items():
        kind = kinds[name]
        if kind is None:
            continue
        try:
            converted[name] = file.forms.convert(name, cells, kind)
        except CellError as error:
            hidden = name in file.sensitive
            remedy = "" if hidden else _remedy(name, error)
            raise DataError(f"{locate(error.row)}: {error.describe(name, kind, hidden)}{remedy}") from error
    return Batch(converted, len(next(iter(columns.values()))), locate)


def parse_block(block: Block, file: CsvFile, wanted: Collection[str] | None = None) -> dict[str, pa.StringArray]:
    """The columns of a block (those `wanted`, all by default) as text, empty cells and words for missing as null.

    Raises DataError, with the line, for a row of another length, bytes of these columns that are not UTF-8, and quotes
    that only mean something in another format. The message shows the row unless columns are sensitive.
    """
    # Positions as names, since pyarrow looks conversions up by name and a header may hold any text.
    names, dialect = file.header.names, file.dialect
    places = [str(place) for place in range(len(names))]
    chosen = {place: name for place, name in zip(places, names, strict=True) if wanted is None or name in wanted}
    data = _plain(block.data, dialect)
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=places),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.delimiter, escape_char=dialect.escape_char or False, newlines_in_values=block.quoted
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()),
                include_columns=list(chosen),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(block, file, error) from error
    columns = {name: _one_chunk(table.column(place)) for place, name in chosen.items()}
    if block.quoted:
        _refuse_other_quotes(block, file, columns)
    for name, value in partitions_of(file.path).items():
        if name not in names and (wanted is None or name in wanted):
            columns[name] = pa.array([value] * table.num_rows, pa.string())
    return {name: file.forms.of(name).known(cells) for name, cells in columns.items()}


def _plain(data: bytes, dialect: Dialect) -> bytes:
    """The rows without the features that Arrow has no option for."""
    delimiter = re.escape(dialect.delimiter.encode())
    if dialect.skip_initial_space:
        cell = rb' *("(?:[^"]|"")*"[^%b\r\n]*|[^%b\r\n]*)(%b|\r|\n|\Z)' % (delimiter, delimiter, delimiter)
        data = re.sub(cell, rb"\1\2", data)
    if dialect.escape_char == "\\" and rb"\N" in data:
        # What writes backslashes writes \N for a missing value; unescaped it would be the text N.
        data = re.sub(rb"(?<![^%b\n])\\N(?=[%b\r\n]|\Z)" % (delimiter, delimiter), b"", data)
    return data


def _refuse_other_quotes(block: Block, file: CsvFile, columns: Mapping[str, pa.StringArray]) -> None:
    """Quotes after blanks, and backslashes before quotes, would silently become part of the cells."""
    path, dialect = file.path, file.dialect
    delimiter = dialect.delimiter.encode()
    if not dialect.skip_initial_space and (delimiter + b' "' in block.data or b'\n "' in block.data):
        # A quoted cell may begin like this; only the file's bytes show which it is.
        suspect = any(pc.any(pc.match_substring_regex(cells, '^ +"')).as_py() for cells in columns.values())
        place = quote_after_blanks(block.data, dialect) if suspect else -1
        if place >= 0:
            raise DataError(
                f"{path}, line {block.line_at(place)}: there is a blank before the quote of a cell, so that the quote "
                "would be part of its text; data.skip_initial_space: true skips such blanks"
            )
    suspect = not dialect.escape_char and rb"\"" in block.data
    suspect = suspect and any(pc.any(pc.match_substring(cells, "\\")).as_py() for cells in columns.values())
    place = escaped_quote(block.data, dialect) if suspect else -1
    if place >= 0:
        raise DataError(
            f'{path}, line {block.line_at(place)}: \\" within a quoted cell; if the backslash keeps the quote from '
            "ending the cell: data.escape_char: '\\'; else double the quote"
        )


def escaped_quote(data: bytes, dialect: Dialect) -> int:
    """Where a backslash and a quote are inside a quoted cell, so that the quote cannot be the cell's last; else -1."""
    if rb"\"" not in data:
        return -1
    border = re.escape(dialect.delimiter.encode())
    cell = rb'(?:\A|[%b\n])"(?:[^"\\]|""|\\[^"])*\\"[^"%b\r\n]' % (border, border)
    found = re.search(cell, data)
    return found.end() if found else -1


def _remedy(column: str, error: CellError) -> str:
    """Short text among numbers is often a word for a missing value; with digits, it may be a number in another form."""
    text = str(error.value)
    if not text.isprintable() or len(text) > 30:
        return ""
    if not any(char.isdigit() for char in text):
        return f"; if it means a missing value: data.null_values: {{{column}: ['{text}']}}"
    return (
        "; a decimal comma, thousands marks and a unit are read where data.decimal, data.thousands or unit names them"
    )


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def locator(block: Block, file: CsvFile) -> Callable[[int], str]:
    """Names a row of a block, counted from 0, by file and line."""
    find_lines = functools.cache(lambda: row_lines(block.data, file.dialect))

    def locate(row: int) -> str:
        lines = find_lines()
        # Arrow also ends a row at a lone carriage return, which an editor does not count as a line.
        return f"{file.path}, line {block.line + int(lines[min(row, len(lines) - 1)])}"

    return locate


# --- explaining -------------------------------------------------------------------------------------------------


def _explain(block: Block, file: CsvFile, error: pa.ArrowInvalid) -> DataError:
    """Reads the block again with Python's csv module, which is slow but knows its line."""
    path, names, dialect, shown = file.path, file.header.names, file.dialect, not file.sensitive
    try:
        text = block.data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        byte = block.data[wrong.start]
        return DataError(
            f"{path}, line {block.line_at(wrong.start)}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8, or "
            "name its encoding, such as data.encoding: cp1252"
        )
    reader = dialect.rows_of(text)
    last = 0
    # csv refuses a cell of 128 KiB; then Arrow's own message has to do.
    with contextlib.suppress(csv.Error):
        for row in reader:
            if row and len(row) != len(names):
                content = dialect.delimiter.join(row)
                content = f": {content[:120]}{'…' if len(content) > 120 else ''}" if shown else ""
                return DataError(
                    f"{path}, line {block.line + last}: {len(row)} cells, but the header names {len(names)} columns"
                    f"{content}{_remedy_of_length(row, names, dialect, last == 0)}"
                )
            last = reader.line_num
    words = error if shown else "the rows cannot be parsed"
    return DataError(f"{path}, lines {block.line} to {block.line + text.count(chr(10))}: {words}")


def _remedy_of_length(row: Sequence[str], names: Sequence[str], dialect: Dialect, first: bool) -> str:
    if len(row) > 1 >= len(names):
        return "; if the table begins with a title: data.skip_rows, the lines before the header"
    if any(cell.startswith(' "') for cell in row) and not dialect.skip_initial_space:
        return "; there is a blank before a quote: data.skip_initial_space: true skips such blanks"
    if any('\\"' in cell or cell.endswith("\\") for cell in row) and not dialect.escape_char:
        return "; if the backslash keeps what follows from ending the cell: data.escape_char: '\\'"
    if len(row) == len(names) + 1 and first:
        return "; if the first cells are an index without a name, as R writes it, give the column a name in the header"
    return ""
