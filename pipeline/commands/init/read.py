"""A bounded sample of a table, in the kinds that ExampleGen would read it in."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.domains import as_text
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
from pipeline.commands.init.dialect import find_dialect
from pipeline.commands.init.footer import find_footer
from pipeline.commands.init.written import Written, data_as_written, read_as_written

DEFAULT_ROWS = 100_000
MAX_CELLS = 20_000_000
"""A wide table is sampled in fewer rows: its cells, not its rows, take the memory."""
MIN_ROWS = 1_000
MAX_BYTES = 256 << 20
"""Of CSV text that is held at once."""
PLACES = 64
"""A large file is read at so many places, evenly spread."""
_ROW_GROUPS = 64


@dataclass(frozen=True)
class Sample:
    """Rows of a table, in its order.

    Attributes:
        data: what to read, as the configuration will say it, with its default split.
        files: the files.
        columns: name → int64, float64, binary, or a list of them; null type where no row has a value.
        rows: sampled rows.
        complete: whether these are all rows.
        how: what was read, as a phrase.
        total_rows: of the whole table; an estimate for CSV that was not read to its end.
        unusable: columns that no feature can be made of, whatever they hold, with the reason; null in `columns`.
        reasons: key of `data` that says how CSV is written → what it was found by.
        written: columns that write numbers in another way than Python, or hold words among them.
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
    written: Mapping[str, Written] = field(default_factory=dict)

    @property
    def forms(self) -> CellForms:
        """How the cells of CSV are written."""
        units = {name: how.form.unit for name, how in self.written.items() if how.form.unit}
        return forms_of(self.data, units)


def read_sample(data: DataConfig, rows: int = DEFAULT_ROWS) -> Sample:
    """Reads about `rows` rows, fewer of a wide table, in the dialect that a CSV file is found to have.

    How columns write numbers, and which of their values are none, becomes `written` and keys of `data`.

    Raises:
        DataError: the files are missing, empty, damaged or no tables.
    """
    reasons: dict[str, str] = {}
    if data.format == "csv":
        files = find_files(data)
        found, reasons = find_dialect(files)
        data = data.model_copy(update=found)
        footer, reason = find_footer(files, dialect_of(data))
        if footer:
            data = data.model_copy(update={"skip_footer": footer})
            reasons["skip_footer"] = reason
    source = inspect_source(data)
    rows = min(rows, max(MIN_ROWS, MAX_CELLS // len(source.columns)))
    if data.format == "parquet":
        return _read_parquet(data, source, rows)
    sample = _read_csv(data, source.files, rows)
    columns, written = read_as_written(sample.columns)
    written = find_odd_values(sample, written)
    return replace(
        sample, data=data_as_written(sample.data, columns, written), columns=columns, written=written, reasons=reasons
    )


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


# --- CSV --------------------------------------------------------------------------------------------------------


def _read_csv(data: DataConfig, files: list[str], rows: int) -> Sample:
    dialect = dialect_of(data)
    head, ended = _csv_head(files[:1], rows, _first_bytes(files[0], dialect), dialect)
    row_bytes = max(1.0, sum(len(block.data) for _, block in head) / max(1, _count_rows(head, dialect)))
    sizes = [file_size(path) for path in files]
    estimate = int(sum(sizes) / row_bytes)
    if not (ended and len(files) == 1 and _count_rows(head, dialect) <= rows + 1):
        if rows < 4 * PLACES or estimate <= rows or not all(starts_midway(path, dialect) for path in files):
            head, ended = _csv_head(files, rows, MAX_BYTES, dialect)
        elif (spread := _csv_spread(files, sizes, rows, row_bytes, head, dialect)) is not None:
            return _csv_sample(data, files, spread, rows, None, estimate)
        else:
            head, ended = _csv_head(files, rows, MAX_BYTES, dialect)
    return _csv_sample(data, files, head, rows, ended, estimate)


def _first_bytes(path: str, dialect: Dialect) -> int:
    return csv_reader.BLOCK_BYTES if starts_midway(path, dialect) else MAX_BYTES


def _csv_head(files: list[str], rows: int, most_bytes: int, dialect: Dialect) -> tuple[list[tuple[str, Block]], bool]:
    """Blocks from the beginning on, and whether they are all there is."""
    blocks: list[tuple[str, Block]] = []
    read = found = 0
    for path in files:
        for block in csv_reader.all_blocks(csv_reader.open_csv(path, dialect)):
            if read >= most_bytes or found > rows:
                return blocks, False
            blocks.append((path, block))
            read += len(block.data)
            found += len(row_ends(block.data, dialect)[0])
    return blocks, True


def _count_rows(blocks: list[tuple[str, Block]], dialect: Dialect) -> int:
    return sum(len(row_ends(block.data, dialect)[0]) for _, block in blocks)


def _csv_spread(
    files: list[str],
    sizes: list[int],
    rows: int,
    row_bytes: float,
    head: list[tuple[str, Block]],
    dialect: Dialect,
) -> list[tuple[str, Block]] | None:
    """A block at each of PLACES places; None where rows hold line breaks, in which one cannot find one's place."""
    if any(len(row_ends(block.data, dialect)[0]) < block.data.count(b"\n") for _, block in head):
        return None
    piece = int(min(rows * row_bytes, MAX_BYTES) / PLACES) + 1
    ends = np.cumsum(sizes)
    blocks: list[tuple[str, Block]] = []
    for place in np.linspace(0, ends[-1], PLACES, endpoint=False).astype(np.int64).tolist():
        index = int(np.searchsorted(ends, place, side="right"))
        path, offset = files[index], place - int(ends[index] - sizes[index])
        start = csv_reader.open_csv(path, dialect).header.stop
        block = _block_at(path, max(offset, start), piece, start, dialect)
        if block is not None:
            blocks.append((path, block))
    return blocks


def _block_at(path: str, offset: int, size: int, first: int, dialect: Dialect) -> Block | None:
    """Whole rows from about `offset` on; a block without any is None."""
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
    data: DataConfig,
    files: list[str],
    blocks: list[tuple[str, Block]],
    rows: int,
    ended: bool | None,
    estimate: int,
) -> Sample:
    opened = {path: _open_csv(data, path) for path in {files[0], *(path for path, _ in blocks)}}
    names = opened[files[0]].columns
    parsed = [_parse(block, opened[path], placed=ended is not None) for path, block in blocks]
    columns, count = {}, sum(len(part[names[0]]) for part in parsed)
    complete = bool(ended) and count <= rows
    for name in names:
        cells = [part.pop(name) for part in parsed]
        kind = widest(*(kind_of_text(part) for part in cells))
        column = pa.concat_arrays([text_to_kind(part, kind) for part in cells]) if kind else pa.nulls(count)
        column = column.slice(0, rows) if ended is not None else column
        with_point = not complete and kind == "int" and any(pc.any(pc.match_substring(c, ".")).as_py() for c in cells)
        columns[name] = _as_written(column) if with_point else column
    kept = min(count, rows) if ended is not None else count
    if complete:
        how, estimate = f"all {count:,} rows", count
    elif ended is None:
        how = f"{kept:,} rows from {len(blocks)} places spread over the whole table of about {estimate:,}"
    else:
        how = f"the first {kept:,} rows" + ("" if any(map(is_gzip, files)) else f" of about {estimate:,}")
    return Sample(data, files, columns, kept, complete, how, max(estimate, count))


def _open_csv(data: DataConfig, path: str) -> csv_reader.CsvFile:
    return csv_reader.open_csv(path, dialect_of(data), forms_of(data))


def _parse(block: Block, file: csv_reader.CsvFile, placed: bool) -> dict[str, pa.Array]:
    try:
        return csv_reader.parse_block(block, file)
    except DataError as error:
        if placed:
            raise
        # The line of a block amid the file is not known.
        raise DataError(f"{file.path}, after byte {block.start:,}: {str(error).partition(': ')[2]}") from error


# --- Parquet ----------------------------------------------------------------------------------------------------


def _read_parquet(data: DataConfig, source: Source, rows: int) -> Sample:
    files = source.files
    groups = [(path, start, stop) for path in files for start, stop in _row_groups(path)]
    total = sum(stop - start for _, start, stop in groups)
    chosen = groups
    if total > rows:
        places = np.linspace(0, len(groups), min(len(groups), _ROW_GROUPS), endpoint=False).astype(int)
        each = -(-rows // len(places))
        chosen = [(path, start, min(stop, start + each)) for path, start, stop in (groups[i] for i in places)]
    schema = parquet_reader.read_schema(files[0])
    kinds = {path: _usable_kinds(path, source.unusable) for path in files}
    undecided = [name for name in kinds[files[0]] if name in parquet_reader.undecided_columns(files)]
    wide: dict[str, Kind] = dict.fromkeys(undecided, "bytes")
    inferred = merge_kinds(parquet_reader.infer_kinds(path, start, stop, wide) for path, start, stop in chosen)
    by_value = {name: kind for name, kind in inferred.items() if kind is not None}
    typed = {name: widest(*(found[name] for found in kinds.values())) for name in undecided}
    kinds = {path: {**found, **by_value} for path, found in kinds.items()}
    parts: list[Batch] = []
    unusable = {
        name: f"of type {schema.field(name).type}, which no feature or label can be made of" for name in source.unusable
    }
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
        known = name not in unusable
        arrays = [
            to_kind(part.columns[name], kind) if known and name in part.columns else pa.nulls(part.rows)
            for part in parts
        ]
        column = _concatenated(arrays, count)
        columns[name] = _as_written(column) if not complete and typed.get(name) == "float" else column
    how = f"all {count:,} rows"
    if not complete:
        how = f"{count:,} of {total:,} rows, from the beginnings of {len(chosen):,} of {len(groups):,} row groups"
    return Sample(data, files, columns, count, complete, how, total, unusable)


def _refusal(path: str, start: int, stop: int, name: str, kinds: Mapping[str, Kind | None]) -> str:
    """Why a column that the rest of the table does without cannot be read."""
    try:
        for _ in parquet_reader.read_batches(path, start, stop, {name: kinds[name]}):
            pass
    except DataError as error:
        return f"it cannot be read ({error})"
    raise AssertionError(f"column {name} of {path} can be read")


def _usable_kinds(path: str, unusable: Collection[str]) -> dict[str, Kind | None]:
    kinds = parquet_reader.column_kinds(parquet_reader.read_schema(path))
    return {name: kind for name, kind in kinds.items() if name not in unusable}


def _as_written(column: pa.Array) -> pa.Array:
    """A sample of whole numbers that are written as others; as these, unless a tf.Example would not hold them then.

    The rows that were not sampled may have fractions.
    """
    if kind_of_type(column.type) != "int" or to_kind(narrow(to_kind(column, "float")), "int") != column:
        return column
    return to_kind(column, "float")


def _row_groups(path: str) -> Iterator[tuple[int, int]]:
    metadata = parquet_reader.read_metadata(path)
    start = 0
    for index in range(metadata.num_row_groups):
        stop = start + metadata.row_group(index).num_rows
        if stop > start:
            yield start, stop
        start = stop


def _concatenated(arrays: list[pa.Array], rows: int) -> pa.Array:
    known = [array.type for array in arrays if not pa.types.is_null(array.type)]
    if not known:
        return pa.nulls(rows)
    return pa.concat_arrays([pa.nulls(len(a), known[0]) if pa.types.is_null(a.type) else a for a in arrays])


def find_odd_values(sample: Sample, written: Mapping[str, Written]) -> dict[str, Written]:
    """Adds where values that are no numbers first stand, in the first MAX_BYTES of each file."""
    open_values = {(name, value) for name, how in written.items() for value in how.odd}
    places: dict[tuple[str, str], str] = {}
    for path in sample.files if open_values else ():
        file = csv_reader.open_csv(path, dialect_of(sample.data))
        for block in csv_reader.all_blocks(file):
            if not open_values or block.start - file.header.stop > MAX_BYTES:
                break
            cells = csv_reader.parse_block(block, file, {name for name, _ in open_values})
            for name, value in sorted(open_values):
                row = pc.index(cells[name], pa.scalar(value)).as_py()
                if row >= 0:
                    places[name, value] = csv_reader.locator(block, file)(row).removeprefix("./")
                    open_values.remove((name, value))
    return {
        name: replace(how, where={value: places[name, value] for value in how.odd if (name, value) in places})
        for name, how in written.items()
    }


# --- what a sample cannot tell ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class WholeColumn:
    """What every row of the table says of a column.

    Attributes:
        values: the different values as text, with their rows; of a column with too many, those of the beginning.
        missing: rows without a value.
    """

    values: dict[str, int]
    missing: int


def read_whole_columns(sample: Sample, names: list[str], most_values: int = 1000) -> dict[str, WholeColumn]:
    """Streams the whole table for what a run insists on in every row: a label's classes, the time of a split.

    Raises:
        DataError: a row cannot be read.
    """
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    missing = dict.fromkeys(names, 0)
    for columns, rows in _streamed(sample, names):
        for name in names:
            column = columns.get(name)
            if column is None or pa.types.is_null(column.type):
                missing[name] += rows
                continue
            missing[name] += column.null_count
            for entry in column.value_counts().to_pylist() if len(counts[name]) <= most_values else ():
                if entry["values"] is not None:
                    text = as_text(entry["values"])
                    counts[name][text] = counts[name].get(text, 0) + entry["counts"]
    return {name: WholeColumn(counts[name], missing[name]) for name in names}


def _streamed(sample: Sample, names: list[str]) -> Iterator[tuple[dict[str, pa.Array], int]]:
    # A column of whole numbers in the sample may have a fraction elsewhere.
    sampled: dict[str, Kind | None] = {name: kind_of_type(sample.columns[name].type) for name in names}
    sampled = {name: "float" if kind == "int" else kind for name, kind in sampled.items()}
    for path in sample.files:
        if sample.data.format == "csv":
            file = csv_reader.open_csv(path, dialect_of(sample.data), sample.forms)
            csv_kinds = {name: sampled.get(name) for name in file.columns}
            for block in csv_reader.all_blocks(file):
                batch = csv_reader.read_block(block, file, csv_kinds)
                yield dict(batch.columns), batch.rows
        else:
            kinds = parquet_reader.column_kinds(parquet_reader.read_schema(path))
            rows = parquet_reader.read_metadata(path).num_rows
            wanted: dict[str, Kind | None] = {name: sampled[name] or kinds[name] for name in names}
            for batch in parquet_reader.read_batches(path, 0, rows, wanted):
                yield dict(batch.columns), batch.rows
