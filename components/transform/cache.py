"""The folder in which Transform keeps the analysis of each dataset from one run to the next.

Its files hold TFT's analyzer accumulators, one file per dataset: whole and readable, or not there.
"""

import hashlib
import json
import posixpath
import re
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.io.filesystems import FileSystems

from janus_core.progress import PROGRESS


@dataclass(frozen=True)
class Cache:
    """Where the accumulators of one analysis are.

    Attributes:
        root: the folder of all that is kept; `publish` removes anything else in it.
        analysis: the name of the analysis, that is the digest of all that its accumulators depend on besides the rows.
        staging: the folder below `root` into which this run writes.
    """

    root: str
    analysis: str
    staging: str

    def path(self, dataset: str) -> str:
        """The finished file of a dataset."""
        return f"{self.root}/{self.analysis}/{dataset}"

    def unpublished(self, dataset: str) -> str:
        """Where this run writes a dataset's file."""
        return f"{self.staging}/{dataset}"

    def entries(self, dataset: str) -> list[bytes] | None:
        """The entries of a dataset's file; None if there is none, or if it cannot be read, which is logged."""
        path = self.path(dataset)
        if not tf.io.gfile.exists(path):
            return None
        try:
            return read_entries(path)
        except UnreadableError as error:
            PROGRESS.warning("%s cannot be used, its examples are analysed again: %s", path, error)
            return None

    def publish(self, datasets: Collection[str]) -> None:
        """Moves what this run wrote to its place, and removes what belongs to none of these datasets.

        A failure is logged, and costs no more than the cache.
        """
        try:
            folder = f"{self.root}/{self.analysis}"
            written = tf.io.gfile.listdir(self.staging)
            tf.io.gfile.makedirs(folder)
            _remove_others(folder, set(datasets) - set(written))
            for name in written:
                tf.io.gfile.rename(f"{self.staging}/{name}", f"{folder}/{name}")
            _remove_others(self.root, [self.analysis])
        except tf.errors.OpError as error:
            PROGRESS.warning("the analyzer cache %s cannot be updated: %s", self.root, error.message)


@contextmanager
def opened(root: str, analysis: str) -> Iterator[Cache | None]:
    """A cache that can be written; None, and a warning, if the folder cannot."""
    staging = f"{root}/.staging-{uuid.uuid4().hex}"
    try:
        tf.io.gfile.makedirs(staging)
    except tf.errors.OpError as error:
        PROGRESS.warning("the analyzer cache %s cannot be written, it is not used: %s", root, error.message)
        yield None
        return
    try:
        yield Cache(root, analysis, staging)
    finally:
        if tf.io.gfile.exists(staging):
            tf.io.gfile.rmtree(staging)


def analysis_name(parameters: Mapping[str, Any]) -> str:
    """The name of an analysis with these JSON-serializable parameters, on this stack.

    TFT's own keys distinguish analyzers, but neither its version nor what was read into the tensors.
    """
    versions = {"tensorflow": tf.__version__, "tensorflow_transform": tft.__version__, "beam": beam.__version__}
    return _digest({"parameters": dict(parameters), "versions": versions})


def dataset_name(files: Sequence[str]) -> str:
    """The name of a dataset: a digest of its files' paths, sizes and times of writing."""
    (match,) = FileSystems.match([f"{posixpath.dirname(files[0])}/*"])
    found = {file.path: [file.size_in_bytes, file.last_updated_in_seconds] for file in match.metadata_list}
    return _digest([[path, *found.get(path, [])] for path in files])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _remove_others(folder: str, kept: Collection[str]) -> None:
    for name in tf.io.gfile.listdir(folder):
        path = f"{folder}/{name}".rstrip("/")
        if posixpath.basename(path) in kept:
            continue
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
        else:
            tf.io.gfile.remove(path)


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
