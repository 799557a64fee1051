"""A SavedModel with every kind of task and column, whose names are hard to show."""

from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving.description import ColumnDescription, ModelDescription, TaskDescription, write_description
from serving.warmup import write_warmup

HARD = "a \"b\" 'c' / <script>window.harmed = 1</script> ü"
"""The name of an optional text column, of a class, and a value of `carrier`."""

REFUSED = 13.0
"""A distance that the model fails on."""

ROWS: list[dict[str, Any]] = [
    {"distance": [1.5], "carrier": ["UA"], "stops": [2], "pair": [0.5, 2.0], "tags": ["wifi", "a, b"], HARD: ["x"]},
    {"distance": [-0.25], "carrier": [HARD], "pair": [1.0, -1.0]},
]
"""Of the warm-up requests."""

DESCRIPTION = ModelDescription(
    columns={
        "distance": ColumnDescription(dtype="float", required=True),
        "carrier": ColumnDescription(dtype="string", required=True, values=["UA", "EV", HARD]),
        "pair": ColumnDescription(dtype="float", required=True, length=2),
        "stops": ColumnDescription(dtype="int", required=False),
        "tags": ColumnDescription(dtype="string", required=False, many=True, values=["wifi", "meal"]),
        HARD: ColumnDescription(dtype="string", required=False),
    },
    tasks={
        "status": TaskDescription(
            kind="multiclass",
            label="status",
            classes=["on_time", HARD, "late"],
            outputs=["status", "status/classes", "status/probabilities"],
            signature="",
        ),
        "buy": TaskDescription(
            kind="binary",
            label="buy",
            classes=["no", "yes"],
            outputs=["buy", "buy/classes", "buy/conditional", "buy/probabilities"],
            signature="",
        ),
        "delay": TaskDescription(kind="regression", label="delay", unit="minutes", outputs=["delay"], signature=""),
        "visits": TaskDescription(kind="count", label="visits", outputs=["visits"], signature=""),
        "wait": TaskDescription(
            kind="regression",
            label="wait",
            unit="minutes",
            quantiles=[0.1, 0.5, 0.9],
            outputs=["wait", "wait/levels", "wait/quantiles"],
            signature="",
        ),
        "amenities": TaskDescription(
            kind="multilabel",
            label="amenities",
            classes=["wifi", "meal", "power"],
            outputs=["amenities", "amenities/classes", "amenities/probabilities"],
            signature="",
        ),
        "grade": TaskDescription(
            kind="ordinal",
            label="grade",
            classes=["low", "middle", "high"],
            outputs=["grade", "grade/classes", "grade/probabilities"],
            signature="",
        ),
    },
)


class PageModel(tf.Module):
    """Some arithmetic of all columns."""

    def __init__(self, offset: float):
        super().__init__()
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(
            examples,
            {
                "distance": tf.io.FixedLenFeature([], tf.float32),
                "carrier": tf.io.FixedLenFeature([], tf.string),
                "pair": tf.io.FixedLenFeature([2], tf.float32),
                "stops": tf.io.FixedLenFeature([], tf.int64, 0),
                "tags": tf.io.RaggedFeature(tf.string),
                HARD: tf.io.FixedLenFeature([], tf.string, ""),
            },
        )
        tags = parsed["tags"].to_tensor(default_value="")
        stops = tf.cast(parsed["stops"], tf.float64)
        return self._outputs(parsed["distance"], parsed["carrier"], parsed["pair"], stops, tags, parsed[HARD])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "distance"),
            tf.TensorSpec([None], tf.string, "carrier"),
            tf.TensorSpec([None, 2], tf.float32, "pair"),
            tf.TensorSpec([None], tf.float64, "stops"),
            tf.TensorSpec([None, None], tf.string, "tags"),
            tf.TensorSpec([None], tf.string, "hard"),
        ]
    )
    def serving_columns(
        self,
        distance: tf.Tensor,
        carrier: tf.Tensor,
        pair: tf.Tensor,
        stops: tf.Tensor,
        tags: tf.Tensor,
        hard: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        stops = tf.where(tf.math.is_nan(stops), tf.zeros_like(stops), stops)
        return self._outputs(distance, carrier, pair, stops, tags, hard)

    def _outputs(
        self,
        distance: tf.Tensor,
        carrier: tf.Tensor,
        pair: tf.Tensor,
        stops: tf.Tensor,
        tags: tf.Tensor,
        hard: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        fine = tf.debugging.Assert(tf.reduce_all(distance != REFUSED), ["this distance is <b>refused</b>"])
        with tf.control_dependencies([fine]):
            distance = tf.identity(distance)
        odd = tf.where(carrier == HARD, 1.0, 0.0) + tf.where(hard == "x", 2.0, 0.0)
        with_tags = tf.reduce_sum(tf.cast(tags != "", tf.float32), axis=1)
        with_comma = tf.reduce_sum(tf.cast(tags == "a, b", tf.float32), axis=1)
        delay = 10 * distance + pair[:, 0] * pair[:, 1] + tf.cast(stops, tf.float32) + odd + self.offset
        flags = tf.stack([with_tags - 0.5, with_comma - 0.5, distance], axis=1)
        yes = tf.sigmoid(distance)[:, None]
        outputs = {
            "delay": delay[:, None],
            "visits": tf.exp(distance)[:, None],
            "wait": delay[:, None] + 10,
            "wait/quantiles": delay[:, None] + tf.constant([[3.0, 10.0, 41.0]]),
            "wait/levels": tf.tile(tf.constant([[0.1, 0.5, 0.9]]), [tf.shape(delay)[0], 1]),
            "buy": yes,
            "buy/conditional": tf.sqrt(yes),
        }
        grade = tf.nn.softmax(tf.stack([distance, distance * 2, -distance], axis=1))
        for task, probabilities in (
            ("status", tf.nn.softmax(tf.stack([distance, odd, tf.ones_like(odd)], axis=1))),
            ("buy", tf.concat([1 - yes, yes], axis=1)),
            ("amenities", tf.sigmoid(4 * flags)),
            ("grade", grade),
        ):
            classes = tf.constant([DESCRIPTION.tasks[task].classes])
            outputs[f"{task}/classes"] = tf.tile(classes, [tf.shape(delay)[0], 1])
            outputs[f"{task}/probabilities"] = probabilities
            outputs.setdefault(task, tf.identity(probabilities))
        return outputs


def save_page_model(path: Path, offset: float, described: bool = True) -> Path:
    """Writes the model, its description and its warm-up requests.

    Args:
        path: the version's folder.
        offset: of `delay`.
        described: whether it has a description and warm-up requests.
    """
    module = PageModel(offset)
    signatures = {name: getattr(module, name) for name in ("serving_default", "serving_columns")}
    tf.saved_model.save(module, str(path), signatures=signatures)
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    columns = saved.meta_graphs[0].signature_def["serving_columns"]
    # A Python function has no argument of such a name, a SignatureDef may have.
    columns.inputs[HARD].CopyFrom(columns.inputs["hard"])
    del columns.inputs["hard"]
    columns.defaults["stops"].CopyFrom(tf.make_tensor_proto([float("nan")], tf.float64))
    columns.defaults["tags"].CopyFrom(tf.make_tensor_proto([[""]]))
    columns.defaults[HARD].CopyFrom(tf.make_tensor_proto([""]))
    file.write_bytes(saved.SerializeToString(deterministic=True))
    if described:
        write_description(path, DESCRIPTION)
        write_warmup(path, [_example(row) for row in ROWS])
    return path


def _example(row: dict[str, Any]) -> bytes:
    example = tf.train.Example()
    for name, values in row.items():
        feature = example.features.feature[name]
        if DESCRIPTION.columns[name].dtype == "string":
            feature.bytes_list.value.extend(value.encode() for value in values)
        elif DESCRIPTION.columns[name].dtype == "int":
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return example.SerializeToString()
