"""Quadratic weighted kappa: agreement of ordered classes beyond chance.

Cohen: Weighted kappa: Nominal scale agreement with provision for scaled disagreement or partial credit, Psychological
Bulletin 70, 1968.
"""

import numpy as np
from tensorflow_model_analysis.metrics import metric_types

from components.metrics.median_confusion import MedianConfusion, distances
from components.metrics.metric import StatisticMetric


class QuadraticWeightedKappa(StatisticMetric):
    """1 − Σ d² · observed / Σ d² · expected, with d the classes between label and predicted median class.

    Expected are the counts of labels and predictions that have the same margins and are independent: 1 is perfect, 0 is
    chance. NaN where labels and predictions are all of one and the same class, and without rows.
    """

    def __init__(self, classes: int, name: str = "qwk"):
        super().__init__(name=name, classes=classes)
        self.classes = classes

    def statistic(self) -> MedianConfusion:
        """See `StatisticMetric`."""
        return MedianConfusion(self.classes)

    def value(self, state: np.ndarray) -> float:
        """See `StatisticMetric`."""
        disagreement = distances(self.classes) ** 2
        # Both sums times the total weight, so that nothing is divided by a weight of 0.
        expected = np.sum(disagreement * np.outer(state.sum(axis=1), state.sum(axis=0)))
        observed = np.sum(disagreement * state) * state.sum()
        return 1 - observed / expected if expected > 0 else np.nan


metric_types.register_metric(QuadraticWeightedKappa)
