"""Rows in chunks: read from files, with the columns that the output repeats, as the model's inputs, and predicted."""

import contextlib
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.errors import DataError, ServingError
from janus_core.tables import csv_reader, parquet_reader
from janus_core.tables.batch import Batch
from janus_core.tables.column_kinds import CellError, text_to_kind, to_kind
from janus_core.tables.csv_blocks import Block
from janus_core.tables.lists import is_list, list_offsets
from janus_core.tables.pieces import Piece
from pipeline.commands.predict.input_files import Source
from pipeline.commands.predict.json_reader import JsonRow, read_json_rows
from pipeline.commands.predict.output import TaskColumns, outputs_of
from serving.client import Client, RequestError, Signature, TensorInfo
from serving.rows import EXACT, MISSING, columns_of_rows
from serving.signatures import DOUBLE, ERROR, FLOAT, STRING, strings


@dataclass(frozen=True)
class Chunk:
    """Some rows, about a part of `size` of the piece's. The functions do the work, so that another thread may do it.

    Attributes:
        locate: names a row, from 0, for messages.
        inputs: makes the model's inputs; raises DataError.
        repeated: makes the columns that the output repeats; called after `inputs`.
    """

    rows: int
    locate: Callable[[int], str]
    size: float
    inputs: Callable[[], dict[str, np.ndarray]]
    repeated: Callable[[], list[pa.Array]]


def read_chunks(source: Source, signature: Signature, piece: Piece, rows: int) -> Iterator[Chunk]:
    """A piece's rows, at most `rows` at a time, in their order.

    Raises:
        DataError: with file and row, for damaged data and values of a wrong type.
    """
    read = {"csv": _csv_chunks, "parquet": _parquet_chunks, "json": _json_chunks, "tfrecord": _record_chunks}
    return read[source.format](source, signature, piece, rows)


# --- CSV ----------------------------------------------------------------------------------------------------------


def _csv_chunks(source: Source, signature: Signature, piece: Piece, rows: int) -> Iterator[Chunk]:
    file = csv_reader.open_csv(piece.path, source.csv, source.forms)
    kinds = {name: source.kinds.get(name) for name in source.names}
    for block in csv_reader.blocks_between(file, piece.start, piece.stop, piece.line):
        batch = csv_reader.read_block(block, file, kinds)
        texts = _texts(source, block, file) if source.schema else {}

        def repeat(start: int, count: int, texts: dict[str, pa.Array] = texts) -> list[pa.Array]:
            return [_typed_text(texts[field.name].slice(start, count), field.type) for field in source.schema]

        yield from _slices(source, signature, piece.path, batch, rows, len(block.data), repeat)


def _texts(source: Source, block: Block, file: csv_reader.CsvFile) -> dict[str, pa.Array]:
    """The cells as they are in the file; where the output has a type, as numbers without those that are missing."""
    texts = csv_reader.parse_block(block, replace(file, forms=replace(source.forms, null_words=())))
    for field in source.schema:
        if not pa.types.is_string(field.type):
            form = source.forms.of(field.name)
            texts[field.name] = form.plain(form.known(texts[field.name]))
    return texts


def _typed_text(cells: pa.StringArray, wanted: pa.DataType) -> pa.Array:
    """Cells that are known to be of the type."""
    if pa.types.is_string(wanted):
        return cells
    if is_list(wanted):
        values = _typed_text(cells, wanted.value_type).to_pylist()
        return pa.array([None if value is None else [value] for value in values], wanted)
    return text_to_kind(cells, "float" if pa.types.is_floating(wanted) else "int")


# --- Parquet ------------------------------------------------------------------------------------------------------


def _parquet_chunks(source: Source, signature: Signature, piece: Piece, rows: int) -> Iterator[Chunk]:
    stop = piece.stop if piece.stop is not None else parquet_reader.read_metadata(piece.path).num_rows
    size = piece.size / max(stop - piece.start, 1)
    if not source.kinds:
        raise DataError(f"{piece.path}: every column of the model is of the null type")
    names = list(dict.fromkeys([*source.kinds, *source.schema.names]))
    for first, part in parquet_reader.read_rows(piece.path, piece.start, stop, names):
        batch = parquet_reader.to_batch(part, first, piece.path, source.kinds)
        columns = dict(zip(part.schema.names, part.columns, strict=True))

        def repeat(start: int, count: int, columns: dict[str, pa.Array] = columns) -> list[pa.Array]:
            found = [columns[field.name].slice(start, count) for field in source.schema]
            # Files may differ in the width of their numbers.
            return [
                column if column.type == field.type else column.cast(field.type)
                for column, field in zip(found, source.schema, strict=True)
            ]

        yield from _slices(source, signature, piece.path, batch, rows, batch.rows * size, repeat)


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json_chunks(source: Source, signature: Signature, piece: Piece, rows: int) -> Iterator[Chunk]:
    found = read_json_rows(piece.path)
    while group := list(islice(found, rows)):
        yield _json_chunk(source, signature, piece.path, group)


def _json_chunk(source: Source, signature: Signature, path: str, group: Sequence[JsonRow]) -> Chunk:
    def repeat() -> list[pa.Array]:
        return [
            pa.array([_typed_value(row.values.get(field.name), field.type) for row in group], field.type)
            for field in source.schema
        ]

    def locate(row: int) -> str:
        return f"{path}, line {group[row].line}"

    size = sum(row.size for row in group)
    return Chunk(len(group), locate, size, lambda: _json_inputs(source, signature, path, group, locate), repeat)


def _json_inputs(
    source: Source, signature: Signature, path: str, group: Sequence[JsonRow], locate: Callable[[int], str]
) -> dict[str, np.ndarray]:
    rows = [row.values for row in group]
    for name in source.images:
        cells = [value.encode() if isinstance(value := row.get(name), str) and value else None for row in rows]
        part = Batch({name: pa.array(cells, pa.binary())}, len(rows), locate)
        images = _with_images(source, path, part).columns[name].to_pylist()
        rows = [
            {**row, name: row.get(name) if image is None else image} for row, image in zip(rows, images, strict=True)
        ]
    try:
        return columns_of_rows(signature, rows)
    except RequestError:
        for row in group:
            try:
                columns_of_rows(signature, [row.values])
            except RequestError as error:
                what = str(error).removeprefix("row 1: ").replace(MISSING, REQUIRED)
                raise DataError(f"{path}, line {row.line}: {what}") from error
        raise


def _typed_value(value: Any, wanted: pa.DataType) -> Any:
    """A value as the type wants it; of the model's columns, `_json_inputs` has checked it."""
    if value is None:
        return None
    if pa.types.is_string(wanted):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if is_list(wanted):
        items = value if isinstance(value, list) else [value]
        return [_typed_value(item, wanted.value_type) for item in items]
    if pa.types.is_boolean(wanted):
        return value
    if isinstance(value, str) and not value.strip():
        return None
    if pa.types.is_integer(wanted):
        with contextlib.suppress(ValueError):
            return int(value)
    number = float(value)
    if math.isnan(number):
        return None
    return number if pa.types.is_floating(wanted) else int(number)


# --- TFRecord -----------------------------------------------------------------------------------------------------


def _record_chunks(source: Source, signature: Signature, piece: Piece, rows: int) -> Iterator[Chunk]:
    # Loads tfx_bsl, and with it TensorFlow.
    from janus_core.tables import tfrecord_io

    for batch in tfrecord_io.read_batches(piece.path):
        names = [name for name in source.kinds if name in batch.columns]
        known = {name: _as_kind(source, batch, name) for name in names}
        size = batch.records.nbytes if batch.records is not None else 0

        def repeat(start: int, count: int, known: dict[str, pa.Array] = known) -> list[pa.Array]:
            return [_of_record(known.get(field.name), start, count, field.type) for field in source.schema]

        yield from _slices(source, signature, piece.path, batch.with_columns(known), rows, size, repeat)


def _as_kind(source: Source, batch: Batch, name: str) -> pa.Array:
    kind = source.kinds[name]
    try:
        return to_kind(batch.columns[name], kind)
    except CellError as error:
        raise DataError(f"{batch.locate(error.row)} or later: {error.describe(name, kind)}") from error


def _of_record(column: pa.Array | None, start: int, count: int, wanted: pa.DataType) -> pa.Array:
    if column is None:
        return pa.nulls(count, wanted)
    part = column.slice(start, count)
    if is_list(part.type) and not is_list(wanted):
        part = pa.array([value[0] if value else None for value in part.to_pylist()], part.type.value_type)
    return part.cast(wanted)


# --- all ----------------------------------------------------------------------------------------------------------


def _slices(
    source: Source,
    signature: Signature,
    path: str,
    batch: Batch,
    rows: int,
    size: float,
    repeat: Callable[[int, int], list[pa.Array]],
) -> Iterator[Chunk]:
    for place, part in enumerate(batch.in_parts(rows)):
        inputs = partial(_inputs, source, signature, path, part)
        yield Chunk(
            part.rows, part.locate, size * part.rows / batch.rows, inputs, partial(repeat, place * rows, part.rows)
        )


def _inputs(source: Source, signature: Signature, path: str, part: Batch) -> dict[str, np.ndarray]:
    part = _with_images(source, path, part)
    return arrays_of(signature, part.columns, 0, part.rows, part.locate)


def _with_images(source: Source, path: str, part: Batch) -> Batch:
    if not source.images:
        return part
    # Loads TensorFlow, and with it Beam's file systems.
    from components.example_gen.images import with_images

    return with_images(part, path, source.images, list(source.sensitive))


# --- the model's inputs -------------------------------------------------------------------------------------------

REQUIRED = (
    f"{MISSING}: the schema demands a value in every row; fill it, or, for the model to take missing values (the "
    "feature's `missing`), remove the column's `shape` from the schema and train again"
)


def arrays_of(
    signature: Signature, columns: Mapping[str, pa.Array], start: int, rows: int, locate: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """The inputs of `rows` rows from `start`; a column that is absent is missing in every row, and stays out.

    The columns are int64, float32, binary or lists of them, as `kind_of` says; `locate` names a row of theirs.

    Raises:
        DataError: a value is missing but required, or has another length than the model takes; names row and column.
    """
    found = {}
    for name, info in signature.inputs.items():
        column = columns.get(name)
        if column is None:
            continue
        try:
            found[name] = _array(column.slice(start, rows), info, name not in signature.defaults)
        except _RowError as error:
            raise DataError(f"{locate(start + error.row)}: column '{name}' {error}") from error
    if not found and signature.defaults:
        # Without any input, the model would not know how many rows there are.
        name, default = next(iter(signature.defaults.items()))
        found[name] = np.repeat(default, rows, axis=0)
    return found


class _RowError(Exception):
    def __init__(self, row: int, message: str):
        super().__init__(message)
        self.row = row


def _array(column: pa.Array, info: TensorInfo, required: bool) -> np.ndarray:
    missing = column.is_null().to_numpy(zero_copy_only=False)
    if required:
        absent = missing | _means_missing(column)
        if absent.any():
            raise _RowError(_first(absent), REQUIRED)
    if pa.types.is_null(column.type):
        column = column.cast({FLOAT: pa.float32(), DOUBLE: pa.int64(), STRING: pa.binary()}[info.dtype])
    if is_list(column.type):
        return _array_of_lists(column, info, missing)
    values = _flat(column, info)
    if len(info.sizes) == 1:
        return values
    if info.sizes[1] > 1 and not missing.all():
        raise _RowError(_first(~missing), f"has one value instead of {info.sizes[1]}")
    return np.repeat(values[:, None], max(info.sizes[1], 1), axis=1)


def _means_missing(column: pa.Array) -> np.ndarray:
    """Where a column of single values has NaN or an empty text."""
    if pa.types.is_floating(column.type):
        return np.isnan(column.to_numpy(zero_copy_only=False))
    if pa.types.is_binary(column.type):
        return pc.equal(column, b"").fill_null(False).to_numpy(zero_copy_only=False)
    return np.zeros(len(column), bool)


def _array_of_lists(column: pa.Array, info: TensorInfo, missing: np.ndarray) -> np.ndarray:
    offsets = list_offsets(column)
    sizes = np.where(missing, 0, np.diff(offsets))
    single = len(info.sizes) == 1
    length = 1 if single else info.sizes[1]
    wrong = sizes > 1 if single else (sizes > 0) & (sizes != length) if length > 0 else np.zeros(len(sizes), bool)
    if wrong.any():
        row = _first(wrong)
        raise _RowError(row, f"has {sizes[row]} values instead of {length}")
    width = length if length > 0 else max(int(sizes.max(initial=1)), 1)
    found = np.full((len(sizes), width), b"" if info.dtype == STRING else np.nan, info.numpy)
    # A missing list of a fixed size still has values.
    places = np.repeat(~missing, np.diff(offsets))
    values = _flat(column.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0])), info)
    found[np.arange(width) < sizes[:, None]] = values[places]
    return found[:, 0] if single else found


def _flat(values: pa.Array, info: TensorInfo) -> np.ndarray:
    if info.dtype == STRING:
        return strings(values.fill_null(b"").to_pylist())
    if info.dtype == DOUBLE:
        numbers = values.to_numpy(zero_copy_only=False)
        large = np.abs(values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)) > EXACT
        if large.any():
            row = _first(large)
            raise _RowError(row, f"holds {values[row].as_py()}, beyond {EXACT}, up to which whole numbers are exact")
        return numbers.astype(np.float64)
    return values.to_numpy(zero_copy_only=False).astype(np.float32, copy=False)


def _first(rows: np.ndarray) -> int:
    return int(np.flatnonzero(rows)[0])


# --- predictions --------------------------------------------------------------------------------------------------


def output_schema(source: Source, tasks: Sequence[TaskColumns]) -> pa.Schema:
    """The columns that `predict_chunk` makes: the input's, then each task's."""
    return pa.schema([*source.schema, *(field for task in tasks for field in task.fields)])


def predict_chunk(client: Client, tasks: Sequence[TaskColumns], chunk: Chunk, first: bool = False) -> list[pa.Array]:
    """The output's columns of some rows: the input's, and each task's; of the first, classes' names are checked too.

    Raises:
        DataError: a value is wrong.
        ServingError: the model does not answer, or not as it should.
    """
    inputs = chunk.inputs()
    try:
        # Columns that the rows lack are given as missing by the client.
        errors = [ERROR] if ERROR in client.signature.outputs and ERROR not in (task.name for task in tasks) else []
        answer = client.predict(inputs, outputs_of(tasks, first) + errors)
    except RequestError as error:
        rows = f"{chunk.rows} rows" if chunk.rows > 1 else "1 row"
        raise ServingError(f"{chunk.locate(0)} and on ({rows}): {error.code.name}: {error}") from error
    for output in errors:
        for row, text in enumerate(answer[output].tolist()):
            if text:
                raise DataError(f"{chunk.locate(row)}: {text.decode(errors='replace')}")
    columns = chunk.repeated()
    for task in tasks:
        columns += task.columns(answer, chunk.rows)
    return columns


def predict_in_order(
    client: Client, tasks: Sequence[TaskColumns], chunks: Iterable[Chunk], concurrency: int
) -> Iterator[tuple[Chunk, list[pa.Array]]]:
    """Each chunk and its columns, in the chunks' order, with up to `concurrency` requests under way."""
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="predict")
    waiting: deque[tuple[Chunk, Future[list[pa.Array]]]] = deque()
    try:
        first = True
        for chunk in chunks:
            waiting.append((chunk, pool.submit(predict_chunk, client, tasks, chunk, first)))
            first = False
            # One more than are under way, so that none waits for the writer.
            if len(waiting) > concurrency:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
