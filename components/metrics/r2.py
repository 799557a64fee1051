"""The coefficient of determination (Wright: Correlation and Causation, 1921)."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.error_moments import ErrorMoments
from components.metrics.metric import StatisticMetric


class RSquared(StatisticMetric):
    """1 − Σ(prediction − label)² / Σ(label − mean label)²: 1 is perfect, 0 is no better than the slice's own mean.

    It falls below 0 where the prediction is worse than that mean; NaN where the labels do not vary.
    """

    def __init__(self, name: str = "r2"):
        super().__init__(name=name)

    def statistic(self) -> ErrorMoments:
        """See `StatisticMetric`."""
        return ErrorMoments()

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        residual, total = state[3], state[5]
        return 1 - residual / total if total > 0 else np.nan


metric_types.register_metric(RSquared)
