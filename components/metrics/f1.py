"""F1: the harmonic mean of precision and recall (van Rijsbergen, Information Retrieval, 1979)."""

from collections.abc import Sequence

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.class_counts import ClassCounts
from components.metrics.metric import StatisticMetric


class MacroF1(StatisticMetric):
    """F1 of the second of two classes; of more, the unweighted mean of each class's F1.

    A class that is neither labelled nor predicted has no F1 and is left out of the mean (as scikit-learn does); NaN if
    there is none left.
    """

    def __init__(self, classes: int, decided: Sequence[str] | None = None, name: str = "f1"):
        """`decided` as for `ClassCounts`."""
        super().__init__(name=name, classes=classes, decided=decided)
        self.classes = classes
        self.decided = decided

    def statistic(self) -> ClassCounts:
        """See `StatisticMetric`."""
        return ClassCounts(self.classes, self.decided)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        return mean_f1(*(state[:, 1:] if self.classes == 2 else state))


def mean_f1(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> float:
    """The mean F1 of the classes that are labelled or predicted, NaN if there is none, from weights [classes]."""
    present = labelled + predicted > 0
    return float(np.mean(2 * right[present] / (labelled + predicted)[present])) if present.any() else np.nan


metric_types.register_metric(MacroF1)
