"""Transformed examples → the matrices that the baselines are fitted to and evaluated on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.baselines.job import TaskRows, TrainingRows
from janus_core.examples.records import record_batches
from trainer.config.features.base import InputKind
from trainer.names import label_name, weight_name

Spec = Mapping[str, tf.io.FixedLenFeature]

MOST_NUMBERS = 1 << 27
"""The training rows are fewer than asked for where their matrices would have more numbers than this: 512 MB."""


def widths(inputs: Mapping[str, InputKind], spec: Spec) -> dict[str, tuple[InputKind, int]]:
    """Feature → what its numbers are, and how many there are."""
    return {name: (kind, int(np.prod(spec[name].shape))) for name, kind in inputs.items()}


def training_rows(
    files: Sequence[str], spec: Spec, inputs: Sequence[str], tasks: Sequence[str], rows: int, seed: int
) -> TrainingRows:
    """At most `rows` labelled rows of each task, drawn by `seed` without replacement, in the files' order.

    Raises:
        DataError: a file is damaged.
    """
    random = np.random.default_rng(seed)
    width = sum(int(np.prod(spec[name].shape)) for name in inputs)
    rows = min(rows, max(1, MOST_NUMBERS // max(width, 1)))
    parts: list[dict[str, np.ndarray]] = []
    # Of each task, the rows with the least keys are a uniform draw; only those are parsed that may be among them.
    greatest, waiting = 1.0, 0
    for file in files:
        for records in record_batches(file):
            keys = random.random(len(records))
            near = np.flatnonzero(keys <= greatest)
            columns = _parsed(tf.gather(records, near), spec, inputs, tasks)
            parts.append({"": keys[near], **columns})
            waiting += len(near)
            if waiting > 2 * rows * len(tasks):
                parts = [_pruned(_joined(parts), tasks, rows)]
                waiting = len(parts[0][""])
                greatest = max(_limits(parts[0], tasks, rows).values())
    columns = _joined(parts)
    limits = _limits(columns, tasks, rows)
    return TrainingRows(
        columns["matrix"], {task: _task_rows(columns, task, columns[""] <= limits[task]) for task in tasks}
    )


def eval_rows(
    files: Sequence[str],
    spec: Spec,
    inputs: Sequence[str],
    tasks: Sequence[str],
    matrix_to: Callable[[np.ndarray], Any],
) -> tuple[np.ndarray, dict[str, TaskRows]]:
    """The number of rows in each file, and task → its labelled rows, of all rows.

    The matrix goes to `matrix_to`, batch by batch.

    Raises:
        DataError: a file is damaged.
    """
    parts: list[dict[str, np.ndarray]] = []
    shards = np.zeros(len(files), np.int64)
    for place, file in enumerate(files):
        for records in record_batches(file):
            columns = _parsed(records, spec, inputs, tasks)
            matrix_to(columns.pop("matrix"))
            parts.append(columns)
            shards[place] += len(records)
    columns = _joined(parts)
    return shards, {task: _task_rows(columns, task) for task in tasks}


def _parsed(records: tf.Tensor, spec: Spec, inputs: Sequence[str], tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """`matrix`, float32 [n, columns], and the tasks' label and weight columns."""
    names = [*inputs, *(column(task) for task in tasks for column in (label_name, weight_name))]
    parsed = {
        name: values.numpy().reshape(len(records), -1)
        for name, values in tf.io.parse_example(records, {name: spec[name] for name in names}).items()
    }
    matrix = np.concatenate([parsed.pop(name).astype(np.float32) for name in inputs], axis=1)
    return {"matrix": matrix, **parsed}


def _joined(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _limits(columns: Mapping[str, np.ndarray], tasks: Sequence[str], rows: int) -> dict[str, float]:
    """Task → the greatest key among the `rows` least of its labelled rows; 1 where it has fewer."""
    limits = {}
    for task in tasks:
        keys = columns[""][columns[weight_name(task)][:, 0] > 0]
        limits[task] = float(np.partition(keys, rows - 1)[rows - 1]) if len(keys) > rows else 1.0
    return limits


def _pruned(columns: dict[str, np.ndarray], tasks: Sequence[str], rows: int) -> dict[str, np.ndarray]:
    limits = _limits(columns, tasks, rows)
    kept = np.zeros(len(columns[""]), bool)
    for task, limit in limits.items():
        kept |= (columns[weight_name(task)][:, 0] > 0) & (columns[""] <= limit)
    return {name: values[kept] for name, values in columns.items()}


def _task_rows(columns: Mapping[str, np.ndarray], task: str, drawn: np.ndarray | bool = True) -> TaskRows:
    weights = columns[weight_name(task)][:, 0]
    rows = np.flatnonzero((weights > 0) & drawn)
    return TaskRows(rows, columns[label_name(task)][rows], weights[rows])
