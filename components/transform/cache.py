"""The folder in which Transform keeps the analysis of each dataset from one run to the next."""

import hashlib
import json
import posixpath
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
from apache_beam.io.filesystems import FileSystems

from components.transform.accumulators import UnreadableError, read_entries
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
