"""Standard errors of metrics, by the delete-a-group jackknife (Kott 2001).

Rows are assigned to groups at random, and the metric is computed without each group in turn. This uses the Evaluator's
own metrics, since their states of groups can be merged.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows, make_rows, one_group
from janus_core.kinds import metrics_of
from janus_core.metrics import Metric
from pipeline.config import JanusConfig
from pipeline.evaluation import metrics_by_output, output_of
from pipeline.report.analysis.sample import Predicted
from trainer.config import quantiles_of

GROUPS, FEWEST_GROUPS = 30, 5
"""With fewer groups that have rows, the error itself would be too uncertain."""


@dataclass(frozen=True)
class TaskMetric:
    """A metric of a task, as the Evaluator computes it.

    Attributes:
        facts: what the catalogue says of it.
        metric: TFMA's.
        levels: of the quantiles that the task predicts.
    """

    facts: Metric
    metric: StatisticMetric
    levels: Sequence[float] = ()

    def rows(self, predicted: Predicted) -> Rows:
        """The rows that it is computed from."""
        values = {"quantiles": predicted.quantiles, "decision": predicted.decision}.get(self.facts.reads)
        return make_rows(predicted.labels, predicted.output if values is None else values, predicted.weights)

    def value(self, predicted: Predicted) -> float:
        """The metric over all rows; NaN where it is not defined."""
        (state,) = self.metric.statistic().of_groups(self.rows(predicted), one_group(len(predicted.weights)))
        return self.metric.value_of(state)

    def worse(self, value: float, base: float) -> float:
        """How much worse a value is than another, in the metric's unit; NaN where either is not defined."""
        after, before = self.facts.badness(value, self.levels), self.facts.badness(base, self.levels)
        return math.nan if after is None or before is None else after - before


def metrics_by_task(config: JanusConfig) -> dict[str, dict[str, TaskMetric]]:
    """Task → short name → metric, made as the Evaluator makes them."""
    made = metrics_by_output(config)
    return {
        name: {
            metric: TaskMetric(facts, made[output_of(name, facts), metric], quantiles_of(task))
            for metric, facts in metrics_of(task).items()
        }
        for name, task in config.tasks.items()
    }


def standard_error(metric: TaskMetric, predicted: Predicted, groups: np.ndarray) -> float | None:
    """The metric's standard error over these rows; None where it cannot be estimated.

    Args:
        metric: which.
        predicted: the rows.
        groups: [n], each row's group.
    """
    return _jackknife(_values(metric, _states_without_each_group(metric, predicted, groups)))


def paired_errors(
    metric: TaskMetric, one: Predicted, others: Mapping[str, Predicted], groups: np.ndarray
) -> dict[str, float | None]:
    """The standard errors of the differences of a metric between a model and each other, for the same rows."""
    own = _values(metric, _states_without_each_group(metric, one, groups))
    errors: dict[str, float | None] = {}
    for name, other in others.items():
        values = _values(metric, _states_without_each_group(metric, other, groups))
        errors[name] = None if own is None or values is None else _jackknife(own - values)
    return errors


def standard_errors(
    metrics: Mapping[str, TaskMetric], names: Sequence[str], predicted: Predicted, groups: np.ndarray
) -> dict[str, float]:
    """The errors of those metrics that have one."""
    # Several metrics follow from the same statistic, as both areas under curves do.
    states: dict[tuple[str, str], list[np.ndarray]] = {}
    errors: dict[str, float] = {}
    for name in names:
        metric = metrics[name]
        key = (metric.metric.statistic().name, metric.facts.reads)
        if key not in states:
            states[key] = _states_without_each_group(metric, predicted, groups)
        error = _jackknife(_values(metric, states[key]))
        if error is not None:
            errors[name] = error
    return errors


def _jackknife(values: np.ndarray | None) -> float | None:
    if values is None:
        return None
    count = len(values)
    return math.sqrt((count - 1) / count * float(np.sum((values - values.mean()) ** 2)))


def _values(metric: TaskMetric, states: Sequence[np.ndarray]) -> np.ndarray | None:
    """The metric of each state; None where one is not defined, or there are none."""
    values = np.array([metric.metric.value_of(state) for state in states])
    return values if len(values) and np.isfinite(values).all() else None


def _states_without_each_group(metric: TaskMetric, predicted: Predicted, groups: np.ndarray) -> list[np.ndarray]:
    """The states of the metric's statistic without each group in turn; none where there are few groups."""
    _, places = np.unique(groups, return_inverse=True)
    count = int(places.max()) + 1 if len(places) else 0
    if count < FEWEST_GROUPS:
        return []
    statistic = metric.metric.statistic()
    states = statistic.of_groups(metric.rows(predicted), Membership(np.arange(len(places)), places, count))

    def merge(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return statistic.merge([one, other])

    before, after = list(accumulate(states[:-1], merge)), list(accumulate(states[:0:-1], merge))[::-1]
    return [after[0], *map(merge, before[:-1], after[1:]), before[-1]]
