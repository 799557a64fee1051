"""Encodes Arrow columns as serialized tf.Examples, whole columns at a time.

tfx_bsl's encoder builds a protobuf per row, keeps Python's lock meanwhile, and leaves the order of a row's features to
a hash map, so that the same rows give other bytes in every run. Here the features are in the order of their names, as
in protobuf's deterministic serialization, and Arrow's kernels join each row's pieces without the lock.

Wire format: https://protobuf.dev/programming-guides/encoding/, and tensorflow/core/example/{example,feature}.proto.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.column_kinds import Kind, kind_of_type
from janus_core.tables.lists import is_list, list_offsets

_LIST_TAGS: dict[Kind, bytes] = {"bytes": b"\x0a", "float": b"\x12", "int": b"\x1a"}
"""Of Feature's oneof."""

_NO_SEPARATOR = pa.scalar(b"", pa.binary())
_FIXED_OVERHEAD = 24
_MAX_TABLE = 1 << 20


def encode_examples(columns: Mapping[str, pa.Array], rows: int) -> pa.BinaryArray:
    """One serialized tf.Example per row [rows].

    `columns` are int64, float32 or binary arrays, or lists of them without nulls inside, each [rows]. A missing value
    gives no feature; an empty list is a feature of its kind without values.
    """
    pieces: list[pa.Array] = []
    sizes = np.zeros(rows, np.int64)
    for name in sorted(columns):
        for piece in _feature_pieces(name, columns[name]):
            pieces.append(piece)
            sizes += _lengths(piece)
    # Example.features, field 1.
    return _join([_by_length(sizes, lambda size: b"\x0a" + varint(size)), *pieces])


def encode_in_parts(
    columns: Mapping[str, pa.Array], rows: int, part_bytes: int
) -> Iterator[tuple[int, pa.BinaryArray]]:
    """As `encode_examples`, but about `part_bytes` at a time, each part after its first row."""
    size = sum(column.nbytes + len(column) * (len(name) + _FIXED_OVERHEAD) for name, column in columns.items())
    step = max(1, rows * part_bytes // max(size, 1))
    for start in range(0, rows, step):
        count = min(step, rows - start)
        yield start, encode_examples({name: column.slice(start, count) for name, column in columns.items()}, count)


def varint(number: int) -> bytes:
    """A base-128 varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def varint_sizes(unsigned: np.ndarray) -> np.ndarray:
    """The bytes of each number's varint, int64 [n], of uint64 [n]."""
    sizes = np.ones(len(unsigned), np.int64)
    for bits in range(7, 64, 7):
        larger = unsigned >= np.uint64(1 << bits)
        if not larger.any():
            break
        sizes += larger
    return sizes


def _feature_pieces(name: str, column: pa.Array) -> list[pa.Array]:
    """Arrays [rows] that, joined, are the column's entry in Features.feature; null where the value is missing."""
    kind = kind_of_type(column.type)
    if kind is None:
        return []
    key = name.encode()
    if is_list(column.type):
        payload = _list_payload(column, kind)
    elif kind == "int":
        # Whole entries of the distinct values, then a gather: integers repeat, and their varints are costly.
        encoded = column.dictionary_encode()
        return [_join(_entry(key, kind, _varints(encoded.dictionary))).take(encoded.indices)]
    elif kind == "float":
        payload = _cut(column.buffers()[1], np.arange(len(column) + 1) * 4 + column.offset * 4, column)
    else:
        # A single bytes value: its own tag and length are part of the prefix.
        return [_by_length(_lengths(column), lambda size: entry_prefix(key, kind, size, single=True), column), column]
    return _entry(key, kind, payload)


def _entry(key: bytes, kind: Kind, payload: pa.BinaryArray) -> list[pa.Array]:
    return [_by_length(_lengths(payload), lambda size: entry_prefix(key, kind, size), payload), payload]


def entry_prefix(key: bytes, kind: Kind, size: int, single: bool = False) -> bytes:
    """What precedes a feature's payload of `size` bytes in Features.feature (a map entry, field 1).

    The payload is the packed numbers; or the tagged values of a bytes list; or, if `single`, a lone bytes value.
    """
    packed = kind != "bytes" and size > 0
    inner = b"\x0a" + varint(size) if packed or single else b""
    list_head = _LIST_TAGS[kind] + varint(len(inner) + size) + inner
    value_size = len(list_head) + size
    head = b"\x0a" + varint(len(key)) + key + b"\x12" + varint(value_size) + list_head
    return b"\x0a" + varint(len(head) + size) + head


def _list_payload(column: pa.Array, kind: Kind) -> pa.BinaryArray:
    offsets = list_offsets(column)
    values = column.values
    if kind == "float":
        return _cut(values.buffers()[1], (offsets + values.offset) * 4, column)
    if kind == "int":
        parts = _varints(values)
    else:
        # What is decoded from tf.Examples is large_binary.
        values = values.cast(pa.binary())
        parts = _join([_by_length(_lengths(values), lambda size: b"\x0a" + varint(size)), values])
    ends = _offsets(parts)
    return _cut(parts.buffers()[2], ends[offsets], column)


def _varints(numbers: pa.Int64Array) -> pa.BinaryArray:
    """The varint of each number (negative ones take ten bytes, as protobuf wants); nulls give any bytes."""
    unsigned = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
    sizes = varint_sizes(unsigned)
    width = int(sizes.max(initial=1))
    shifts = np.arange(width, dtype=np.uint64) * np.uint64(7)
    parts = (unsigned[:, None] >> shifts & np.uint64(127)).astype(np.uint8)
    places = np.arange(width)
    parts |= ((places < sizes[:, None] - 1) * 128).astype(np.uint8)
    data = parts[places < sizes[:, None]]
    return _binary(np.concatenate([[0], np.cumsum(sizes)]), pa.py_buffer(data), numbers)


# --- binary arrays ----------------------------------------------------------------------------------------------


def _join(pieces: list[pa.Array]) -> pa.BinaryArray:
    return pc.binary_join_element_wise(*pieces, _NO_SEPARATOR, null_handling="replace", null_replacement="")


def _by_length(sizes: np.ndarray, make: Callable[[int], bytes], like: pa.Array | None = None) -> pa.BinaryArray:
    """`make(size)` for each size; null where `like` is."""
    distinct, places = distinct_sizes(sizes)
    table = pa.array([make(size) for size in distinct.tolist()], pa.binary())
    mask = like.is_null().to_numpy(zero_copy_only=False) if like is not None and like.null_count else None
    return table.take(pa.array(places, pa.int32(), mask=mask))


def distinct_sizes(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of `sizes`, int64 [rows] from 0 on, and the place of each among them [rows]."""
    largest = int(sizes.max(initial=0))
    if largest > _MAX_TABLE:
        return np.unique(sizes, return_inverse=True)
    seen = np.zeros(largest + 1, bool)
    seen[sizes] = True
    distinct = np.flatnonzero(seen)
    table = np.zeros(largest + 1, np.int32)
    table[distinct] = np.arange(len(distinct), dtype=np.int32)
    return distinct, table[sizes]


def _offsets(array: pa.BinaryArray) -> np.ndarray:
    offsets = np.frombuffer(array.buffers()[1], np.int32, len(array) + 1, array.offset * 4)
    return offsets.astype(np.int64)


def _lengths(array: pa.BinaryArray) -> np.ndarray:
    lengths = np.diff(_offsets(array)) if len(array) else np.zeros(0, np.int64)
    if array.null_count:
        lengths[array.is_null().to_numpy(zero_copy_only=False)] = 0
    return lengths


def _cut(data: pa.Buffer | None, offsets: np.ndarray, like: pa.Array) -> pa.BinaryArray:
    return _binary(offsets, data if data is not None else pa.py_buffer(b""), like)


def _binary(offsets: np.ndarray, data: pa.Buffer, like: pa.Array) -> pa.BinaryArray:
    validity = None
    if like.null_count:
        valid = like.is_valid().to_numpy(zero_copy_only=False)
        validity = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    return pa.Array.from_buffers(
        pa.binary(), len(offsets) - 1, [validity, pa.py_buffer(offsets.astype(np.int32)), data]
    )
