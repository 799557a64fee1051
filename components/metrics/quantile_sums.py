"""Sums over predicted quantiles: their losses, and how often they enclose the label."""

from collections.abc import Sequence

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, finite_rows, grouped_sums, single_labels


class QuantileSums(Statistic):
    """float64 [3]: the sum of weights; the weighted sum of the rows' mean pinball loss; the weight of rows whose label
    is within the outermost quantiles, these included.

    The pinball loss of a quantile q of level τ is max(τ · (y − q), (τ − 1) · (y − q)) (Koenker and Bassett: Regression
    Quantiles, 1978), in the label's unit.
    """

    def __init__(self, levels: Sequence[float]):
        self.levels = tuple(float(level) for level in levels)
        self.name = f"quantile_sums:levels={'_'.join(map(repr, self.levels))}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        quantiles = rows.predictions
        if quantiles.shape[1] != len(self.levels):
            raise ValueError(f"the model predicts {quantiles.shape[1]} quantiles, the task has {len(self.levels)}")
        labels = single_labels(rows).astype(np.float64)
        finite = finite_rows(quantiles)
        quantiles = np.where(finite[:, None], quantiles, 0.0)
        weights = np.where(finite, rows.weights, np.nan)
        errors = labels[:, None] - quantiles
        levels = np.array(self.levels)
        losses = np.maximum(levels * errors, (levels - 1) * errors).mean(axis=1)
        covered = (quantiles.min(axis=1) <= labels) & (labels <= quantiles.max(axis=1))
        return list(grouped_sums(np.stack([weights, weights * losses, weights * covered], axis=1), membership))
