"""A seeded sample of the eval split, as the exported model predicts it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2

from janus_core.examples.records import record_batches
from janus_core.examples.shards import shard_files
from serving.saved_model import LoadedModel
from trainer.names import label_name, weight_name

READ_PER_SAMPLED = 25
"""Of a large split, whole files are read until there are so many times as many rows as are sampled."""

ROWS_PER_CALL = 2048


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

    def moved(self, rows: np.ndarray) -> "Predicted":
        """The same rows at other places."""
        return replace(self, rows=rows)


def part_of(predicted: Predicted, rows: np.ndarray) -> Predicted:
    """Those of the labelled rows that are among `rows`, places in the sample."""
    inside = np.isin(predicted.rows, rows)
    parts: dict[str, Any] = {name: None if v is None else v[inside] for name, v in vars(predicted).items()}
    return Predicted(**parts)


@dataclass(frozen=True)
class Drawn:
    """Rows that were drawn from a split, in its order.

    Attributes:
        records: serialized tf.Examples.
        places: int64 [n, 2], of each its file among the split's, and its place in the file.
        read: how many rows they were drawn from.
    """

    records: list[bytes]
    places: np.ndarray
    read: int


def draw_records(split_uri: str, wanted: int, seed: int, whole: bool = False) -> tuple[list[bytes], int]:
    """The records of `draw_rows`, and how many were read."""
    drawn = draw_rows(split_uri, wanted, seed, whole)
    return drawn.records, drawn.read


def draw_rows(split_uri: str, wanted: int, seed: int, whole: bool = False) -> Drawn:
    """Draws rows without replacement.

    Args:
        split_uri: the folder of the split.
        wanted: how many; fewer where the split has fewer.
        seed: of the draw, and of the order in which a large split's files are read.
        whole: whether all of a large split is read: its files may be of different times.

    Raises:
        DataError: there is no file, or one is damaged.
    """
    random = np.random.default_rng(seed)
    files = shard_files(split_uri)
    taken, read, priorities = [], 0, np.empty(0)
    for file in random.permutation(len(files)):
        before = read
        for batch in record_batches(files[file]):
            keys = random.random(len(batch))
            # The rows with the least keys are a uniform draw, of which only as many are held as are wanted.
            limit = np.partition(np.append(priorities, keys), wanted - 1)[wanted - 1] if read >= wanted else 1.0
            near = np.flatnonzero(keys <= limit)
            records = batch.numpy()[near].tolist()
            taken += [
                (key, int(file), read - before + int(row), record)
                for key, row, record in zip(keys[near], near, records, strict=True)
            ]
            read += len(keys)
            if len(taken) > 2 * wanted:
                taken = sorted(taken)[:wanted]
            priorities = np.array([key for key, *_ in taken])
        if not whole and read >= READ_PER_SAMPLED * wanted:
            break
    chosen = sorted(sorted(taken)[:wanted], key=lambda item: item[1:3])
    places = np.array([item[1:3] for item in chosen], np.int64).reshape(-1, 2)
    return Drawn([record for *_, record in chosen], places, read)


def predict(model: LoadedModel, records: Sequence[bytes], outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Output → values [rows, …] of `serving_default`.

    Raises:
        RequestError: the model refuses a row, or has no such output.
    """
    return _in_calls(records, lambda part: model.run("serving_default", {"examples": part}, outputs))


def predicted_tasks(model: LoadedModel, records: Sequence[bytes], tasks: Sequence[str]) -> dict[str, Predicted]:
    """Each task's labelled rows, of those tasks that have any.

    Raises:
        RequestError: the model refuses a row.
    """
    available = model.signature("serving_default").outputs
    names = [name for task in tasks for name in (task, f"{task}/quantiles", f"{task}/decision")]
    outputs = [name for name in names if name in available]
    answers = predict(model, records, outputs)
    labels = _in_calls(records, lambda part: model.run("transform_features", {"examples": part}))
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


def _in_calls(records: Sequence[bytes], call: Callable[[np.ndarray], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    parts = [
        call(np.array(records[start : start + ROWS_PER_CALL], object))
        for start in range(0, len(records), ROWS_PER_CALL)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
