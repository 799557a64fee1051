"""Turns Arrow columns into a model's inputs."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.errors import DataError
from janus_core.tables.column_kinds import Kind
from janus_core.tables.lists import is_list, list_offsets
from serving.client import Signature, TensorInfo
from serving.rows import EXACT, MISSING
from serving.signatures import DOUBLE, FLOAT, STRING, strings

REQUIRED = (
    f"{MISSING}: the schema demands a value in every row; fill it, or, for the model to take missing values (the "
    "feature's `missing`), remove the column's `shape` from the schema and train again"
)

_KINDS: dict[int, Kind] = {FLOAT: "float", DOUBLE: "int", STRING: "bytes"}


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


def arrays_of(
    signature: Signature, columns: Mapping[str, pa.Array], start: int, rows: int, locate: Callable[[int], str]
) -> dict[str, np.ndarray]:
    """The inputs of `rows` rows from `start`; a column that is absent is missing in every row, and stays out.

    Args:
        signature: the model's.
        columns: int64, float32, binary or lists of them, as `kind_of` says, each of more rows than these.
        start: the first row.
        rows: how many.
        locate: names a row of the columns.

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
