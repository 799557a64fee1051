"""Computes the Evaluator's metrics from predictions in memory, with the Evaluator's code."""

import importlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import labelled, make_rows, one_group
from components.metrics.statistic import Statistic
from janus_core.kinds import metrics_of
from pipeline.config import JanusConfig
from pipeline.evaluation import LABELLED_COUNT, eval_config, output_of
from trainer.evaluate import Predictions


@dataclass(frozen=True)
class OutputMetric:
    """A metric of a task, and the model's output that it is computed from."""

    output: str
    metric: StatisticMetric

    @property
    def statistic_key(self) -> tuple[str, str]:
        """Metrics with the same one share a statistic."""
        return self.output, self.metric.statistic().name


Plan = Mapping[str, Mapping[str, OutputMetric]]
"""task → metric → what computes it; beside the task's own metrics, LABELLED_COUNT."""


def metrics_plan(config: JanusConfig) -> Plan:
    """All metrics of all tasks, as the Evaluator's configuration names them."""
    found: dict[tuple[str, str], StatisticMetric] = {}
    for spec in eval_config(config).metrics_specs:
        for metric in spec.metrics:
            settings = json.loads(metric.config)
            if metric.module and spec.output_names:
                cls = getattr(importlib.import_module(metric.module), metric.class_name)
                found[spec.output_names[0], settings["name"]] = cls(**settings)
    plan: dict[str, dict[str, OutputMetric]] = {}
    for name, task in config.tasks.items():
        outputs = {metric.name: output_of(name, metric) for metric in metrics_of(task).values()}
        outputs[LABELLED_COUNT] = name
        plan[name] = {metric: OutputMetric(output, found[output, metric]) for metric, output in outputs.items()}
    return plan


def measured(batches: Iterable[Mapping[str, Predictions]], plan: Plan) -> dict[str, dict[str, float | None]]:
    """task → metric → its value over all batches, None where it is not defined; of the tasks that the batches hold."""
    states: dict[str, dict[tuple[str, str], list[np.ndarray]]] = {}
    statistics: dict[tuple[str, str], Statistic] = {
        metric.statistic_key: metric.metric.statistic() for metrics in plan.values() for metric in metrics.values()
    }
    for batch in batches:
        for task, rows in batch.items():
            of_task = states.setdefault(task, {})
            for key in dict.fromkeys(metric.statistic_key for metric in plan[task].values()):
                made = make_rows(rows.labels, rows.outputs[key[0]], rows.weights)
                of_task.setdefault(key, []).extend(
                    statistics[key].of_groups(*labelled(made, one_group(len(rows.weights))))
                )
    return {
        task: {
            name: _value(metric, statistics[metric.statistic_key].merge(of_task[metric.statistic_key]))
            for name, metric in plan[task].items()
        }
        for task, of_task in states.items()
    }


def _value(metric: OutputMetric, state: np.ndarray) -> float | None:
    if np.isnan(state).any():
        return None
    value = float(metric.metric.value(state))
    return value if math.isfinite(value) else None
