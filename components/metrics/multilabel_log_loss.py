"""Log loss of a multilabel task: the mean over its classes of each one's cross-entropy, in nats."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.log_loss import SMALLEST_PROBABILITY
from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, finite_rows, grouped_sums, label_flags


class MultilabelLogLossSums(Statistic):
    """float64 [2]: the sum of weights; the weighted sum of the rows' mean −log of the right outcome's probability."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"multilabel_log_loss_sums:classes={classes}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        flags = label_flags(rows, self.classes)
        finite = finite_rows(rows.predictions)
        predictions = np.where(finite[:, None], rows.predictions, 1.0)
        weights = np.where(finite, rows.weights, np.nan)
        of_outcome = np.where(flags, predictions, 1 - predictions)
        losses = -np.log(np.clip(of_outcome, SMALLEST_PROBABILITY, 1.0)).mean(axis=1)
        return list(grouped_sums(np.stack([weights, weights * losses], axis=1), membership))


class MultilabelLogLoss(StatisticMetric):
    """Mean over rows and classes of −log of the probability given to what is the case; NaN without rows."""

    def __init__(self, classes: int, name: str = "log_loss"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MultilabelLogLossSums:
        """See `StatisticMetric`."""
        return MultilabelLogLossSums(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, loss = state
        return loss / weight if weight else np.nan


metric_types.register_metric(MultilabelLogLoss)
