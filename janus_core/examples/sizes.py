"""How long the serialized tf.Example of a row is, from its columns alone."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from janus_core.examples.encode import distinct_sizes, entry_prefix, varint, varint_sizes
from janus_core.tables.column_kinds import kind_of_type
from janus_core.tables.lists import list_offsets


def example_sizes(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """Bytes of each row's tf.Example, int64 [rows], if it has the columns' values and nothing else.

    `columns` are large lists [rows] of int64, float32 or large_binary; an empty list counts as no feature at all.
    """
    total = np.zeros(rows, np.int64)
    for name, column in columns.items():
        total += _entry_sizes(name, column)
    return _by_size(total, lambda size: 1 + len(varint(size)) + size)


def _entry_sizes(name: str, column: pa.Array) -> np.ndarray:
    kind = kind_of_type(column.type)
    if kind is None:
        raise ValueError(f"column '{name}' has no kind")
    key, offsets, values = name.encode(), list_offsets(column), column.values
    if kind == "float":
        payload = np.diff(offsets) * 4
    else:
        sizes = varint_sizes(values.to_numpy().view(np.uint64)) if kind == "int" else _tagged_sizes(values)
        ends = np.concatenate([[0], np.cumsum(sizes)])
        payload = ends[offsets[1:]] - ends[offsets[:-1]]
    sizes = _by_size(payload, lambda size: len(entry_prefix(key, kind, size)) + size)
    return np.where(np.diff(offsets) > 0, sizes, 0)


def _tagged_sizes(values: pa.Array) -> np.ndarray:
    lengths = np.diff(np.frombuffer(values.buffers()[1], np.int64, len(values) + 1, values.offset * 8))
    return _by_size(lengths, lambda size: 1 + len(varint(size)) + size)


def _by_size(sizes: np.ndarray, make: Callable[[int], int]) -> np.ndarray:
    distinct, places = distinct_sizes(sizes)
    return np.array([make(size) for size in distinct.tolist()], np.int64)[places]
