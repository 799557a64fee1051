"""Arrow columns of lists, of any of Arrow's forms."""

import numpy as np
import pyarrow as pa


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether the type is a list of any of Arrow's forms."""
    return bool(
        pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type) or pa.types.is_fixed_size_list(arrow_type)
    )


def list_offsets(column: pa.Array) -> np.ndarray:
    """int64 offsets [rows + 1] into `column.values`, also where the array is a slice of another."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        return np.arange(column.offset, column.offset + len(column) + 1, dtype=np.int64) * size
    return column.offsets.to_numpy(zero_copy_only=False).astype(np.int64)


def flat_values(column: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """All values of a column of lists, and int64 offsets [rows + 1] into them, from 0."""
    offsets = list_offsets(column)
    return column.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0])), offsets - offsets[0]


def row_of_value(offsets: np.ndarray, place: int) -> int:
    """The row of the list that holds the value at `place`."""
    return int(np.searchsorted(offsets, place, side="right")) - 1


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
