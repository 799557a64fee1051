"""Finds the input's files, and checks their columns against the model's before anything is predicted."""

import glob
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.structured import ImageColumn
from janus_core.errors import DataError
from janus_core.tables import csv_reader, parquet_reader
from janus_core.tables.cells import AS_PYTHON, CellForms
from janus_core.tables.column_kinds import Kind
from janus_core.tables.config import DataConfig
from janus_core.tables.csv_dialect import Dialect, dialect_of
from janus_core.tables.files import below_folder, file_size, find_files, list_paths, pattern_in
from janus_core.tables.inspect import inspect_files
from janus_core.tables.lists import is_list
from janus_core.tables.pieces import Piece, WorkItem, plan_work
from pipeline.commands.predict.json_reader import read_json_rows
from serving.client import Signature, TensorInfo
from serving.signatures import DOUBLE, FLOAT, STRING, nearest

Format = Literal["csv", "parquet", "json", "tfrecord"]

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".json.gz": "json",
    ".jsonl.gz": "json",
}
_KINDS: dict[int, Kind] = {FLOAT: "float", DOUBLE: "int", STRING: "bytes"}
_TYPES: dict[Kind, pa.DataType] = {"int": pa.int64(), "float": pa.float64(), "bytes": pa.string()}

AS_IT_IS = {b"cells": b"numbers"}
"""Metadata of a text field that holds numbers as the input writes them, so that a CSV output repeats them unquoted."""


@dataclass(frozen=True)
class Source:
    """Files of one format, and what is read of them.

    Attributes:
        files: sorted by name.
        names: all their columns; of TFRecords the model's alone, as every record may have others.
        kinds: column of the model that the files have → what its values are.
        schema: the columns that the output repeats, with their types there.
        data: how the files are read: CSV as that of the training data.
        forms: how cells of CSV are written, as in training.
        images: columns with paths of images, which are read for the model.
        sensitive: columns whose values no message shows.
    """

    format: Format
    files: list[str]
    names: list[str]
    kinds: dict[str, Kind]
    schema: pa.Schema
    data: DataConfig
    forms: CellForms = AS_PYTHON
    images: Mapping[str, ImageColumn] = field(default_factory=dict)
    sensitive: Sequence[str] = ()

    @property
    def csv(self) -> Dialect:
        """How the files are written, if they are CSV."""
        return dialect_of(self.data)

    def pieces(self) -> list[Piece]:
        """A piece per file."""
        found = []
        for path in self.files:
            size = file_size(path)
            if self.format == "csv":
                header = csv_reader.open_csv(path, self.csv).header
                found.append(Piece(path, header.stop, None, header.line, size))
            elif self.format == "parquet":
                found.append(Piece(path, 0, parquet_reader.read_metadata(path).num_rows, size=size))
            else:
                found.append(Piece(path, size=size))
        return found

    def work_items(self) -> list[WorkItem]:
        """Pieces of limited size in groups, for workers side by side."""
        if self.format == "json":
            return [WorkItem(index, (piece,)) for index, piece in enumerate(self.pieces())]
        return plan_work(self.files, self.data)


def open_source(
    pattern: str,
    signature: Signature,
    typed: bool,
    repeated: bool,
    scanned: bool = True,
    forms: CellForms = AS_PYTHON,
    trained: DataConfig | None = None,
) -> Source:
    """Finds the files and reads their headers; JSON is read once as a whole, since any row may have other columns.

    Args:
        typed: whether the output has types; else numbers of CSV and JSON stay as they are written (`AS_IT_IS`).
        repeated: whether the output repeats the input's columns.
        scanned: whether CSV is read once as a whole to infer the types of columns that the model does not take;
            otherwise they stay text.
        forms: how cells of CSV are written.
        trained: what the configuration says of the training data; CSV input is read in the same way.

    Raises:
        DataError: there are no files, they cannot be read, have no rows, or lack a column that the model requires.
    """
    form, files = _find(pattern)
    data = DataConfig(path=files[0], format="csv" if form == "json" else form)
    if form == "csv" and trained and trained.format == "csv":
        # Without the footer that training leaves out: every row of the input is predicted.
        data = trained.model_copy(update={"path": files[0], "skip_footer": 0})
    names, types = _names(form, files, signature, data)
    kinds = {name: kind_of(name, info) for name, info in signature.inputs.items() if name in names}
    _check(names, signature, files[0])
    if form == "parquet":
        schema = parquet_reader.read_schema(files[0])
        # A column of the null type has no value in any row.
        known = parquet_reader.column_kinds(schema)
        problems = [parquet_reader.unsupported(schema, name, files[0]) for name in kinds if name not in known]
        if problems:
            raise DataError("; ".join(problems), problems)
        kinds = {name: kind for name, kind in kinds.items() if known[name] is not None}
        fields = list(schema)
    else:
        if form == "csv" and repeated and scanned:
            others = [name for name in names if name not in kinds]
            types = types_of_csv(files, others, dialect_of(data), forms)
        lists = [name for name, info in signature.inputs.items() if len(info.sizes) == 2]
        types |= {name: pa.list_(_TYPES[kind]) if name in lists else _TYPES[kind] for name, kind in kinds.items()}
        fields = [_field(name, types.get(name, pa.string()), typed or form == "tfrecord") for name in names]
    return Source(form, files, names, kinds, pa.schema(fields if repeated else []), data, forms)


def kind_of(name: str, info: TensorInfo) -> Kind:
    """What a column's values are, as ExampleGen read them for training.

    Raises:
        DataError: the input is no raw column.
    """
    if info.dtype not in _KINDS or len(info.sizes) not in (1, 2):
        raise DataError(
            f"the model's input '{name}' has dtype {info.dtype} and shape {info.sizes}, so it is no column of a table"
        )
    return _KINDS[info.dtype]


def absent_columns(source: Source, signature: Signature) -> list[str]:
    """The model's columns that the files lack, each with a hint; they count as missing in every row."""
    others = [name for name in source.names if name not in signature.inputs]
    return [
        f"{name}{nearest(name, others) if len(others) < len(source.names) else ''}"
        for name in signature.inputs
        if name not in source.kinds
    ]


def _find(pattern: str) -> tuple[Format, list[str]]:
    form = _format(pattern)
    if form != "json":
        try:
            return form, find_files(DataConfig(path=pattern, format=form))
        except DataError as error:
            problems = [problem.replace("data.path", "--input", 1) for problem in error.problems]
            raise DataError(problems[0], problems) from error
    listed = list_paths(_within(pattern, "*.json*"))
    files = [path for path in listed if _ending(path) == "json"]
    if not files:
        raise DataError(f"--input: there is no file '{pattern}'")
    return form, files


def _format(pattern: str) -> Format:
    """The format by the pattern's ending, else by the endings of the files that it matches."""
    named = _ending(pattern)
    if named:
        return named
    found = sorted({form for path in list_paths(_within(pattern, "*")) if (form := _ending(path))})
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"--input: '{pattern}' has files of {' and '.join(found)}; name one kind, such as '*.csv'")
    if Path(pattern).is_file():
        raise DataError(f"--input: '{pattern}' ends in none of {', '.join(_ENDINGS)}, and is not named *tfrecord*")
    raise DataError(f"--input: '{pattern}' matches no file that ends in one of {', '.join(_ENDINGS)}")


def _within(pattern: str, names: str) -> str:
    """The glob of a folder's files, of one file, or the pattern itself."""
    if Path(pattern).is_dir():
        folder = pattern.rstrip("/")
        return below_folder(folder, pattern_in(folder, names))
    return glob.escape(pattern) if Path(pattern).exists() else pattern


def _ending(path: str) -> Format | None:
    name = path.rpartition("/")[2].lower()
    for ending, form in _ENDINGS.items():
        if name.endswith(ending):
            return form
    return "tfrecord" if "tfrecord" in name else None


def _names(
    form: Format, files: Sequence[str], signature: Signature, data: DataConfig
) -> tuple[list[str], dict[str, pa.DataType]]:
    """The columns, and of JSON their types."""
    if form == "json":
        found: dict[str, set[type]] = {}
        rows = 0
        for path in files:
            for row in read_json_rows(path):
                for name, value in row.values.items():
                    found.setdefault(name, set()).add(kind_of_json(value))
                rows += 1
        if not rows:
            raise DataError(f"{files[0]}: there are no rows")
        return list(found), {name: type_of_json(kinds) for name, kinds in found.items()}
    if form == "tfrecord":
        return list(signature.inputs), {}
    columns = inspect_files(list(files), data).columns
    return list(columns if form == "csv" else parquet_reader.read_schema(files[0]).names), {}


def _check(names: Sequence[str], signature: Signature, path: str) -> None:
    problems = [
        f"{path}: there is no column '{name}', which the model requires{nearest(name, names)}"
        for name in signature.inputs
        if name not in names and name not in signature.defaults
    ]
    if not problems and not any(name in names for name in signature.inputs):
        problems = [f"{path} has none of the model's columns, which are {', '.join(signature.inputs)}"]
    if problems:
        raise DataError("; ".join(problems), problems)


def _field(name: str, found: pa.DataType, typed: bool) -> pa.Field:
    if typed or pa.types.is_string(found):
        return pa.field(name, found)
    return pa.field(name, pa.string(), metadata=None if is_list(found) else AS_IT_IS)


# --- types of columns in files without types ----------------------------------------------------------------------

_WHOLE = r"^(0|-?[1-9]\d*)$"
_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_LONGEST_WHOLE, _LONGEST = 18, 16
"""The most characters of a whole number that int64 holds, and of a number that float64 reproduces exactly."""


@dataclass
class _Cells:
    """What a column's cells have been so far."""

    whole: bool = True
    number: bool = True
    longest: int = 0

    def add(self, cells: pa.StringArray) -> None:
        self.longest = max(self.longest, pc.max(pc.binary_length(cells)).as_py() or 0)
        self.whole = self.whole and pc.all(pc.match_substring_regex(cells, _WHOLE)).as_py()
        short = self.whole or self.longest <= _LONGEST
        self.number = self.number and short and pc.all(pc.match_substring_regex(cells, _NUMBER)).as_py()

    @property
    def type(self) -> pa.DataType:
        if not self.number or not self.longest or self.longest > (_LONGEST_WHOLE if self.whole else _LONGEST):
            return pa.string()
        return pa.int64() if self.whole else pa.float64()


def types_of_csv(
    files: Sequence[str], columns: Collection[str], dialect: Dialect, forms: CellForms
) -> dict[str, pa.DataType]:
    """int64, float64 or string for each of the columns, from all their cells; text such as 007 stays text."""
    found = {name: _Cells() for name in columns}
    for path in files:
        file = csv_reader.open_csv(path, dialect, forms)
        for block in csv_reader.blocks_between(file, file.header.stop, None, file.header.line):
            wanted = [name for name, cells in found.items() if cells.number]
            if not wanted:
                break
            for name, cells in csv_reader.parse_block(block, file, wanted).items():
                found[name].add(cells)
    return {name: cells.type for name, cells in found.items()}


def type_of_json(kinds: set[type]) -> pa.DataType:
    """The type of a column, from the Python types of its values in JSON (those of `kind_of_json`)."""
    kinds = kinds - {type(None)}
    if kinds and kinds <= {int, float}:
        return pa.int64() if kinds == {int} else pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def kind_of_json(value: Any) -> type:
    """The Python type of a value of JSON; str for whole numbers that float64 may not hold exactly."""
    return str if type(value) is int and abs(value) >= 2**53 else type(value)
