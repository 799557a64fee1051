"""Parses blocks of CSV rows into Arrow columns, and says where a bad row or cell is."""

import contextlib
import csv
import functools
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.cells import AS_PYTHON, CellForms
from janus_core.tables.column_kinds import CellError, Kind
from janus_core.tables.csv_blocks import Block, quote_after_blanks, read_blocks, row_ends, row_lines
from janus_core.tables.csv_dialect import Dialect, open_rows, starts_midway
from janus_core.tables.csv_header import find_header
from janus_core.tables.files import file_size, partitions_of

BLOCK_BYTES = 4 << 20
"""What is parsed at once: large enough for Arrow's vectorised kernels, small enough to keep several in memory."""

TAIL_BYTES = 64 << 10
"""In so much of a file's end, the rows are that `skip_footer` leaves out."""
_RFC = Dialect()


def read_header(path: str, dialect: Dialect = _RFC) -> list[str]:
    """The column names of a CSV file.

    Raises DataError for an empty file and a header that is no text of the encoding, or that is of another delimiter.
    """
    return find_header(path, dialect).names


def read_columns(path: str, dialect: Dialect = _RFC) -> list[str]:
    """The columns of a CSV file, those that its folders' names give included. Raises DataError as `read_header`."""
    return list(dict.fromkeys([*read_header(path, dialect), *partitions_of(path)]))


def header_bytes(path: str, dialect: Dialect = _RFC) -> tuple[int, int]:
    """(the byte, the line from 1) where the rows after the header begin."""
    header = find_header(path, dialect)
    return header.stop, header.line


def row_bytes(path: str, dialect: Dialect = _RFC) -> tuple[int, int | None, int]:
    """(the first byte, the byte after the last one, the line from 1) of the rows, without `skip_footer` last ones.

    The second is None where the rows end with the file.
    """
    start, line = header_bytes(path, dialect)
    if not dialect.skip_footer:
        return start, None, line
    last: deque[int] = deque(maxlen=dialect.skip_footer)
    for first, _ in last_rows(path, start, dialect):
        last.append(first)
    return start, last[0] if last else None, line


def last_rows(path: str, start: int, dialect: Dialect = _RFC) -> Iterator[tuple[int, bytes]]:
    """The rows at a file's end, each with its first byte; those of the last TAIL_BYTES, or all that follow `start`.

    Blank lines are no rows.
    """
    begin = max(start, file_size(path) - TAIL_BYTES) if starts_midway(path, dialect) else start
    if begin > start:
        with open_rows(path, dialect, begin) as read:
            tail = read(TAIL_BYTES)
        # Inside a quoted cell, a newline does not end a row.
        begin = start if b'"' in tail else begin + tail.find(b"\n") + 1
    for block in file_blocks(path, begin, None, 1, dialect):
        ends = row_ends(block.data, dialect)[0].tolist()
        for first, end in zip([0, *(end + 1 for end in ends)], [*ends, len(block.data)], strict=True):
            row = block.data[first:end]
            if row.strip(b"\r\n"):
                yield block.start + first, row


def has_rows(path: str, dialect: Dialect = _RFC) -> bool:
    """Whether anything but blank lines follows the header."""
    start, line = header_bytes(path, dialect)
    return any(block.data.strip() for block in file_blocks(path, start, None, line, dialect))


def file_blocks(path: str, start: int, stop: int | None, line: int, dialect: Dialect = _RFC) -> Iterator[Block]:
    """The rows of a file between two bytes (of the content, where it is compressed or transcoded) in blocks.

    `start` and `stop` are at the beginning of rows; None reads to the end. Raises DataError for a damaged gzip.
    """
    with open_rows(path, dialect, start) as read_rows:
        left = None if stop is None else stop - start

        def read(count: int) -> bytes:
            nonlocal left
            data = read_rows(count if left is None else min(count, left))
            left = None if left is None else left - len(data)
            return data

        yield from read_blocks(read, BLOCK_BYTES, path, start, line, dialect)


def infer_block(
    block: Block,
    path: str,
    names: Sequence[str],
    forms: CellForms = AS_PYTHON,
    dialect: Dialect = _RFC,
    wanted: Collection[str] | None = None,
    wide: Mapping[str, Kind] | None = None,
) -> dict[str, Kind | None]:
    """The kind of each wanted column; `wide` as in `kind_of_text`. Raises DataError as `parse_block` does."""
    columns = parse_block(block, path, names, forms, dialect, wanted)
    return {name: forms.kind(name, cells, (wide or {}).get(name, "bytes")) for name, cells in columns.items()}


def read_block(
    block: Block,
    path: str,
    names: Sequence[str],
    kinds: Mapping[str, Kind | None],
    forms: CellForms = AS_PYTHON,
    dialect: Dialect = _RFC,
    sensitive: Collection[str] = (),
) -> Batch:
    """A block's columns in their kinds; those of kind None (nothing but missing values) or of none are left out.

    Raises DataError, with the line, as `parse_block` does and for text in a numeric column; values of sensitive columns
    are not part of the message.
    """
    columns = parse_block(block, path, names, forms, dialect, kinds, shown=not sensitive)
    locate = locator(block, path, dialect)
    converted: dict[str, pa.Array] = {}
    for name, cells in columns.items():
        kind = kinds[name]
        if kind is None:
            continue
        try:
            converted[name] = forms.convert(name, cells, kind)
        except CellError as error:
            hidden = name in sensitive
            remedy = "" if hidden else _remedy(name, error)
            raise DataError(f"{locate(error.row)}: {error.describe(name, kind, hidden)}{remedy}") from error
    return Batch(converted, len(next(iter(columns.values()))), locate)


def parse_block(
    block: Block,
    path: str,
    names: Sequence[str],
    forms: CellForms = AS_PYTHON,
    dialect: Dialect = _RFC,
    wanted: Collection[str] | None = None,
    shown: bool = True,
) -> dict[str, pa.StringArray]:
    """The columns of a block (those `wanted`, all by default) as text, empty cells and words for missing as null.

    Raises DataError, with the line, for a row of another length, bytes of these columns that are not UTF-8, and quotes
    that only mean something in another format. The message shows the row if it may be `shown`.
    """
    # Positions as names, since pyarrow looks conversions up by name and a header may hold any text.
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
        raise _explain(block, path, names, error, dialect, shown) from error
    columns = {name: _one_chunk(table.column(place)) for place, name in chosen.items()}
    if block.quoted:
        _refuse_other_quotes(block, path, columns, dialect)
    for name, value in partitions_of(path).items():
        if name not in names and (wanted is None or name in wanted):
            columns[name] = pa.array([value] * table.num_rows, pa.string())
    return {name: forms.of(name).known(cells) for name, cells in columns.items()}


def _plain(data: bytes, dialect: Dialect) -> bytes:
    """The rows without what Arrow has no option for."""
    delimiter = re.escape(dialect.delimiter.encode())
    if dialect.skip_initial_space:
        cell = rb' *("(?:[^"]|"")*"[^%b\r\n]*|[^%b\r\n]*)(%b|\r|\n|\Z)' % (delimiter, delimiter, delimiter)
        data = re.sub(cell, rb"\1\2", data)
    if dialect.escape_char == "\\" and rb"\N" in data:
        # What writes backslashes writes \N for a missing value; unescaped it would be the text N.
        data = re.sub(rb"(?<![^%b\n])\\N(?=[%b\r\n]|\Z)" % (delimiter, delimiter), b"", data)
    return data


def _refuse_other_quotes(block: Block, path: str, columns: Mapping[str, pa.StringArray], dialect: Dialect) -> None:
    """Quotes after blanks, and backslashes before quotes, would silently become part of the cells."""
    delimiter = dialect.delimiter.encode()
    if not dialect.skip_initial_space and (delimiter + b' "' in block.data or b'\n "' in block.data):
        # A quoted cell may begin so: only its bytes tell.
        suspect = any(pc.any(pc.match_substring_regex(cells, '^ +"')).as_py() for cells in columns.values())
        place = quote_after_blanks(block.data, dialect) if suspect else -1
        if place >= 0:
            line = block.line + block.data.count(b"\n", 0, place)
            raise DataError(
                f"{path}, line {line}: a blank stands before the quote of a cell, so that the quote would be part of "
                "its text; data.skip_initial_space: true skips such blanks"
            )
    suspect = not dialect.escape_char and rb"\"" in block.data
    suspect = suspect and any(pc.any(pc.match_substring(cells, "\\")).as_py() for cells in columns.values())
    place = escaped_quote(block.data, dialect) if suspect else -1
    if place >= 0:
        line = block.line + block.data.count(b"\n", 0, place)
        raise DataError(
            f'{path}, line {line}: \\" amid a quoted cell; if the backslash keeps the quote from ending the cell: '
            "data.escape_char: '\\'; else double the quote"
        )


def escaped_quote(data: bytes, dialect: Dialect) -> int:
    """Where a backslash and a quote stand amid a quoted cell, so that the quote cannot be the cell's last; else -1."""
    if rb"\"" not in data:
        return -1
    border = re.escape(dialect.delimiter.encode())
    cell = rb'(?:\A|[%b\n])"(?:[^"\\]|""|\\[^"])*\\"[^"%b\r\n]' % (border, border)
    found = re.search(cell, data)
    return found.end() if found else -1


def _remedy(column: str, error: CellError) -> str:
    """Short text among numbers is often a word for missing; with digits, it may be a number in another dialect."""
    text = str(error.value)
    if not text.isprintable() or len(text) > 30:
        return ""
    if not any(char.isdigit() for char in text):
        return f"; if it stands for a missing value: data.null_values: {{{column}: ['{text}']}}"
    return (
        "; a decimal comma, thousands marks and a unit are read where data.decimal, data.thousands or unit names them"
    )


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def locator(block: Block, path: str, dialect: Dialect) -> Callable[[int], str]:
    """Names a row of a block, counted from 0, by file and line."""
    find_lines = functools.cache(lambda: row_lines(block.data, dialect))

    def locate(row: int) -> str:
        lines = find_lines()
        # Arrow also ends a row at a lone carriage return, which is no line to an editor.
        return f"{path}, line {block.line + int(lines[min(row, len(lines) - 1)])}"

    return locate


# --- explaining -------------------------------------------------------------------------------------------------


def _explain(
    block: Block, path: str, names: Sequence[str], error: pa.ArrowInvalid, dialect: Dialect, shown: bool
) -> DataError:
    """Reads the block again with Python's csv module, which is slow but knows its line."""
    try:
        text = block.data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = block.line + block.data.count(b"\n", 0, wrong.start)
        byte = block.data[wrong.start]
        return DataError(
            f"{path}, line {line}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8, or name its encoding, such "
            "as data.encoding: cp1252"
        )
    reader = dialect.rows_of(text)
    last = 0
    # csv gives up at a cell of 128 KiB; Arrow's own words must do then.
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
        return "; a blank stands before a quote: data.skip_initial_space: true skips such blanks"
    if any('\\"' in cell or cell.endswith("\\") for cell in row) and not dialect.escape_char:
        return "; if the backslash keeps what follows from ending the cell: data.escape_char: '\\'"
    if len(row) == len(names) + 1 and first:
        return "; if the first cells are an index without a name, as R writes it, give the column a name in the header"
    return ""
