"""Confusion counts of ordered classes: what was labelled, and what was predicted as the median."""

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    grouped_counts,
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


def distances(classes: int) -> np.ndarray:
    """|i − j| of each pair of classes, float64 [classes, classes]."""
    places = np.arange(classes, dtype=np.float64)
    return np.abs(np.subtract.outer(places, places))
