"""Coverage of predicted intervals."""

from collections.abc import Sequence

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.quantile_sums import QuantileSums


class IntervalCoverage(StatisticMetric):
    """Share of labels within the outermost of two or more quantiles; NaN without rows.

    It should be near the difference of these quantiles' levels, 0.8 for 0.1 and 0.9.
    """

    def __init__(self, levels: Sequence[float], name: str = "coverage"):
        super().__init__(name=name, levels=levels)
        self.levels = levels

    def statistic(self) -> QuantileSums:
        """See `StatisticMetric`."""
        return QuantileSums(self.levels)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, _, covered = state
        return covered / weight if weight else np.nan


metric_types.register_metric(IntervalCoverage)
