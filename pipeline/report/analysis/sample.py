"""A seeded sample of the eval split, as the exported model predicts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2

from janus_core.examples.draw import in_calls
from serving.saved_model import LoadedModel
from trainer.names import label_name, weight_name


@dataclass(frozen=True)
class Predicted:
    """A task's labelled rows.

    Attributes:
        rows: their places in the sample, [n].
        labels: [n, width] as `trainer.names.label_name` says.
        weights: [n], above 0.
        output: the model's output named after the task, [n, width].
        quantiles: [n, levels] of a task that predicts them.
        decision: object [n, 1], the decided class of a binary task.
    """

    rows: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    output: np.ndarray
    quantiles: np.ndarray | None = None
    decision: np.ndarray | None = None


def part_of(predicted: Predicted, rows: np.ndarray) -> Predicted:
    """Those of the labelled rows that are among `rows`, places in the sample."""
    inside = np.isin(predicted.rows, rows)
    parts: dict[str, Any] = {name: None if v is None else v[inside] for name, v in vars(predicted).items()}
    return Predicted(**parts)


def predict(model: LoadedModel, records: Sequence[bytes], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Output → values [rows, …] of `serving_default`.

    Raises:
        RequestError: the model refuses a row, or has no such output.
    """
    return in_calls(records, lambda part: model.run("serving_default", {"examples": part}, outputs))


def predicted_tasks(model: LoadedModel, records: Sequence[bytes], tasks: Sequence[str]) -> dict[str, Predicted]:
    """Each task's labelled rows, of those tasks that have any.

    Raises:
        RequestError: the model refuses a row.
    """
    available = model.signature("serving_default").outputs
    names = [name for task in tasks for name in (task, f"{task}/quantiles", f"{task}/decision")]
    outputs = [name for name in names if name in available]
    answers = predict(model, records, outputs)
    labels = in_calls(records, lambda part: model.run("transform_features", {"examples": part}))
    by_task = {}
    for task in tasks:
        weights = labels[weight_name(task)].reshape(len(records), -1)[:, 0].astype(np.float64)
        rows = np.flatnonzero(weights > 0)
        if not len(rows) or task not in answers:
            continue
        quantiles, decision = answers.get(f"{task}/quantiles"), answers.get(f"{task}/decision")
        by_task[task] = Predicted(
            rows=rows,
            labels=labels[label_name(task)].reshape(len(records), -1)[rows],
            weights=weights[rows],
            output=answers[task].reshape(len(records), -1)[rows].astype(np.float64),
            quantiles=None if quantiles is None else quantiles[rows].astype(np.float64),
            decision=None if decision is None else decision[rows],
        )
    return by_task


def slices_of(examples: Sequence[example_pb2.Example], slices: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
    """`a=1,b=2` → the rows of the slice, named as report.json names them; a row with several values is in several."""
    rows: dict[str, list[int]] = {}
    for columns in slices:
        ordered = sorted(columns)
        for row, example in enumerate(examples):
            names = [""]
            for column in ordered:
                values = dict.fromkeys(_texts(example.features.feature, column))
                names = [f"{name}{',' if name else ''}{column}={value}" for name in names for value in values]
            for name in names:
                rows.setdefault(name, []).append(row)
    return {name: np.array(inside) for name, inside in rows.items()}


def _texts(features: Mapping[str, feature_pb2.Feature], column: str) -> list[str]:
    if column not in features:
        return []
    feature = features[column]
    kind = feature.WhichOneof("kind")
    if kind == "bytes_list":
        return [value.decode("utf-8", errors="replace") for value in feature.bytes_list.value]
    if kind == "float_list":
        return [str(np.float32(value)) for value in feature.float_list.value]
    return [str(value) for value in feature.int64_list.value]
