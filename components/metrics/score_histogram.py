"""Histograms of predicted probabilities, from which ROC and precision-recall curves follow.

The buckets and thresholds are those of TFMA (metrics/calibration_histogram.py and binary_confusion_matrices.py), so
that the curves, and the areas under them, are TFMA's own.
"""

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    label_flags,
    weighted_counts,
)

BUCKETS = 10_000
THRESHOLDS = 10_000
_CELLS = BUCKETS + 2
_EPSILON = 1e-7


def _thresholds_of_buckets() -> np.ndarray:
    """The threshold that each bucket is counted at, int64 [cells]."""
    inner = np.arange(1, THRESHOLDS - 1) / (THRESHOLDS - 1)
    thresholds = np.concatenate([[-_EPSILON], inner, [1 + _EPSILON]])
    # TFMA compares the buckets' left edges with thresholds moved up a little, since a bucket holds its left edge while
    # a prediction must be above a threshold.
    left_edges = (np.arange(_CELLS) - 1) / BUCKETS
    left_edges[0], left_edges[-1] = -np.inf, np.inf
    return np.clip(np.searchsorted(thresholds + _EPSILON, left_edges, side="right") - 1, 0, None)


_THRESHOLD_OF_BUCKET = _thresholds_of_buckets()


class ScoreHistogram(Statistic):
    """Per class and bucket of its probability, the weight of rows that have it and of all rows.

    The state is float64 [cells, 3]: the cell (class · 10,002 + bucket, ascending, only those that occur), the weight of
    positive rows, the weight of all rows.
    """

    @abc.abstractmethod
    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, float64 [n, classes], and which rows have the class, bool [n, classes]."""

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        probabilities, positive = self.scores(rows)
        finite = finite_rows(probabilities)
        buckets = np.clip(np.where(finite[:, None], probabilities, 0.0) * BUCKETS + 1, 0, _CELLS - 1).astype(np.int64)
        cells = np.arange(positive.shape[1]) * _CELLS + buckets
        weights = np.broadcast_to(np.where(finite, rows.weights, np.nan)[:, None], cells.shape)

        size = positive.shape[1] * _CELLS
        keys = membership.groups[:, None] * size + cells[membership.rows]
        unique, inverse = np.unique(keys.ravel(), return_inverse=True)
        inverse = inverse.ravel()
        all_weights = weights[membership.rows].ravel()
        positives = np.where(positive[membership.rows].ravel(), all_weights, 0.0)
        state = np.stack(
            [
                (unique % size).astype(np.float64),
                weighted_counts(inverse, positives, len(unique)),
                weighted_counts(inverse, all_weights, len(unique)),
            ],
            axis=1,
        )
        return np.split(state, np.searchsorted(unique, np.arange(1, membership.count) * size))

    def merge(self, states: Sequence[np.ndarray]) -> np.ndarray:
        """See `Statistic`."""
        if len(states) == 1:
            return states[0]
        cells, inverse = np.unique(np.concatenate([state[:, 0] for state in states]), return_inverse=True)
        weights = np.concatenate([state[:, 1:] for state in states])
        sums = [weighted_counts(inverse.ravel(), column, len(cells)) for column in weights.T]
        return np.stack([cells, *sums], axis=1)


class ExclusiveScores(ScoreHistogram):
    """Of classes of which each row has one; of two classes only the second is kept, as class 0."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"score_histogram:classes={classes}"

    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """See `ScoreHistogram`."""
        probabilities = class_probabilities(rows, self.classes)
        positive = np.equal.outer(class_indices(rows, self.classes), np.arange(self.classes))
        return (probabilities[:, 1:], positive[:, 1:]) if self.classes == 2 else (probabilities, positive)


class MultilabelScores(ScoreHistogram):
    """Of classes of which a row may have any number."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"multilabel_score_histogram:classes={classes}"

    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """See `ScoreHistogram`."""
        return rows.predictions, label_flags(rows, self.classes)


@dataclass(frozen=True)
class Curve:
    """What a class's rows are called at each threshold, falling from all positive to all negative.

    Attributes:
        true_positives, false_positives: float64 [thresholds], weights.
        positives, negatives: their totals.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray
    positives: float
    negatives: float


def curves(state: np.ndarray) -> list[Curve]:
    """The curve of each class in a `ScoreHistogram` state that has both positive and negative rows."""
    classes, buckets = np.divmod(state[:, 0].astype(np.int64), _CELLS)
    found = []
    for index in np.unique(classes):
        of_class = classes == index
        at = _THRESHOLD_OF_BUCKET[buckets[of_class]]
        positive, total = (weighted_counts(at, column, THRESHOLDS) for column in state[of_class, 1:].T)
        positives, negatives = positive.sum(), (total - positive).sum()
        if positives > 0 and negatives > 0:
            true_positives, false_positives = (np.cumsum(column[::-1])[::-1] for column in (positive, total - positive))
            true_positives[-1] = false_positives[-1] = 0.0
            found.append(Curve(true_positives, false_positives, float(positives), float(negatives)))
    return found
