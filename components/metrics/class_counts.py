"""Counts per class: labelled so, predicted so, both."""

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    grouped_counts,
)


class ClassCounts(Statistic):
    """Weights per class, float64 [3, classes]: of rows that are right, labelled so, predicted so.

    The predicted class is the most probable one; of equal ones the first, so that of two classes the second is
    predicted at a probability above 0.5.
    """

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"class_counts:classes={classes}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        probabilities = class_probabilities(rows, self.classes)
        labels = class_indices(rows, self.classes)
        finite = finite_rows(probabilities)
        predicted = np.argmax(np.where(finite[:, None], probabilities, 0.0), axis=1)
        weights = np.where(finite, rows.weights, np.nan)
        right = np.where(predicted == labels, weights, 0.0)
        counts = [
            grouped_counts(codes, self.classes, values, membership)
            for codes, values in ((labels, right), (labels, rows.weights), (predicted, weights))
        ]
        return list(np.stack(counts, axis=1))
