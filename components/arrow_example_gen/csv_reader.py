"""Parses blocks of CSV rows into Arrow columns, and says where a bad row or cell is."""

import contextlib
import csv
import functools
import io
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
from pyarrow import csv as arrow_csv

from components.arrow_example_gen.batch import Batch
from components.arrow_example_gen.cells import AS_PYTHON, CellForms
from components.arrow_example_gen.csv_blocks import Block, read_blocks, row_ends, row_lines
from components.arrow_example_gen.files import open_content
from components.arrow_example_gen.kinds import CellError, Kind
from trainer.errors import DataError

BLOCK_BYTES = 4 << 20
"""What is parsed at once: large enough for Arrow's vectorised kernels, small enough to keep several in memory."""

_HEADER_BYTES = 64 << 10
_BOM = b"\xef\xbb\xbf"


def read_header(path: str) -> list[str]:
    """The column names of a CSV file.

    Raises DataError for an empty file, a header that is not UTF-8, an empty or a repeated name.
    """
    return _header(path)[0]


def header_bytes(path: str) -> tuple[int, int]:
    """(the byte, the line from 1) where the rows after the header begin."""
    return _header(path)[1:]


def has_rows(path: str) -> bool:
    """Whether anything but blank lines follows the header."""
    start, line = header_bytes(path)
    return any(block.data.strip() for block in file_blocks(path, start, None, line))


def file_blocks(path: str, start: int, stop: int | None, line: int) -> Iterator[Block]:
    """The rows of a file between two bytes (of the content, where it is compressed) in blocks.

    `start` and `stop` are at the beginning of rows; None reads to the end. Raises DataError for a damaged gzip.
    """
    with open_content(path) as stream:
        _skip(stream, start, path)
        left = None if stop is None else stop - start

        def read(count: int) -> bytes:
            nonlocal left
            data = _read(stream, count if left is None else min(count, left), path)
            left = None if left is None else left - len(data)
            return data

        yield from read_blocks(read, BLOCK_BYTES, path, start, line)


def infer_block(block: Block, path: str, names: Sequence[str], forms: CellForms = AS_PYTHON) -> dict[str, Kind | None]:
    """The kind of each column of a block. Raises DataError as `parse_block` does."""
    return {name: forms.kind(name, cells) for name, cells in parse_block(block, path, names, forms).items()}


def read_block(
    block: Block,
    path: str,
    names: Sequence[str],
    kinds: Mapping[str, Kind | None],
    forms: CellForms = AS_PYTHON,
) -> Batch:
    """A block's columns in their kinds; columns of kind None (nothing but missing values) are left out.

    Raises DataError, with the line, as `parse_block` does and for text in a numeric column.
    """
    columns = parse_block(block, path, names, forms)
    locate = _locator(block, path)
    converted: dict[str, pa.Array] = {}
    for name, cells in columns.items():
        kind = kinds[name]
        if kind is None:
            continue
        try:
            converted[name] = forms.convert(name, cells, kind)
        except CellError as error:
            raise DataError(f"{locate(error.row)}: {error.describe(name, kind)}{_remedy(name, error)}") from error
    return Batch(converted, len(columns[names[0]]), locate)


def parse_block(
    block: Block, path: str, names: Sequence[str], forms: CellForms = AS_PYTHON
) -> dict[str, pa.StringArray]:
    """The columns of a block as text, empty cells and the words for missing values as null.

    Raises DataError, with the line, for a row of another length and for bytes that are not UTF-8.
    """
    # Positions as names, since pyarrow looks conversions up by name and a header may hold any text.
    places = [str(place) for place in range(len(names))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block.data),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(block.data) + 1, column_names=places),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=block.quoted),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(places, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(block, path, names, error) from error
    return {
        name: forms.of(name).known(_one_chunk(table.column(place))) for name, place in zip(names, places, strict=True)
    }


def _remedy(column: str, error: CellError) -> str:
    """Short text among numbers is often a word for missing; with digits, it may be a number in another form."""
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


def _locator(block: Block, path: str) -> Callable[[int], str]:
    find_lines = functools.cache(lambda: row_lines(block.data))

    def locate(row: int) -> str:
        lines = find_lines()
        # Arrow also ends a row at a lone carriage return, which is no line to an editor.
        return f"{path}, line {block.line + int(lines[min(row, len(lines) - 1)])}"

    return locate


# --- reading ----------------------------------------------------------------------------------------------------


def _read(stream: pa.NativeFile, count: int, path: str) -> bytes:
    try:
        return stream.read(count)
    except (OSError, pa.ArrowException, zlib.error) as error:
        raise DataError(f"{path}: cannot be read to its end, it is truncated or damaged ({error})") from error


def _skip(stream: pa.NativeFile, count: int, path: str) -> None:
    if stream.seekable():
        stream.seek(count)
        return
    while count > 0:
        data = _read(stream, min(count, BLOCK_BYTES), path)
        if not data:
            return
        count -= len(data)


def _header(path: str) -> tuple[list[str], int, int]:
    with open_content(path) as stream:
        first = next(read_blocks(lambda count: _read(stream, count, path), _HEADER_BYTES, path), None)
    if first is None or not first.data.strip(_BOM + b"\r\n"):
        raise DataError(f"{path} is empty: a CSV file begins with a header line that names the columns")
    skipped = len(_BOM) if first.data.startswith(_BOM) else 0
    data = first.data[skipped:]
    ends = row_ends(data)[0]
    row = data[: int(ends[0]) + 1] if ends.size else data
    try:
        names = next(csv.reader(io.StringIO(row.decode("utf-8"), newline="")))
    except csv.Error as error:
        raise DataError(f"{path}, line 1: the header cannot be read ({error})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line 1: the header is not UTF-8 (byte {error.start + 1}: {error.reason})") from error
    _check_names(names, path)
    return names, skipped + len(row), 1 + row.count(b"\n")


def _check_names(names: Sequence[str], path: str) -> None:
    repeated = list(dict.fromkeys(name for name in names if names.count(name) > 1))
    if "" in names:
        raise DataError(f"{path}, line 1: column {names.index('') + 1} has no name")
    if repeated:
        raise DataError(f"{path}, line 1: the header names a column twice: {', '.join(map(repr, repeated))}")


# --- explaining -------------------------------------------------------------------------------------------------


def _explain(block: Block, path: str, names: Sequence[str], error: pa.ArrowInvalid) -> DataError:
    """Reads the block again with Python's csv module, which is slow but knows its line."""
    try:
        text = block.data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = block.line + block.data.count(b"\n", 0, wrong.start)
        byte = block.data[wrong.start]
        return DataError(f"{path}, line {line}: not UTF-8 (byte 0x{byte:02x}); save the file as UTF-8")
    reader = csv.reader(io.StringIO(text, newline=""))
    last = 0
    # csv gives up at a cell of 128 KiB; Arrow's own words must do then.
    with contextlib.suppress(csv.Error):
        for row in reader:
            if row and len(row) != len(names):
                shown = ",".join(row)
                return DataError(
                    f"{path}, line {block.line + last}: {len(row)} cells, but the header names {len(names)} columns: "
                    f"{shown[:120]}{'…' if len(shown) > 120 else ''}"
                )
            last = reader.line_num
    return DataError(f"{path}, lines {block.line} to {block.line + text.count(chr(10))}: {error}")
