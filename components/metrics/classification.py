"""Metrics of exclusive classes: accuracy, F1, log loss, calibration, which classes occur; and how far off
predictions of ordered classes are."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from components.metrics.metric import StatisticMetric, WeightedMean
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    ClassStatistic,
    RowSums,
    class_indices,
    class_probabilities,
    finite_rows,
    grouped_counts,
    ratio,
)

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are raised to this before the logarithm, as in Keras' losses."""

CALIBRATION_BINS = 15


@dataclass(eq=False)
class ClassCounts(ClassStatistic):
    """Weights per class, float64 [3, classes]: of rows that are right, labelled so, predicted so.

    The predicted class is the most probable one, of equal ones the first. Where the model decides itself, as it does
    between two classes by a threshold of its own, predictions are names of classes, which `decided` are then.
    """

    decided: Sequence[str] = ()

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        labels = class_indices(rows, self.classes)
        if self.decided:
            matches = np.stack([rows.predictions[:, 0] == name.encode() for name in self.decided], axis=1).astype(bool)
            # What is no class was decided from a probability that is not finite.
            predicted, finite = matches.argmax(axis=1), matches.any(axis=1)
        else:
            probabilities = class_probabilities(rows, self.classes)
            finite = finite_rows(probabilities)
            predicted = np.argmax(np.where(finite[:, None], probabilities, 0.0), axis=1)
        weights = np.where(finite, rows.weights, np.nan)
        right = np.where(predicted == labels, weights, 0.0)
        counts = [
            grouped_counts(codes, self.classes, values, membership)
            for codes, values in ((labels, right), (labels, rows.weights), (predicted, weights))
        ]
        return list(np.stack(counts, axis=1))


class ClassAccuracy(StatisticMetric):
    """Share of labelled rows that are classified rightly, of 2 or more classes; NaN without rows."""

    statistic_class = ClassCounts

    def value(self, state: np.ndarray) -> float:
        right, labelled, _ = state.sum(axis=1)
        return ratio(right, labelled)


class MacroF1(StatisticMetric):
    """F1 (van Rijsbergen, 1979) of the second of two classes; of more, the unweighted mean of each class's F1.

    A class that is neither labelled nor predicted has no F1 and is left out of the mean (as scikit-learn does); NaN if
    there is none left.
    """

    statistic_class = ClassCounts

    def value(self, state: np.ndarray) -> float:
        return mean_f1(*(state[:, 1:] if state.shape[1] == 2 else state))


def mean_f1(right: np.ndarray, labelled: np.ndarray, predicted: np.ndarray) -> float:
    """The mean F1 of the classes that are labelled or predicted, NaN if there is none, from weights [classes]."""
    present = labelled + predicted > 0
    return float(np.mean(2 * right[present] / (labelled + predicted)[present])) if present.any() else np.nan


class PresentClasses(StatisticMetric):
    """The number of classes among the labels: averages over classes are over fewer where one is absent."""

    statistic_class = ClassCounts

    def value(self, state: np.ndarray) -> float:
        return float(np.count_nonzero(state[1]))


class LogLossSums(RowSums, ClassStatistic):
    """Sums of −log of the labelled class's probability."""

    def of_rows(self, rows: Rows) -> np.ndarray:
        labels = class_indices(rows, self.classes)
        of_label = class_probabilities(rows, self.classes)[np.arange(len(labels)), labels]
        return -np.log(np.clip(of_label, SMALLEST_PROBABILITY, 1.0))


class LogLoss(WeightedMean):
    """Mean −log of the probability given to the labelled class, of 2 or more classes, in nats; NaN without rows."""

    statistic_class = LogLossSums


class CalibrationBins(ClassStatistic):
    """Per outcome and bin of its probability, float64 [outcomes, bins, 2]: weight, weight × (probability − whether it
    is the case).

    Only the difference of a bin's two means counts, so only the difference of their sums is kept.
    """

    @abc.abstractmethod
    def outcomes(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, float64 [n, outcomes], and whether each outcome is the case, bool [n, outcomes]."""

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        probabilities, occurred = self.outcomes(rows)
        finite, outcomes = finite_rows(probabilities), probabilities.shape[1]
        probabilities = np.where(finite[:, None], probabilities, 0.0)
        weights = np.where(finite, rows.weights, np.nan)
        bins = np.clip(np.ceil(probabilities * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
        sums = [
            grouped_counts(bins[:, i], CALIBRATION_BINS, values, membership)
            for i in range(outcomes)
            for values in (weights, weights * (probabilities[:, i] - occurred[:, i]))
        ]
        return list(np.stack(sums, axis=1).reshape(membership.count, outcomes, 2, CALIBRATION_BINS).swapaxes(2, 3))


class ConfidenceBins(CalibrationBins):
    """The one outcome is that the most probable class is right; its probability is the confidence."""

    def outcomes(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        probabilities = class_probabilities(rows, self.classes)
        confidence = np.where(finite_rows(probabilities), probabilities.max(axis=1), np.nan)
        right = probabilities.argmax(axis=1) == class_indices(rows, self.classes)
        return confidence[:, None], right[:, None]


class ExpectedCalibrationError(StatisticMetric):
    """Σ over bins of (rows in the bin / rows) · |accuracy − mean confidence|; NaN without rows.

    Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, equation 3. As there: 15 bins of
    equal width, ((m-1)/15, m/15], over the confidence, which is the probability of the most probable class.
    """

    statistic_class: ClassVar[type[CalibrationBins]] = ConfidenceBins

    def value(self, state: np.ndarray) -> float:
        return ratio(np.abs(state[..., 1]).sum(), state[..., 0].sum())


class MedianConfusion(ClassStatistic):
    """Weights, float64 [classes, classes], of rows by labelled class and by predicted median class.

    The median class is the first, in ascending order, up to which the probabilities add up to at least 0.5: of all
    classes the one with the least expected distance to the label.
    """

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        probabilities = class_probabilities(rows, self.classes)
        labels = class_indices(rows, self.classes)
        finite = finite_rows(probabilities)
        cumulative = np.cumsum(np.where(finite[:, None], probabilities, 1.0), axis=1)
        medians = np.argmax(cumulative >= 0.5, axis=1)
        counts = grouped_counts(
            labels * self.classes + medians, self.classes**2, np.where(finite, rows.weights, np.nan), membership
        )
        return list(counts.reshape(membership.count, self.classes, self.classes))


class ClassDistance(StatisticMetric):
    """Mean number of classes between the label and the predicted median class; NaN without rows."""

    statistic_class = MedianConfusion

    def value(self, state: np.ndarray) -> float:
        return ratio(np.sum(state * _distances(len(state))), state.sum())


class QuadraticWeightedKappa(StatisticMetric):
    """1 − Σ d² · observed / Σ d² · expected, with d the classes between label and predicted median class.

    Expected are the counts of labels and predictions that have the same margins and are independent: 1 is perfect, 0 is
    chance. NaN where labels and predictions are all of one and the same class, and without rows. Cohen: Weighted kappa,
    Psychological Bulletin 70, 1968.
    """

    statistic_class = MedianConfusion

    def value(self, state: np.ndarray) -> float:
        disagreement = _distances(len(state)) ** 2
        # Both sums times the total weight, so that nothing is divided by a weight of 0.
        expected = np.sum(disagreement * np.outer(state.sum(axis=1), state.sum(axis=0)))
        return 1 - ratio(np.sum(disagreement * state) * state.sum(), expected)


def _distances(classes: int) -> np.ndarray:
    """|i − j| of each pair of classes, float64 [classes, classes]."""
    places = np.arange(classes, dtype=np.float64)
    return np.abs(np.subtract.outer(places, places))
