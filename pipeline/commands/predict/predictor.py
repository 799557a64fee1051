"""Predicts chunks of rows, several at a time, and gives the output's columns in the rows' order."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from janus_core.errors import ServingError
from pipeline.commands.predict.chunks import Chunk
from pipeline.commands.predict.input_files import Source
from pipeline.commands.predict.output import TaskColumns, outputs_of
from serving.client import Client, RequestError


def output_schema(source: Source, tasks: Sequence[TaskColumns]) -> pa.Schema:
    """The columns that `predict_chunk` makes: the input's, then each task's."""
    return pa.schema([*source.schema, *(field for task in tasks for field in task.fields)])


def predict_chunk(client: Client, tasks: Sequence[TaskColumns], chunk: Chunk, first: bool = False) -> list[pa.Array]:
    """The output's columns of some rows: the input's, and each task's; of the first, classes' names are checked too.

    Raises:
        DataError: a value is wrong.
        ServingError: the model does not answer, or not as it should.
    """
    inputs = chunk.inputs()
    try:
        # Columns that the rows lack are given as missing by the client.
        answer = client.predict(inputs, outputs_of(tasks, first))
    except RequestError as error:
        rows = f"{chunk.rows} rows" if chunk.rows > 1 else "1 row"
        raise ServingError(f"{chunk.where} and on ({rows}): {error.code.name}: {error}") from error
    columns = chunk.repeated()
    for task in tasks:
        columns += task.columns(answer, chunk.rows)
    return columns


def predict_in_order(
    client: Client, tasks: Sequence[TaskColumns], chunks: Iterable[Chunk], concurrency: int
) -> Iterator[tuple[Chunk, list[pa.Array]]]:
    """Each chunk and its columns, in the chunks' order, with up to `concurrency` requests under way."""
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="predict")
    waiting: deque[tuple[Chunk, Future[list[pa.Array]]]] = deque()
    try:
        first = True
        for chunk in chunks:
            waiting.append((chunk, pool.submit(predict_chunk, client, tasks, chunk, first)))
            first = False
            # One more than are under way, so that none waits for the writer.
            if len(waiting) > concurrency:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
