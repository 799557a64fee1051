"""Poisson deviance: how far predicted mean counts are from the counted ones.

McCullagh and Nelder: Generalized Linear Models, 2nd edition, 1989, section 2.3.
"""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, grouped_sums, single_labels

SMALLEST_MEAN = 1e-7
"""Predictions are raised to this before the logarithm."""


class DevianceSums(Statistic):
    """float64 [2]: the sum of weights, the weighted sum of 2 · (y · log(y / μ) − (y − μ)), with 0 · log 0 = 0."""

    name = "poisson_deviance_sums"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        if rows.predictions.shape[1] != 1:
            raise ValueError(f"a count task predicts one value per row, not {rows.predictions.shape[1]}")
        labels = single_labels(rows).astype(np.float64)
        if (labels < 0).any():
            raise ValueError("a label of a count task is below 0")
        predictions = rows.predictions[:, 0]
        finite = np.isfinite(predictions)
        weights = np.where(finite, rows.weights, np.nan)
        means = np.maximum(np.where(finite, predictions, 1.0), SMALLEST_MEAN)
        logarithms = np.log(np.where(labels > 0, labels, 1.0) / means)
        deviances = 2 * (labels * logarithms - (labels - means))
        return list(grouped_sums(np.stack([weights, weights * deviances], axis=1), membership))


class PoissonDeviance(StatisticMetric):
    """Mean Poisson deviance of counts and their predicted means: 0 for perfect predictions; NaN without rows."""

    def __init__(self, name: str = "deviance"):
        super().__init__(name=name)

    def statistic(self) -> DevianceSums:
        """See `StatisticMetric`."""
        return DevianceSums()

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, deviance = state
        return deviance / weight if weight else np.nan


metric_types.register_metric(PoissonDeviance)
