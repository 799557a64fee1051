"""TFRecord files: framing and writing encoded rows, and reading them again.

A record is its length (8 bytes), the length's masked CRC-32C, the data, the data's masked CRC-32C:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import google_crc32c
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.arrow_example_gen.batch import Batch
from trainer.errors import DataError

GZIP_LEVEL = 1
"""Level 6 takes four times as long for a third fewer bytes, which are read on the same machine."""

RECORDS_PER_BATCH = 1 << 12
_GZIP_CONTAINER = 31


def frame(records: pa.BinaryArray) -> pa.Buffer:
    """The records [n] as the content of an uncompressed TFRecord file."""
    data = records.to_pylist()
    sizes = np.array([len(record) for record in data], np.uint64)
    size_bytes = sizes.astype("<u8").view(np.uint8).reshape(-1, 8)
    distinct, places = np.unique(sizes, return_inverse=True)
    size_crcs = np.array([google_crc32c.value(int(size).to_bytes(8, "little")) for size in distinct], np.uint32)
    data_crcs = np.array([google_crc32c.value(record) for record in data], np.uint32)
    head = np.concatenate([size_bytes, _masked(size_crcs[places])], axis=1)
    joined = pc.binary_join_element_wise(
        _fixed(head), records, _fixed(_masked(data_crcs)), pa.scalar(b"", pa.binary())
    )
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


def read_batches(path: str) -> Iterator[Batch]:
    """The records of a TFRecord file of tf.Examples (gzip or plain), unchanged, with their columns decoded.

    Raises DataError for a damaged file and for a record that is no tf.Example.
    """
    # TensorFlow is loaded here, since the other formats do without.
    import tensorflow as tf
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    from components.arrow_example_gen.tfrecord_head import is_gzip

    records = tf.data.TFRecordDataset(path, compression_type="GZIP" if is_gzip(path) else "")
    batches = iter(records.batch(RECORDS_PER_BATCH).as_numpy_iterator())
    decoder = ExamplesToRecordBatchDecoder()
    first = 0
    while True:
        try:
            batch = next(batches, None)
        except tf.errors.OpError as error:
            raise DataError(f"{path}: damaged after record {first} ({error.message})") from error
        if batch is None:
            return
        yield _decoded(batch.tolist(), first, path, decoder.DecodeBatch)
        first += len(batch)


def _decoded(records: list[bytes], first: int, path: str, decode) -> Batch:  # type: ignore[no-untyped-def]
    try:
        decoded = decode(records)
    except RuntimeError as error:
        raise DataError(f"{path}: records {first} to {first + len(records) - 1} are no tf.Examples ({error})") from error
    columns = {name: decoded.column(i) for i, name in enumerate(decoded.schema.names)}
    known = {name: column for name, column in columns.items() if not pa.types.is_null(column.type)}
    return Batch(known, len(records), lambda row: f"{path}, record {first + row}", pa.array(records, pa.binary()))


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
