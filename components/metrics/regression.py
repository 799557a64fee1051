"""Metrics of predicted numbers and quantiles: errors in the label's unit, the explained share of its variance, Poisson
deviance, and how often the outermost quantiles enclose the label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.metrics.metric import StatisticMetric, WeightedMean
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import RowSums, Statistic, grouped_sums, ratio, single_labels, weighted_counts

SMALLEST_MEAN = 1e-7
"""Predicted means of counts are raised to this before the logarithm."""


class ErrorMoments(Statistic):
    """float64 [6]: weight; weighted sums of |e|, e and e²; the labels' mean and sum of squared deviations from it.

    With e = prediction − label. Deviations are merged by the pairwise formula of Chan, Golub and LeVeque (Algorithms
    for Computing the Sample Variance, 1983), which does not cancel where the labels' mean is large.
    """

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        labels = single_labels(rows).astype(np.float64)
        errors = _single_predictions(rows) - labels
        weights = np.where(np.isfinite(errors), rows.weights, np.nan)
        # Any label of a group serves as its origin; around it, equal labels have a spread of exactly 0.
        origins = np.zeros(membership.count)
        origins[membership.groups] = labels[membership.rows]
        offsets = labels[membership.rows] - origins[membership.groups]
        pair_weights = rows.weights[membership.rows]

        sums = grouped_sums(
            np.stack([weights, weights * np.abs(errors), weights * errors, weights * errors**2], axis=1), membership
        )
        total = weighted_counts(membership.groups, pair_weights, membership.count)
        offset = weighted_counts(membership.groups, pair_weights * offsets, membership.count)
        offset = np.divide(offset, total, out=np.zeros_like(total), where=total != 0)
        squares = pair_weights * (offsets - offset[membership.groups]) ** 2
        spread = weighted_counts(membership.groups, squares, membership.count)
        return list(np.concatenate([sums, (origins + offset)[:, None], spread[:, None]], axis=1))

    def merge(self, states: Sequence[np.ndarray]) -> np.ndarray:
        stacked = np.stack(states)
        weights, means = stacked[:, 0], stacked[:, 4]
        merged = stacked.sum(axis=0)
        origin = means[np.argmax(weights != 0)]
        merged[4] = origin + (np.sum(weights * (means - origin)) / merged[0] if merged[0] else 0.0)
        merged[5] += np.sum(weights * (means - merged[4]) ** 2)
        return merged


class AbsoluteError(WeightedMean):
    """Mean of |prediction − label|, in the label's unit; NaN without rows."""

    statistic_class = ErrorMoments


class RootSquaredError(StatisticMetric):
    """Square root of the mean of (prediction − label)², in the label's unit; NaN without rows."""

    statistic_class = ErrorMoments

    def value(self, state: np.ndarray) -> float:
        return np.sqrt(ratio(state[3], state[0]))


class MeanBias(WeightedMean):
    """Mean of prediction − label, in the label's unit: how far predictions are too high; NaN without rows."""

    statistic_class = ErrorMoments
    column = 2


class RSquared(StatisticMetric):
    """The coefficient of determination (Wright: Correlation and Causation, 1921).

    1 − Σ(prediction − label)² / Σ(label − mean label)²: 1 is perfect, 0 is no better than the slice's own mean. It
    falls below 0 where the prediction is worse than that mean; NaN where the labels do not vary.
    """

    statistic_class = ErrorMoments

    def value(self, state: np.ndarray) -> float:
        return 1 - ratio(state[3], state[5])


class DevianceSums(RowSums):
    """Sums of 2 · (y · log(y / μ) − (y − μ)), with 0 · log 0 = 0."""

    def of_rows(self, rows: Rows) -> np.ndarray:
        labels = single_labels(rows).astype(np.float64)
        if (labels < 0).any():
            raise ValueError("a label of a count task is below 0")
        means = np.maximum(_single_predictions(rows), SMALLEST_MEAN)
        logarithms = np.log(np.where(labels > 0, labels, 1.0) / means)
        return 2 * (labels * logarithms - (labels - means))


class PoissonDeviance(WeightedMean):
    """Mean Poisson deviance of counts and their predicted means: 0 for perfect predictions; NaN without rows.

    McCullagh and Nelder: Generalized Linear Models, 2nd edition, 1989, section 2.3.
    """

    statistic_class = DevianceSums


def _single_predictions(rows: Rows) -> np.ndarray:
    if rows.predictions.shape[1] != 1:
        raise ValueError(f"the task predicts one value per row, not {rows.predictions.shape[1]}")
    return rows.predictions[:, 0]


@dataclass(eq=False)
class QuantileSums(RowSums):
    """Sums of the rows' mean pinball loss, and of rows whose label is within the outermost quantiles, these included.

    The pinball loss of a quantile q of level τ is max(τ · (y − q), (τ − 1) · (y − q)) (Koenker and Bassett: Regression
    Quantiles, 1978), in the label's unit.
    """

    levels: Sequence[float]

    def __post_init__(self) -> None:
        self.levels = tuple(map(float, self.levels))

    def of_rows(self, rows: Rows) -> np.ndarray:
        quantiles, levels = rows.predictions, np.array(self.levels)
        if quantiles.shape[1] != len(levels):
            raise ValueError(f"the model predicts {quantiles.shape[1]} quantiles, the task has {len(levels)}")
        labels = single_labels(rows).astype(np.float64)
        errors = labels[:, None] - quantiles
        losses = np.maximum(levels * errors, (levels - 1) * errors).mean(axis=1)
        covered = (quantiles.min(axis=1) <= labels) & (labels <= quantiles.max(axis=1))
        return np.stack([losses, covered], axis=1)


class PinballLoss(WeightedMean):
    """Mean pinball loss over rows and levels, in the label's unit; NaN without rows. Of the median: half the MAE."""

    statistic_class = QuantileSums


class IntervalCoverage(WeightedMean):
    """Share of labels within the outermost of two or more quantiles; NaN without rows.

    It should be near the difference of these quantiles' levels, 0.8 for 0.1 and 0.9.
    """

    statistic_class = QuantileSums
    column = 2
