"""TFRecord files as batches of serialized records, which stay in TensorFlow's memory."""

from collections.abc import Iterator

import tensorflow as tf

from janus_core.errors import DataError
from janus_core.tables.files import is_gzip, open_file

ROWS_PER_BATCH = 8192
BYTES_PER_BATCH = 1 << 24
"""A batch has at most so many rows, and ends when it has so many bytes: examples may hold images."""

_ROWS_PER_READ = 256
_READ_BUFFER = 8 << 20
_FRAME_BYTES = 16
"""The bytes of a record's length and of the two checksums."""


def record_batches(path: str) -> Iterator[tf.Tensor]:
    """The records of a TFRecord file (gzip or plain) in order, as string tensors [n].

    Raises DataError for a damaged file.
    """
    compression = "GZIP" if is_gzip(path) else ""
    records = tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=_READ_BUFFER)
    rows_per_read = min(_ROWS_PER_READ, ROWS_PER_BATCH)
    waiting: list[tf.Tensor] = []
    rows = size = total = content = 0
    try:
        for read in records.batch(rows_per_read).prefetch(2):
            waiting.append(read)
            rows += len(read)
            size += int(tf.reduce_sum(tf.strings.length(read)))
            if rows + rows_per_read > ROWS_PER_BATCH or size >= BYTES_PER_BATCH:
                yield tf.concat(waiting, 0)
                total, content = total + rows, content + size
                waiting, rows, size = [], 0, 0
    except tf.errors.OpError as error:
        raise DataError(f"{path}: damaged after record {total + rows} ({error.message})") from error
    if waiting:
        yield tf.concat(waiting, 0)
    total, content = total + rows, content + size
    # TensorFlow treats a file that is cut within the length of a record as one that ends there.
    if content + total * _FRAME_BYTES < _content_bytes(path, compression):
        raise DataError(f"{path}: damaged after record {total} (the file is truncated)")


def _content_bytes(path: str, compression: str) -> int:
    """The size of a file's content; of gzip, that of its last member modulo 2^32, with which it ends."""
    with open_file(path) as file:
        if not compression:
            return int(file.size())
        file.seek(file.size() - 4)
        return int.from_bytes(file.read(4), "little")
