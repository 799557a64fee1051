"""Counts of a multilabel task's decisions."""

from typing import NamedTuple

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, finite_rows, grouped_sums, label_flags


class Decisions(NamedTuple):
    """A `MultilabelCounts` state by parts.

    Attributes:
        total: weight of all rows.
        exact: weight of rows whose every class is decided rightly.
        right, labelled, predicted: float64 [classes], weights of rows that have the class and are predicted to, that
            have it, that are predicted to.
    """

    total: float
    exact: float
    right: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray


class MultilabelCounts(Statistic):
    """float64 [2 + 3 · classes]: see `decisions`. A class is predicted at a probability above 0.5."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"multilabel_counts:classes={classes}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        labelled = label_flags(rows, self.classes)
        finite = finite_rows(rows.predictions)
        predicted = np.where(finite[:, None], rows.predictions, 0.0) > 0.5
        exact = (labelled == predicted).all(axis=1)
        weights = np.where(finite, rows.weights, np.nan)
        flags = np.concatenate(
            [np.ones((len(weights), 1), bool), exact[:, None], labelled & predicted, labelled, predicted], axis=1
        )
        return list(grouped_sums(flags * weights[:, None], membership))


def decisions(state: np.ndarray) -> Decisions:
    """A state by parts."""
    right, labelled, predicted = state[2:].reshape(3, -1)
    return Decisions(float(state[0]), float(state[1]), right, labelled, predicted)
