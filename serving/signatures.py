"""The signatures of an exported model: their names, methods and dtypes, and how they are read from its file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES, COLUMNS = "serving_default", "serving_columns"
"""The signature with one input of serialized tf.Examples, and the one with an input per raw column."""

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
"""The methods of the signatures of single tasks."""

FLOAT, DOUBLE, STRING = 1, 2, 7
"""The dtypes of the inputs of `serving_columns`, by their numbers in tensorflow/core/framework/types.proto."""

SAVED_MODEL = "saved_model.pb"
"""The file without which a folder is no model."""


def strings(values: Sequence[Any]) -> np.ndarray:
    """An object array [n] of the values; numpy's own string arrays drop trailing zero bytes."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def meta_graph_of(content: bytes) -> Any:
    """The MetaGraphDef of a SavedModel's first graph.

    Args:
        content: of its `saved_model.pb`.

    Raises:
        ValueError: it is no SavedModel, or holds no graph.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        saved_model = saved_model_pb2.SavedModel.FromString(content)
    except DecodeError as error:
        raise ValueError(f"{SAVED_MODEL} cannot be read: {error}") from error
    if not saved_model.meta_graphs:
        raise ValueError(f"{SAVED_MODEL} holds no graph")
    return saved_model.meta_graphs[0]


def read_meta_graph(model: Path) -> Any:
    """The MetaGraphDef of the model in a folder.

    Raises:
        ValueError: it cannot be read as a SavedModel.
    """
    try:
        return meta_graph_of((model / SAVED_MODEL).read_bytes())
    except OSError as error:
        raise ValueError(f"{SAVED_MODEL} cannot be read: {error}") from error
