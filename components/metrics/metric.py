"""The base of our metrics: a number that follows from a statistic's state, which TFMA may compute row by row."""

import abc
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

from components.metrics.rows import labelled, make_rows, one_group
from components.metrics.statistic import RowCount, Statistic, ratio

BUFFERED_ROWS = 1024
"""Rows that are gathered before arrays are made of them: enough to make numpy's cost per call small."""
BUFFERED_STATES = 16
"""States that are gathered before they are merged: some hold a number for each row."""


@dataclass
class _Accumulator:
    states: list[np.ndarray] = field(default_factory=list)
    rows: list[tuple[Any, Any, Any]] = field(default_factory=list)


class StatisticCombineFn(beam.CombineFn):
    """Rows as TFMA's StandardMetricInputs → {key: the statistic's state}."""

    def __init__(self, statistic: Statistic, key: metric_types.MetricKey):
        self.statistic = statistic
        self.key = key

    def create_accumulator(self) -> _Accumulator:
        """No rows."""
        return _Accumulator()

    def add_input(self, accumulator: _Accumulator, element: metric_types.StandardMetricInputs) -> _Accumulator:
        """Adds a row; the label, prediction and weight may be keyed by model and output."""
        names = (self.key.model_name, self.key.output_name)
        label, prediction = element.get_labels(*names), element.get_predictions(*names)
        weight = element.get_example_weights(*names) if self.key.example_weighted else None
        if label is None or prediction is None:
            missing = "label" if label is None else "prediction"
            raise ValueError(f"output '{self.key.output_name}': there is no {missing}; check the model spec's keys")
        accumulator.rows.append((label, prediction, 1.0 if weight is None else weight))
        if len(accumulator.rows) >= BUFFERED_ROWS:
            self.summarise(accumulator)
            if len(accumulator.states) >= BUFFERED_STATES:
                self.compact(accumulator)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[_Accumulator]) -> _Accumulator:
        """One accumulator of all rows."""
        merged = _Accumulator()
        for accumulator in accumulators:
            merged.states += accumulator.states
            merged.rows += accumulator.rows
        return self.compact(merged)

    def summarise(self, accumulator: _Accumulator) -> None:
        """Turns the rows that wait into a state."""
        if accumulator.rows:
            labels, predictions, weights = zip(*accumulator.rows, strict=True)
            rows = make_rows(np.stack(labels), np.stack(predictions), np.stack(weights))
            accumulator.states += self.statistic.of_groups(*labelled(rows, one_group(len(labels))))
            accumulator.rows = []

    def compact(self, accumulator: _Accumulator) -> _Accumulator:
        """Turns all rows and states into one state."""
        self.summarise(accumulator)
        if len(accumulator.states) > 1:
            accumulator.states = [self.statistic.merge(accumulator.states)]
        return accumulator

    def extract_output(self, accumulator: _Accumulator) -> dict[metric_types.MetricKey, np.ndarray]:
        """The state, under the key."""
        return {self.key: self.compact(accumulator).states[0]}


class StatisticMetric(tfma.metrics.Metric, metaclass=abc.ABCMeta):
    """A TFMA metric that is a function of one statistic's state.

    TFMA imports its class by module and name, as an EvalConfig has them, and computes equal statistics of one output
    once, however many metrics need them.

    Attributes:
        statistic_class: the statistic, which is made with the metric's own settings.
    """

    statistic_class: ClassVar[type[Statistic]]

    def __init__(self, name: str = "", **settings: Any):
        """`name` is the key of the result; `settings` are numbers, strings and lists of these, which JSON can hold."""
        computations = metric_util.merge_per_key_computations(self._computations)
        super().__init__(computations, name=name or type(self).__name__, **settings)
        self._settings = settings

    def statistic(self) -> Statistic:
        """The statistic that the metric follows from."""
        return self.statistic_class(**self._settings)

    @abc.abstractmethod
    def value(self, state: np.ndarray) -> float:
        """The metric's value; NaN where it is not defined. `state` holds no NaN."""

    def value_of(self, state: np.ndarray) -> float:
        """The metric's value; NaN where it is not defined, or a prediction is not finite."""
        return math.nan if np.isnan(state).any() else float(self.value(state))

    def _computations(
        self, name: str, model_name: str = "", output_name: str = "", example_weighted: bool = False, **settings: Any
    ) -> metric_types.MetricComputations:
        statistic = self.statistic()
        key = metric_types.MetricKey(
            name=name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
        )
        # A leading underscore tells TFMA that the state is not to be written.
        state_key = key._replace(name=f"_{statistic.name}")

        def result(metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, float]:
            return {key: self.value_of(metrics[state_key])}

        return [
            metric_types.MetricComputation(
                keys=[state_key], preprocessors=None, combiner=StatisticCombineFn(statistic, state_key)
            ),
            metric_types.DerivedMetricComputation(keys=[key], result=result),
        ]


class WeightedMean(StatisticMetric):
    """The mean over the rows of a number that the statistic sums up, by weight; NaN without rows.

    Attributes:
        column: the place of this sum in the state, the first number of which is the sum of weights.
    """

    column: ClassVar[int] = 1

    def value(self, state: np.ndarray) -> float:
        return ratio(state[self.column], state[0])


class LabelledRows(StatisticMetric):
    """Rows with a label and a weight above 0; TFMA's ExampleCount is the sum of their weights."""

    statistic_class = RowCount

    def value(self, state: np.ndarray) -> float:
        return float(state[0])
