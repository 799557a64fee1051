"""The base of our metrics: a number that follows from a statistic's state."""

import abc
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.metrics.combiner import StatisticCombineFn
from components.metrics.statistic import Statistic


class StatisticMetric(tfma.metrics.Metric, metaclass=abc.ABCMeta):
    """A TFMA metric that is a function of one statistic's state.

    TFMA computes equal statistics of one output once, however many metrics need them.
    """

    def __init__(self, name: str, **settings: Any):
        """`settings` are what `get_config` returns beside the name: numbers and strings."""
        super().__init__(metric_util.merge_per_key_computations(self._computations), name=name, **settings)

    @abc.abstractmethod
    def statistic(self) -> Statistic:
        """The statistic that the metric follows from."""

    @abc.abstractmethod
    def value(self, state: np.ndarray) -> float:
        """The metric's value; NaN where it is not defined. `state` holds no NaN."""

    def _computations(
        self,
        name: str,
        model_name: str = "",
        output_name: str = "",
        example_weighted: bool = False,
        **settings: Any,
    ) -> metric_types.MetricComputations:
        statistic = self.statistic()
        key = metric_types.MetricKey(
            name=name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
        )
        # A leading underscore tells TFMA that the state is not to be written.
        state_key = key._replace(name=f"_{statistic.name}")

        def result(metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
            state = metrics[state_key]
            return {key: float("nan") if np.isnan(state).any() else float(self.value(state))}

        return [
            metric_types.MetricComputation(
                keys=[state_key], preprocessors=None, combiner=StatisticCombineFn(statistic, state_key)
            ),
            metric_types.DerivedMetricComputation(keys=[key], result=result),
        ]
