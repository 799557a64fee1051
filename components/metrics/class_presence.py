"""How many classes the labels of a slice have."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.class_counts import ClassCounts
from components.metrics.metric import StatisticMetric
from components.metrics.multilabel_counts import MultilabelCounts, decisions


class PresentClasses(StatisticMetric):
    """The number of classes among the labels: averages over classes are over fewer where one is absent."""

    def __init__(self, classes: int, name: str = "present_classes"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> ClassCounts:
        """See `StatisticMetric`."""
        return ClassCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        return float(np.count_nonzero(state[1]))


class MultilabelPresentClasses(StatisticMetric):
    """The number of a multilabel task's classes that some row has."""

    def __init__(self, classes: int, name: str = "present_classes"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MultilabelCounts:
        """See `StatisticMetric`."""
        return MultilabelCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        return float(np.count_nonzero(decisions(state).labelled))


metric_types.register_metric(PresentClasses)
metric_types.register_metric(MultilabelPresentClasses)
