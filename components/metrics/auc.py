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
    """Area under the ROC curve (averages over classes: Hand & Till, 2001), as scikit-learn's `roc_auc_score` has it.

    Exact while the state holds each probability by itself. Else it differs from the exact value by at most half the
    share of the pairs of a positive and a negative row that are in the same cell.
    """

    def __init__(self, classes: int, name: str = "auc"):
        super().__init__(classes=classes, name=name)

    def area(self, curve: Curve) -> float:
        """The share of pairs of a positive and a negative row that are in the right order; a tie is half right."""
        below = np.cumsum(curve.negative) - curve.negative / 2
        return float(curve.positive @ below / (curve.positive.sum() * curve.negative.sum()))


class OneVsRestAUCPR(_AreaMetric):
    """Average precision: the mean, over the positive rows, of the precision at their probability.

    The area under the precision-recall curve in steps, as scikit-learn's `average_precision_score` has it; exact while
    the state holds each probability by itself. Interpolation between the steps, which TFMA does, is of no meaning where
    positive rows are few (Davis & Goadrich, ICML 2006, on its optimism).
    """

    def __init__(self, classes: int, name: str = "auc_pr"):
        super().__init__(classes=classes, name=name)

    def area(self, curve: Curve) -> float:
        """See `_AreaMetric`."""
        positive = curve.positive[::-1]
        true = np.cumsum(positive)
        predicted = true + np.cumsum(curve.negative[::-1])
        some = positive > 0
        return float(positive[some] @ (true[some] / predicted[some]) / true[-1])


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
