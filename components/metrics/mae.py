"""Mean absolute error."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.error_moments import ErrorMoments
from components.metrics.metric import StatisticMetric


class AbsoluteError(StatisticMetric):
    """Mean of |prediction − label|, in the label's unit; NaN without rows."""

    def __init__(self, name: str = "mae"):
        super().__init__(name=name)

    def statistic(self) -> ErrorMoments:
        """See `StatisticMetric`."""
        return ErrorMoments()

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, absolute, *_ = state
        return absolute / weight if weight else np.nan


metric_types.register_metric(AbsoluteError)
