"""Moments of a regression's errors and labels."""

from collections.abc import Sequence

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, grouped_sums, single_labels, weighted_counts


class ErrorMoments(Statistic):
    """float64 [6]: weight; weighted sums of |e|, e and e²; the labels' mean and sum of squared deviations from it.

    With e = prediction − label. Deviations are merged by the pairwise formula of Chan, Golub and LeVeque (Algorithms
    for Computing the Sample Variance, 1983), which does not cancel where the labels' mean is large.
    """

    name = "error_moments"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        if rows.predictions.shape[1] != 1:
            raise ValueError(f"a regression predicts one value per row, not {rows.predictions.shape[1]}")
        labels = single_labels(rows).astype(np.float64)
        errors = rows.predictions[:, 0] - labels
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
        """See `Statistic`."""
        stacked = np.stack(states)
        weights, means = stacked[:, 0], stacked[:, 4]
        merged = stacked.sum(axis=0)
        origin = means[np.argmax(weights != 0)]
        merged[4] = origin + (np.sum(weights * (means - origin)) / merged[0] if merged[0] else 0.0)
        merged[5] += np.sum(weights * (means - merged[4]) ** 2)
        return merged
