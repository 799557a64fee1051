"""Runs the trainings of a comparison that are not in the journal yet, and measures them by the Evaluator's code."""

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from components.metrics.metric import StatisticMetric
from components.metrics.rows import labelled, make_rows, one_group
from components.metrics.statistic import Statistic
from janus_core.errors import JanusError
from janus_core.fingerprint import digest_of_json
from janus_core.kinds import metrics_of
from janus_core.progress import PROGRESS, readable_seconds
from pipeline.commands.compare.comparison import Training
from pipeline.commands.compare.journal import Journal
from pipeline.config import JanusConfig
from pipeline.evaluation import LABELLED_COUNT, metrics_by_output, output_of
from pipeline.report.report_json import finite
from trainer.config import TrainerConfig
from trainer.evaluate import Predictions, predictions, read_transformed
from trainer.input import TrainingData
from trainer.run import read_examples
from trainer.trial import train_trial


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


@dataclass(frozen=True)
class Planned:
    """A training that a comparison needs; its label, for people, is the same for all repetitions."""

    label: str
    config: TrainerConfig
    repetition: int


@dataclass(frozen=True)
class Examples:
    """Transformed examples, read once for all trainings, and a digest of their content."""

    transform: tft.TFTransformOutput
    training: TrainingData
    evaluation: tf.data.Dataset
    digest: str


def open_examples(transform_graph: Path, transformed: Sequence[Path], config: TrainerConfig, digest: str) -> Examples:
    """Reads the train split; the eval split, of several spans the first's, is read when it is first needed.

    Raises:
        DataError: the train split is too small.
    """
    transform = tft.TFTransformOutput(str(transform_graph))
    training = read_examples([f"{folder}/Split-train/*" for folder in transformed], transform, config)
    evaluation = read_transformed([f"{transformed[0]}/Split-eval/*"], transform, keep=training.in_memory)
    return Examples(transform, training, evaluation, digest)


def carry_out(
    planned: Sequence[Planned],
    examples: Examples,
    plan: Plan,
    journal: Journal,
    determined_by: Mapping[str, str],
    headlines: Mapping[str, str],
    status: Callable[[str], None],
) -> dict[tuple[str, int], Training]:
    """(label, repetition) → its training, from the journal or trained now.

    A training is `determined_by` these besides its configuration, its repetition and the examples. When it has ended,
    each task's metric in `headlines` is logged.
    """

    def key_of(wanted: Planned) -> str:
        trainer = wanted.config.model_dump_json()
        parts = {"trainer": trainer, "repetition": wanted.repetition, "examples": examples.digest}
        return digest_of_json({**determined_by, **parts})[:24]

    keys = {key_of(wanted): wanted for wanted in reversed(planned)}
    todo = [wanted for key, wanted in reversed(keys.items()) if journal.find(key) is None]
    if len(todo) < len(keys):
        PROGRESS.info("%d of %d trainings were done before", len(keys) - len(todo), len(keys))
    seconds: dict[str, list[float]] = {}

    def left(first: int) -> str:
        """How long the trainings from this one on will take, by those that have ended."""
        every = [each for of_label in seconds.values() for each in of_label]
        total = sum(fmean(seconds.get(later.label, every)) for later in todo[first:]) if every else 0.0
        return f", {readable_seconds(total)} left" if total else ""

    for number, wanted in enumerate(todo, start=1):
        status(f"{number}/{len(todo)} {wanted.label}, seed {wanted.config.seed + wanted.repetition}{left(number - 1)}")
        started = time.monotonic()
        training = _train(wanted, key_of(wanted), examples, plan)
        journal.add(training)
        seconds.setdefault(wanted.label, []).append(time.monotonic() - started)
        _log(f"{number}/{len(todo)}", wanted, training, headlines, left(number))
    found = {(wanted.label, wanted.repetition): journal.find(key_of(wanted)) for wanted in planned}
    return {place: training for place, training in found.items() if training is not None}


def _train(wanted: Planned, key: str, examples: Examples, plan: Plan) -> Training:
    try:
        trial = train_trial(wanted.config, examples.transform, examples.training, wanted.repetition)
    except JanusError as error:
        raise type(error)(f"{wanted.label}, seed {wanted.config.seed + wanted.repetition}: {error}") from error
    metrics = measured(predictions(trial.network, trial.heads, examples.evaluation), plan)
    training = Training(
        key=key,
        label=wanted.label,
        tasks=list(wanted.config.tasks),
        repetition=wanted.repetition,
        parameters=trial.parameters,
        seconds=round(trial.seconds, 3),
        epochs=trial.epochs,
        best_epoch=trial.best_epoch,
        metrics=metrics,
    )
    # Keras's models refer to themselves: they would pile up.
    del trial
    gc.collect()
    return training


def _log(count: str, wanted: Planned, training: Training, headlines: Mapping[str, str], left: str) -> None:
    values = ((task, headlines[task], metrics[headlines[task]]) for task, metrics in training.metrics.items())
    figures = ", ".join(
        f"{task} {metric} {'undefined' if value is None else f'{value:.4g}'}" for task, metric, value in values
    )
    seed = wanted.config.seed + wanted.repetition
    PROGRESS.info("%s  %s, seed %d: %s  %.1f s%s", count, wanted.label, seed, figures, training.seconds, left)


# --- the Evaluator's metrics of predictions in memory -------------------------------------------------------------


def metrics_plan(config: JanusConfig) -> Plan:
    """All metrics of all tasks, as the Evaluator's configuration names them."""
    found = metrics_by_output(config)
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
            name: finite(metric.metric.value_of(statistics[metric.statistic_key].merge(of_task[metric.statistic_key])))
            for name, metric in plan[task].items()
        }
        for task, of_task in states.items()
    }
