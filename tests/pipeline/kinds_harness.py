"""Examples of every kind of task with their own labels, weights and predictions, and a model that returns them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.config import JanusConfig

LEVELS = [0.1, 0.5, 0.9]

TASKS: dict[str, dict[str, Any]] = {
    "visits": {"kind": "count", "label": "visits", "sample_weight": "importance"},
    "grade": {"kind": "ordinal", "label": "grade", "classes": ["A", "B", "C", "D"], "sample_weight": "importance"},
    "topics": {"kind": "multilabel", "label": "topics", "classes": ["x", "y", "z"], "sample_weight": "importance"},
    "delay": {"kind": "regression", "label": "delay", "loss": "quantile", "quantiles": LEVELS},
    "wait": {"kind": "regression", "label": "wait", "loss": "quantile", "quantiles": [0.7]},
    "buy": {"kind": "binary", "label": "buy", "given": "click", "sample_weight": "importance"},
    "click": {"kind": "binary", "label": "click", "loss": "focal"},
    "place": {"kind": "box", "label": "place", "sample_weight": "importance"},
    "names": {"kind": "sequence_tags", "label": "names", "sequence": "words", "classes": ["O", "B-A", "I-A"]},
}
THRESHOLDS = {"buy": 0.3, "click": 0.5}
"""Above which probability the model decides for the second class of a binary task."""
_WHOLE = ("grade", "buy", "click", "names")


@dataclass(frozen=True)
class KindsTable:
    """Rows of every kind of task.

    Attributes:
        origin: values to slice by, [n].
        labels: task → [n, width].
        weights: task → [n]; 0 masks the row.
        outputs: the model's output → [n, width].
    """

    origin: list[str]
    labels: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def kinds_config(gates: Mapping[str, Any] | None = None, tasks: Sequence[str] = tuple(TASKS)) -> JanusConfig:
    """A configuration with these tasks."""
    return JanusConfig.model_validate(
        {
            "name": "kinds",
            "data": {"path": "data", "format": "parquet"},
            "features": {
                "hour": {"kind": "numeric"},
                "photo": {"kind": "image", "size": [8, 8]},
                "words": {"kind": "sequence"},
            },
            "tasks": {name: TASKS[name] for name in tasks},
            "evaluation": {"slices": [["origin"]], "gates": dict(gates or {})},
            "push": {"path": "serving"},
        }
    )


def kinds_table(rows: int, seed: int = 3) -> KindsTable:
    """Labels that lean towards the predictions; probabilities are thousandths, so that no two fall into one bucket.

    A fifth of each task's labels is missing, the others have weights from 0.1 to 3, but `click` and `wait` of 1. In
    the slice ONE every label is the same.
    """
    random = np.random.default_rng(seed)
    origin = [str(value) for value in random.choice(["JFK", "LGA", "ONE"], size=rows, p=[0.5, 0.4, 0.1])]
    one = np.array(origin) == "ONE"

    grade = random.multinomial(996, random.dirichlet(np.full(4, 0.7), size=rows)) + 1
    topics, buy, click = (random.integers(1, 1000, size=(rows, width)) for width in (3, 1, 1))
    mean_visits = random.gamma(2.0, 1.5, size=(rows, 1))
    delay = np.sort(random.normal(10, 20, size=(rows, 3)), axis=1)
    wait = random.normal(5, 2, size=(rows, 1))
    labels = {
        "visits": random.poisson(mean_visits),
        "grade": np.array([[random.choice(4, p=p / 1000)] for p in grade]),
        "topics": random.uniform(size=(rows, 3)) * 1000 < topics,
        "delay": delay[:, 1:2] + random.normal(0, 15, size=(rows, 1)),
        "wait": wait + random.normal(0, 1, size=(rows, 1)),
        "buy": random.uniform(size=(rows, 1)) * 1000 < buy,
        "click": random.uniform(size=(rows, 1)) * 1000 < click,
    }
    # The other tasks' values stay as they were without these.
    own = np.random.default_rng(seed + 1)
    place = np.concatenate([corner := own.uniform(0, 0.5, size=(rows, 2)), corner + 0.4], axis=1)
    names = own.dirichlet(np.full(3, 0.5), size=(rows, 4))
    tagged = np.arange(4) < own.integers(1, 5, size=(rows, 1))
    labels["names"] = np.where(tagged, (names.cumsum(axis=2) > own.uniform(size=(rows, 4, 1))).argmax(axis=2), -1)
    labels["place"] = place + own.uniform(-0.15, 0.15, size=(rows, 4))
    for label in labels.values():
        label[one] = label[one][:1]
    weights = {}
    for name in TASKS:
        present = random.uniform(size=rows) < 0.8
        weights[name] = present * (1.0 if name in ("click", "wait") else random.uniform(0.1, 3, size=rows))
    outputs = {
        "visits": mean_visits,
        "grade": grade / 1000,
        "topics": topics / 1000,
        "delay": delay[:, 1:2],
        "delay/quantiles": delay,
        "wait": wait,
        "wait/quantiles": wait,
        "buy": buy / 1000,
        "click": click / 1000,
        "place": place,
        "names": names.reshape(rows, -1),
    }
    return KindsTable(
        origin=origin,
        labels={name: label.astype(np.float32) for name, label in labels.items()},
        weights={name: weight.astype(np.float32) for name, weight in weights.items()},
        outputs={name: values.astype(np.float32) for name, values in outputs.items()},
    )


def decisions_of(table: KindsTable, name: str) -> np.ndarray:
    """Which class the model decides for, object [n, 1]; of a binary task."""
    return np.where(table.outputs[name] > THRESHOLDS[name], b"1", b"0").astype(object)


def kinds_schema(table: KindsTable) -> str:
    """The schema of the examples."""
    columns = "\n".join(
        f'feature {{ name: "{name}" type: FLOAT shape {{ dim {{ size: {values.shape[1]} }} }} '
        "presence { min_fraction: 1 } }"
        for name, values in _columns(table).items()
    )
    return f'feature {{ name: "origin" type: BYTES }}\n{columns}'


def write_kinds_examples(folder: Path, table: KindsTable, shards: int = 3) -> Path:
    """Writes the rows in an Examples artifact's layout, as the split `eval`."""
    split = folder / "Split-eval"
    split.mkdir(parents=True)
    columns = _columns(table)
    examples = []
    for row, origin in enumerate(table.origin):
        features = {"origin": tf.train.Feature(bytes_list=tf.train.BytesList(value=[origin.encode()]))}
        for name, values in columns.items():
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values[row]))
        examples.append(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    for shard in range(shards):
        path = split / f"data_tfrecord-{shard:05d}-of-{shards:05d}.gz"
        with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for example in examples[shard::shards]:
                writer.write(example)
    return folder


def save_kinds_model(
    folder: Path,
    table: KindsTable,
    without: Sequence[str] = (),
    scale: float = 1.0,
    whole: Sequence[str] = _WHOLE,
) -> Path:
    """Saves a model that answers with the predictions in its examples times `scale`, in a Model artifact's layout.

    It has all outputs of the table but those in `without`; the labels of `whole` are class indices.
    """
    widths = {name: values.shape[1] for name, values in _columns(table).items()}
    model = _Model(widths, set(without), scale, set(whole))
    signatures = {"serving_default": model.serve, "transform_features": model.transform}
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=signatures)
    return folder


def _columns(table: KindsTable) -> dict[str, np.ndarray]:
    return {
        **{f"{name} output": values for name, values in table.outputs.items()},
        **{f"{name} label": values for name, values in table.labels.items()},
        **{f"{name} weight": values[:, None] for name, values in table.weights.items()},
    }


class _Model(tf.Module):
    def __init__(self, widths: dict[str, int], without: set[str], scale: float, whole: set[str]):
        super().__init__()
        self._widths = widths
        self._without = without
        self._scale = scale
        self._whole = whole

    def _parse(self, examples: tf.Tensor, *kinds: str) -> dict[str, tf.Tensor]:
        spec = {
            name: tf.io.FixedLenFeature([width], tf.float32)
            for name, width in self._widths.items()
            if name.endswith(kinds)
        }
        return tf.io.parse_example(examples, spec)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serve(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = {name.removesuffix(" output"): value for name, value in self._parse(examples, " output").items()}
        outputs = {name: value * self._scale for name, value in found.items()}
        for name, threshold in THRESHOLDS.items():
            outputs[f"{name}/decision"] = tf.where(outputs[name] > threshold, "1", "0")
        return {name: value for name, value in outputs.items() if name not in self._without}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def transform(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        found = self._parse(examples, " label", " weight")
        return {
            name.replace(" ", "/"): tf.cast(value, tf.int64) if name.removesuffix(" label") in self._whole else value
            for name, value in found.items()
        }
