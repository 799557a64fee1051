"""Beam sources over the shards of an Examples artifact."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import apache_beam as beam
import pyarrow as pa

T = TypeVar("T")


@beam.ptransform_fn
def spread(pipeline: beam.Pipeline, elements: Sequence[T]) -> beam.PCollection:
    """A PCollection of elements that workers divide among themselves.

    As Create and Reshuffle, but one worker gets its elements always in the same order: sketches depend on it.
    """
    return (
        pipeline
        | "Number" >> beam.Create(list(enumerate(elements)))
        | "Group" >> beam.GroupByKey()
        | "Each" >> beam.FlatMapTuple(lambda _, group: group)
    )


@beam.ptransform_fn
def read_shards(
    pipeline: beam.Pipeline, files: Sequence[str], reader: Callable[[str], Iterator[pa.RecordBatch]]
) -> beam.PCollection:
    """A PCollection of the RecordBatches of all files; one worker reads a file, several read files."""
    return pipeline | "Files" >> spread(files) | "Read" >> beam.FlatMap(reader).with_output_types(pa.RecordBatch)
