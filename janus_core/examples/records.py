"""TFRecord files as batches of serialized records, which stay in TensorFlow's memory."""

from collections.abc import Iterator

import tensorflow as tf

from janus_core.errors import DataError
from janus_core.tables.files import is_gzip

ROWS_PER_BATCH = 8192
BYTES_PER_BATCH = 1 << 24
"""A batch has at most so many rows, and ends when it has so many bytes: examples may hold images."""

_ROWS_PER_READ = 256
_READ_BUFFER = 8 << 20


def record_batches(path: str) -> Iterator[tf.Tensor]:
    """The records of a TFRecord file (gzip or plain) in order, as string tensors [n].

    Raises DataError for a damaged file.
    """
    compression = "GZIP" if is_gzip(path) else ""
    records = tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=_READ_BUFFER)
    waiting: list[tf.Tensor] = []
    rows = size = total = 0
    try:
        for read in records.batch(_ROWS_PER_READ).prefetch(2):
            waiting.append(read)
            rows += len(read)
            size += int(tf.reduce_sum(tf.strings.length(read)))
            if rows + _ROWS_PER_READ > ROWS_PER_BATCH or size >= BYTES_PER_BATCH:
                yield tf.concat(waiting, 0)
                total += rows
                waiting, rows, size = [], 0, 0
    except tf.errors.OpError as error:
        raise DataError(f"{path}: damaged after record {total + rows} ({error.message})") from error
    if waiting:
        yield tf.concat(waiting, 0)
