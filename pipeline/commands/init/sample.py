"""A bounded sample of a table, in the kinds that ExampleGen would read it in."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.errors import DataError
from janus_core.tables import csv_reader, parquet_reader
from janus_core.tables.batch import Batch
from janus_core.tables.cells import CellForms, forms_of
from janus_core.tables.column_kinds import (
    Kind,
    kind_of_text,
    kind_of_type,
    merge_kinds,
    narrow,
    text_to_kind,
    to_kind,
    widest,
)
from janus_core.tables.config import DataConfig
from janus_core.tables.csv_blocks import Block, row_ends
from janus_core.tables.csv_dialect import Dialect, dialect_of, open_rows, starts_midway
from janus_core.tables.files import file_size, find_files, is_gzip, open_file
from janus_core.tables.inspect import Source, inspect_source
from pipeline.commands.init.csv_dialect import guess_dialect, guess_footer
from pipeline.commands.init.number_forms import NumberForm, read_numbers, with_number_forms

MAX_CELLS = 20_000_000
"""Fewer rows of a wide table are sampled: its cells, not its rows, take the memory."""
MIN_ROWS = 1_000
MAX_BYTES = 256 << 20
"""The most CSV text that is held at once; of Parquet, of values, but for `MIN_ROWS`."""
PLACES = 64
"""The number of places, evenly spread, at which a large file is read."""
_ROW_GROUPS = 64


@dataclass(frozen=True)
class Sample:
    """Rows of a table, in its order.

    Attributes:
        data: what to read, as the configuration will say it, with its default split.
        columns: name → int64, float64, binary, or a list of them; null type where no row has a value.
        complete: whether these are all rows.
        how: what was read, as a phrase.
        total_rows: of the whole table; an estimate for CSV that was not read to its end.
        unusable: columns that no feature can be made of, whatever they hold, with the reason; null in `columns`.
        reasons: key of `data` that says how CSV is written → the reason for its value.
        forms: how columns write numbers, where it is not as Python does or there are words among them.
    """

    data: DataConfig
    files: list[str]
    columns: dict[str, pa.Array]
    rows: int
    complete: bool
    how: str
    total_rows: int
    unusable: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, NumberForm] = field(default_factory=dict)

    @property
    def cell_forms(self) -> CellForms:
        """How the cells of CSV are written."""
        units = {name: form.cells.unit for name, form in self.forms.items() if form.cells.unit}
        return forms_of(self.data, units)

    def words_of(self, column: str) -> dict[str, int]:
        """The texts of a column that count as missing, with their rows, as far as the sample has them."""
        form = self.forms.get(column)
        return {**form.words, **form.odd} if form else {}


def read_sample(data: DataConfig, rows: int = 100_000) -> Sample:
    """Reads about `rows` rows, fewer of a wide table; of CSV, in the dialect that is guessed from its beginning.

    How columns write numbers, and which of their values are none, becomes `forms` and keys of `data`.

    Raises:
        DataError: the files are missing, empty, damaged or no tables.
    """
    reasons: dict[str, str] = {}
    if data.format == "csv":
        files = find_files(data)
        keys, reasons = guess_dialect(files)
        data = data.model_copy(update=keys)
        footer, reason = guess_footer(files, dialect_of(data))
        if footer:
            data = data.model_copy(update={"skip_footer": footer})
            reasons["skip_footer"] = reason
    source = inspect_source(data)
    rows = min(rows, max(MIN_ROWS, MAX_CELLS // len(source.columns)))
    if data.format == "parquet":
        return _read_parquet(data, source, rows)
    sample = _read_csv(data, source.files, rows)
    columns, forms = read_numbers(sample.columns)
    return replace(sample, data=with_number_forms(data, columns, forms), columns=columns, forms=forms, reasons=reasons)


def table_format(path: str) -> str:
    """`csv` or `parquet`, by the file's (or, of a folder, its files') names and first bytes.

    Raises:
        DataError: a format that no reader takes.
    """
    place = Path(path)
    if place.is_dir():
        files = chain(place.iterdir(), place.glob("*=*/**/*"))
        return "parquet" if any(file.suffix.lower() == ".parquet" for file in files) else "csv"
    if place.is_file():
        with open_file(path) as stream:
            head = stream.read(4)
        if head == b"PAR1":
            return "parquet"
        if head == b"PK\x03\x04":
            raise DataError(f"{path} is a ZIP archive or a spreadsheet: export it as CSV in UTF-8, or as Parquet")
        if head[:3] in (b"BZh", b"\xfd7z", b"\x28\xb5\x2f"):
            raise DataError(f"{path} is compressed by other than gzip: unpack it, or compress it by gzip")
    return "parquet" if place.suffix.lower() == ".parquet" else "csv"


# --- CSV ----------------------------------------------------------------------------------------------------------

_Blocks = list[tuple[str, Block]]
"""Blocks of rows, each with its file."""


def _read_csv(data: DataConfig, files: list[str], rows: int) -> Sample:
    dialect = dialect_of(data)
    midway = [starts_midway(path, dialect) for path in files]
    head, ended = _csv_head(files[:1], rows, csv_reader.BLOCK_BYTES if midway[0] else MAX_BYTES, dialect)
    row_bytes = max(1.0, sum(len(block.data) for _, block in head) / max(1, _count_rows(head, dialect)))
    sizes = [file_size(path) for path in files]
    estimate = int(sum(sizes) / row_bytes)
    if not (ended and len(files) == 1 and _count_rows(head, dialect) <= rows + 1):
        if rows >= 4 * PLACES and estimate > rows and all(midway) and not _has_line_breaks(head, dialect):
            piece = int(min(rows * row_bytes, MAX_BYTES) / PLACES) + 1
            return _csv_sample(data, files, _csv_spread(files, sizes, piece, dialect), rows, None, estimate)
        head, ended = _csv_head(files, rows, MAX_BYTES, dialect)
    return _csv_sample(data, files, head, rows, ended, estimate)


def _csv_head(files: list[str], rows: int, most_bytes: int, dialect: Dialect) -> tuple[_Blocks, bool]:
    """Blocks from the beginning on, and whether they are all there is."""
    blocks: _Blocks = []
    size = count = 0
    for path in files:
        for block in csv_reader.all_blocks(csv_reader.open_csv(path, dialect)):
            if size >= most_bytes or count > rows:
                return blocks, False
            blocks.append((path, block))
            size += len(block.data)
            count += len(row_ends(block.data, dialect)[0])
    return blocks, True


def _count_rows(blocks: _Blocks, dialect: Dialect) -> int:
    return sum(len(row_ends(block.data, dialect)[0]) for _, block in blocks)


def _has_line_breaks(blocks: _Blocks, dialect: Dialect) -> bool:
    """Whether cells hold line breaks: then it cannot be known from a byte in the middle where a row begins."""
    return any(len(row_ends(block.data, dialect)[0]) < block.data.count(b"\n") for _, block in blocks)


def _csv_spread(files: list[str], sizes: list[int], piece: int, dialect: Dialect) -> _Blocks:
    """A block of about `piece` bytes at each of PLACES places."""
    ends = np.cumsum(sizes)
    blocks: _Blocks = []
    for place in np.linspace(0, ends[-1], PLACES, endpoint=False).astype(np.int64).tolist():
        index = int(np.searchsorted(ends, place, side="right"))
        path, offset = files[index], place - int(ends[index] - sizes[index])
        start = csv_reader.open_csv(path, dialect).header.stop
        block = _block_at(path, max(offset, start), piece, start, dialect)
        if block is not None:
            blocks.append((path, block))
    return blocks


def _block_at(path: str, offset: int, size: int, first: int, dialect: Dialect) -> Block | None:
    """Whole rows from about `offset` on; None where there are none."""
    # From the byte before: a row that begins right here is whole.
    with open_rows(path, dialect, max(offset - 1, first)) as read:
        data = read(size + csv_reader.BLOCK_BYTES // 16)
    skipped = 0
    if offset > first:
        skipped = data.find(b"\n") + 1
        if not skipped:
            return None
    ends, quoted, _ = row_ends(data[skipped:], dialect)
    ends = ends[: max(1, int(np.searchsorted(ends, size)))]
    if not ends.size:
        return None
    rows = data[skipped : skipped + int(ends[-1]) + 1]
    return Block(rows, max(offset - 1, first) + skipped, 0, quoted) if rows.strip() else None


def _csv_sample(
    data: DataConfig, files: list[str], blocks: _Blocks, rows: int, ended: bool | None, estimate: int
) -> Sample:
    """The blocks as columns; `ended` says whether they are all rows, None that they come from all over the table."""
    opened = {path: csv_reader.open_csv(path, dialect_of(data), forms_of(data)) for path in {files[0], *dict(blocks)}}
    names = opened[files[0]].columns
    spread = ended is None
    parsed = [_parse(block, opened[path], placed=not spread) for path, block in blocks]
    count = sum(len(part[names[0]]) for part in parsed)
    kept = count if spread else min(count, rows)
    complete = bool(ended) and count <= rows
    columns = {}
    for name in names:
        cells = [part.pop(name) for part in parsed]
        kind = widest(*map(kind_of_text, cells))
        column = pa.concat_arrays([text_to_kind(part, kind) for part in cells]) if kind else pa.nulls(count)
        with_point = not complete and kind == "int" and any(pc.any(pc.match_substring(c, ".")).as_py() for c in cells)
        columns[name] = _as_written(column[:kept]) if with_point else column[:kept]
    if complete:
        how, estimate = f"all {count:,} rows", count
    elif spread:
        how = f"{kept:,} rows from {len(blocks)} places spread over the whole table of about {estimate:,}"
    else:
        how = f"the first {kept:,} rows" + ("" if any(map(is_gzip, files)) else f" of about {estimate:,}")
    return Sample(data, files, columns, kept, complete, how, max(estimate, count))


def _parse(block: Block, file: csv_reader.CsvFile, placed: bool) -> dict[str, pa.Array]:
    try:
        return csv_reader.parse_block(block, file)
    except DataError as error:
        if placed:
            raise
        # Of a block from the middle of the file, the line is not known.
        raise DataError(f"{file.path}, after byte {block.start:,}: {str(error).partition(': ')[2]}") from error


# --- Parquet ------------------------------------------------------------------------------------------------------


def _read_parquet(data: DataConfig, source: Source, rows: int) -> Sample:
    files = source.files
    bounds = {path: parquet_reader.rows_of_groups(parquet_reader.read_metadata(path)) for path in files}
    groups = [(path, start, stop) for path, each in bounds.items() for start, stop in each if start < stop]
    total = sum(stop - start for _, start, stop in groups)
    rows = min(rows, max(MIN_ROWS, MAX_BYTES * total // max(1, sum(map(_bytes_of, files)))))
    chosen = groups
    if total > rows:
        places = np.linspace(0, len(groups), min(len(groups), _ROW_GROUPS), endpoint=False).astype(int)
        each = -(-rows // len(places))
        chosen = [(path, start, min(stop, start + each)) for path, start, stop in (groups[i] for i in places)]
    schema = parquet_reader.read_schema(files[0])
    unusable = {
        name: f"of type {schema.field(name).type}, which no feature or label can be made of" for name in source.unusable
    }
    kinds = {path: parquet_reader.column_kinds(parquet_reader.read_schema(path)) for path in files}
    kinds = {path: {name: kind for name, kind in k.items() if name not in unusable} for path, k in kinds.items()}
    undecided = [name for name in kinds[files[0]] if name in parquet_reader.undecided_columns(files)]
    wide: dict[str, Kind] = dict.fromkeys(undecided, "bytes")
    inferred = merge_kinds(parquet_reader.infer_kinds(path, start, stop, wide) for path, start, stop in chosen)
    by_value = {name: kind for name, kind in inferred.items() if kind is not None}
    typed = {name: widest(*(found[name] for found in kinds.values())) for name in undecided}
    kinds = {path: {**found, **by_value} for path, found in kinds.items()}
    parts: list[Batch] = []
    for path, start, stop in chosen:
        for batch in parquet_reader.read_batches(path, start, stop, kinds[path], needed=()):
            parts.append(batch)
            for name in kinds[path].keys() - batch.columns.keys() - unusable.keys():
                if kinds[path][name] is not None:
                    unusable[name] = _refusal(path, start, stop, name, kinds[path])
    count, complete = sum(part.rows for part in parts), total <= rows
    columns = {}
    for name in schema.names:
        kind = widest(*(found.get(name) for found in kinds.values()))
        found = [part.columns.get(name, pa.nulls(part.rows)) for part in parts]
        column = pa.nulls(count) if name in unusable else _concatenated([to_kind(part, kind) for part in found])
        columns[name] = _as_written(column) if not complete and typed.get(name) == "float" else column
    how = f"all {count:,} rows"
    if not complete:
        how = f"{count:,} of {total:,} rows, from the beginnings of {len(chosen):,} of {len(groups):,} row groups"
    return Sample(data, files, columns, count, complete, how, total, unusable)


def _bytes_of(path: str) -> int:
    """The size of a Parquet file's values, which of images is far above that of other columns."""
    metadata = parquet_reader.read_metadata(path)
    return sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))


def _refusal(path: str, start: int, stop: int, name: str, kinds: Mapping[str, Kind | None]) -> str:
    """Why a column that the rest of the table does without cannot be read."""
    try:
        for _ in parquet_reader.read_batches(path, start, stop, {name: kinds[name]}):
            pass
    except DataError as error:
        return f"it cannot be read ({error})"
    raise AssertionError(f"column {name} of {path} can be read")


def _as_written(column: pa.Array) -> pa.Array:
    """Sampled numbers that are whole but written with a point, as float64 unless a float32 would not hold them.

    The rows that were not sampled may have fractions.
    """
    if kind_of_type(column.type) != "int" or to_kind(narrow(to_kind(column, "float")), "int") != column:
        return column
    return to_kind(column, "float")


def _concatenated(arrays: list[pa.Array]) -> pa.Array:
    """One array of arrays that are of one type, or null."""
    known = next((array.type for array in arrays if not pa.types.is_null(array.type)), pa.null())
    return pa.concat_arrays([pa.nulls(len(a), known) if pa.types.is_null(a.type) else a for a in arrays])
