"""Predicts on Beam: each worker reads a group of pieces, and writes one file of the output.

Beam's RunInference is not used: it batches single rows itself, so that keeping the input's columns and the order of the
rows would need a grouping of all rows by key. Reading and writing in the same step moves no row between workers, and
needs nothing of Beam but ParDo, which is the same in all its versions.

The input, the model and the output must be on a filesystem that all workers have.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.utils.shared import Shared

from janus_core.errors import JanusError, ServingError, expected
from janus_core.files import replacing
from janus_core.tables.pieces import WorkItem
from pipeline.commands.predict.chunks import output_schema, predict_chunk, read_chunks
from pipeline.commands.predict.input_files import Source
from pipeline.commands.predict.options import PredictOptions
from pipeline.commands.predict.output import TableWriter, TaskColumns, whole
from serving.client import LocalClient, RequestError, Signature

_LOCAL = (None, "DirectRunner", "SwitchingDirectRunner")


def predict_on_beam(
    model: str,
    source: Source,
    signature: Signature,
    tasks: list[TaskColumns],
    target: Path,
    options: PredictOptions,
    arguments: list[str],
) -> int:
    """Writes `<target>/part-00000-of-….parquet`, in the rows' order, and returns the number of rows.

    The folder appears whole or not at all.

    Raises:
        ConfigError: the output cannot be written.
        DataError: a value is wrong.
        ServingError: the model does not answer as it should.
    """
    work = source.work_items()
    beam_options = PipelineOptions(arguments)
    runner: Any = beam_options.view_as(StandardOptions).runner
    if runner in _LOCAL:
        # Beam's own choice for a local run may be a runner that it has to download.
        runner = FnApiRunner()
    with whole(target) as staging:
        staging.mkdir()
        folder = str(staging.resolve())
        model = model if "://" in model else str(Path(model).resolve())
        step = _PredictItem(model, source, signature, tasks, folder, len(work), options.batch_size)
        try:
            with beam.Pipeline(runner=runner, options=beam_options) as pipeline:
                _ = (
                    pipeline
                    | "Pieces" >> beam.Create(work)
                    | "Divide" >> beam.Reshuffle()
                    | "Predict" >> beam.ParDo(step)
                )
        except Exception as error:
            raise _cause(error) from error
        return sum(pq.read_metadata(_part(folder, item, len(work))).num_rows for item in work)


@dataclass(eq=False)
class _PredictItem(beam.DoFn):
    """Predicts groups of pieces, `batch_size` rows at once, into `count` files in a folder."""

    model: str
    source: Source
    signature: Signature
    tasks: list[TaskColumns]
    folder: str
    count: int
    batch_size: int
    shared: Shared = field(default_factory=Shared)

    def setup(self) -> None:
        """Loads the model, once per process."""
        self._client = self.shared.acquire(lambda: LocalClient(self.model), tag=self.model)

    def process(self, item: WorkItem) -> Iterator[int]:
        """Called by Beam; a group that is tried again replaces its file."""
        target = _part(self.folder, item, self.count)
        with replacing(target) as staging, staging.open("wb") as stream:
            writer = TableWriter(stream, ".parquet", output_schema(self.source, self.tasks))
            for piece in item.pieces:
                for chunk in read_chunks(self.source, self.signature, piece, self.batch_size):
                    columns = predict_chunk(self._client, self.tasks, chunk, first=writer.rows == 0)
                    writer.write(columns)
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        yield writer.rows


def _part(folder: str, item: WorkItem, count: int) -> Path:
    return Path(folder) / f"part-{item.index:05d}-of-{count:05d}.parquet"


def _cause(error: BaseException) -> BaseException:
    """The failure in a worker, which Beam reports as the cause of other errors, or in their text."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, RequestError):
            return ServingError(str(found))
        if isinstance(found, JanusError):
            return found
        found = found.__cause__ or found.__context__
    return expected(error) or error
