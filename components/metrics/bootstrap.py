"""The noise of a metric's change between two models, by a paired bootstrap over the rows that both were evaluated on.

Efron and Tibshirani: An Introduction to the Bootstrap, 1993, chapters 6 and 8. Each replica draws as many rows as there
are, with replacement, the same for both models: what makes a row hard for both cancels out in the difference, which is
why the error of a change is usually far smaller than that of either value.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Rows

REPLICAS = 200
"""The standard error is then itself uncertain by 1/√(2 · 200), 5 %."""

MOST_AT_ONCE = 1 << 21
"""Rows of all replicas that are in memory at once."""

MOST_CELLS = 1 << 20
"""Of rows, times the width of the predictions: where there are many classes, fewer rows are used."""

Harm = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values of this model and of the baseline → what the error is of."""


def change_errors(
    metrics: Mapping[str, StatisticMetric], model: Rows, baseline: Rows, seed: int, harms: Mapping[str, Harm]
) -> dict[str, float]:
    """The standard error of each metric's change from the baseline to the model; without those that have none.

    Args:
        metrics: name → metric, all of the same output.
        model, baseline: the same labelled rows, as each of them predicts them.
        seed: of the replicas.
        harms: name → what the error is of, where it is not of the difference.

    Returns:
        Name → standard error, for so many rows.
    """
    count, width = len(model.weights), max(model.predictions.shape[1], 1)
    used = min(count, MOST_CELLS // width)
    if used < 2:
        return {}
    random = np.random.default_rng(seed)
    if used < count:
        chosen = np.sort(random.choice(count, used, replace=False))
        model, baseline = (
            replace(
                rows, labels=rows.labels[chosen], predictions=rows.predictions[chosen], weights=rows.weights[chosen]
            )
            for rows in (model, baseline)
        )
    values: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    at_once = max(1, MOST_AT_ONCE // used)
    for start in range(0, REPLICAS, at_once):
        draws = random.integers(0, used, size=(min(at_once, REPLICAS - start), used))
        for name, found in _values(metrics, model, baseline, draws).items():
            values[name].append(found)
    errors = {}
    for name, parts in values.items():
        after, before = np.concatenate(parts, axis=1)
        changes = harms[name](after, before) if name in harms else after - before
        # In a replica that lacks a rare class, a metric may not be defined.
        changes = changes[np.isfinite(changes)]
        if len(changes) > REPLICAS // 2:
            errors[name] = float(np.std(changes, ddof=1)) * math.sqrt(used / count)
    return errors


def _values(
    metrics: Mapping[str, StatisticMetric], model: Rows, baseline: Rows, draws: np.ndarray
) -> dict[str, np.ndarray]:
    """Name → values of the model and of the baseline in each draw, [2, draws]."""
    states: dict[str, list[list[np.ndarray]]] = {}
    found = {}
    for name, metric in metrics.items():
        statistic = metric.statistic()
        if statistic.name not in states:
            states[statistic.name] = [statistic.of_draws(rows, draws) for rows in (model, baseline)]
        found[name] = np.array([[metric.value_of(state) for state in side] for side in states[statistic.name]])
    return found
