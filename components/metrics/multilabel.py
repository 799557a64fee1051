"""Metrics of classes of which a row may have any number, each predicted above 0.5."""

from typing import NamedTuple

import numpy as np

from components.metrics.classification import CALIBRATION_BINS, SMALLEST_PROBABILITY, mean_f1
from components.metrics.metric import StatisticMetric, WeightedMean
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import RowSums, Statistic, finite_rows, grouped_counts, label_flags, ratio


class Decisions(NamedTuple):
    """A `MultilabelCounts` state by parts.

    Attributes:
        total: weight of all rows.
        exact: weight of rows whose every class is decided rightly.
        right, labelled, predicted: float64 [classes], weights of rows that have the class and are predicted to, that
            have it, that are predicted to.
    """

    total: float
    exact: float
    right: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray


class MultilabelCounts(RowSums):
    """Sums of rows that are entirely right, and of three flags per class: see `decisions`."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"multilabel_counts:classes={classes}"

    def of_rows(self, rows: Rows) -> np.ndarray:
        labelled, predicted = label_flags(rows, self.classes), rows.predictions > 0.5
        exact = (labelled == predicted).all(axis=1)
        return np.concatenate([exact[:, None], labelled & predicted, labelled, predicted], axis=1)


def decisions(state: np.ndarray) -> Decisions:
    """A state by parts."""
    right, labelled, predicted = state[2:].reshape(3, -1)
    return Decisions(float(state[0]), float(state[1]), right, labelled, predicted)


class DecisionAccuracy(StatisticMetric):
    """Share of right decisions over rows × classes; NaN without rows.

    1 − the Hamming loss of Schapire and Singer (Improved Boosting Algorithms Using Confidence-rated Predictions, 1999).
    """

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        found = decisions(state)
        wrong = np.sum(found.labelled + found.predicted - 2 * found.right)
        return 1 - ratio(wrong, found.total * len(found.right))


class SubsetAccuracy(WeightedMean):
    """Share of rows whose every class is decided rightly; NaN without rows."""

    statistic_class = MultilabelCounts


class MultilabelF1(StatisticMetric):
    """The unweighted mean of each class's F1.

    A class that is neither labelled nor predicted is left out, as in `MacroF1`; NaN if there is none left.
    """

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        found = decisions(state)
        return mean_f1(found.right, found.labelled, found.predicted)


class MultilabelPresentClasses(StatisticMetric):
    """The number of classes that some row has."""

    statistic_class = MultilabelCounts

    def value(self, state: np.ndarray) -> float:
        return float(np.count_nonzero(decisions(state).labelled))


class MultilabelLogLossSums(RowSums):
    """Sums of each row's mean over the classes of −log of the right outcome's probability."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"multilabel_log_loss_sums:classes={classes}"

    def of_rows(self, rows: Rows) -> np.ndarray:
        flags = label_flags(rows, self.classes)
        of_outcome = np.where(flags, rows.predictions, 1 - rows.predictions)
        return -np.log(np.clip(of_outcome, SMALLEST_PROBABILITY, 1.0)).mean(axis=1)


class MultilabelLogLoss(WeightedMean):
    """Mean over rows and classes of −log of the probability given to what is the case, in nats; NaN without rows."""

    statistic_class = MultilabelLogLossSums


class ProbabilityBins(Statistic):
    """Per class and bin of its probability, float64 [classes, bins, 2]: weight, weight × (probability − whether it is).

    Only the difference of a bin's two means counts, so only the difference of their sums is kept.
    """

    def __init__(self, classes: int, bins: int = CALIBRATION_BINS):
        self.classes = classes
        self.bins = bins
        self.name = f"probability_bins:classes={classes},bins={bins}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        flags = label_flags(rows, self.classes)
        finite = finite_rows(rows.predictions)
        probabilities = np.where(finite[:, None], rows.predictions, 0.0)
        weights = np.where(finite, rows.weights, np.nan)
        bins = np.clip(np.ceil(probabilities * self.bins).astype(np.int64) - 1, 0, self.bins - 1)
        sums = [
            grouped_counts(bins[:, i], self.bins, values, membership)
            for i in range(self.classes)
            for values in (weights, weights * (probabilities[:, i] - flags[:, i]))
        ]
        return list(np.stack(sums, axis=1).reshape(membership.count, self.classes, 2, self.bins).swapaxes(2, 3))


class MultilabelCalibrationError(StatisticMetric):
    """The mean over the classes of Σ over bins of (rows in the bin / rows) · |share of the class − mean probability|.

    The expected calibration error of each class by itself, with the bins of `ExpectedCalibrationError` over its
    probability; NaN without rows.
    """

    statistic_class = ProbabilityBins

    def value(self, state: np.ndarray) -> float:
        return ratio(np.abs(state[:, :, 1]).sum(), state[:, :, 0].sum())
