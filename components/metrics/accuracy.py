"""Accuracy: the share of rows whose predicted class is the labelled one."""

from collections.abc import Sequence

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.class_counts import ClassCounts
from components.metrics.metric import StatisticMetric


class ClassAccuracy(StatisticMetric):
    """Share of labelled rows that are classified rightly, of 2 or more classes; NaN without rows."""

    def __init__(self, classes: int, decided: Sequence[str] | None = None, name: str = "accuracy"):
        """`decided` as for `ClassCounts`."""
        super().__init__(name=name, classes=classes, decided=decided)
        self.classes = classes
        self.decided = decided

    def statistic(self) -> ClassCounts:
        """See `StatisticMetric`."""
        return ClassCounts(self.classes, self.decided)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        right, labelled, _ = state.sum(axis=1)
        return right / labelled if labelled else np.nan


metric_types.register_metric(ClassAccuracy)
