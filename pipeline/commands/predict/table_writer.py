"""Writes a table that appears whole or not at all."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from janus_core.errors import ConfigError
from janus_core.files import replacing
from janus_core.tables.lists import is_list
from pipeline.commands.predict.input_files import AS_IT_IS

GROUP_ROWS = 1 << 16
"""Of a Parquet row group: many small ones, as chunks are, would make a file large and slow to read."""


def require_free(target: Path, force: bool) -> None:
    """Raises ConfigError where the output must not or cannot be written."""
    if target.exists() and not force:
        raise ConfigError(f"{target} exists; --force replaces it, --output names another")
    if not target.parent.is_dir():
        raise ConfigError(f"--output {target}: there is no folder '{target.parent}'")
    if not os.access(target.parent, os.W_OK):
        raise ConfigError(f"--output {target}: the folder '{target.parent}' cannot be written")


class TableWriter:
    """Writes batches as Parquet, or as CSV where the path ends so."""

    def __init__(self, stream: Any, suffix: str, schema: pa.Schema):
        """Begins a table.

        Args:
            stream: where the bytes go.
            suffix: `.csv`, else Parquet.
            schema: the columns, as they come.
        """
        self._csv = suffix.lower() == ".csv"
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._held_rows = 0
        self.rows = 0
        self._stream = stream
        if self._csv:
            self._write_lines([_quoted(pa.array([name])) for name in schema.names])
        else:
            self._writer = pq.ParquetWriter(stream, schema)

    def write(self, columns: list[pa.Array]) -> None:
        """Appends rows."""
        if self._csv:
            self._write_lines([_cells(column, field) for column, field in zip(columns, self._schema, strict=True)])
            self.rows += len(columns[0])
            return
        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        self._held.append(batch)
        self._held_rows += batch.num_rows
        self.rows += batch.num_rows
        if self._held_rows >= GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Writes what is left; the stream stays open."""
        if self._csv:
            return
        if self._held:
            self._flush()
        self._writer.close()

    def _write_lines(self, cells: list[pa.StringArray]) -> None:
        # Not by Arrow's CSVWriter, which quotes all that is text, and so the numbers of a CSV input.
        lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
        self._stream.writelines(f"{line}\n".encode() for line in lines.to_pylist())

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._held, self._schema), row_group_size=self._held_rows)
        self._held, self._held_rows = [], 0


@contextmanager
def whole_file(target: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """A table that is renamed to its place once the block ends well, and removed where it does not.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with replacing(target, durable=True) as staging, staging.open("wb") as stream:
            writer = TableWriter(stream, target.suffix, schema)
            try:
                yield writer
            finally:
                # Also after a failure: left to the garbage collector, it would write to a closed file.
                writer.close()
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror or error}") from error


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder that takes its place once the block ends well, and is removed where it does not.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        with replacing(target, durable=True) as staging:
            staging.mkdir()
            yield staging
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror or error}") from error


def _cells(column: pa.Array, field: pa.Field) -> pa.StringArray:
    """The column as a CSV file holds it: text in quotes, numbers without."""
    text = as_text(column)
    if pa.types.is_decimal(column.type) or not (pa.types.is_string(text.type) or pa.types.is_large_string(text.type)):
        return text.cast(pa.string())
    quoted = _quoted(text.cast(pa.string()))
    if field.metadata != AS_IT_IS:
        return quoted
    return pc.if_else(pc.match_substring_regex(text, '[,"\r\n]'), quoted, text)


def _quoted(text: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")


def as_text(column: pa.Array) -> pa.Array:
    """A column as a CSV file can hold it: lists and structures as JSON."""
    types = pa.types
    if types.is_dictionary(column.type):
        return as_text(column.dictionary_decode())
    if is_list(column.type) or types.is_struct(column.type) or types.is_map(column.type):
        values = column.to_pylist()
        return pa.array([None if v is None else json.dumps(v, default=str, ensure_ascii=False) for v in values])
    if types.is_decimal(column.type):
        # Arrow casts decimals to text from version 11 on only.
        return pa.array([None if value is None else f"{value:f}" for value in column.to_pylist()], pa.string())
    if types.is_duration(column.type) or types.is_null(column.type):
        return column.cast(pa.int64() if types.is_duration(column.type) else pa.string())
    if types.is_float16(column.type):
        return pa.array(column.to_numpy(zero_copy_only=False).astype(np.float32))
    if types.is_timestamp(column.type) and column.type.tz:
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%S%z")
    if types.is_binary(column.type) or types.is_large_binary(column.type) or types.is_fixed_size_binary(column.type):
        return column.cast(pa.string())
    return column
