"""TFRecord files: framing and writing encoded rows, and reading them again.

A record is its length (8 bytes), the length's masked CRC-32C, the data, the data's masked CRC-32C:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import struct
import zlib
from collections.abc import Collection, Iterator
from typing import BinaryIO

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from tensorflow.core.example import example_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from janus_core.tables.files import damage_reported, open_content

GZIP_LEVEL = 1
"""Level 6 takes four times as long for a third fewer bytes, and the shards are read on the same machine."""

READ_BYTES = 4 << 20
_GZIP_CONTAINER = 31
_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")
_FRAME_BYTES = _HEAD.size + _TAIL.size


def frame(records: pa.BinaryArray) -> pa.Buffer:
    """The records [n] as the content of an uncompressed TFRecord file."""
    data = records.to_pylist()
    sizes = np.array([len(record) for record in data], np.uint64)
    size_bytes = sizes.astype("<u8").view(np.uint8).reshape(-1, 8)
    distinct, places = np.unique(sizes, return_inverse=True)
    size_crcs = np.array([google_crc32c.value(int(size).to_bytes(8, "little")) for size in distinct], np.uint32)
    data_crcs = np.array([google_crc32c.value(record) for record in data], np.uint32)
    head = np.concatenate([size_bytes, _masked(size_crcs[places])], axis=1)
    joined = pc.binary_join_element_wise(_fixed(head), records, _fixed(_masked(data_crcs)), pa.scalar(b"", pa.binary()))
    return joined.buffers()[2] if len(records) else pa.py_buffer(b"")


class GzipRecordWriter:
    """Writes batches of records to a stream as one gzip member; the same records give the same bytes."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._deflate = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER)
        self.records = 0

    def write(self, records: pa.BinaryArray) -> None:
        """Appends records [n]."""
        self._stream.write(self._deflate.compress(frame(records)))
        self.records += len(records)

    def close(self) -> None:
        """Ends the gzip member and closes the stream."""
        self._stream.write(self._deflate.flush())
        self._stream.close()


def read_batches(path: str, needed: Collection[str] | None = None) -> Iterator[Batch]:
    """The records of a TFRecord file of tf.Examples (gzip or plain), unchanged, with their columns decoded.

    Records whose columns cannot be decoded together lose those that are not `needed` (all are by default).

    Raises DataError, with the record (from 0), for a damaged file and for a record that is not a tf.Example.
    """
    decoder = ExamplesToRecordBatchDecoder()
    first = 0
    for records in _record_lists(path):
        try:
            try:
                decoded = decoder.DecodeBatch(records)
            except RuntimeError:
                if needed is None:
                    raise
                records = [_only_columns(record, needed) for record in records]
                decoded = decoder.DecodeBatch(records)
        except (RuntimeError, DecodeError) as error:
            last = first + len(records) - 1
            raise DataError(f"{path}: records {first} to {last} cannot be decoded as tf.Examples ({error})") from error
        yield _batch(decoded, records, first, path)
        first += len(records)


def _only_columns(record: bytes, columns: Collection[str]) -> bytes:
    example = example_pb2.Example.FromString(record)
    for name in [name for name in example.features.feature if name not in columns]:
        del example.features.feature[name]
    return example.SerializeToString(deterministic=True)


def _batch(decoded: pa.RecordBatch, records: list[bytes], first: int, path: str) -> Batch:
    columns = dict(zip(decoded.schema.names, decoded.columns, strict=True))
    known = {name: column for name, column in columns.items() if not pa.types.is_null(column.type)}
    return Batch(known, len(records), lambda row: f"{path}, record {first + row}", pa.array(records, pa.binary()))


def _record_lists(path: str) -> Iterator[list[bytes]]:
    """The records in lists of about READ_BYTES. Raises DataError where a length or checksum is wrong."""
    count = 0
    rest = b""
    with open_content(path) as stream:
        while True:
            with damage_reported(path, f"damaged after {count} records"):
                chunk = stream.read(max(READ_BYTES, len(rest)))
            if not chunk:
                if rest:
                    raise DataError(f"{path}: damaged after {count} records: it ends within a record")
                return
            data = rest + chunk
            records, end = _unframe(data, path, count)
            count += len(records)
            rest = data[end:]
            if records:
                yield records


def _unframe(data: bytes, path: str, count: int) -> tuple[list[bytes], int]:
    """The whole records in `data`, and where the first that is cut off begins."""
    records: list[bytes] = []
    crcs: list[int] = []
    start, end = 0, len(data)
    while start + _FRAME_BYTES <= end:
        size, size_crc = _HEAD.unpack_from(data, start)
        if size + _FRAME_BYTES > end - start and size_crc == _masked_crc(data[start : start + 8]):
            break
        stop = start + _HEAD.size + size
        if stop + _TAIL.size > end:
            raise DataError(f"{path}: damaged after {count + len(records)} records: a length has a wrong checksum")
        records.append(data[start + _HEAD.size : stop])
        crcs.append(_TAIL.unpack_from(data, stop)[0])
        start = stop + _TAIL.size
    actual = _masked(np.array([google_crc32c.value(record) for record in records], np.uint32)).view("<u4").ravel()
    wrong = np.flatnonzero(actual != np.array(crcs, np.uint32))
    if wrong.size:
        raise DataError(f"{path}: damaged after {count + int(wrong[0])} records: a record has a wrong checksum")
    return records, start


def _masked_crc(data: bytes) -> int:
    return int(_masked(np.array([google_crc32c.value(data)], np.uint32)).view("<u4")[0, 0])


def _masked(crcs: np.ndarray) -> np.ndarray:
    """The masked CRCs [n] as little-endian bytes [n, 4]."""
    rotated = (crcs >> np.uint32(15)) | (crcs << np.uint32(17))
    return (rotated + np.uint32(0xA282EAD8)).astype("<u4").view(np.uint8).reshape(-1, 4)


def _fixed(rows: np.ndarray) -> pa.BinaryArray:
    count, width = rows.shape
    offsets = np.arange(count + 1, dtype=np.int32) * width
    return pa.Array.from_buffers(
        pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(rows))]
    )
