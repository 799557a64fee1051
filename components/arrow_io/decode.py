"""tf.Examples of unknown columns → RecordBatches, exactly as tfx_bsl decodes them, but mostly by the faster parser."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from components.arrow_example_gen.kinds import Kind, kind_of_type
from components.arrow_io.columns import Columns, column_parser
from components.arrow_io.sizes import example_sizes

_SAMPLE_ROWS = 64
_PATIENCE = 3
"""After so many batches that only tfx_bsl could decode, the parser is no longer tried."""


def decode_batches(batches: Iterable[tf.Tensor]) -> Iterator[pa.RecordBatch]:
    """Batches of records, string [n], as RecordBatches of large lists [n], one per batch.

    The parser takes the columns met so far. It neither sees others nor tells an empty list from a missing feature, but
    both make a record longer than its columns account for; such a batch is decoded by tfx_bsl, which is asked for the
    columns of the first rows, too. Raises RuntimeError for a record that is no tf.Example.
    """
    decode = ExamplesToRecordBatchDecoder().DecodeBatch
    kinds: dict[str, Kind] = {}
    parse: Callable[[tf.Tensor], Columns] | None = None
    misses = 0
    for records in batches:
        if parse is None and misses < _PATIENCE:
            kinds.update(_kinds(decode(records[:_SAMPLE_ROWS].numpy())))
            parse = column_parser(kinds) if kinds else None
        columns = _complete(parse, records) if parse else None
        if columns is not None:
            yield pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
            continue
        batch = decode(records.numpy())
        kinds.update(_kinds(batch))
        parse, misses = None, misses + 1
        yield batch


def _complete(parse: Callable[[tf.Tensor], Columns], records: tf.Tensor) -> Columns | None:
    """The records' columns, or None if they are not all that the records hold."""
    try:
        columns = parse(records)
    except tf.errors.InvalidArgumentError:
        # tfx_bsl will tell what is wrong.
        return None
    sizes = tf.strings.length(records).numpy()
    return columns if np.array_equal(example_sizes(columns, len(sizes)), sizes) else None


def _kinds(batch: pa.RecordBatch) -> dict[str, Kind]:
    found = ((field.name, kind_of_type(field.type)) for field in batch.schema)
    return {name: kind for name, kind in found if kind is not None}
