"""Runs the trainings of a comparison that are not in the journal yet."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import tensorflow as tf
import tensorflow_transform as tft

from janus_core.errors import JanusError
from janus_core.progress import PROGRESS, readable_seconds
from pipeline.commands.compare.comparison import Training
from pipeline.commands.compare.journal import Journal, training_key
from pipeline.commands.compare.metrics import Plan, measured
from trainer.config import TrainerConfig
from trainer.evaluate import predictions, read_transformed
from trainer.input import TrainingData
from trainer.run import read_examples
from trainer.trial import train_trial


@dataclass(frozen=True)
class Planned:
    """A training that a comparison needs.

    Attributes:
        label: for people; the same for all repetitions.
        config: what is trained.
        repetition: see `train_trial`.
    """

    label: str
    config: TrainerConfig
    repetition: int


@dataclass(frozen=True)
class Examples:
    """Transformed examples, read once for all trainings.

    Attributes:
        transform: what wrote them.
        training: the train split.
        evaluation: batches of the eval split.
        digest: of their content.
    """

    transform: tft.TFTransformOutput
    training: TrainingData
    evaluation: tf.data.Dataset
    digest: str


def open_examples(transform_graph: Path, transformed: Sequence[Path], config: TrainerConfig, digest: str) -> Examples:
    """Reads the train split; the eval split is read when it is first needed.

    Args:
        transform_graph, transformed: folders of Transform's outputs; of several spans, the first is evaluated.
        config: names all features and tasks.
        digest: of all folders.

    Raises:
        DataError: the train split is too small.
    """
    transform = tft.TFTransformOutput(str(transform_graph))
    training = read_examples([f"{folder}/Split-train/*" for folder in transformed], transform, config)
    evaluation = read_transformed([f"{transformed[0]}/Split-eval/*"], transform, keep=training.in_memory)
    return Examples(transform, training, evaluation, digest)


@dataclass
class Clock:
    """Estimates how long the remaining trainings will take from those that have ended."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, label: str, seconds: float) -> None:
        """Adds a training that has ended."""
        self.seconds.setdefault(label, []).append(seconds)

    def left(self, labels: Sequence[str]) -> float | None:
        """Seconds that trainings with these labels will take; None before the first one has ended."""
        every = [seconds for of_label in self.seconds.values() for seconds in of_label]
        return sum(fmean(self.seconds.get(label, every)) for label in labels) if every else None


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

    Args:
        planned: what is wanted.
        examples: what to train and evaluate on.
        plan: the metrics.
        journal: finds and keeps trainings.
        determined_by: what a training depends on besides its configuration, its repetition and the examples.
        headlines: task → the metric that is logged when a training has ended.
        status: called with what is being done.
    """

    def key_of(wanted: Planned) -> str:
        return training_key(
            {
                **determined_by,
                "trainer": wanted.config.model_dump_json(),
                "repetition": wanted.repetition,
                "examples": examples.digest,
            }
        )

    keys = {key_of(wanted): wanted for wanted in reversed(planned)}
    todo = [wanted for key, wanted in reversed(keys.items()) if journal.find(key) is None]
    if len(todo) < len(keys):
        PROGRESS.info("%d of %d trainings were done before", len(keys) - len(todo), len(keys))
    clock = Clock()
    for number, wanted in enumerate(todo, start=1):
        left = clock.left([later.label for later in todo[number - 1 :]])
        until = f", {readable_seconds(left)} left" if left is not None else ""
        status(f"{number}/{len(todo)} {wanted.label}, seed {wanted.config.seed + wanted.repetition}{until}")
        started = time.monotonic()
        training = _train(wanted, key_of(wanted), examples, plan)
        journal.add(training)
        clock.add(wanted.label, time.monotonic() - started)
        _log(f"{number}/{len(todo)}", wanted, training, headlines, clock.left([later.label for later in todo[number:]]))
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


def _log(count: str, wanted: Planned, training: Training, headlines: Mapping[str, str], left: float | None) -> None:
    values = ((task, headlines[task], metrics[headlines[task]]) for task, metrics in training.metrics.items())
    figures = ", ".join(
        f"{task} {metric} {'undefined' if value is None else f'{value:.4g}'}" for task, metric, value in values
    )
    until = f", {readable_seconds(left)} left" if left else ""
    seed = wanted.config.seed + wanted.repetition
    PROGRESS.info("%s  %s, seed %d: %s  %.1f s%s", count, wanted.label, seed, figures, training.seconds, until)
