"""Accuracy: the share of rows whose most probable class is the labelled one."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.class_counts import ClassCounts
from components.metrics.metric import StatisticMetric


class ClassAccuracy(StatisticMetric):
    """Share of labelled rows that are classified rightly, of 2 or more classes; NaN without rows."""

    def __init__(self, classes: int, name: str = "accuracy"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> ClassCounts:
        """See `StatisticMetric`."""
        return ClassCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        right, labelled, _ = state.sum(axis=1)
        return right / labelled if labelled else np.nan


metric_types.register_metric(ClassAccuracy)
