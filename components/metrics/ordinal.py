"""Metrics of ordered classes: how far predictions are off, and their agreement with the labels beyond chance."""

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    grouped_counts,
    ratio,
)


class MedianConfusion(Statistic):
    """Weights, float64 [classes, classes], of rows by labelled class and by predicted median class.

    The median class is the first, in ascending order, up to which the probabilities add up to at least 0.5: of all
    classes the one with the least expected distance to the label.
    """

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"median_confusion:classes={classes}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        probabilities = class_probabilities(rows, self.classes)
        labels = class_indices(rows, self.classes)
        finite = finite_rows(probabilities)
        cumulative = np.cumsum(np.where(finite[:, None], probabilities, 1.0), axis=1)
        medians = np.argmax(cumulative >= 0.5, axis=1)
        counts = grouped_counts(
            labels * self.classes + medians,
            self.classes**2,
            np.where(finite, rows.weights, np.nan),
            membership,
        )
        return list(counts.reshape(membership.count, self.classes, self.classes))


class ClassDistance(StatisticMetric):
    """Mean number of classes between the label and the predicted median class; NaN without rows."""

    statistic_class = MedianConfusion

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        return ratio(np.sum(state * _distances(len(state))), state.sum())


class QuadraticWeightedKappa(StatisticMetric):
    """1 − Σ d² · observed / Σ d² · expected, with d the classes between label and predicted median class.

    Expected are the counts of labels and predictions that have the same margins and are independent: 1 is perfect, 0 is
    chance. NaN where labels and predictions are all of one and the same class, and without rows. Cohen: Weighted kappa,
    Psychological Bulletin 70, 1968.
    """

    statistic_class = MedianConfusion

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        disagreement = _distances(len(state)) ** 2
        # Both sums times the total weight, so that nothing is divided by a weight of 0.
        expected = np.sum(disagreement * np.outer(state.sum(axis=1), state.sum(axis=0)))
        return 1 - ratio(np.sum(disagreement * state) * state.sum(), expected)


def _distances(classes: int) -> np.ndarray:
    """|i − j| of each pair of classes, float64 [classes, classes]."""
    places = np.arange(classes, dtype=np.float64)
    return np.abs(np.subtract.outer(places, places))
