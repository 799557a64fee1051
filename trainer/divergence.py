"""The end of a training whose loss is no longer a finite number, and the report of the likely cause."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from janus_core.errors import DataError, JanusError
from trainer.config import TrainerConfig, column_of
from trainer.heads.base import Head
from trainer.input import TrainingData
from trainer.multitask import MultiTaskModel
from trainer.names import log_name

LIMITS = {"features": 1000.0, "tasks": 1000.0, "sample_weight": 1e15}
"""A column with a greater absolute value is reported as the likely cause. Features are compared as the network reads
them, labels in standard deviations, and weights as they are, since the sum of a batch's weights must be a float32."""


class _NotFiniteError(Exception):
    """Ends `fit`. `tasks` are those whose loss is not finite; `when` is the step or epoch, in words."""

    def __init__(self, tasks: list[str], when: str):
        super().__init__(tasks, when)
        self.tasks, self.when = tasks, when


class FiniteLosses(keras.callbacks.Callback):
    """Ends the training after an epoch with a loss that is not finite, where no assertion in a step has ended it.

    A step compiled by XLA contains no assertion, nor does the validation, and float16 may skip a step.
    """

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Checks the epoch's mean losses."""
        kinds = {"val_": f"in the validation rows after epoch {epoch + 1}"}
        if self.model.stops_at_once:
            kinds = {"": f"in epoch {epoch + 1}", **kinds}
        for prefix, when in kinds.items():
            losses = {name: (logs or {})[f"{prefix}{log_name(name)}_loss"] for name in self.model.heads}
            names = [name for name, loss in losses.items() if not np.isfinite(loss)]
            if names:
                raise _NotFiniteError(names, when)


def fit(model: MultiTaskModel, data: TrainingData, config: TrainerConfig, callbacks: list[Any], **options: Any) -> None:
    """Keras's `fit`, ended at the first step with a loss that is not finite.

    Raises:
        DataError: a loss is not finite, and a column has values that explain it.
        JanusError: a loss is not finite, and no column explains it.
    """
    try:
        model.fit(
            data.train,
            validation_data=data.validation,
            callbacks=[FiniteLosses(), *callbacks],
            verbose=0,
            shuffle=False,
            **options,
        )
    except _NotFiniteError as error:
        tasks, when = _first_step(model, data, config)
        if not tasks:
            tasks, when = error.tasks, error.when
    except tf.errors.InvalidArgumentError:
        tasks, when = _first_step(model, data, config)
        if not tasks:
            raise
    else:
        return
    raise _explained(tasks, when, _extremes(data, model.heads), config)


def _first_step(model: MultiTaskModel, data: TrainingData, config: TrainerConfig) -> tuple[list[str], str]:
    """The tasks whose loss was not finite in the first such step, and that step in words; empty if there is none."""
    steps = model.not_finite_at.numpy()
    if not model.stops_at_once or not steps.any():
        return [], ""
    first = int(steps[steps > 0].min())
    epoch = (first - 1) // -(-data.rows // config.training.batch_size) + 1
    names = [name for name, step in zip(model.heads, steps, strict=True) if step == first]
    return names, f"at step {first:,}, in epoch {epoch}"


_Source = tuple[str, str]
"""`features`, `tasks` (for its label) or `sample_weight`, and the name of the feature or task."""


def _extremes(data: TrainingData, heads: Mapping[str, Head]) -> dict[_Source, float]:
    """The greatest absolute value of each source that exceeds its limit, the greatest first; infinite also for NaN.

    Features are measured as the network reads them, labels in standard deviations, and weights as they are.
    """
    greatest: dict[_Source, float] = {}
    for batches in (data.train, data.validation):
        for features, labels, weights in batches:
            numbers = {("features", name): values for name, values in features.items()}
            for name, head in heads.items():
                used = tf.cast(tf.boolean_mask(labels[name], weights[name] > 0), tf.float32)
                numbers["tasks", name] = (used - head.statistics.mean) / head.statistics.deviation
                numbers["sample_weight", name] = weights[name]
            for source, values in numbers.items():
                if values.dtype.is_floating:
                    highest = float(np.abs(values.numpy()).max(initial=0.0))
                    greatest[source] = max(greatest.get(source, 0.0), highest if np.isfinite(highest) else np.inf)
    extreme = {source: value for source, value in greatest.items() if value > LIMITS[source[0]]}
    return dict(sorted(extreme.items(), key=lambda item: -item[1]))


def _explained(tasks: list[str], when: str, extremes: Mapping[_Source, float], config: TrainerConfig) -> JanusError:
    names = ", ".join(f"'{name}'" for name in tasks)
    failure = f"the loss of {'task' if len(tasks) == 1 else 'tasks'} {names} is no longer a finite number ({when})"
    rate = f"set a training.learning_rate below {config.training.learning_rate:g}"
    columns = dict.fromkeys(_column(source, config) for source in extremes)
    if not columns:
        return JanusError(f"{failure}. No column has extreme values, so the steps were too large: {rate}")
    (section, name), value = next(iter(extremes.items()))
    column, *others = columns
    shown = f"{value:.3g}" if np.isfinite(value) else "an infinite value or NaN"
    what, remedy = {
        "features": (
            f"feature '{name}' has {shown} as the network reads it",
            f"correct its values, or set features.{name}.scale to quantile",
        ),
        "tasks": (
            f"the label of task '{name}' has {shown} in standard deviations from its mean",
            "correct it, or leave it empty in such rows",
        ),
        "sample_weight": (
            f"the weight of task '{name}' has {shown}",
            "make the weights smaller: only their ratios count",
        ),
    }[section]
    also = f"; extreme are also {', '.join(others[:3])}" if others else ""
    remedy = f"{remedy[0].upper()}{remedy[1:]}; or {rate}"
    return DataError(f"{failure}. The likely cause is column {column}: {what}{also}. {remedy}")


def _column(source: _Source, config: TrainerConfig) -> str:
    section, name = source
    if section == "features":
        # Missing indicators, which are not in the configuration, are 0 or 1 and so never extreme.
        return f"'{column_of(name, config.features[name])}'"
    task = config.tasks[name]
    return f"'{task.label if section == 'tasks' else task.sample_weight}'"
