"""How good the baselines are on the network's eval rows, by the Evaluator's own metrics."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.baselines.result import EvaluatedTask, read_outcomes, read_split
from pipeline.baselines import gated_metric
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import BaselineAnalysis, TaskBaselines
from pipeline.report.analysis.sample import Predicted
from pipeline.report.analysis.standard_errors import metrics_by_task, paired_errors
from trainer.config import quantiles_of


def baselines_of(config: JanusConfig, uri: str) -> dict[str, TaskBaselines]:
    """Task → its baselines, with their metrics over all labelled rows of the eval split.

    Args:
        config: what the run was started with.
        uri: the folder of the Baselines component's output.
    """
    evaluated, metrics = read_split(uri).tasks, metrics_by_task(config)
    found = {name: TaskBaselines(metric=gated_metric(config, name, decided=False).name) for name in config.tasks}
    for outcome in read_outcomes(uri):
        made = BaselineAnalysis(rows=outcome.rows, seconds=outcome.seconds, problem=outcome.problem)
        if not outcome.problem:
            task = evaluated[outcome.task]
            predicted = _predicted(
                task, outcome.baseline, np.arange(len(task.rows)), quantiles_of(config.tasks[outcome.task])
            )
            made.metrics = {
                name: value if np.isfinite(value) else None
                for name, metric in metrics[outcome.task].items()
                if metric.facts.reads != "decision" and len(predicted.rows)
                for value in [metric.value(predicted)]
            }
        found[outcome.task].models[outcome.baseline] = made
    return found


def add_errors(
    baselines: Mapping[str, TaskBaselines],
    config: JanusConfig,
    uri: str,
    predicted: Mapping[str, Predicted],
    places: np.ndarray,
    groups: np.ndarray,
) -> None:
    """Adds the standard errors of the differences to the network, over the sampled rows.

    Args:
        baselines: the result of `baselines_of`.
        config: what the run was started with.
        uri: the folder of the Baselines component's output.
        predicted: task → its labelled rows of the sample, as the network predicts them.
        places: int64 [sample, 2], each row's file and place in it: Transform keeps files and rows in order.
        groups: [sample], each row's group.

    Raises:
        ValueError: the rows of the transformed examples are not those of the raw ones.
    """
    split, metrics = read_split(uri), metrics_by_task(config)
    before = np.cumsum(split.shards) - split.shards
    rows = before[places[:, 0]] + places[:, 1] if len(before) else places[:, 1]
    for name, network in predicted.items():
        if name not in split.tasks:
            continue
        task, of_task = split.tasks[name], baselines[name]
        inside = np.searchsorted(task.rows, rows[network.rows])
        if not np.array_equal(np.append(task.rows, -1)[inside], rows[network.rows]):
            raise ValueError(f"task {name}: the transformed examples have other rows than the raw ones")
        of_task.sampled = len(inside)
        levels = quantiles_of(config.tasks[name])
        simple = {baseline: _predicted(task, baseline, inside, levels) for baseline in task.predictions}
        errors = paired_errors(metrics[name][of_task.metric], network, simple, groups[network.rows])
        for baseline, error in errors.items():
            of_task.models[baseline].error = error


def _predicted(task: EvaluatedTask, baseline: str, inside: np.ndarray, levels: Sequence[float]) -> Predicted:
    """Some of a task's labelled rows, as a baseline predicts them."""
    values = task.predictions[baseline][inside].astype(np.float64)
    output = values
    if levels:
        # The median is the quantile whose level is nearest to 0.5, the lower of two.
        middle = int(np.argmin(np.round(np.abs(np.array(levels) - 0.5), 9)))
        output = values[:, middle : middle + 1]
    return Predicted(
        rows=inside,
        labels=task.labels[inside],
        weights=task.weights[inside].astype(np.float64),
        output=output,
        quantiles=values if levels else None,
    )
