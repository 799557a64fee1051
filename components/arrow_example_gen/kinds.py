"""The three kinds of tf.Example values, and lossless conversion of Arrow columns to them.

The rules for text are CsvExampleGen's (tfx_bsl.coders.csv_decoder): a cell is an integer or a number if Python's `int`
or `float` takes it; integers beyond 64 bits make a column text. Arrow's casts are used where they agree with that.
One rule is not: among numbers, a cell of nothing but blanks is missing.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["int", "float", "bytes"]

KINDS: tuple[Kind, ...] = ("int", "float", "bytes")
"""From narrow to wide: the kind of a CSV column is the widest of its cells."""

_NEARLY_64_BITS = 9.2e18
_INT64 = range(-(2**63), 2**63)


class CellError(ValueError):
    """A value that its column's kind cannot hold. `row` counts from 0 in the given column."""

    def __init__(self, row: int, value: Any, reason: str = ""):
        super().__init__(reason)
        self.row, self.value, self.reason = row, value, reason

    def describe(self, column: str, kind: Kind) -> str:
        """What is wrong, without where."""
        wanted = {"int": "a whole number", "float": "a number", "bytes": "text"}[kind]
        reason = f" ({self.reason})" if self.reason else ""
        return f"column '{column}' holds '{self.value}', which is not {wanted}{reason}"


def widest(*kinds: Kind | None) -> Kind | None:
    """The widest of the kinds; None (nothing but missing values) is narrower than all."""
    known = [kind for kind in kinds if kind is not None]
    return max(known, key=KINDS.index) if known else None


def kind_of_type(arrow_type: pa.DataType) -> Kind | None:
    """The kind of a column (or of its lists' elements) of int64, float32, binary; None for the null type."""
    inner = arrow_type.value_type if is_list(arrow_type) else arrow_type
    if pa.types.is_null(inner):
        return None
    return "int" if pa.types.is_integer(inner) else "float" if pa.types.is_floating(inner) else "bytes"


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether the type is a list of any of Arrow's forms."""
    return bool(
        pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type)
    )


# --- text -------------------------------------------------------------------------------------------------------


def kind_of_text(cells: pa.StringArray) -> Kind | None:
    """The narrowest kind that holds every cell, as CsvExampleGen infers it. None if all are missing."""
    place = pc.index(cells.is_valid(), True).as_py()
    if place < 0:
        return None
    # A cast that fails words an error for every cell, so none is tried that the first cell rules out.
    first = _kind_of_cell(cells[place].as_py())
    if first == "bytes":
        return "bytes"
    if first == "int" and _fast_ints(cells) is not None:
        return "int"
    numbers = _fast_floats(cells)
    # An integer beyond 64 bits makes a column text, though it is a number to Arrow.
    if numbers is not None and not pc.any(pc.greater_equal(pc.abs(numbers), _NEARLY_64_BITS)).as_py():
        return "float"
    kind: Kind | None = None
    for text in cells.unique().to_pylist():
        kind = widest(kind, _kind_of_cell(text))
        if kind == "bytes":
            break
    return kind


def text_to_kind(cells: pa.StringArray, kind: Kind) -> pa.Array:
    """Cells as int64, float32 or binary; missing stays missing.

    Raises CellError for the first cell that is no number (a whole one with a fraction of zero is an int).
    """
    if kind == "bytes":
        return cells.cast(pa.binary())
    if kind == "int":
        fast = _fast_ints(cells)
        return fast if fast is not None else _slowly(cells, _to_int, pa.int64())
    fast = _fast_floats(cells)
    numbers = fast if fast is not None else _slowly(cells, float, pa.float64())
    return numbers.cast(pa.float32(), safe=False)


def _kind_of_cell(text: str | None) -> Kind | None:
    if text is None or not text.strip():
        return None
    # Of the encoded cell, as csv_decoder does: int() of a str takes digits of any script, int() of bytes only ASCII.
    cell = text.encode()
    try:
        return "int" if int(cell) in _INT64 else "bytes"
    except ValueError:
        pass
    try:
        float(cell)
    except ValueError:
        return "bytes"
    return "float"


def _fast_ints(cells: pa.StringArray) -> pa.Int64Array | None:
    try:
        numbers = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    # Arrow also takes hexadecimal.
    return None if _has_byte(cells, b"xX") else numbers


def _fast_floats(cells: pa.StringArray) -> pa.FloatingPointArray | None:
    try:
        numbers = cells.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    # Arrow also takes nan(…).
    return None if _has_byte(cells, b"(xX") else numbers


def _has_byte(cells: pa.StringArray, wanted: bytes) -> bool:
    data = cells.buffers()[2]
    text = data.to_pybytes() if data is not None else b""
    return any(byte in text for byte in wanted)


def _slowly(cells: pa.StringArray, convert: Callable[[bytes], Any], arrow_type: pa.DataType) -> pa.Array:
    encoded = cells.dictionary_encode()
    values = []
    for text in encoded.dictionary.to_pylist():
        try:
            values.append(convert(text.encode()) if text.strip() else None)
        except (ValueError, OverflowError) as error:
            row = pc.index(cells, text).as_py()
            raise CellError(row, text, str(error) if isinstance(error, OverflowError) else "") from None
    return pa.array(values, arrow_type).take(encoded.indices)


def _to_int(cell: bytes) -> int:
    try:
        number = int(cell)
    except ValueError:
        value = float(cell)
        if not value.is_integer():
            raise
        number = int(value)
    if number not in _INT64:
        raise OverflowError("beyond 64 bits")
    return number


# --- typed columns ----------------------------------------------------------------------------------------------


def to_kind(column: pa.Array, kind: Kind | None) -> pa.Array:
    """A column of int64, float32 or binary (or of lists of them) as another kind; None leaves it as it is.

    Raises CellError for a value that would change: a fraction or NaN as an int, text as a number.
    """
    if kind is None or kind_of_type(column.type) in (kind, None):
        return column
    if is_list(column.type):
        return _like(column, to_kind(column.values, kind))
    have = kind_of_type(column.type)
    if have == "bytes":
        return text_to_kind(column.cast(pa.string()), kind)
    if kind == "bytes":
        return _whole(column).cast(pa.string()).cast(pa.binary())
    return column.cast(pa.float32(), safe=False) if kind == "float" else _whole(column)


def _whole(column: pa.Array) -> pa.Int64Array:
    if kind_of_type(column.type) == "int":
        return column
    numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore"):
        wrong = ~missing & ~((np.floor(numbers) == numbers) & (np.abs(numbers) < 2.0**63))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise CellError(row, numbers[row].item())
    return pa.array(np.where(missing, 0, numbers).astype(np.int64), mask=missing)


def _like(column: pa.Array, values: pa.Array) -> pa.Array:
    """A large list with the lists of `column` and other values."""
    offsets = list_offsets(column)
    return large_list(offsets, values, column.is_null().to_numpy(zero_copy_only=False))


def list_offsets(column: pa.Array) -> np.ndarray:
    """int64 offsets [rows + 1] into `column.values`, also where the array is a slice of another."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        return np.arange(column.offset, column.offset + len(column) + 1, dtype=np.int64) * size
    return column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)


def large_list(offsets: np.ndarray, values: pa.Array, missing: np.ndarray | None = None) -> pa.LargeListArray:
    """A large list of `values` cut at int64 `offsets` [rows + 1], null where the bool array `missing` [rows] holds."""
    validity = None
    if missing is not None and missing.any():
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.large_list(values.type),
        len(offsets) - 1,
        [validity, pa.py_buffer(np.ascontiguousarray(offsets, np.int64))],
        children=[values],
    )
