"""Log loss: the mean cross-entropy of labels and predicted probabilities, in nats."""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import Statistic, class_indices, class_probabilities, finite_rows, grouped_sums

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are raised to this before the logarithm, as in Keras' losses."""


class LogLossSums(Statistic):
    """float64 [2]: the sum of weights, the weighted sum of −log of the labelled class's probability."""

    def __init__(self, classes: int):
        self.classes = classes
        self.name = f"log_loss_sums:classes={classes}"

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """See `Statistic`."""
        labels = class_indices(rows, self.classes)
        probabilities = class_probabilities(rows, self.classes)
        weights = np.where(finite_rows(probabilities), rows.weights, np.nan)
        of_label = probabilities[np.arange(len(labels)), labels]
        loss = -np.log(np.clip(of_label, SMALLEST_PROBABILITY, 1.0))
        return list(grouped_sums(np.stack([weights, weights * loss], axis=1), membership))


class LogLoss(StatisticMetric):
    """Mean −log of the probability given to the labelled class, of 2 or more classes; NaN without rows."""

    def __init__(self, classes: int, name: str = "log_loss"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> LogLossSums:
        """See `StatisticMetric`."""
        return LogLossSums(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        weight, loss = state
        return loss / weight if weight else np.nan


metric_types.register_metric(LogLoss)
