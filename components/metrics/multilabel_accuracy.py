"""Accuracies of a multilabel task: of single decisions, and of whole rows."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.multilabel_counts import MultilabelCounts, decisions


class DecisionAccuracy(StatisticMetric):
    """Share of right decisions over rows × classes, a class being predicted above 0.5; NaN without rows.

    1 − the Hamming loss of Schapire and Singer (Improved Boosting Algorithms Using Confidence-rated Predictions, 1999).
    """

    def __init__(self, classes: int, name: str = "accuracy"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MultilabelCounts:
        """See `StatisticMetric`."""
        return MultilabelCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        found = decisions(state)
        wrong = np.sum(found.labelled + found.predicted - 2 * found.right)
        return 1 - wrong / (found.total * self.classes) if found.total else np.nan


class SubsetAccuracy(StatisticMetric):
    """Share of rows whose every class is decided rightly; NaN without rows."""

    def __init__(self, classes: int, name: str = "subset_accuracy"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MultilabelCounts:
        """See `StatisticMetric`."""
        return MultilabelCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        found = decisions(state)
        return found.exact / found.total if found.total else np.nan


metric_types.register_metric(DecisionAccuracy)
metric_types.register_metric(SubsetAccuracy)
