"""Conversions between three forms of rows: plain values, serialized tf.Examples, one array per column.

A missing value is None, NaN or an empty text in plain values, absent from a tf.Example, and NaN or empty in an array.
Whole numbers are float64 in arrays, as in `serving_columns`.
"""

import base64
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import isfinite, isnan, nan
from numbers import Integral, Real
from typing import Any

import numpy as np

from serving.description import ColumnDescription, ModelDescription
from serving.errors import Code, RequestError, invalid
from serving.signatures import DOUBLE, FLOAT, STRING, Signature

EXACT = 2**53 - 1
"""The largest absolute value up to which every whole number has a float64 of its own; 2^53 + 1 is rounded to 2^53."""

MISSING = "is missing, but required"

_LISTS = {"string": ("bytes_list",), "float": ("float_list", "int64_list"), "int": ("int64_list", "float_list")}
"""dtype of a column → the lists that may hold its values in a tf.Example, the usual one first."""

Cell = Any
"""The value of a column in a row: None if it is missing, else bytes, float or int, or a list of these."""


class _Column(ColumnDescription):
    """A raw column in the conversion of rows; `limit` is the largest absolute value of its whole numbers."""

    name: str
    limit: int = EXACT


class _WrongValueError(Exception):
    """A wrong value in one row; the message continues "column 'x' …"."""


def columns_of_examples(signature: Signature, records: Sequence[bytes]) -> dict[str, np.ndarray]:
    """Serialized raw tf.Examples → the inputs of `serving_columns`.

    If a column of single values has several, the first one is used, and a vector is cut or padded to its length, as the
    model itself does with tf.Examples.

    Args:
        signature: `serving_columns`.
        records: the rows.

    Returns:
        Input → float32, float64, or an object array of bytes; [rows], [rows, length] for vectors, [rows, most values]
        for lists. An input that no row has is left out if the signature has a default for it.

    Raises:
        RequestError: INVALID_ARGUMENT, naming the row, counted from 1, and the column.
    """
    rows = _parse(records)
    return _columns(signature, lambda column: _cells(column, rows, _stored, _usual_stored))


def columns_of_rows(signature: Signature, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Rows of plain values, as of JSON or CSV → the inputs of `serving_columns`.

    A number may be given as text, and a text as a number. Keys that are no input are ignored.

    Args:
        signature: `serving_columns`.
        rows: column → value; a list of values for a vector or list.

    Returns:
        As `columns_of_examples`.

    Raises:
        RequestError: INVALID_ARGUMENT, naming the row, counted from 1, and the column.
    """
    return _columns(signature, lambda column: _cells(column, rows, _given, _usual_given))


def require_values(signature: Signature, columns: Mapping[str, np.ndarray]) -> None:
    """Refuses inputs of `serving_columns` that the model would refuse too.

    Args:
        signature: `serving_columns`.
        columns: input → array [rows, …] of the signature's dtype.

    Raises:
        RequestError: INVALID_ARGUMENT, naming the row, counted from 1, and the column: a required value is missing, or
            a whole number is not whole, or beyond `EXACT`.
    """
    for name, values in columns.items():
        column = _of_signature(name, signature)
        missing = values == b"" if column.dtype == "string" else np.isnan(values)
        if column.required:
            _refuse(name, missing.reshape(len(values), -1).all(axis=1), values, MISSING)
        if column.dtype == "int":
            whole = missing | (np.floor(values) == values)
            _refuse(name, ~whole | np.isinf(values), values, "is {}, not a whole number")
            beyond = f"is {{:.0f}}, beyond {EXACT}, up to which whole numbers are exact"
            _refuse(name, ~missing & (np.abs(values) > EXACT), values, beyond)


def _refuse(name: str, wrong: np.ndarray, values: np.ndarray, what: str) -> None:
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0])
        message = f"row {place[0] + 1}: column '{name}' {what.format(values[place])}"
        raise invalid(message)


def example_of_row(description: ModelDescription, row: Mapping[str, Any]) -> bytes:
    """A row of plain values → a serialized tf.Example, always the same bytes for the same row.

    Missing values are left out, also those of required columns, for which the model then refuses the row.

    Raises:
        RequestError: INVALID_ARGUMENT, naming the column.
    """
    from tensorflow.core.example import example_pb2

    example = example_pb2.Example()
    for name, described in description.columns.items():
        column = _described(name, described)
        try:
            cell = _given(column, row)
            if column.dtype == "int" and isinstance(cell, list) and any(value != value for value in cell):
                raise _WrongValueError("has a missing value in it, which a list of whole numbers cannot hold")
        except _WrongValueError as error:
            raise invalid(f"column '{name}' {error}") from error
        if cell is not None:
            values = getattr(example.features.feature[name], _LISTS[column.dtype][0]).value
            values.extend([cell] if column.single else cell)
    return example.SerializeToString(deterministic=True)


def rows_of_examples(description: ModelDescription, records: Sequence[bytes]) -> list[dict[str, Any]]:
    """Serialized tf.Examples → each row's columns as str, float or int, lists of them, or None where missing.

    Raises:
        RequestError: INVALID_ARGUMENT, naming the row, counted from 1, and the column.
    """
    rows = _parse(records)
    columns = [_described(name, described) for name, described in description.columns.items()]
    cells = {column.name: [_plain(cell) for cell in _cells(column, rows, _stored, _usual_stored)] for column in columns}
    return [{name: values[row] for name, values in cells.items()} for row in range(len(rows))]


def only_columns(rows: Sequence[bytes], columns: Collection[str]) -> list[bytes]:
    """Serialized tf.Examples without other columns, such as labels; always the same bytes for the same row."""
    from tensorflow.core.example import example_pb2

    examples = [example_pb2.Example.FromString(row) for row in rows]
    for example in examples:
        for name in set(example.features.feature) - set(columns):
            del example.features.feature[name]
    return [example.SerializeToString(deterministic=True) for example in examples]


def examples_of_input(given: Any) -> list[bytes]:
    """The serialized tf.Examples of a Classify, Regress or MultiInference request (an Input), each with its context."""
    if given.WhichOneof("kind") != "example_list_with_context":
        return [example.SerializeToString() for example in given.example_list.examples]
    # Of two serialized messages in a row, protobuf reads the features of both, and the second one's where both have it.
    context = given.example_list_with_context.context.SerializeToString()
    return [context + example.SerializeToString() for example in given.example_list_with_context.examples]


def _columns(signature: Signature, cells_of: Callable[[_Column], list[Cell]]) -> dict[str, np.ndarray]:
    """The arrays of a signature's inputs."""
    cells: dict[str, tuple[_Column, list[Cell]]] = {}
    for name in sorted(signature.inputs):
        column = _of_signature(name, signature)
        cells[name] = column, cells_of(column)
    present = {
        name: both for name, both in cells.items() if both[0].required or any(cell is not None for cell in both[1])
    }
    # Defaults have one row each: without any other input, the model could not know the number of rows.
    return {name: _array(*both) for name, both in (present or cells).items()}


def _of_signature(name: str, signature: Signature) -> _Column:
    tensor = signature.inputs[name]
    dtype = {FLOAT: "float", DOUBLE: "int", STRING: "string"}.get(tensor.dtype)
    sizes = tensor.sizes
    if dtype is None or len(sizes) not in (1, 2):
        raise RequestError(
            Code.UNIMPLEMENTED,
            f"input '{name}' has dtype {tensor.dtype} and shape {sizes}; a raw column is float, double or string, and "
            "[rows] or [rows, length]",
        )
    length = sizes[1] if len(sizes) == 2 and sizes[1] > 0 else None
    many = len(sizes) == 2 and length is None
    return _Column(name=name, dtype=dtype, required=name not in signature.defaults, length=length, many=many)


def _described(name: str, described: ColumnDescription) -> _Column:
    return _Column(**{**described.model_dump(), "name": name, "required": False, "limit": 2**63 - 1})


def _parse(records: Sequence[bytes]) -> list[Any]:
    """Each record's features by name."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.example import example_pb2

    rows = []
    for record in records:
        try:
            rows.append(example_pb2.Example.FromString(record).features.feature)
        except DecodeError as error:
            raise invalid(f"row {len(rows) + 1}: not a serialized tf.Example: {error}") from error
    return rows


def _cells(
    column: _Column,
    rows: Sequence[Any],
    cell_of: Callable[[_Column, Any], Cell],
    usual_cells: Callable[[_Column, Sequence[Any]], list[Cell] | None],
) -> list[Cell]:
    """A column's value in every row: all at once if they have the usual form, else one by one."""
    if column.single:
        usual = usual_cells(column, rows)
        if usual is not None and not (column.required and None in usual):
            return usual
    cells: list[Cell] = []
    try:
        for row in rows:
            cell = cell_of(column, row)
            if cell is None and column.required:
                raise _WrongValueError(MISSING)
            cells.append(cell)
    except _WrongValueError as error:
        raise invalid(f"row {len(cells) + 1}: column '{column.name}' {error}") from error
    return cells


def _usual_stored(column: _Column, rows: Sequence[Any]) -> list[Cell] | None:
    """The values of tf.Examples that have one each in the usual kind of list; None if any has not."""
    name, kind = column.name, _LISTS[column.dtype][0]
    lists = [getattr(features[name], kind).value if name in features else None for features in rows]
    if not all(values is None or values for values in lists):
        return None
    return _checked(column, [None if values is None else values[0] for values in lists])


def _usual_given(column: _Column, rows: Sequence[Mapping[str, Any]]) -> list[Cell] | None:
    """The plain values of rows that all have the column's own type, or are all text; None if any has not."""
    values = [row.get(column.name) for row in rows]
    types = set(map(type, values)) - {type(None)}
    if column.dtype == "string":
        if not types <= {str}:
            return None
        return _checked(column, [value.encode("utf-8", "replace") if value else None for value in values])
    if types == {str}:
        read = float if column.dtype == "float" else int
        try:
            values = [read(value) if value else None for value in values]
        except ValueError:
            return None
        if any("_" in str(row.get(column.name)) for row in rows):
            return None
    elif not types <= ({float} if column.dtype == "float" else {int}):
        return None
    return _checked(column, values)


def _checked(column: _Column, values: list[Any]) -> list[Cell] | None:
    """The values, with None for missing ones; None if any is out of range."""
    if column.dtype == "string":
        return [value or None for value in values]
    if column.dtype == "float":
        return [None if value is None or value != value else value for value in values]
    sizes = [value for value in values if value is not None]
    return None if sizes and max(max(sizes), -min(sizes)) > column.limit else values


def _stored(column: _Column, features: Any) -> Cell:
    """The value in a tf.Example."""
    if column.name not in features:
        return None
    feature = features[column.name]
    kind = feature.WhichOneof("kind")
    if kind is None:
        return None
    if kind not in _LISTS[column.dtype]:
        raise _WrongValueError(f"holds a {kind}, not a {_LISTS[column.dtype][0]}")
    values = getattr(feature, kind).value
    if not values:
        return None
    if column.dtype == "string":
        if column.single:
            return values[0] or None
        return list(values[: column.length]) if any(values) else None
    if column.single:
        return _number(column, values[0])
    padding = [nan] * ((column.length or 0) - len(values))
    return _vector([_number(column, value) for value in values[: column.length]] + padding)


def _given(column: _Column, row: Mapping[str, Any]) -> Cell:
    """The plain value in a row."""
    value = row.get(column.name)
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    read = _text if column.dtype == "string" else _number
    if not isinstance(value, (list, tuple)):
        if column.length is not None and read(column, value) is not None:
            raise _WrongValueError(f"has one value instead of {column.length}")
        cell = read(column, value)
        return [cell] if column.many and cell is not None else cell
    if column.single:
        raise _WrongValueError(f"has {len(value)} values instead of one")
    if not value:
        return None
    if column.length is not None and len(value) != column.length:
        raise _WrongValueError(f"has {len(value)} values instead of {column.length}")
    cells = [read(column, item) for item in value]
    if column.dtype == "string":
        kept = cells if column.length is not None else [cell for cell in cells if cell is not None]
        return [cell or b"" for cell in kept] if any(kept) else None
    return _vector([nan if cell is None else cell for cell in cells])


def _text(column: _Column, value: Any) -> bytes | None:
    """A text; a whole number becomes its digits, as the model reads a column of numbers that is used as text."""
    del column
    if isinstance(value, str):
        # A lone surrogate has no encoding.
        return value.encode("utf-8", "replace") or None
    if isinstance(value, bytes):
        return value or None
    if isinstance(value, dict) and set(value) == {"b64"}:
        # Bytes, as TensorFlow Serving reads them from JSON.
        try:
            return base64.b64decode(value["b64"], validate=True) or None
        except (TypeError, ValueError) as error:
            raise _WrongValueError("is not in base64") from error
    if isinstance(value, bool) or not isinstance(value, Real):
        if value is None:
            return None
        raise _WrongValueError(f"is {type(value).__name__}, not text")
    if isinstance(value, Integral):
        return str(int(value)).encode()
    number = float(value)
    if isnan(number):
        return None
    return (str(int(number)) if isfinite(number) and number.is_integer() else str(value)).encode()


def _number(column: _Column, value: Any) -> float | int | None:
    if isinstance(value, (str, bytes)):
        value = _parsed(value)
    elif isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        if value is None:
            return None
        raise _WrongValueError(f"is {type(value).__name__}, not a number")
    if value is None or value != value:
        return None
    if column.dtype == "float":
        try:
            return float(value)
        except OverflowError as error:
            raise _WrongValueError("is beyond the range of a float") from error
    if not isinstance(value, Integral) and not (isfinite(value) and float(value).is_integer()):
        raise _WrongValueError(f"is {value}, not a whole number")
    if abs(value) > column.limit:
        raise _WrongValueError(f"is {value}, beyond {column.limit}, up to which whole numbers are exact")
    return int(value)


def _parsed(text: str | bytes) -> float | int | None:
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    stripped = text.strip()
    if not stripped:
        return None
    try:
        # Python reads 1_000 as a number, but no program writes it so in tables.
        if "_" in stripped:
            raise ValueError
        try:
            return int(stripped)
        except ValueError:
            return float(stripped)
    except ValueError:
        raise _WrongValueError(f"is {text!r}, not a number") from None


def _vector(numbers: list[Any]) -> list[Any] | None:
    """The vector; None if all its values are NaN, which is a missing vector."""
    numbers = [nan if number is None else number for number in numbers]
    return None if all(number != number for number in numbers) else numbers


def _array(column: _Column, cells: list[Cell]) -> np.ndarray:
    missing = b"" if column.dtype == "string" else nan
    dtype = {"string": object, "float": np.float32, "int": np.float64}[column.dtype]
    if column.single:
        values = [missing if cell is None else cell for cell in cells]
        array = np.empty(len(values), dtype)
        with np.errstate(over="ignore"):
            array[:] = values
        return array
    width = column.length or max((len(cell) for cell in cells if cell is not None), default=1)
    array = np.full((len(cells), width), missing, dtype)
    for row, cell in enumerate(cells):
        if cell is not None:
            array[row, : len(cell)] = [missing if value is None else value for value in cell]
    return array


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Iterable) and not isinstance(cell, bytes):
        return [_plain(value) for value in cell]
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    if isinstance(cell, float):
        # The fewest digits that give the stored float32: 0.1, not 0.10000000149011612.
        return None if isnan(cell) else float(str(np.float32(cell)))
    return cell
