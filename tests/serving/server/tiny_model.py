"""A SavedModel with the signatures of a pushed one, and some more that only tests need."""

from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

CLASSES = ("no", "yes")


class TinyModel(tf.Module):
    """delay = 2 · distance + stops + offset, and 5 more of EV; late is "yes" with the probability sigmoid(distance)."""

    def __init__(self, offset: float):
        super().__init__()
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(
            examples,
            {
                "distance": tf.io.FixedLenFeature([], tf.float32),
                "carrier": tf.io.FixedLenFeature([], tf.string, ""),
                "stops": tf.io.FixedLenFeature([], tf.int64, 0),
            },
        )
        return self._outputs(parsed["distance"], parsed["carrier"], tf.cast(parsed["stops"], tf.float32))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "distance"),
            tf.TensorSpec([None], tf.string, "carrier"),
            tf.TensorSpec([None], tf.float64, "stops"),
        ]
    )
    def serving_columns(self, distance: tf.Tensor, carrier: tf.Tensor, stops: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.where(tf.math.is_nan(stops), tf.zeros_like(stops), stops)
        return self._outputs(distance, carrier, tf.cast(known, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def echo(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": tf.identity(text), "text_bytes": tf.identity(text)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "pairs")])
    def sums(self, pairs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(pairs, axis=1)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "whole"),
            tf.TensorSpec([None], tf.int64, "long"),
            tf.TensorSpec([None], tf.bool, "flag"),
        ]
    )
    def kinds(self, whole: tf.Tensor, long: tf.Tensor, flag: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"whole": whole + 1, "long": long + 1, "flag": tf.logical_not(flag)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float16, "half")])
    def halves(self, half: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"half": half * 2}

    def _outputs(self, distance: tf.Tensor, carrier: tf.Tensor, stops: tf.Tensor) -> dict[str, tf.Tensor]:
        yes = tf.sigmoid(distance)
        slow = tf.where(carrier == "EV", 5.0, 0.0)
        late = tf.stack([1 - yes, yes], axis=1)
        classes = tf.tile(tf.constant([CLASSES]), [tf.shape(distance)[0], 1])
        return {
            "delay": (2 * distance + stops + slow + self.offset)[:, None],
            "late": late,
            "late/classes": classes,
            "late/probabilities": tf.identity(late),
        }


def save_model(path: Path, offset: float) -> None:
    """Writes the model with this offset of `delay`."""
    module = TinyModel(offset)
    names = ("serving_default", "serving_columns", "echo", "sums", "kinds", "halves")
    tf.saved_model.save(module, str(path), signatures={name: getattr(module, name) for name in names})
    _add_task_signatures(path / "saved_model.pb")


def _add_task_signatures(file: Path) -> None:
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    signatures = saved.meta_graphs[0].signature_def
    columns, default = signatures["serving_columns"], signatures["serving_default"]
    columns.defaults["carrier"].CopyFrom(tf.make_tensor_proto([""]))
    columns.defaults["stops"].CopyFrom(tf.make_tensor_proto([float("nan")], tf.float64))
    for name, method, outputs in (
        ("late", "classify", {"classes": "late/classes", "scores": "late/probabilities"}),
        ("delay", "regress", {"outputs": "delay"}),
    ):
        signature = signatures[name]
        signature.method_name = f"tensorflow/serving/{method}"
        signature.inputs["inputs"].CopyFrom(default.inputs["examples"])
        for output, source in outputs.items():
            signature.outputs[output].CopyFrom(default.outputs[source])
    file.write_bytes(saved.SerializeToString(deterministic=True))
