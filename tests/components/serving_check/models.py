"""Small SavedModels with the signatures of an exported one, each wrong in one way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.components.examples import example

Price = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
"""x [n], color [n], stops [n] (NaN where missing) → price [n]."""

Errors = Callable[[tf.Tensor], tf.Tensor]
"""color [n] → the error of each row [n], empty where it has none."""

ROWS = [
    example({"x": 0.5 * number, "color": color, "stops": stops, "label": 7.0})
    for number, (color, stops) in enumerate([(b"red", 1), (b"blue", None), (None, 3), (None, None), (b"red", 0)])
]


def good_price(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    return 3 * x + tf.where(color == "red", 100.0, 0.0) + tf.where(tf.math.is_nan(stops), 0.5, stops)


def nan_for_unseen(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    known = tf.reduce_any(color[:, None] == tf.constant([["", "red", "blue"]]), axis=1)
    return tf.where(known, good_price(x, color, stops), np.nan)


def nan_without_stops(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    # Fine for the rows that have a color or an x.
    return tf.where(tf.math.is_nan(stops) & (color == "") & (x < 1), np.nan, good_price(x, color, stops))


def infinite_for_large(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    return tf.where(x == 1.5, np.inf, good_price(x, color, stops))


def relative_to_batch(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    price = good_price(x, color, stops)
    return price - tf.reduce_mean(price)


def by_python(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    price = tf.py_function(lambda value: value * 2, [good_price(x, color, stops)], tf.float32)
    return tf.reshape(price, tf.shape(x))


def slow(x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    matrix = tf.fill([256, 256], 1e-4) + 0 * tf.reduce_sum(x)
    turned = tf.while_loop(lambda step, _: step < 100, lambda step, m: (step + 1, tf.matmul(m, m)), (0, matrix))[1]
    return good_price(x, color, stops) + turned[0, 0]


class _Model(tf.Module):
    def __init__(self, price: Price, columns_price: Price, refuses: bool, errors: Errors | None):
        super().__init__()
        self._refuses, self._errors = refuses, errors
        self._price, self._columns_price = price, columns_price
        self.scale = tf.Variable(2.0)
        self.offsets = tf.Variable(tf.zeros([1 << 12]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {
            "x": tf.io.FixedLenFeature([], tf.float32),
            "color": tf.io.VarLenFeature(tf.string),
            "stops": tf.io.VarLenFeature(tf.int64),
        }
        parsed = tf.io.parse_example(examples, spec)
        rows = tf.shape(examples)[0]
        color = self._first(parsed["color"], rows, "")
        return self._outputs(self._price, parsed["x"], color, self._first(parsed["stops"], rows, np.nan))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "x"),
            tf.TensorSpec([None], tf.string, "color"),
            tf.TensorSpec([None], tf.float64, "stops"),
        ]
    )
    def serving_columns(self, x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.shape(x)
        if self._refuses:
            whole = (tf.floor(stops) == stops) & (tf.abs(stops) < 2**53)
            right = tf.reduce_all(tf.math.is_nan(stops) | whole) & ~tf.reduce_any(tf.math.is_nan(x))
            with tf.control_dependencies([tf.debugging.Assert(right, ["wrong values"])]):
                rows = tf.identity(rows)
        stops = tf.cast(tf.broadcast_to(stops, rows), tf.float32)
        return self._outputs(self._columns_price, x, tf.broadcast_to(color, rows), stops)

    @staticmethod
    def _first(values: tf.SparseTensor, rows: tf.Tensor, missing: Any) -> tf.Tensor:
        if values.dtype == tf.int64:
            values = tf.cast(values, tf.float32)
        dense = tf.sparse.to_dense(values, missing)
        return tf.concat([dense, tf.fill([rows, 1], tf.constant(missing, dense.dtype))], axis=1)[:, 0]

    def _outputs(self, price: Price, x: tf.Tensor, color: tf.Tensor, stops: tf.Tensor) -> dict[str, tf.Tensor]:
        high = tf.sigmoid(x) + 0 * tf.reduce_sum(self.offsets)
        classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(x)[0], 1])
        return {
            **({"error": self._errors(color)} if self._errors else {}),
            "price": (self.scale * price(x, color, stops))[:, None],
            "twice": (2 * self.scale * price(x, color, stops))[:, None],
            "level/classes": classes,
            "level/probabilities": tf.stack([1 - high, high], axis=1),
        }


def save_model(
    folder: Path,
    price: Price = good_price,
    columns_price: Price | None = None,
    refuses: bool = True,
    errors: Errors | None = None,
) -> Path:
    """A SavedModel in `folder` with serving_default, serving_columns, and the signature `level` of a task.

    It refuses wrong values in serving_columns, or not; with `errors`, it has the output `error`.
    """
    module = _Model(price, columns_price or price, refuses, errors)
    names = ("serving_default", "serving_columns")
    tf.saved_model.save(module, str(folder), signatures={name: getattr(module, name) for name in names})
    edit(folder, _finish)
    return folder


def edit(folder: Path, change: Callable[[Any], None]) -> None:
    """Changes the MetaGraphDef of a SavedModel."""
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString(deterministic=True))


def swap_outputs(meta_graph: Any) -> None:
    """`price` and `twice` change places where TF Serving looks, and not in the functions that Python calls."""
    for name in ("serving_default", "serving_columns"):
        outputs = meta_graph.signature_def[name].outputs
        outputs["price"].name, outputs["twice"].name = outputs["twice"].name, outputs["price"].name


def use_unknown_operation(meta_graph: Any) -> None:
    meta_graph.graph_def.library.function[0].node_def.add(name="strange", op="DecodeStrangely")


def _finish(meta_graph: Any) -> None:
    definitions = meta_graph.signature_def
    defaults = definitions["serving_columns"].defaults
    defaults["color"].CopyFrom(tf.make_tensor_proto([""]))
    defaults["stops"].CopyFrom(tf.make_tensor_proto([np.nan], tf.float64))
    task, default = definitions["level"], definitions["serving_default"]
    task.method_name = "tensorflow/serving/classify"
    task.inputs["inputs"].CopyFrom(default.inputs["examples"])
    task.outputs["classes"].CopyFrom(default.outputs["level/classes"])
    task.outputs["scores"].CopyFrom(default.outputs["level/probabilities"])
