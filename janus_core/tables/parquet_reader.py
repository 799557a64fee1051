"""Reads Parquet files into columns of the three kinds that a tf.Example holds.

booleans and integers become int, and so do doubles and decimals of which all are whole, other floats and decimals
float; integers beyond 2^53 become text, as in CSV; text, binary and dictionaries bytes; dates, times and timestamps ISO
8601 text in UTC (which sorts, so that a time split works on it); durations the number of their unit; lists of these
several values. A tf.Example cannot hold structs, maps and lists of lists.
"""

import contextlib
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate, pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from janus_core.errors import DataError, machine_error
from janus_core.tables.batch import Batch
from janus_core.tables.column_kinds import CellError, Kind, kind_of_numbers, to_kind, widest
from janus_core.tables.files import damage_reported, open_file, partitions_of
from janus_core.tables.lists import flat_values, is_list, large_list, row_of_value

BATCH_ROWS = 1 << 15

_BYTES_TYPES = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary),
    *(pa.types.is_fixed_size_binary, pa.types.is_temporal),
)


def read_schema(path: str) -> pa.Schema:
    """The Arrow schema of a Parquet file. Raises DataError for a damaged file and for a repeated column."""
    schema = read_metadata(path).schema.to_arrow_schema()
    repeated = [name for name in dict.fromkeys(schema.names) if schema.names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: the schema names a column twice: {', '.join(map(repr, repeated))}")
    for name, value in _partitions(path, schema).items():
        schema = schema.append(pa.field(name, value.type))
    return schema


def _partitions(path: str, schema: pa.Schema) -> dict[str, pa.Scalar]:
    """The columns of `partitions_of` that the file does not have itself, each with its one value."""
    found = {name: value for name, value in partitions_of(path).items() if name not in schema.names}
    return {
        name: pa.scalar(int(value), pa.int32()) if value and re.fullmatch(r"-?\d{1,9}", value) else pa.scalar(value)
        for name, value in found.items()
    }


def read_metadata(path: str) -> pq.FileMetaData:
    """The footer of a Parquet file. Raises DataError if it cannot be read."""
    with open_file(path) as source:
        return _parquet_file(source, path).metadata


def column_kinds(schema: pa.Schema) -> dict[str, Kind | None]:
    """The kind of each column that a tf.Example can hold; None where the type is null."""
    kinds = {field.name: _kind(field.type) for field in schema}
    return {name: kind for name, kind in kinds.items() if kind != "unsupported"}  # type: ignore[misc]


def unsupported(schema: pa.Schema, column: str, path: str) -> str:
    """A sentence on a column that `column_kinds` leaves out."""
    return (
        f"{path}: column '{column}' is of type {schema.field(column).type}, which a tf.Example cannot hold; "
        "flatten it into columns of numbers, text or lists of them"
    )


def undecided_columns(files: Iterable[str]) -> set[str]:
    """The columns whose values decide their kind: doubles, decimals and integers of 64 bits."""
    return {field.name for path in files for field in read_schema(path) if _is_undecided(field.type)}


def infer_kinds(path: str, start: int, stop: int, wide: Mapping[str, Kind]) -> dict[str, Kind | None]:
    """The kinds of the columns named by `wide`, by the rows [start, stop); None where all are missing or NaN.

    `wide` gives the kind of each where integers are beyond EXACT.

    Raises DataError for damaged data.
    """
    found: dict[str, Kind | None] = {}
    with open_file(path) as source:
        file = _parquet_file(source, path)
        schema = read_schema(path)
        groups, _ = _row_groups(file, start, stop)
        for name, beyond in wide.items():
            arrow_type = schema.field(name).type
            if not _is_undecided(arrow_type):
                kind = _kind(arrow_type)
                found[name] = kind if kind != "unsupported" else None  # type: ignore[assignment]
                continue
            extremes = _integer_extremes(file, name, groups)
            if extremes is not None:
                found[name] = kind_of_numbers(pa.array(extremes, arrow_type), beyond)
                continue
            found[name] = None
            for record_batch in _record_batches(file, groups, [name], path):
                column = record_batch.column(0)
                column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                found[name] = widest(found[name], kind_of_numbers(column, beyond))
                if found[name] in ("float", "bytes") and not pa.types.is_integer(column.type):
                    break
    return found


def read_batches(
    path: str,
    start: int,
    stop: int,
    kinds: Mapping[str, Kind | None],
    needed: Collection[str] | None = None,
    sensitive: Collection[str] = (),
) -> Iterator[Batch]:
    """The rows [start, stop) of a file in the given kinds, streamed.

    Raises DataError, with the row (from 0), for a value that its kind cannot hold, and for damaged data. A column that
    is not `needed` (all are by default) is left out of the batch where it has such a value. No message shows a value of
    a sensitive one.
    """
    names = [name for name, kind in kinds.items() if kind is not None]
    for first, record_batch in read_rows(path, start, stop, names):
        yield to_batch(record_batch, first, path, kinds, needed, sensitive)


def read_rows(path: str, start: int, stop: int, names: list[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The named columns of the rows [start, stop) as they are in the file, in batches, each after its first row.

    Columns of partitions are among them. Raises DataError for damaged data.
    """
    with open_file(path) as source:
        file = _parquet_file(source, path)
        groups, position = _row_groups(file, start, stop)
        for batch in _record_batches(file, groups, names, path):
            begin, end = max(start - position, 0), min(stop - position, batch.num_rows)
            if begin < end:
                yield position + begin, batch.slice(begin, end - begin)
            position += batch.num_rows
            if position >= stop:
                return


def rows_of_groups(metadata: pq.FileMetaData) -> list[tuple[int, int]]:
    """The rows [start, stop) of each row group."""
    rows = (metadata.row_group(index).num_rows for index in range(metadata.num_row_groups))
    return list(pairwise(accumulate(rows, initial=0)))


def _row_groups(file: pq.ParquetFile, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups that hold the rows [start, stop), and the first row of the first of them."""
    bounds = rows_of_groups(file.metadata)
    groups = [index for index, (begin, end) in enumerate(bounds) if begin < stop and end > start]
    return groups, bounds[groups[0]][0] if groups else 0


def _parquet_file(source: pa.NativeFile, path: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source)
    except (pa.ArrowException, OSError) as error:
        refused = machine_error(error, path)
        if refused is not None:
            raise refused from error
        source.seek(0)
        other = "" if source.read(4) == b"PAR1" else "; if it is CSV: data.format: csv"
        raise DataError(f"{path}: not a readable Parquet file, it is truncated or damaged ({error}){other}") from error


def _record_batches(file: pq.ParquetFile, groups: list[int], names: list[str], path: str) -> Iterator[pa.RecordBatch]:
    if not groups:
        return
    partitions = _partitions(path, file.schema_arrow)
    # Without any column of the file, there would be no rows.
    own = [name for name in names if name not in partitions] or file.schema_arrow.names[:1]
    batches = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=own, use_threads=False)
    while True:
        with damage_reported(path, f"row groups {groups} cannot be read, they are damaged"):
            batch = next(batches, None)
        if batch is None:
            return
        columns = {name: batch.column(place) for place, name in enumerate(batch.schema.names)}
        for name, value in partitions.items():
            columns[name] = pa.array([value.as_py()] * batch.num_rows, value.type)
        yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def to_batch(
    record_batch: pa.RecordBatch,
    first: int,
    path: str,
    kinds: Mapping[str, Kind | None],
    needed: Collection[str] | None = None,
    sensitive: Collection[str] = (),
) -> Batch:
    """What `read_rows` gives, from row `first` of a file on, as `read_batches` does."""
    batch = Batch({}, record_batch.num_rows, lambda row: f"{path}, row {first + row}")
    columns = {}
    for name, kind in kinds.items():
        if kind is None:
            continue
        column = record_batch.column(record_batch.schema.get_field_index(name))
        try:
            columns[name] = to_kind(_canonical(column, kind), kind)
        except CellError as error:
            if needed is None or name in needed:
                words = error.describe(name, kind, name in sensitive)
                raise DataError(f"{batch.locate(error.row)}: {words}") from error
    return batch.with_columns(columns)


# --- types ------------------------------------------------------------------------------------------------------


def _kind(arrow_type: pa.DataType, nested: bool = False) -> Kind | str | None:
    types = pa.types
    if types.is_dictionary(arrow_type):
        return _kind(arrow_type.value_type, nested)
    if is_list(arrow_type):
        return "unsupported" if nested else _kind(arrow_type.value_type, nested=True)
    if types.is_null(arrow_type):
        return None
    if types.is_boolean(arrow_type) or types.is_integer(arrow_type) or types.is_duration(arrow_type):
        return "int"
    if types.is_floating(arrow_type) or types.is_decimal(arrow_type):
        return "float"
    if any(is_bytes(arrow_type) for is_bytes in _BYTES_TYPES):
        return "bytes"
    return "unsupported"


def _integer_extremes(file: pq.ParquetFile, name: str, groups: list[int]) -> list[int] | None:
    """Least and greatest values, from the footer; None where it lacks them, and for other types."""
    if not pa.types.is_integer(file.schema_arrow.field(name).type):
        return None
    found = []
    for group in map(file.metadata.row_group, groups):
        columns = (group.column(place) for place in range(group.num_columns))
        # In a damaged footer, the row groups may name other columns than the schema.
        statistics = next((column.statistics for column in columns if column.path_in_schema == name), None)
        if statistics is None or not statistics.has_min_max:
            return None
        found += [statistics.min, statistics.max]
    return found


def _is_undecided(arrow_type: pa.DataType) -> bool:
    types = pa.types
    if types.is_dictionary(arrow_type):
        return _is_undecided(arrow_type.value_type)
    wide_integer = types.is_int64(arrow_type) or types.is_uint64(arrow_type)
    return bool(wide_integer or types.is_float64(arrow_type) or types.is_decimal(arrow_type))


def _canonical(column: pa.Array, kind: Kind | None = None) -> pa.Array:
    """The column as int64, float64, binary or a large list of them; `kind` where converting to it would lose digits."""
    types = pa.types
    if types.is_dictionary(column.type):
        return _canonical(column.dictionary_decode(), kind)
    if is_list(column.type):
        return _canonical_list(column)
    if types.is_unsigned_integer(column.type):
        return column.cast(pa.string()).cast(pa.binary()) if kind == "bytes" else _unsigned(column)
    if types.is_boolean(column.type) or types.is_integer(column.type) or types.is_duration(column.type):
        return column.cast(pa.int64())
    if types.is_float16(column.type):
        numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
        return pa.array(numbers, mask=column.is_null().to_numpy(zero_copy_only=False))
    if types.is_floating(column.type):
        return column.cast(pa.float64())
    if types.is_decimal(column.type):
        return _decimals(column, kind)
    if types.is_temporal(column.type):
        return _iso(column).cast(pa.binary())
    return column.cast(pa.binary())


def _decimals(column: pa.Array, kind: Kind | None) -> pa.Array:
    if kind == "int":
        # Where this fails, the conversion by way of float64 identifies the value.
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(pa.int64())
    if kind == "bytes":
        texts = [None if value is None else f"{value:f}" for value in column.to_pylist()]
        return pa.array([text and (text.rstrip("0").rstrip(".") if "." in text else text) for text in texts]).cast(
            pa.binary()
        )
    return column.cast(pa.float64(), safe=False)


def _canonical_list(column: pa.Array) -> pa.LargeListArray:
    values, offsets = flat_values(column)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    sizes = np.diff(offsets)
    if sizes[missing].any():
        # A missing list of a fixed size still has values.
        values = values.filter(pa.array(~np.repeat(missing, sizes)))
        sizes[missing] = 0
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    values = _canonical(values)
    if values.null_count and not pa.types.is_floating(values.type):
        gap = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        row = row_of_value(offsets, gap)
        raise CellError(row, column[row].as_py(), "a list of numbers or text cannot have a gap")
    return large_list(offsets, pc.fill_null(values, math.nan) if values.null_count else values, missing)


def _unsigned(column: pa.Array) -> pa.Int64Array:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        big = pc.greater(column, pa.scalar(2**63 - 1, pa.uint64()))
        row = pc.index(big, True).as_py()
        raise CellError(row, column[row].as_py(), "beyond 64 bits") from None


def _iso(column: pa.Array) -> pa.StringArray:
    types = pa.types
    if not types.is_timestamp(column.type):
        text = column.cast(pa.string())
        return pc.replace_substring_regex(text, r"\.0+$", "") if types.is_time(column.type) else text
    zone = column.type.tz
    # A zone changes how a timestamp is shown, not the instant; only UTC sorts.
    text = pc.strftime(column.cast(pa.timestamp(column.type.unit)), format="%Y-%m-%dT%H:%M:%S")
    text = pc.replace_substring_regex(text, r"\.0+$", "")
    return pc.binary_join_element_wise(text, "Z", "") if zone else text
