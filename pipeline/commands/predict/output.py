"""The output: a model's answers as columns, and the table that appears whole or not at all."""

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from janus_core.errors import ConfigError, ServingError
from janus_core.files import replacing
from janus_core.kinds import KINDS
from janus_core.tables.lists import is_list
from pipeline.commands.predict.input_files import AS_IT_IS
from pipeline.config import JanusConfig
from serving.client import Signature
from serving.description import ModelDescription
from trainer.config import classes_of, quantiles_of

PREFIX = "predicted_"
"""Put before the predictions' columns where the input has columns of the same names, such as labels."""


@dataclass(frozen=True)
class TaskColumns:
    """A task and how the model answers it.

    Attributes:
        output: the model's output that holds its probabilities, quantiles or number.
        classes: in the order of the probabilities; else empty.
        quantiles: levels, in the order of the prediction's columns; else empty.
        classes_output: the output that names the classes, if there is one.
        decision_output: the output that names the decided class, if there is one.
    """

    name: str
    kind: str
    output: str
    classes: list[str] = field(default_factory=list)
    quantiles: list[float] = field(default_factory=list)
    classes_output: str | None = None
    prefix: str = ""
    dtype: Any = np.float32
    decision_output: str | None = None

    @property
    def decides(self) -> str | None:
        """How one class is chosen; None of numbers."""
        return KINDS[self.kind].decides if self.kind in KINDS else None

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the prediction's numbers, if they have names."""
        return KINDS[self.kind].parts if self.kind in KINDS else ()

    @property
    def fields(self) -> list[pa.Field]:
        """The columns: the tags; the decided or best class and the probabilities; quantiles; edges; or a number."""
        whole, number = f"{self.prefix}{self.name}", pa.from_numpy_dtype(self.dtype)
        if self.quantiles:
            return [pa.field(f"{whole}.{level:g}", number) for level in self.quantiles]
        if self.decides == "tokens":
            return [pa.field(whole, pa.list_(pa.string()))]
        if self.classes:
            best = [] if self.decides == "each" else [pa.field(whole, pa.string())]
            return best + [pa.field(f"{whole}.{name}", number) for name in self.classes]
        if self.parts:
            return [pa.field(f"{whole}.{part}", number) for part in self.parts]
        return [pa.field(whole, number)]

    def columns(self, answer: Mapping[str, np.ndarray], rows: int) -> list[pa.Array]:
        """The columns' values [rows].

        Raises:
            ServingError: the answer has another shape, or other classes.
        """
        if self.decides == "tokens" and self.decision_output is not None:
            # Padding has no tag.
            rows_of_tags = answer[self.decision_output].tolist()
            tags = [[tag.decode(errors="replace") for tag in row if tag] for row in rows_of_tags]
            return [pa.array(tags, pa.list_(pa.string()))]
        values = answer[self.output]
        width = len(self.quantiles) or len(self.classes) or len(self.parts) or 1
        values = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
        if self.decides == "threshold" and values.shape[1] == 1:
            # A model that Janus did not make may give the probability of the second class alone.
            values = np.concatenate([1 - values, values], axis=1)
        if values.shape != (rows, width):
            raise ServingError(
                f"the model's output '{self.output}' has the shape {list(answer[self.output].shape)} for {rows} rows, "
                f"but task '{self.name}' has {width} numbers per row: is it a model of another configuration?"
            )
        self._check_classes(answer)
        numbers = [pa.array(np.ascontiguousarray(column, self.dtype)) for column in values.T]
        if not self.classes or self.decides == "each":
            return numbers
        if self.decision_output is None:
            return [pa.array(self.classes).take(pa.array(values.argmax(axis=1))), *numbers]
        decided = answer[self.decision_output].reshape(rows).tolist()
        return [pa.array([name.decode(errors="replace") for name in decided], pa.string()), *numbers]

    def _check_classes(self, answer: Mapping[str, np.ndarray]) -> None:
        if self.classes_output is None or self.classes_output not in answer:
            return
        names = answer[self.classes_output]
        served = [name.decode(errors="replace") for name in names.reshape(len(names), -1)[0].tolist()]
        if served != self.classes:
            raise ServingError(
                f"the model's classes of task '{self.name}' are {', '.join(served)}, but the configuration's are "
                f"{', '.join(self.classes)}: use the configuration that the model was trained by"
            )


def tasks_of(
    config: JanusConfig, signature: Signature, description: ModelDescription | None, prefix: str = ""
) -> list[TaskColumns]:
    """The tasks, as the model describes itself, else as the configuration does.

    Raises:
        ServingError: the model has no output for one.
    """
    if description is not None:
        facts = {name: (task.kind, task.classes, task.quantiles) for name, task in description.tasks.items()}
    else:
        facts = {name: (task.kind, classes_of(task), quantiles_of(task)) for name, task in config.tasks.items()}
    return [_columns_of(name, *found, signature, prefix) for name, found in facts.items()]


def outputs_of(tasks: Sequence[TaskColumns], with_classes: bool) -> list[str]:
    """The model's outputs that the columns are made of; the classes' names, the same in all rows, only if asked for."""
    names = [task.output for task in tasks]
    names += [task.decision_output for task in tasks if task.decision_output is not None]
    return names + [task.classes_output for task in tasks if with_classes and task.classes_output is not None]


def named_apart(tasks: Sequence[TaskColumns], columns: Sequence[str], prefix: str | None) -> list[TaskColumns]:
    """The tasks, with `PREFIX` in all their columns' names where one has the name of a column of the input.

    Raises:
        ConfigError: the prefix that was asked for does not keep them apart, or `PREFIX` would not.
    """

    def taken(tasks: Sequence[TaskColumns]) -> list[str]:
        return [field.name for task in tasks for field in task.fields if field.name in columns]

    if taken(tasks) and prefix is None:
        tasks = [replace(task, prefix=PREFIX) for task in tasks]
    if names := taken(tasks):
        raise ConfigError(
            f"the input has columns that are called like predictions: {', '.join(names)}; give another --prefix, or "
            "--only-predictions"
        )
    return list(tasks)


def _columns_of(
    name: str, kind: str, classes: list[str], levels: list[float], signature: Signature, prefix: str
) -> TaskColumns:
    part = "quantiles" if levels else "probabilities" if classes else ""
    candidates = [f"{name}/{part}", name] if part and not (levels and len(levels) == 1) else [name]
    found = [candidate for candidate in candidates if candidate in signature.outputs]
    if not found:
        raise ServingError(
            f"the model has no output for task '{name}'; it has {', '.join(sorted(signature.outputs))}: "
            "is it a model of another configuration?"
        )
    decided = "tags" if kind in KINDS and KINDS[kind].decides == "tokens" else "decision"
    names, decision = (
        output if output in signature.outputs else None for output in (f"{name}/classes", f"{name}/{decided}")
    )
    # A label with an offset is predicted in 64 bits.
    dtype = np.float64 if signature.outputs[found[0]].numpy == np.float64 else np.float32
    return TaskColumns(name, kind, found[0], classes, levels, names, prefix, dtype, decision)


# --- the table that is written ------------------------------------------------------------------------------------

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
        """Begins a table; any `suffix` but `.csv` means Parquet."""
        self._csv = suffix.lower() == ".csv"
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self.rows = 0
        self._stream = stream
        if self._csv:
            self._write_lines([_quoted(pa.array([name])) for name in schema.names])
        else:
            self._writer = pq.ParquetWriter(stream, schema)

    def write(self, columns: list[pa.Array]) -> None:
        """Appends rows."""
        self.rows += len(columns[0])
        if self._csv:
            self._write_lines([_cells(column, field) for column, field in zip(columns, self._schema, strict=True)])
            return
        self._held.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        if sum(batch.num_rows for batch in self._held) >= GROUP_ROWS:
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
        table = pa.Table.from_batches(self._held, self._schema)
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._held = []


@contextmanager
def whole_file(target: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """A table that is renamed to its place once the block ends well, and removed where it does not.

    Raises:
        ConfigError: it cannot be written.
    """
    with whole(target) as staging, staging.open("wb") as stream:
        writer = TableWriter(stream, target.suffix, schema)
        try:
            yield writer
        finally:
            # Also after a failure: left to the garbage collector, it would write to a closed file.
            writer.close()


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path that takes the target's place once the block ends well, and is removed where it does not.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        with replacing(target, durable=True) as staging:
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
    """A column as a CSV file can hold it: lists and structures as JSON, an image in base64."""
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
        return pa.array(map(_text_of_bytes, column.to_pylist()), pa.string())
    return column


def _text_of_bytes(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value or b"").decode()
