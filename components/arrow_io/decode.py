"""tf.Examples of unknown columns → RecordBatches, exactly as tfx_bsl decodes them, but mostly by the faster parser."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.arrow_example_gen.kinds import Kind, kind_of_type
from components.arrow_io.columns import Columns, column_parser
from components.arrow_io.sizes import example_sizes
from trainer.errors import DataError

_SAMPLE_ROWS = 64
_PATIENCE = 3
"""After so many batches that only tfx_bsl could decode, the parser is no longer tried."""


def decode_batches(batches: Iterable[tf.Tensor]) -> Iterator[pa.RecordBatch]:
    """Batches of records, string [n], as RecordBatches of large lists [n], one per batch.

    The parser takes the columns met so far. It neither sees others nor tells an empty list from a missing feature, but
    both make a record longer than its columns account for. A few of such records tell tfx_bsl's decoder which columns
    are new; if that does not account for all of the batch, the decoder takes the whole of it. Raises RuntimeError for a
    record that is no tf.Example.
    """
    decode = ExamplesToRecordBatchDecoder().DecodeBatch
    kinds: dict[str, Kind] = {}
    parse = column_parser(kinds)
    misses = 0
    for records in batches:
        columns, longer = _parsed(parse, records)
        if len(longer) and misses < _PATIENCE:
            kinds.update(_kinds(decode(tf.gather(records, longer[:_SAMPLE_ROWS]).numpy())))
            parse = column_parser(kinds)
            columns, longer = _parsed(parse, records)
        if len(longer):
            misses += 1
            batch = decode(records.numpy())
            kinds.update(_kinds(batch))
            parse = column_parser(kinds)
        else:
            batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        yield batch


def _parsed(parse: Callable[[tf.Tensor], Columns], records: tf.Tensor) -> tuple[Columns, np.ndarray]:
    """The records' columns, and the places of records that hold more."""
    try:
        columns = parse(records)
    except DataError:
        # tfx_bsl will tell what is wrong.
        return {}, np.arange(len(records))
    sizes = tf.strings.length(records).numpy()
    return columns, np.flatnonzero(example_sizes(columns, len(sizes)) != sizes)


def _kinds(batch: pa.RecordBatch) -> dict[str, Kind]:
    found = ((field.name, kind_of_type(field.type)) for field in batch.schema)
    return {name: kind for name, kind in found if kind is not None}
