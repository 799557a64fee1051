"""Counts per class: labelled so, predicted so, both."""

import json
from collections.abc import Sequence

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

    The predicted class is the most probable one, of equal ones the first. Where the model decides itself, as it does
    between two classes by a threshold of its own, predictions are names of classes.
    """

    def __init__(self, classes: int, decided: Sequence[str] | None = None):
        """`decided` are the classes' names, where these are the predictions."""
        self.classes = classes
        self.decided = list(decided) if decided else None
        self.name = f"class_counts:classes={classes}" + (f",decided={json.dumps(self.decided)}" if decided else "")

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        labels = class_indices(rows, self.classes)
        if self.decided:
            matches = np.stack([rows.predictions[:, 0] == name.encode() for name in self.decided], axis=1).astype(bool)
            # What is no class was decided from a probability that is not finite.
            predicted, finite = matches.argmax(axis=1), matches.any(axis=1)
        else:
            probabilities = class_probabilities(rows, self.classes)
            finite = finite_rows(probabilities)
            predicted = np.argmax(np.where(finite[:, None], probabilities, 0.0), axis=1)
        weights = np.where(finite, rows.weights, np.nan)
        right = np.where(predicted == labels, weights, 0.0)
        counts = [
            grouped_counts(codes, self.classes, values, membership)
            for codes, values in ((labels, right), (labels, rows.weights), (predicted, weights))
        ]
        return list(np.stack(counts, axis=1))
