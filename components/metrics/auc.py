"""Areas under the ROC and the precision-recall curve."""

import abc

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.score_histogram import Curve, ExclusiveScores, MultilabelScores, ScoreHistogram, curves


class _AreaMetric(StatisticMetric):
    """The area under the curve of the second of two classes; of more, the mean over classes, each against the rest.

    A class that no row or every row of the slice has, has no curve and is left out of the mean; NaN if none is left.
    """

    def __init__(self, classes: int, name: str):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> ScoreHistogram:
        """See `StatisticMetric`."""
        return ExclusiveScores(self.classes)

    @abc.abstractmethod
    def area(self, curve: Curve) -> float:
        """The area under one class's curve."""

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        areas = [self.area(curve) for curve in curves(state)]
        return float(np.mean(areas)) if areas else np.nan


class OneVsRestAUC(_AreaMetric):
    """Area under the ROC curve, by trapezoids between thresholds (averages over classes: Hand & Till, 2001)."""

    def __init__(self, classes: int, name: str = "auc"):
        super().__init__(classes=classes, name=name)

    def area(self, curve: Curve) -> float:
        """See `_AreaMetric`."""
        recall, fall_out = curve.true_positives / curve.positives, curve.false_positives / curve.negatives
        return float(np.sum((fall_out[:-1] - fall_out[1:]) * (recall[:-1] + recall[1:]) / 2))


class OneVsRestAUCPR(_AreaMetric):
    """Area under the precision-recall curve, interpolated as Davis & Goadrich (ICML 2006) derive."""

    def __init__(self, classes: int, name: str = "auc_pr"):
        super().__init__(classes=classes, name=name)

    def area(self, curve: Curve) -> float:
        """See `_AreaMetric`."""
        predicted = curve.true_positives + curve.false_positives
        steps = predicted[:-1] - predicted[1:]
        some = steps > 0
        gained = (curve.true_positives[:-1] - curve.true_positives[1:])[some]
        above, below = predicted[:-1][some], predicted[1:][some]
        slope = gained / steps[some]
        intercept = curve.true_positives[1:][some] - slope * below
        ratio = np.divide(above, below, out=np.ones_like(above), where=below > 0)
        return float(np.sum(slope * (gained + intercept * np.log(ratio)))) / curve.positives


class MultilabelAUC(OneVsRestAUC):
    """The mean over the classes of a multilabel task of the area under each one's ROC curve."""

    def statistic(self) -> ScoreHistogram:
        """See `StatisticMetric`."""
        return MultilabelScores(self.classes)


class MultilabelAUCPR(OneVsRestAUCPR):
    """The mean over the classes of a multilabel task of the area under each one's precision-recall curve."""

    def statistic(self) -> ScoreHistogram:
        """See `StatisticMetric`."""
        return MultilabelScores(self.classes)


metric_types.register_metric(OneVsRestAUC)
metric_types.register_metric(OneVsRestAUCPR)
metric_types.register_metric(MultilabelAUC)
metric_types.register_metric(MultilabelAUCPR)
