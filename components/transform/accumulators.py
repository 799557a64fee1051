"""Files of TFT's analyzer accumulators, one per dataset: whole and readable, or not there."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf

_FORMAT = 1
_INDEX_BYTES = 4
_GZIP = tf.io.TFRecordOptions(compression_type="GZIP")


class UnreadableError(Exception):
    """The file is damaged, or was written by something else."""


def write_accumulators(path: str, entries: Sequence[bytes], values: Iterable[tuple[int, bytes]]) -> None:
    """Writes a file, in one step.

    `entries` are TFT's keys of what is cached; each of `values` is an index into them with one accumulator. An entry
    may have none, or several. Raises tf.errors.OpError where it cannot be written.
    """
    unfinished = f"{path}.{uuid.uuid4().hex}"
    count = 0
    with tf.io.TFRecordWriter(unfinished, _GZIP) as writer:
        writer.write(json.dumps({"format": _FORMAT, "entries": [entry.hex() for entry in entries]}).encode())
        for index, value in values:
            writer.write(index.to_bytes(_INDEX_BYTES, "big") + value)
            count += 1
        # A file that was cut between two records would be a valid one.
        writer.write(json.dumps({"values": count}).encode())
    tf.io.gfile.rename(unfinished, path, overwrite=True)


def read_entries(path: str) -> list[bytes]:
    """The entries of a file, all of whose records are read and checked. Raises UnreadableError."""
    try:
        records = _records(path)
        head = json.loads(next(records))
        if head["format"] != _FORMAT:
            raise UnreadableError(f"its format is {head['format']}, not {_FORMAT}")
        entries = [bytes.fromhex(entry) for entry in head["entries"]]
        count, last = 0, b""
        for record in records:
            count, last = count + 1, record
        if json.loads(last) != {"values": count - 1}:
            raise UnreadableError("its end is missing")
    except (tf.errors.OpError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise UnreadableError(_in_short(error)) from error
    return entries


def read_accumulators(path: str) -> Iterator[tuple[int, bytes]]:
    """The values as `write_accumulators` took them, of a file that `read_entries` has checked."""
    records = _records(path)
    next(records)
    waiting = next(records)
    for record in records:
        yield int.from_bytes(waiting[:_INDEX_BYTES], "big"), waiting[_INDEX_BYTES:]
        waiting = record


def _in_short(error: Exception) -> str:
    if isinstance(error, tf.errors.OpError):
        # TensorFlow puts names of its graph's nodes before and after the message.
        return re.sub(r"\{\{.*?\}\} | \[Op:.*", "", error.message)
    return f"{type(error).__name__} {error}"


def _records(path: str) -> Iterator[bytes]:
    return iter(tf.data.TFRecordDataset(path, compression_type="GZIP").as_numpy_iterator())
