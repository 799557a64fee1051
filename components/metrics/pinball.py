"""Pinball loss: what quantile regression minimises."""

from collections.abc import Sequence

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.quantile_sums import QuantileSums


class PinballLoss(StatisticMetric):
    """Mean pinball loss over rows and levels, in the label's unit; NaN without rows. Of the median: half the MAE."""

    def __init__(self, levels: Sequence[float], name: str = "pinball"):
        super().__init__(name=name, levels=levels)
        self.levels = levels

    def statistic(self) -> QuantileSums:
        """See `StatisticMetric`."""
        return QuantileSums(self.levels)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, loss, _ = state
        return loss / weight if weight else np.nan


metric_types.register_metric(PinballLoss)
