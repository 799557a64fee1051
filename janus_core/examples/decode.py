"""tf.Examples of unknown columns → RecordBatches, exactly as tfx_bsl decodes them, but mostly by the faster parser."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

from janus_core.errors import DataError
from janus_core.examples.encode import distinct_sizes, entry_prefix, varint, varint_sizes
from janus_core.tables.column_kinds import Kind, kind_of_type
from janus_core.tables.lists import large_list, list_offsets

_DTYPES: dict[Kind, tf.DType] = {"int": tf.int64, "float": tf.float32, "bytes": tf.string}

_OTHER_TYPE = re.compile(r"Key: (.*), Index: \d+\.\s+Data types don't match. Expected type: (\w+), Actual type: (\w+)")

Columns = dict[str, pa.LargeListArray]


def parse_columns(records: tf.Tensor, kinds: Mapping[str, Kind]) -> Columns:
    """The columns of the given names and kinds, large lists [n], of records, string [n].

    TensorFlow's parser reads the wire format itself, on all cores and without Python's lock; tfx_bsl's decoder builds a
    protobuf per row and takes about seven times as long.

    A row without values is null; the parser does not show whether the feature was missing or its list empty. Raises
    DataError for a record that is not a tf.Example and for values of another kind.
    """
    spec = {name: tf.io.RaggedFeature(_DTYPES[kind], row_splits_dtype=tf.int64) for name, kind in kinds.items()}
    try:
        parsed = tf.io.parse_example(records, spec) if spec else {}
    except tf.errors.InvalidArgumentError as error:
        other = _OTHER_TYPE.search(error.message)
        if other is not None:
            raise DataError(
                f"examples cannot be read: column '{other[1]}' is {other[3]} in them, but {other[2]} in the schema, "
                "for example because one span has whole numbers and another fractions; write a schema, which fixes the "
                "type (janus schema CONFIG --write), and ingest the spans again"
            ) from error
        raise DataError(f"examples cannot be read: {error.message}") from error
    except UnicodeDecodeError as error:
        # TensorFlow's message quotes the record, and Python takes only text.
        raise DataError("examples cannot be read: a record is not a tf.Example") from error
    return {name: _column(parsed[name].values.numpy(), parsed[name].row_splits.numpy()) for name in kinds}


def _column(values: np.ndarray, splits: np.ndarray) -> pa.LargeListArray:
    arrow_type = pa.large_binary() if values.dtype == object else pa.from_numpy_dtype(values.dtype)
    return large_list(splits, pa.array(values, arrow_type), splits[1:] == splits[:-1])


_SAMPLE_ROWS = 64
_ROUNDS = 3
_PATIENCE = 3
"""How many samples a batch is given, and after how many failed batches the parser is no longer tried."""


def decode_batches(batches: Iterable[tf.Tensor]) -> Iterator[pa.RecordBatch]:
    """Batches of records, string [n], as RecordBatches of large lists [n], one per batch.

    The parser takes the columns met so far. It neither sees others nor distinguishes an empty list from a missing
    feature, but both make a record longer than its columns account for. A sample of such records shows tfx_bsl's
    decoder which columns are new; if that does not account for all of the batch, the decoder takes the whole of it.

    Raises RuntimeError for a record that is not a tf.Example.
    """
    decode = ExamplesToRecordBatchDecoder().DecodeBatch
    kinds: dict[str, Kind] = {}
    misses = 0
    for records in batches:
        batch = _parsed(records, kinds, decode) if misses < _PATIENCE else None
        if batch is None:
            misses += 1
            batch = decode(records.numpy())
            kinds.update(_kinds(batch))
        yield batch


def _parsed(
    records: tf.Tensor, kinds: dict[str, Kind], decode: Callable[[np.ndarray], pa.RecordBatch]
) -> pa.RecordBatch | None:
    """The records by the parser, or None if it misses some of what they hold; adds new columns to `kinds`."""
    for _ in range(_ROUNDS):
        columns, longer = _columns(records, kinds)
        if not len(longer):
            return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        sample = longer[:: -(-len(longer) // _SAMPLE_ROWS)]
        kinds.update(_kinds(decode(tf.gather(records, sample).numpy())))
    return None


def _columns(records: tf.Tensor, kinds: Mapping[str, Kind]) -> tuple[Columns, np.ndarray]:
    """The records' columns of the given kinds, and the places of records that hold more."""
    try:
        columns = parse_columns(records, kinds)
    except DataError:
        # tfx_bsl will report what is wrong.
        return {}, np.arange(len(records))
    sizes = tf.strings.length(records).numpy()
    return columns, np.flatnonzero(example_sizes(columns, len(sizes)) != sizes)


def _kinds(batch: pa.RecordBatch) -> dict[str, Kind]:
    found = ((field.name, kind_of_type(field.type)) for field in batch.schema)
    return {name: kind for name, kind in found if kind is not None}


def example_sizes(columns: Mapping[str, pa.Array], rows: int) -> np.ndarray:
    """Bytes of each row's tf.Example, int64 [rows], if it has the columns' values and nothing else.

    `columns` are large lists [rows] of int64, float32 or large_binary; an empty list counts as no feature at all.
    """
    total = np.zeros(rows, np.int64)
    for name, column in columns.items():
        total += _entry_sizes(name, column)
    return _by_size(total, lambda size: 1 + len(varint(size)) + size)


def _entry_sizes(name: str, column: pa.Array) -> np.ndarray:
    kind = kind_of_type(column.type)
    if kind is None:
        raise ValueError(f"column '{name}' has no kind")
    key, offsets, values = name.encode(), list_offsets(column), column.values
    if kind == "float":
        payload = np.diff(offsets) * 4
    else:
        sizes = varint_sizes(values.to_numpy().view(np.uint64)) if kind == "int" else _tagged_sizes(values)
        ends = np.concatenate([[0], np.cumsum(sizes)])
        payload = ends[offsets[1:]] - ends[offsets[:-1]]
    sizes = _by_size(payload, lambda size: len(entry_prefix(key, kind, size)) + size)
    return np.where(np.diff(offsets) > 0, sizes, 0)


def _tagged_sizes(values: pa.Array) -> np.ndarray:
    lengths = np.diff(np.frombuffer(values.buffers()[1], np.int64, len(values) + 1, values.offset * 8))
    return _by_size(lengths, lambda size: 1 + len(varint(size)) + size)


def _by_size(sizes: np.ndarray, make: Callable[[int], int]) -> np.ndarray:
    distinct, places = distinct_sizes(sizes)
    return np.array([make(size) for size in distinct.tolist()], np.int64)[places]
