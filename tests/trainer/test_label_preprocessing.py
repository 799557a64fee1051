"""Labels and weights of every form, as Transform makes them of raw columns."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import LabelConfig, PreprocessingConfig
from trainer.preprocessing import preprocessing_fn

NAN = float("nan")


def sparse(rows: list[list[Any]], dtype: tf.DType) -> tf.SparseTensor:
    """A column as it is parsed: each row's values, none where it is missing."""
    return tf.RaggedTensor.from_row_splits(
        tf.constant([value for row in rows for value in row], dtype), np.cumsum([0, *map(len, rows)])
    ).to_sparse()


def transformed(label: dict, **columns: Any) -> tuple[list, list]:
    """(labels, weights) of the task."""
    config = PreprocessingConfig(features={}, labels={"t": LabelConfig(column="y", **label)})
    outputs = preprocessing_fn(columns, {"preprocessing": config.model_dump_json()})
    assert outputs["t/weight"].dtype == tf.float32
    assert outputs["t/weight"].shape[1:] == [1]
    assert None not in outputs["t/label"].shape[1:]
    return outputs["t/label"].numpy().tolist(), outputs["t/weight"].numpy()[:, 0].tolist()


LISTS = [["a"], ["c", "a"], [], ["b", "b"], ["a", "z"], [""]]


@pytest.mark.parametrize(
    ("empty", "weights"), [("negative", [1.0, 1.0, 1.0, 1.0, 0.0, 1.0]), ("masked", [1.0, 1.0, 0.0, 1.0, 0.0, 0.0])]
)
def test_lists_of_classes(empty: str, weights: list[float]) -> None:
    label = {"form": "classes", "classes": ["a", "b", "c"], "empty": empty}
    labels, found = transformed(label, y=sparse(LISTS, tf.string))
    assert labels == [[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert found == weights


@pytest.mark.parametrize("dense", [False, True])
def test_classes_in_one_string(dense: bool) -> None:
    texts = ["a", "c|a", "", "b||b ", "a|z", " | ", "A"]
    raw = tf.constant([[text] for text in texts]) if dense else sparse([[text] for text in texts], tf.string)
    label = {"form": "classes", "classes": ["a", "b", "c"], "separator": "|"}
    labels, weights = transformed(label, y=raw)
    assert labels == [[1, 0, 0], [1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert weights == [1, 1, 1, 1, 0, 1, 0]


def test_a_missing_string_has_no_class() -> None:
    label = {"form": "classes", "classes": ["a", "b"], "separator": ", ", "empty": "masked"}
    assert transformed(label, y=sparse([["a, b"], []], tf.string)) == ([[1, 1], [0, 0]], [1, 0])


def test_classes_that_are_numbers() -> None:
    label = {"form": "classes", "classes": ["7", "12"]}
    assert transformed(label, y=sparse([[12], [7, 12], [8]], tf.int64)) == ([[0, 1], [1, 1], [0, 0]], [1, 1, 0])


def test_a_batch_without_any_value() -> None:
    label = {"form": "classes", "classes": ["a", "b"], "separator": "|"}
    assert transformed(label, y=sparse([[], []], tf.string)) == ([[0, 0], [0, 0]], [1, 1])


def test_one_class() -> None:
    label = {"form": "class", "classes": ["no", "yes"]}
    assert transformed(label, y=sparse([["yes"], ["no"], [], ["maybe"]], tf.string)) == (
        [[1], [0], [0], [0]],
        [1, 1, 0, 0],
    )


def test_counts_are_not_negative() -> None:
    raw = sparse([[0.0], [2.5], [-1.0], [], [NAN], [float("inf")]], tf.float32)
    assert transformed({"form": "count"}, y=raw) == ([[0.0], [2.5], [0.0], [0.0], [0.0], [0.0]], [1, 1, 0, 0, 0, 0])
    assert transformed({"form": "number"}, y=raw) == ([[0.0], [2.5], [-1.0], [0.0], [0.0], [0.0]], [1, 1, 1, 0, 0, 0])


def test_sample_weights() -> None:
    label = {"form": "number", "sample_weight": "w"}
    y = sparse([[1.0], [2.0], [3.0], [4.0], [5.0], [], [7.0]], tf.float32)
    w = sparse([[0.5], [3.0], [], [-1.0], [NAN], [2.0], [0.0]], tf.float32)
    labels, weights = transformed(label, y=y, w=w)
    assert labels == [[1.0], [2.0], [3.0], [4.0], [5.0], [0.0], [7.0]]
    assert weights == [0.5, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_whole_sample_weights_of_several_classes() -> None:
    label = {"form": "classes", "classes": ["a", "b"], "sample_weight": "w"}
    found = transformed(label, y=sparse([["a"], ["z"], ["b"]], tf.string), w=sparse([[2], [3], [4]], tf.int64))
    assert found == ([[1, 0], [0, 0], [0, 1]], [2, 0, 4])
