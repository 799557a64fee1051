"""Divides a source into work items, in the same way on every machine, since each becomes a shard per split."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from janus_core.tables import csv_reader, parquet_reader
from janus_core.tables.config import DataConfig
from janus_core.tables.csv_dialect import Dialect, dialect_of, starts_midway
from janus_core.tables.files import file_size, is_gzip

PIECE_BYTES = 8 << 20
"""Small enough for a 40 MB table to occupy several workers, large enough for shards worth opening."""

MAX_PIECES = 256
"""Beyond this, pieces grow: a shard per 8 MiB of a terabyte would be a hundred thousand files."""

MAX_PIECES_PER_ROW_GROUP = 8
"""A row group is read from its beginning by every piece of it; with more pieces, more would be read than encoded."""


@dataclass(frozen=True)
class Piece:
    """A part of a file: bytes of CSV content from line `line`, or rows of Parquet; `stop` None is the end."""

    path: str
    start: int = 0
    stop: int | None = None
    line: int = 1
    size: int = 0


@dataclass(frozen=True)
class WorkItem:
    """Pieces that one worker handles in turn and writes to one shard per split.

    In a split by span, `split` and `span` are those of all of its rows; else None.
    """

    index: int
    pieces: tuple[Piece, ...]
    split: Literal["train", "eval"] | None = None
    span: int | None = None


@dataclass(frozen=True)
class SpanFiles:
    """The files of a span whose rows all belong to one split; both are None of files that are no span."""

    span: int | None
    split: Literal["train", "eval"] | None
    files: list[str]


def plan_work(files: list[str], data: DataConfig) -> list[WorkItem]:
    """The work items for `files`, in the files' order. Raises DataError for a file that cannot be read."""
    return plan_spans([SpanFiles(None, None, files)], data)


def plan_spans(spans: Sequence[SpanFiles], data: DataConfig) -> list[WorkItem]:
    """As `plan_work`, for a split by span: no item holds rows of two spans, so that each can be counted."""
    limit = max(PIECE_BYTES, sum(file_size(path) for span in spans for path in span.files) // MAX_PIECES)
    groups = [(span, group) for span in spans for group in _groups(span.files, data, limit)]
    return [WorkItem(index, group, span.split, span.span) for index, (span, group) in enumerate(groups)]


def _groups(files: list[str], data: DataConfig, limit: int) -> Iterable[tuple[Piece, ...]]:
    csv_pieces = partial(_csv_pieces, dialect=dialect_of(data))
    makers: dict[str, Callable[[str, int], Iterable[Piece]]]
    makers = {"csv": csv_pieces, "parquet": _parquet_pieces, "tfrecord": _whole_file}
    divide = makers[data.format]
    return _packed((piece for path in files for piece in divide(path, limit)), limit)


def _packed(pieces: Iterable[Piece], limit: int) -> Iterable[tuple[Piece, ...]]:
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        if group and size + piece.size > limit:
            yield tuple(group)
            group, size = [], 0
        group.append(piece)
        size += piece.size
    if group:
        yield tuple(group)


def _csv_pieces(path: str, limit: int, dialect: Dialect) -> Iterable[Piece]:
    file = csv_reader.open_csv(path, dialect)
    start, stop = csv_reader.row_bytes(file)
    line, size = file.header.line, file_size(path)
    if not starts_midway(path, dialect):
        # Compressed bytes are about a sixth of the content's size.
        yield Piece(path, start, stop, line, size * 6 if is_gzip(path) else size)
        return
    size = size if stop is None else stop
    if size - start <= limit:
        yield Piece(path, start, size, line, size - start)
        return
    blocks = csv_reader.blocks_between(file, start, size, line)
    parts = (Piece(path, block.start, block.stop, block.line, len(block.data)) for block in blocks)
    for group in _packed(parts, limit):
        yield Piece(path, group[0].start, group[-1].stop, group[0].line, sum(part.size for part in group))


def _parquet_pieces(path: str, limit: int) -> Iterable[Piece]:
    metadata = parquet_reader.read_metadata(path)
    for index, (begin, end) in enumerate(parquet_reader.rows_of_groups(metadata)):
        rows = end - begin
        # Dictionaries make columns small in the file, but not in the examples.
        size = max(metadata.row_group(index).total_byte_size, rows * metadata.num_columns * 8)
        count = min(-(-size // limit), MAX_PIECES_PER_ROW_GROUP, max(rows, 1))
        for part in range(count):
            start, stop = begin + rows * part // count, begin + rows * (part + 1) // count
            if start < stop:
                yield Piece(path, start, stop, size=size // count)


def _whole_file(path: str, limit: int) -> Iterable[Piece]:
    yield Piece(path, size=file_size(path))
