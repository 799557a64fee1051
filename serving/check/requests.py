"""Requests to a model's signatures, made from raw rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from serving.rows import columns_of_examples
from serving.signatures import CLASSIFY, COLUMNS, EXAMPLES, REGRESS, signature_of, strings

UNSEEN = b"\xef\xbf\xbd unseen by training \xef\xbf\xbd"
"""A value that no column of a training table has."""

Inputs = dict[str, np.ndarray]
"""Input of a signature → its values, a row each."""


def signatures_of(definitions: Mapping[str, Any]) -> list[str]:
    """The signatures that clients call; `transform_features` is the Evaluator's."""
    of_tasks = [
        name for name, definition in sorted(definitions.items()) if definition.method_name in (CLASSIFY, REGRESS)
    ]
    return [name for name in (EXAMPLES, COLUMNS) if name in definitions] + of_tasks


def inputs_of(signature: str, definition: Any, rows: Sequence[bytes]) -> Inputs:
    """The rows, serialized tf.Examples, as a signature takes them.

    Raises:
        ValueError: the signature takes neither columns nor serialized tf.Examples.
    """
    if signature == COLUMNS:
        return columns_of_examples(signature_of(definition), rows)
    names = list(definition.inputs)
    if len(names) != 1:
        raise ValueError(f"{signature} has the inputs {', '.join(sorted(names))} instead of one of serialized examples")
    return {names[0]: strings(rows)}


def take(inputs: Mapping[str, np.ndarray], rows: np.ndarray) -> Inputs:
    """The inputs of some rows, in the order given."""
    return {name: values[rows] for name, values in inputs.items()}


def with_unseen(row: bytes, column: str) -> bytes:
    """The row with a value of a string column that no training data has."""
    import tensorflow as tf

    example = tf.train.Example.FromString(row)
    example.features.feature[column].Clear()
    example.features.feature[column].bytes_list.value.append(UNSEEN)
    return example.SerializeToString(deterministic=True)


def values_to_refuse(definition: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Inputs of serving_columns, each with a value for one row that the model must refuse.

    Whole numbers are passed as float64, so that infinities, fractions and numbers beyond 2^53 must be refused; in a
    required column, so must the value that stands for a missing one.
    """
    from tensorflow import dtypes

    for name, info in sorted(definition.inputs.items()):
        shape = [1, *(dimension.size for dimension in info.tensor_shape.dim[1:])]
        dtype = dtypes.as_dtype(info.dtype)
        values: list[float | bytes] = [np.inf, -np.inf, 1e30, 0.5] if dtype == dtypes.float64 else []
        if name not in definition.defaults:
            values.append(b"" if dtype == dtypes.string else np.nan)
        for value in values:
            yield name, np.full(shape, value, object if dtype == dtypes.string else dtype.as_numpy_dtype)
