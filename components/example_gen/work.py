"""What a worker does: infer the kinds of a work item's columns, or turn the item into one shard per split."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.filesystems import FileSystems

from components.example_gen.bad_rows import BadRows, check_domains, merge_bad_rows
from components.example_gen.bad_times import check_times
from components.example_gen.images import ROWS_AT_ONCE, with_images
from components.example_gen.label_checks import check_boxes, check_tags
from components.example_gen.parameters import Parameters
from components.example_gen.precision import Rounding, merge_roundings, roundings
from components.example_gen.splits import eval_rows
from janus_core.errors import DataError
from janus_core.examples.encode import encode_in_parts
from janus_core.examples.shards import ShardWriter
from janus_core.tables import csv_reader, parquet_reader, tfrecord_io
from janus_core.tables.batch import Batch
from janus_core.tables.cells import forms_of
from janus_core.tables.column_kinds import Kind, Kinds, kind_of_type, narrow, widest
from janus_core.tables.config import DataConfig, columns_of_split
from janus_core.tables.csv_blocks import Block
from janus_core.tables.csv_dialect import dialect_of
from janus_core.tables.lists import is_list
from janus_core.tables.pieces import Piece, WorkItem

SPLITS = ("train", "eval")

ENCODED_BYTES = 16 << 20
"""About how much is encoded at a time: wide tables grow tenfold between the file and the examples."""


@dataclass(frozen=True)
class Job:
    """What all work items of a run have in common.

    Attributes:
        parameters: those of the component.
        columns: those that are read; those that are not written only distinguish rows.
        kinds: of the columns whose kind is known beforehand.
        types: the other columns' kinds by the files' types, for columns without a value.
        staging: the folder for shards and results until all are done.
    """

    parameters: Parameters
    columns: list[str]
    kinds: Kinds
    types: Kinds
    staging: str

    @property
    def data(self) -> DataConfig:
        """What is read."""
        return self.parameters.data

    @cached_property
    def ingested(self) -> frozenset[str] | None:
        """The columns that are written; None for all."""
        return None if self.parameters.columns is None else frozenset(self.parameters.columns)

    def is_ingested(self, column: str) -> bool:
        """Whether a column is written."""
        return self.ingested is None or column in self.ingested


@dataclass(frozen=True)
class Result:
    """The outcome of a work item: rows per split, the kinds of columns that had a value, what float32 makes of
    columns of numbers, and what was wrong.
    """

    index: int
    rows: dict[str, int]
    seen: dict[str, Kind] = field(default_factory=dict)
    bad_rows: list[BadRows] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    roundings: dict[str, Rounding] = field(default_factory=dict)

    def to_json(self) -> str:
        """For the file that brings the result back from the worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """The inverse of `to_json`."""
        values = json.loads(text)
        bad_rows = [BadRows(**bad) for bad in values["bad_rows"]]
        roundings = {name: Rounding(**rounding) for name, rounding in values["roundings"].items()}
        return cls(**{**values, "bad_rows": bad_rows, "roundings": roundings})


def infer_kinds(item: WorkItem, job: Job) -> Kinds:
    """The kinds of the columns that are not known yet; columns of damaged pieces are left to `write_shards`."""
    kinds: Kinds = {name: None for name in job.columns if name not in job.kinds}
    try:
        for piece in item.pieces:
            for found in _inferred(piece, job, list(kinds)):
                kinds = {name: widest(kind, found[name]) for name, kind in kinds.items()}
    except DataError:
        # The same error comes up again in `write_shards`, which reports it.
        return kinds
    return kinds


def _inferred(piece: Piece, job: Job, unknown: list[str]) -> Iterator[Kinds]:
    wide = {name: _wide_kind(name, job) for name in unknown}
    if job.data.format == "parquet":
        yield parquet_reader.infer_kinds(piece.path, piece.start, piece.stop or 0, wide)
        return
    file, blocks = _open_csv(piece, job)
    for block in blocks:
        yield csv_reader.infer_block(block, file, wide)


def _wide_kind(column: str, job: Job) -> Kind:
    """What whole numbers beyond EXACT are: numbers where the column is used as one, else text."""
    uses = job.parameters.uses.get(column, [])
    if column in job.parameters.offsets or (not uses and column in columns_of_split(job.data.split)):
        return "int"
    return "float" if uses and all(use.as_number for use in uses) else "bytes"


def write_shards(item: WorkItem, job: Job, inferred: Kinds | None = None) -> int:
    """Writes the item's shards (`shard_path`) and then its result (`result_path`); returns its index.

    Bad data end in the result, not in an exception, so that no runner retries or changes them. Files appear under
    their names when they are whole, so that a repeated or twin attempt does no harm.
    """
    kinds = {**(inferred or {}), **job.kinds}
    kinds = {name: job.types.get(name) if kind is None else kind for name, kind in kinds.items()}
    parameters = job.parameters
    writers: dict[str, ShardWriter] = {}
    seen: dict[str, Kind] = {}
    bad_rows: list[BadRows] = []
    problems: list[str] = []
    rounded: dict[str, Rounding] = {}
    try:
        for batch in _batches(item, job, kinds):
            _note_kinds(seen, batch, job)
            shifted = _shifted(batch, parameters.offsets)
            rounded = merge_roundings([rounded, roundings(shifted, parameters.uses, parameters.sensitive)])
            bad_rows = merge_bad_rows([*bad_rows, *_write_batch(batch, shifted, job, writers, item)])
    except DataError as error:
        problems = error.problems
    for writer in writers.values():
        writer.close()
    rows = {split: writers[split].records if split in writers else 0 for split in SPLITS}
    result = Result(item.index, rows, seen, bad_rows, problems, rounded)
    target = result_path(job.staging, item.index)
    unfinished = f"{target}.{uuid.uuid4().hex}"
    with FileSystems.create(unfinished) as stream:
        stream.write(result.to_json().encode())
    FileSystems.rename([unfinished], [target])
    return item.index


def shard_path(staging: str, index: int, split: str) -> str:
    """Where an item's shard waits until all are done."""
    return FileSystems.join(staging, f"{split}-{index:05d}.gz")


def result_path(staging: str, index: int) -> str:
    """Where an item's result waits for the executor."""
    return FileSystems.join(staging, f"result-{index:05d}.json")


def _note_kinds(seen: dict[str, Kind], batch: Batch, job: Job) -> None:
    for name, column in batch.columns.items():
        kind = kind_of_type(column.type)
        if kind is None or column.null_count == batch.rows or not job.is_ingested(name):
            continue
        if seen.setdefault(name, kind) != kind:
            raise DataError(f"{batch.locate(0)}: from here on, column '{name}' is {kind}, before it was {seen[name]}")


def _shifted(batch: Batch, offsets: Mapping[str, int]) -> Batch:
    """The batch as it is written: without the columns' offsets."""
    columns = dict(batch.columns)
    for name in offsets.keys() & columns.keys():
        if kind_of_type(columns[name].type) == "bytes" or is_list(columns[name].type):
            raise DataError(f"{batch.locate(0)}: column '{name}' holds no single numbers, so it cannot have an offset")
        columns[name] = pc.subtract(columns[name], pa.scalar(offsets[name], columns[name].type))
    return batch.with_columns(columns)


def _write_batch(
    batch: Batch, written: Batch, job: Job, writers: dict[str, ShardWriter], item: WorkItem
) -> Iterator[BadRows]:
    yield from check_domains(batch, job.parameters.domains)
    yield from check_times(batch, job.parameters.dates, job.parameters.sensitive)
    if item.split is not None:
        evaluated = np.full(batch.rows, item.split == "eval")
    else:
        evaluated, missing = eval_rows(batch, job.data.split, job.parameters.seed)
        yield from missing
    for part, chosen in _encoded(_only_ingested(written, job), evaluated):
        for split, rows in zip(SPLITS, (~chosen, chosen), strict=True):
            if not rows.any():
                continue
            if split not in writers:
                writers[split] = ShardWriter(shard_path(job.staging, item.index, split), job.staging)
            writers[split].write(part if rows.all() else part.filter(pa.array(rows)))


def _only_ingested(batch: Batch, job: Job) -> Batch:
    if all(map(job.is_ingested, batch.columns)):
        return batch
    columns = {name: column for name, column in batch.columns.items() if job.is_ingested(name)}
    return replace(batch, columns=columns, records=None)


def _encoded(batch: Batch, evaluated: np.ndarray) -> Iterator[tuple[pa.BinaryArray, np.ndarray]]:
    if batch.records is not None:
        yield batch.records, evaluated
        return
    narrowed = {name: narrow(column) for name, column in batch.columns.items()}
    for start, examples in encode_in_parts(narrowed, batch.rows, ENCODED_BYTES):
        yield examples, evaluated[start : start + len(examples)]


def _batches(item: WorkItem, job: Job, kinds: Mapping[str, Kind | None]) -> Iterator[Batch]:
    parameters = job.parameters
    for piece in item.pieces:
        for batch in _read(piece, job, kinds):
            check_boxes(batch, parameters.boxes)
            check_tags(batch, parameters.tags, parameters.sensitive)
            parts = batch.in_parts(ROWS_AT_ONCE) if parameters.images else [batch]
            for part in parts:
                yield with_images(part, piece.path, parameters.images, parameters.sensitive)


def _read(piece: Piece, job: Job, kinds: Mapping[str, Kind | None]) -> Iterator[Batch]:
    wanted = {name: kinds.get(name) for name in job.columns}
    if job.data.format == "csv":
        file, blocks = _open_csv(piece, job)
        for block in blocks:
            yield csv_reader.read_block(block, file, wanted)
    elif job.data.format == "parquet":
        stop, sensitive = piece.stop or 0, job.parameters.sensitive
        yield from parquet_reader.read_batches(piece.path, piece.start, stop, wanted, job.ingested, sensitive)
    else:
        yield from tfrecord_io.read_batches(piece.path, job.ingested)


def _open_csv(piece: Piece, job: Job) -> tuple[csv_reader.CsvFile, Iterator[Block]]:
    forms = forms_of(job.data, job.parameters.units)
    file = csv_reader.open_csv(piece.path, dialect_of(job.data), forms, job.parameters.sensitive)
    return file, csv_reader.blocks_between(file, piece.start, piece.stop, piece.line)
