"""Root mean squared error."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.error_moments import ErrorMoments
from components.metrics.metric import StatisticMetric


class RootSquaredError(StatisticMetric):
    """Square root of the mean of (prediction − label)², in the label's unit; NaN without rows."""

    def __init__(self, name: str = "rmse"):
        super().__init__(name=name)

    def statistic(self) -> ErrorMoments:
        """See `StatisticMetric`."""
        return ErrorMoments()

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, squared = state[0], state[3]
        return np.sqrt(squared / weight) if weight else np.nan


metric_types.register_metric(RootSquaredError)
