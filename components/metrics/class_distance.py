"""How many classes predictions of an ordered class are off."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.median_confusion import MedianConfusion, distances
from components.metrics.metric import StatisticMetric


class ClassDistance(StatisticMetric):
    """Mean number of classes between the label and the predicted median class; NaN without rows."""

    def __init__(self, classes: int, name: str = "mae"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MedianConfusion:
        """See `StatisticMetric`."""
        return MedianConfusion(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight = state.sum()
        return np.sum(state * distances(self.classes)) / weight if weight else np.nan


metric_types.register_metric(ClassDistance)
