"""Serialized tf.Examples → Arrow columns, by TensorFlow's parser.

It reads the wire format itself, on all cores and without Python's lock; tfx_bsl's decoder builds a protobuf per row and
takes about seven times as long.
"""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import tensorflow as tf

from janus_core.errors import DataError
from janus_core.tables.column_kinds import Kind
from janus_core.tables.lists import large_list

_DTYPES: dict[Kind, tf.DType] = {"int": tf.int64, "float": tf.float32, "bytes": tf.string}

_OTHER_TYPE = re.compile(r"Key: (.*), Index: \d+\.\s+Data types don't match. Expected type: (\w+), Actual type: (\w+)")

Columns = dict[str, pa.LargeListArray]


def parse_columns(records: tf.Tensor, kinds: Mapping[str, Kind]) -> Columns:
    """The columns of the given names and kinds, large lists [n], of records, string [n].

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
