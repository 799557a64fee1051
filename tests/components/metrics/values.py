"""Runs a metric on arrays, in one piece or merged from several."""

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import labelled, make_rows, one_group


def metric_value(
    metric: StatisticMetric,
    labels: np.ndarray,
    predictions: np.ndarray,
    weights: np.ndarray | None = None,
    pieces: int = 1,
) -> float:
    """The metric's value over all rows, computed from `pieces` merged states."""
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights)
    statistic = metric.statistic()
    states = []
    for piece in np.array_split(np.arange(len(labels)), pieces):
        rows = make_rows(np.asarray(labels)[piece], np.asarray(predictions)[piece], weights[piece])
        states += statistic.of_groups(*labelled(rows, one_group(len(piece))))
    state = statistic.merge(states)
    return float("nan") if np.isnan(state).any() else float(metric.value(state))
