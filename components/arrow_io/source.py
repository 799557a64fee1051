"""Beam sources of RecordBatches."""

from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
import pyarrow as pa

ShardReader = Callable[[str], Iterator[pa.RecordBatch]]


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(pa.RecordBatch)
def read_shards(pipeline: beam.Pipeline, files: Sequence[str], reader: ShardReader) -> beam.PCollection:
    """A PCollection of the RecordBatches of all files; a file is read by one worker, files by several."""
    return pipeline | "Files" >> beam.Create(files) | "Spread" >> beam.Reshuffle() | "Read" >> beam.FlatMap(reader)
