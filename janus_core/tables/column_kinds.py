"""The three kinds of tf.Example values, and lossless conversion of Arrow columns to them.

Whether a cell of text is an integer or a number is CsvExampleGen's rule (tfx_bsl.coders.csv_decoder): if Python's `int`
or `float` takes it. Arrow's casts are used where they agree with that. There are three differences. Among numbers, a
cell of nothing but blanks is missing. And since a tf.Example holds numbers in 32 bits, in which different identifiers
can become equal: a column of numbers that are all whole is one of whole numbers, also where they are written with a
fraction of zero, as pandas does in a column with gaps; and integers too large for float64, in which `serving_columns`
takes whole numbers, make a column text, not only those beyond 64 bits.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.lists import is_list, large_list, list_offsets, row_of_value

Kind = Literal["int", "float", "bytes"]

Kinds = dict[str, Kind | None]
"""Column → its kind; None where all values are missing, or where it is not known."""

KINDS: tuple[Kind, ...] = ("int", "float", "bytes")
"""From narrow to wide: the kind of a CSV column is the widest of its cells."""

EXACT = 2**53 - 1
"""Up to here, float64 and JSON, which `serving_columns` uses, represent each whole number exactly."""

_INT64 = range(-(2**63), 2**63)


class CellError(ValueError):
    """A value that its column's kind cannot hold. `row` counts from 0 in the given column."""

    def __init__(self, row: int, value: Any, reason: str = ""):
        super().__init__(reason)
        self.row, self.value, self.reason = row, value, reason

    def describe(self, column: str, kind: Kind, sensitive: bool = False) -> str:
        """What is wrong, without the place; for a sensitive column, without the value."""
        wanted = {"int": "a whole number", "float": "a number", "bytes": "text"}[kind]
        reason = f" ({self.reason})" if self.reason else ""
        value = "a value" if sensitive else f"'{self.value}'"
        return f"column '{column}' holds {value}, which is not {wanted}{reason}"


def widest(*kinds: Kind | None) -> Kind | None:
    """The widest of the kinds; None (nothing but missing values) is narrower than all."""
    known = [kind for kind in kinds if kind is not None]
    return max(known, key=KINDS.index) if known else None


def merge_kinds(parts: Iterable[Mapping[str, Kind | None]]) -> Kinds:
    """The widest kind of each column."""
    merged: Kinds = {}
    for kinds in parts:
        for name, kind in kinds.items():
            merged[name] = widest(merged.get(name), kind)
    return merged


def kind_of_type(arrow_type: pa.DataType) -> Kind | None:
    """The kind of a column (or of its lists' elements) of int64, float64, float32, binary; None for the null type."""
    inner = arrow_type.value_type if is_list(arrow_type) else arrow_type
    if pa.types.is_null(inner):
        return None
    return "int" if pa.types.is_integer(inner) else "float" if pa.types.is_floating(inner) else "bytes"


# --- text -------------------------------------------------------------------------------------------------------


def kind_of_text(cells: pa.StringArray, wide: Kind = "bytes") -> Kind | None:
    """The narrowest kind that holds every cell; `wide` if integers are beyond EXACT; None if all are missing or NaN."""
    place = pc.index(cells.is_valid(), True).as_py()
    if place < 0:
        return None
    # A failing cast formats an error for every cell, so none is tried that the first cell rules out.
    first = _kind_of_cell(cells[place].as_py(), wide)
    if first == "bytes":
        return "bytes"
    if first == "int" and (integers := _fast_ints(cells)) is not None:
        return kind_of_numbers(integers, wide)
    numbers = _fast_floats(cells)
    # Beyond, it matters how a number is written: as an integer, or as 1e20.
    if numbers is not None and not pc.any(pc.greater_equal(pc.abs(numbers), EXACT)).as_py():
        return kind_of_numbers(numbers, wide)
    kind: Kind | None = None
    for text in cells.unique().to_pylist():
        kind = widest(kind, _kind_of_cell(text, wide))
        if kind == "bytes":
            break
    return kind


def kind_of_numbers(values: pa.Array, wide: Kind = "bytes") -> Kind | None:
    """The kind of integers, floats or decimals: int if all are whole; `wide` if there are integers beyond EXACT.

    None if all are missing or NaN.
    """
    values = values.drop_null()
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
        numbers = numbers[~np.isnan(numbers)]
        whole = np.floor(numbers) == numbers
        return None if not numbers.size else "int" if (whole & (np.abs(numbers) <= EXACT)).all() else "float"
    if not len(values):
        return None
    if pa.types.is_decimal(values.type):
        if not pc.all(pc.equal(values, pc.floor(values))).as_py():
            return "float"
        values = values.cast(pa.float64(), safe=False)
    extremes = pc.min_max(values).as_py()
    return wide if max(extremes["max"], -extremes["min"]) > EXACT else "int"


def text_to_kind(cells: pa.StringArray, kind: Kind) -> pa.Array:
    """Cells as int64, float64 or binary; missing stays missing, and NaN is missing among whole numbers.

    Raises CellError for the first cell that is not a number (a whole one with a fraction of zero is an int).
    """
    if kind == "bytes":
        return cells.cast(pa.binary())
    if kind == "int":
        integers = _fast_ints(cells)
        if integers is None:
            numbers = _fast_floats(cells)
            known = numbers is not None and kind_of_numbers(numbers) == "int"
            integers = _whole(numbers) if known else _slowly(cells, _to_int, pa.int64())
        return integers
    fast = _fast_floats(cells)
    return fast if fast is not None else _slowly(cells, float, pa.float64())


def _kind_of_cell(text: str | None, wide: Kind) -> Kind | None:
    if text is None or not text.strip():
        return None
    # Of the encoded cell, as csv_decoder does: int() of a str takes digits of any script, int() of bytes only ASCII.
    cell = text.encode()
    try:
        number: float = int(cell)
        if abs(number) <= EXACT:
            return "int"
        return "float" if wide == "int" and number not in _INT64 else wide
    except ValueError:
        pass
    try:
        number = float(cell)
    except ValueError:
        return "bytes"
    if math.isnan(number):
        return None
    return "int" if number.is_integer() and abs(number) <= EXACT else "float"


def _fast(cells: pa.StringArray, arrow_type: pa.DataType, beyond: bytes) -> pa.Array | None:
    """Arrow's cast to numbers; None where it fails, or a cell has a byte of what only Arrow takes for a number."""
    try:
        numbers = cells.cast(arrow_type)
    except pa.ArrowInvalid:
        return None
    return None if _has_byte(cells, beyond) else numbers


def _fast_ints(cells: pa.StringArray) -> pa.Int64Array | None:
    return _fast(cells, pa.int64(), b"xX")  # Hexadecimal.


def _fast_floats(cells: pa.StringArray) -> pa.FloatingPointArray | None:
    return _fast(cells, pa.float64(), b"(xX")  # nan(…) as well.


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


def _to_int(cell: bytes) -> int | None:
    try:
        number = int(cell)
    except ValueError:
        value = float(cell)
        if math.isnan(value):
            return None
        if not value.is_integer():
            raise
        number = int(value)
    if number not in _INT64:
        raise OverflowError("beyond 64 bits")
    return number


# --- typed columns ----------------------------------------------------------------------------------------------


def to_kind(column: pa.Array, kind: Kind | None) -> pa.Array:
    """A column of int64, float64, float32 or binary (or of lists of them) as another kind; None leaves it as it is.

    Raises CellError for a value that would change: a fraction as an int, text as a number. NaN among whole numbers is
    missing; in a list of them, it is an error.
    """
    if kind is None or kind_of_type(column.type) in (kind, None):
        return column
    if is_list(column.type):
        values = to_kind(column.values, kind)
        if kind == "int" and values.null_count > column.values.null_count:
            # A list cannot have a gap.
            gap = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise CellError(row_of_value(list_offsets(column), gap), math.nan)
        return _like(column, values)
    have = kind_of_type(column.type)
    if have == "bytes":
        return text_to_kind(column.cast(pa.string()), kind)
    if kind == "bytes":
        return _whole(column).cast(pa.string()).cast(pa.binary())
    return column.cast(pa.float64(), safe=False) if kind == "float" else _whole(column)


def narrow(column: pa.Array) -> pa.Array:
    """float64, or lists of it, as the float32 that a tf.Example holds; others as they are."""
    if is_list(column.type):
        values = narrow(column.values)
        return _like(column, values) if values.type != column.values.type else column
    return column.cast(pa.float32(), safe=False) if pa.types.is_float64(column.type) else column


def _whole(column: pa.Array) -> pa.Int64Array:
    if kind_of_type(column.type) == "int":
        return column
    numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
    missing = column.is_null().to_numpy(zero_copy_only=False) | np.isnan(numbers)
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
