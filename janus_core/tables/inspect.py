"""A first look at a data source: its files and columns, in well under a second.

Needs neither TFX nor TensorFlow, so that the command line reports bad data before it loads them.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from janus_core.errors import DataError
from janus_core.tables import csv_reader, parquet_reader, tfrecord_head
from janus_core.tables.column_kinds import Kind, widest
from janus_core.tables.config import DataConfig, TimeSplit, columns_of_split
from janus_core.tables.csv_dialect import dialect_of
from janus_core.tables.files import find_files


@dataclass(frozen=True)
class Source:
    """The files of a data source and its columns in their order.

    A kind is None where the files' heads do not show it: in CSV, and for Parquet's null type. `complete` is false for
    TFRecords, whose records need not all have every feature. `unusable` are columns that exist but cannot be used,
    each with the reason.
    """

    files: list[str]
    columns: dict[str, Kind | None]
    complete: bool = True
    unusable: Mapping[str, str] = field(default_factory=dict)


def inspect_source(data: DataConfig, span: int | None = None) -> Source:
    """The files and columns of `data`, of its newest span or of `span`, from headers, footers or first records only.

    Raises DataError for a missing file or folder, a folder without files of the format, an empty CSV or one with
    nothing but a header, names that are repeated or not UTF-8, damaged files, and files whose columns differ.
    """
    return inspect_files(find_files(data, span), data)


def inspect_files(files: list[str], data: DataConfig) -> Source:
    """As `inspect_source`, of files that are known already."""
    if data.format == "csv":
        opened = [csv_reader.open_csv(path, dialect_of(data)) for path in files]
        _check_same_columns({file.path: file.columns for file in opened})
        if not any(csv_reader.has_rows(file) for file in opened):
            raise DataError(f"{_these(files)}: nothing but a header, there are no rows")
        return Source(files, dict.fromkeys(opened[0].columns))
    if data.format == "parquet":
        columns, unusable = _parquet_columns(files)
        return Source(files, columns, unusable=unusable)
    first: dict[str, Kind | None] = {}
    empty = True
    for path in files:
        found = tfrecord_head.first_kinds(path)
        empty = empty and found is None
        if found:
            first = found
            break
    if empty:
        raise DataError(f"{_these(files)}: there are no records")
    return Source(files, first, complete=False)


def check_columns(source: Source, data: DataConfig, wanted: Mapping[str, str]) -> None:
    """Raises DataError for every column that the config names and that the data lack or hold in an unusable form.

    `wanted` gives, for each column, the config key that names it ("features.distance", "tasks.status.label").
    The split's columns are checked as well.
    """
    if not source.complete:
        return
    wanted = {**split_columns(data), **wanted}
    unusable = [f"{key}: {source.unusable[column]}" for column, key in wanted.items() if column in source.unusable]
    if unusable:
        raise DataError("; ".join(unusable), unusable)
    problems = missing_columns(list(source.columns), wanted)
    if problems:
        names = ", ".join(source.columns)
        raise DataError(f"{'; '.join(problems)} (columns of {source.files[0]}: {names})", problems)


def missing_columns(columns: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """A sentence per wanted column (→ the config key that names it) that is not among `columns`."""
    return [
        f"{key}: the data have no column '{column}'{repeated_name(column, columns) or _nearest(column, columns)}"
        for column, key in wanted.items()
        if column not in columns
    ]


def split_columns(data: DataConfig) -> dict[str, str]:
    """The columns that the split reads, each with the config key that names it."""
    key = "data.split.column" if isinstance(data.split, TimeSplit) else "data.split.key"
    return dict.fromkeys(columns_of_split(data.split), key)


def _parquet_columns(files: list[str]) -> tuple[dict[str, Kind | None], dict[str, str]]:
    """The kinds of the usable columns, and why the others are not."""
    schemas = {path: parquet_reader.read_schema(path) for path in files}
    _check_same_columns({path: schema.names for path, schema in schemas.items()})
    if not any(parquet_reader.read_metadata(path).num_rows for path in files):
        raise DataError(f"{_these(files)}: there are no rows")
    kinds = {path: parquet_reader.column_kinds(schema) for path, schema in schemas.items()}
    merged: dict[str, Kind | None] = dict.fromkeys(schemas[files[0]].names)
    owner: dict[str, str] = {}
    unusable: dict[str, str] = {}
    for path, schema in schemas.items():
        for name in schema.names:
            if name not in kinds[path]:
                unusable.setdefault(name, parquet_reader.unsupported(schema, name, path))
                continue
            kind, known = kinds[path][name], merged[name]
            if known is not None and kind is not None and "bytes" in (kind, known) and kind != known:
                unusable.setdefault(
                    name,
                    f"column '{name}' is {schemas[owner[name]].field(name).type} in {owner[name]}, "
                    f"but {schema.field(name).type} in {path}",
                )
            if known is None and kind is not None:
                owner[name] = path
            merged[name] = widest(known, kind)
    return {name: kind for name, kind in merged.items() if name not in unusable}, unusable


def _check_same_columns(columns: Mapping[str, list[str]]) -> None:
    """Order does not matter; a column that only some files have is more likely a mistake than missing on purpose."""
    first, *others = columns
    problems = []
    for path in others:
        lacking = [name for name in columns[first] if name not in columns[path]]
        extra = [name for name in columns[path] if name not in columns[first]]
        if lacking:
            problems.append(f"{path} lacks {_columns(lacking)} of {first}")
        if extra:
            problems.append(f"{path} has {_columns(extra)}, which {first} lacks")
    if problems:
        raise DataError("; ".join(problems[:5]), problems)


def _columns(names: list[str]) -> str:
    return f"column{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"


def repeated_name(column: str, columns: Sequence[str]) -> str:
    """A hint for a column that is missing because the header names it more than once; else an empty text."""
    numbered = [f"{column}.{number}" for number in (1, 2)]
    if not all(name in columns for name in numbered):
        return ""
    return f"; the header names it more than once, and each has a number: '{numbered[0]}', '{numbered[1]}'"


def _nearest(column: str, columns: Sequence[str]) -> str:
    close = difflib.get_close_matches(column, columns, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _these(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
