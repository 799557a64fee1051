"""Metrics of predicted quantiles: their loss, and how often the outermost enclose the label."""

from collections.abc import Sequence

import numpy as np

from components.metrics.metric import WeightedMean
from components.metrics.rows import Rows
from components.metrics.statistic import RowSums, single_labels


class QuantileSums(RowSums):
    """Sums of the rows' mean pinball loss, and of rows whose label is within the outermost quantiles, these included.

    The pinball loss of a quantile q of level τ is max(τ · (y − q), (τ − 1) · (y − q)) (Koenker and Bassett: Regression
    Quantiles, 1978), in the label's unit.
    """

    def __init__(self, levels: Sequence[float]):
        self.levels = tuple(float(level) for level in levels)
        self.name = f"quantile_sums:levels={'_'.join(map(repr, self.levels))}"

    def of_rows(self, rows: Rows) -> np.ndarray:
        """See `RowSums`."""
        quantiles, levels = rows.predictions, np.array(self.levels)
        if quantiles.shape[1] != len(levels):
            raise ValueError(f"the model predicts {quantiles.shape[1]} quantiles, the task has {len(levels)}")
        labels = single_labels(rows).astype(np.float64)
        errors = labels[:, None] - quantiles
        losses = np.maximum(levels * errors, (levels - 1) * errors).mean(axis=1)
        covered = (quantiles.min(axis=1) <= labels) & (labels <= quantiles.max(axis=1))
        return np.stack([losses, covered], axis=1)


class PinballLoss(WeightedMean):
    """Mean pinball loss over rows and levels, in the label's unit; NaN without rows. Of the median: half the MAE."""

    statistic_class = QuantileSums


class IntervalCoverage(WeightedMean):
    """Share of labels within the outermost of two or more quantiles; NaN without rows.

    It should be near the difference of these quantiles' levels, 0.8 for 0.1 and 0.9.
    """

    statistic_class = QuantileSums
    column = 2
