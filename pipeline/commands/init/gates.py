"""Gates that a model passes if it is better than guessing the majority, the median or the mean."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from janus_core.kinds import KINDS
from pipeline.commands.init.leakage import Label
from pipeline.commands.init.tasks import TaskProposal, multi_hot

HIGHEST_CHANCE = 0.6
"""The highest AUC that is put down to chance, however few rows are evaluated."""
_SMALLEST = 1e-7


@dataclass(frozen=True)
class TaskGates:
    """A task's gates, metric → rule → limit, and what guessing reaches on the evaluated rows."""

    limits: Mapping[str, Mapping[str, float]]
    reason: str


def propose_gates(task: TaskProposal, label: Label | None, evaluated: np.ndarray) -> TaskGates:
    """What guessing from the labels of the train split reaches on those of the eval split, bool [rows].

    A multilabel task has no `label`.
    """
    if label is None:
        return _multilabel(*multi_hot(task), evaluated)
    train, judged = label.values[label.present & ~evaluated], label.values[label.present & evaluated]
    if label.classes:
        return _classes(task, train, judged, label.classes)
    if task.form == "count":
        mean = max(float(train.mean()), _SMALLEST)
        logarithms = np.log(np.where(judged > 0, judged, 1.0) / mean)
        return _number("the mean", mean, "a deviance", 2 * (judged * logarithms - (judged - mean)).mean())
    if task.options.get("loss") == "mse":
        mean = float(train.mean())
        return _number("the mean", mean, "an rmse", np.sqrt(np.square(judged - mean).mean()))
    median = float(np.median(train))
    return _number("the median", median, "a mae", np.abs(judged - median).mean())


def _number(what: str, guess: float, metric: str, value: float) -> TaskGates:
    """The gate of a number for which one constant is guessed; `metric` with its article."""
    name, value = metric.partition(" ")[2], float(value)
    reason = f"guessing {what}, {guess:.5g}, has {metric} of {value:.5g}"
    return TaskGates({name: {"max": rounded_down(value)}}, reason)


def _classes(task: TaskProposal, train: np.ndarray, judged: np.ndarray, classes: int) -> TaskGates:
    priors = np.bincount(train, minlength=classes) / len(train)
    majority = int(priors.argmax())
    counts = np.bincount(judged, minlength=classes)
    accuracy = float((judged == majority).mean())
    log_loss = float(-np.log(np.clip(priors[judged], _SMALLEST, 1)).mean())
    lowest = _chance(counts)
    guess = f"guessing has an auc of 0.5, and by the majority an accuracy of {accuracy:.3f}"
    if KINDS[task.kind].decides == "median":
        median = int(np.searchsorted(np.cumsum(priors), 0.5))
        mae = float(np.abs(judged - median).mean())
        limits = {"auc": {"min": lowest}, "mae": {"max": rounded_down(mae)}}
        return TaskGates(limits, f"{guess}, by the median a mae of {mae:.4g} classes")
    limits = {"auc": {"min": lowest}, "log_loss": {"max": rounded_down(log_loss)}}
    return TaskGates(limits, f"{guess}, by the frequencies a log_loss of {log_loss:.4g}")


def _multilabel(applies: np.ndarray, known: np.ndarray, evaluated: np.ndarray) -> TaskGates:
    train, judged = applies[known & ~evaluated], applies[known & evaluated]
    priors = np.clip(train.mean(axis=0), _SMALLEST, 1 - _SMALLEST)
    log_loss = float(-np.where(judged, np.log(priors), np.log1p(-priors)).mean())
    counts = np.array([judged.sum(), judged.size - judged.sum()])
    limits = {"auc": {"min": _chance(counts)}}
    return TaskGates(limits, f"guessing has an auc of 0.5, by the frequencies a log_loss of {log_loss:.4g}")


def _chance(counts: np.ndarray) -> float:
    """0.5 and one standard error of the AUC of a model that guesses (Hanley and McNeil 1982, under no difference)."""
    total = counts.sum()
    errors = [math.sqrt((total + 1) / (12 * n * (total - n))) for n in counts.tolist() if 0 < n < total]
    # The mean over the classes varies less than each.
    luck = float(np.mean(errors)) / math.sqrt(max(1, len(errors) - 1)) if errors else 0.1
    return round(min(0.5 + luck, HIGHEST_CHANCE), 3)


def rounded_down(value: float) -> float:
    """To four significant digits, never above `value`, which the model has to beat."""
    if value <= 0:
        return value
    scale = 10.0 ** (3 - math.floor(math.log10(value)))
    return float(f"{math.floor(value * scale) / scale:.4g}")
