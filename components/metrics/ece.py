"""Expected calibration error: how far predicted probabilities are from observed frequencies.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, equation 3. As there: 15 bins of
equal width, ((m-1)/15, m/15], over the confidence, which is the probability of the most probable class.
"""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    grouped_counts,
)

BINS = 15


class ConfidenceBins(Statistic):
    """Per bin of confidence, float64 [bins, 2]: weight, weighted confidence − weight of the rows that are right.

    Only the difference of the bin's two means counts, so only the difference of their sums is kept.
    """

    def __init__(self, classes: int, bins: int):
        self.classes = classes
        self.bins = bins
        self.name = f"confidence_bins:classes={classes},bins={bins}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        probabilities = class_probabilities(rows, self.classes)
        finite = finite_rows(probabilities)
        probabilities = np.where(finite[:, None], probabilities, 0.0)
        confidence = probabilities.max(axis=1, initial=0.0)
        right = probabilities.argmax(axis=1) == class_indices(rows, self.classes)
        bins = np.clip(np.ceil(confidence * self.bins).astype(np.int64) - 1, 0, self.bins - 1)
        weights = np.where(finite, rows.weights, np.nan)
        sums = [
            grouped_counts(bins, self.bins, values, membership) for values in (weights, weights * (confidence - right))
        ]
        return list(np.stack(sums, axis=2))


class ExpectedCalibrationError(StatisticMetric):
    """Σ over bins of (rows in the bin / rows) · |accuracy − mean confidence|; NaN without rows."""

    def __init__(self, classes: int, bins: int = BINS, name: str = "ece"):
        super().__init__(name=name, classes=classes, bins=bins)
        self.classes = classes
        self.bins = bins

    def statistic(self) -> ConfidenceBins:
        """See `StatisticMetric`."""
        return ConfidenceBins(self.classes, self.bins)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight = state[:, 0].sum()
        return np.abs(state[:, 1]).sum() / weight if weight else np.nan


metric_types.register_metric(ExpectedCalibrationError)
