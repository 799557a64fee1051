"""The number of labelled rows, whatever they weigh."""

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, weighted_counts


class RowCount(Statistic):
    """float64 [1]: rows that are not masked. Labels and predictions play no part."""

    name = "row_count"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        ones = np.ones(len(membership.rows))
        return list(weighted_counts(membership.groups, ones, membership.count)[:, None])


class LabelledRows(StatisticMetric):
    """Rows with a label and a weight above 0; TFMA's ExampleCount is the sum of their weights."""

    statistic_class = RowCount

    def value(self, state: np.ndarray) -> float:
        return float(state[0])
