"""Permutation importance: how much worse each task becomes when one column's values change rows (Breiman 2001)."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from tensorflow.core.example import example_pb2

from pipeline.report.analysis.analysis_json import Importance
from pipeline.report.analysis.sample import Predicted, predict
from pipeline.report.analysis.standard_errors import TaskMetric
from serving.saved_model import LoadedModel

REPEATS = 3
T_95 = 2.92
"""One-sided 95 % point of Student's distribution with `REPEATS` - 1 degrees of freedom."""
LEAST = 1e-6
"""A change below this share of the metric, or of the largest change, is rounding: the column is not used."""


def importances(
    model: LoadedModel,
    examples: Sequence[example_pb2.Example],
    predicted: Mapping[str, Predicted],
    metrics: Mapping[str, TaskMetric],
    columns: Sequence[str],
    seed: int,
    until: float,
    progress: Callable[[str], None],
) -> tuple[dict[str, list[Importance]], list[str]]:
    """Task → columns, the most important first; and the columns that the time did not suffice for.

    Args:
        model: the exported model.
        examples: the rows.
        predicted: the tasks' labelled rows among them, with predictions as they are.
        metrics: task → the metric.
        columns: to try, one by one.
        seed: of the permutations.
        until: `time.monotonic` from which on no further column is begun.
        progress: is called with a description of each step.

    Raises:
        RequestError: the model refuses a row.
    """
    outputs = ["/".join(filter(None, [name, metrics[name].facts.reads])) for name in predicted]
    base = {name: metrics[name].value(measured) for name, measured in predicted.items()}
    measured: dict[str, list[Importance]] = {name: [] for name in predicted}
    for place, column in enumerate(columns):
        if time.monotonic() > until:
            return _sorted(measured, base), list(columns[place:])
        progress(f"importance {place + 1}/{len(columns)}")
        # By the column's own place, so that another column does not change its permutations.
        random = np.random.default_rng([seed, place])
        worse: dict[str, list[float]] = {name: [] for name in predicted}
        others, own = _parted(examples, column)
        for _ in range(REPEATS):
            order = random.permutation(len(examples))
            # Serialized messages that follow each other are one message with the fields of all.
            records = [rest + own[donor] for rest, donor in zip(others, order, strict=True)]
            answers = predict(model, records, outputs)
            for name, rows in predicted.items():
                permuted = metrics[name].value(_with_answers(name, rows, answers))
                worse[name].append(metrics[name].worse(permuted, base[name]))
        for name, changes in worse.items():
            if np.isfinite(changes).all():
                mean, spread = float(np.mean(changes)), float(np.std(changes, ddof=1))
                measured[name].append(Importance(column=column, worse=mean, spread=spread))
    return _sorted(measured, base), []


def _parted(examples: Sequence[example_pb2.Example], column: str) -> tuple[list[bytes], list[bytes]]:
    """Serialized rows without a column, and rows with nothing else; those are empty where it is absent."""
    others, own = [], []
    for example in examples:
        feature, only = example.features.feature, example_pb2.Example()
        if column in feature:
            only.features.feature[column].CopyFrom(feature[column])
            del feature[column]
        others.append(example.SerializeToString())
        own.append(only.SerializeToString())
        example.MergeFrom(only)
    return others, own


def _with_answers(name: str, predicted: Predicted, answers: Mapping[str, np.ndarray]) -> Predicted:
    changed = {}
    for output, key in ((name, "output"), (f"{name}/quantiles", "quantiles"), (f"{name}/decision", "decision")):
        if output in answers:
            values = answers[output]
            values = values.reshape(len(values), -1)[predicted.rows]
            changed[key] = values if key == "decision" else values.astype(np.float64)
    return replace(predicted, **changed)


def _sorted(measured: Mapping[str, list[Importance]], base: Mapping[str, float]) -> dict[str, list[Importance]]:
    return {
        name: mark_chance(sorted(items, key=lambda item: -item.worse), base[name]) for name, items in measured.items()
    }


def mark_chance(items: Sequence[Importance], base: float) -> list[Importance]:
    """The same, with `beyond_chance` of each; `base` is the metric with all columns in place."""
    scale = max([abs(base), *(abs(item.worse) for item in items)]) if math.isfinite(base) else 0.0
    return [
        item.model_copy(
            update={"beyond_chance": item.worse > max(T_95 * item.spread / math.sqrt(REPEATS), LEAST * scale)}
        )
        for item in items
    ]
