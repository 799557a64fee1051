"""The number of rows, or the sum of their weights."""

import numpy as np

from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, grouped_sums


class WeightSum(Statistic):
    """float64 [1]: the sum of weights. Labels and predictions play no part."""

    name = "weight_sum"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        return list(grouped_sums(rows.weights[:, None], membership))
