"""F1 of a multilabel task's classes."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.f1 import mean_f1
from components.metrics.metric import StatisticMetric
from components.metrics.multilabel_counts import MultilabelCounts, decisions


class MultilabelF1(StatisticMetric):
    """The unweighted mean of each class's F1, a class being predicted above 0.5.

    A class that is neither labelled nor predicted is left out, as in `MacroF1`; NaN if there is none left.
    """

    def __init__(self, classes: int, name: str = "f1"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MultilabelCounts:
        """See `StatisticMetric`."""
        return MultilabelCounts(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        found = decisions(state)
        return mean_f1(found.right, found.labelled, found.predicted)


metric_types.register_metric(MultilabelF1)
