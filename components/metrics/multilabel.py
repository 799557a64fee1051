"""Metrics of classes of which a row may have any number, each predicted above 0.5."""

import numpy as np

from components.metrics.classification import (
    SMALLEST_PROBABILITY,
    CalibrationBins,
    ExpectedCalibrationError,
    mean_f1,
)
from components.metrics.metric import StatisticMetric, WeightedMean
from components.metrics.rows import Rows
from components.metrics.statistic import ClassStatistic, RowSums, label_flags, ratio


class MultilabelCounts(RowSums, ClassStatistic):
    """Sums of rows whose every class is decided rightly, and of three flags per class: see `class_counts`."""

    def of_rows(self, rows: Rows) -> np.ndarray:
        labelled, predicted = label_flags(rows, self.classes), rows.predictions > 0.5
        exact = (labelled == predicted).all(axis=1)
        return np.concatenate([exact[:, None], labelled & predicted, labelled, predicted], axis=1)


def class_counts(state: np.ndarray) -> np.ndarray:
    """Of a `MultilabelCounts` state, the weights of rows, float64 [3, classes], that have the class and are predicted
    to, that have it, that are predicted to."""
    return state[2:].reshape(3, -1)


class DecisionAccuracy(StatisticMetric):
    """Share of right decisions over rows × classes; NaN without rows.

    1 − the Hamming loss of Schapire and Singer (Improved Boosting Algorithms Using Confidence-rated Predictions, 1999).
    """

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        right, labelled, predicted = class_counts(state)
        return 1 - ratio(np.sum(labelled + predicted - 2 * right), state[0] * len(right))


class SubsetAccuracy(WeightedMean):
    """Share of rows whose every class is decided rightly; NaN without rows."""

    statistic_class = MultilabelCounts


class MultilabelF1(StatisticMetric):
    """The unweighted mean of each class's F1.

    A class that is neither labelled nor predicted is left out, as in `MacroF1`; NaN if there is none left.
    """

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        return mean_f1(*class_counts(state))


class MultilabelPresentClasses(StatisticMetric):
    """The number of classes that some row has."""

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        return float(np.count_nonzero(class_counts(state)[1]))


class MultilabelLogLossSums(RowSums, ClassStatistic):
    """Sums of each row's mean over the classes of −log of the right outcome's probability."""

    def of_rows(self, rows: Rows) -> np.ndarray:
        flags = label_flags(rows, self.classes)
        of_outcome = np.where(flags, rows.predictions, 1 - rows.predictions)
        return -np.log(np.clip(of_outcome, SMALLEST_PROBABILITY, 1.0)).mean(axis=1)


class MultilabelLogLoss(WeightedMean):
    """Mean over rows and classes of −log of the probability given to what is the case, in nats; NaN without rows."""

    statistic_class = MultilabelLogLossSums


class ProbabilityBins(CalibrationBins):
    """The outcomes are the classes."""

    def outcomes(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return rows.predictions, label_flags(rows, self.classes)


class MultilabelCalibrationError(ExpectedCalibrationError):
    """The mean over the classes of Σ over bins of (rows in the bin / rows) · |share of the class − mean probability|.

    The expected calibration error of each class by itself, with the bins of `ExpectedCalibrationError` over its
    probability; NaN without rows.
    """

    statistic_class = ProbabilityBins
