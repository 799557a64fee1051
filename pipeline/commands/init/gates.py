"""Gates that a model passes if it is better than guessing the majority, the median or the mean, and does not fall
behind the last one by more than the evaluated rows can show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from janus_core.kinds import KINDS
from pipeline.commands.init.leakage import Label
from pipeline.commands.init.media import tags_in_row
from pipeline.commands.init.tasks import TaskProposal, boxes_of, multi_hot

HIGHEST_CHANCE = 0.6
"""The highest AUC that is put down to chance, however few rows are evaluated."""
_SMALLEST = 1e-7

CONFIDENCE = 0.9
LEAST_DROP, LEAST_RISE = 0.005, 0.005
"""The least change that a gate allows, of an AUC, and of an error as a share of it: two trainings differ by as much."""

Rules = Mapping[str, float | Mapping[str, float]]


@dataclass(frozen=True)
class TaskGates:
    """A task's gates, metric → rule → limit, and what guessing reaches on the evaluated rows."""

    limits: Mapping[str, Rules]
    reason: str


def propose_gates(task: TaskProposal, label: Label | None, evaluated: np.ndarray, scale: float = 1.0) -> TaskGates:
    """What guessing from the labels of the train split reaches on those of the eval split.

    The limit on the first metric's change is one standard error of that value.

    Args:
        label: its labels; None where a row has several numbers.
        evaluated: bool [rows], the rows of eval.
        scale: how many times as many rows the whole table has.
    """
    if task.form == "tags":
        return _tags(task, evaluated, scale)
    if task.form == "box":
        return _box(task, evaluated, scale)
    if label is None:
        return _multilabel(*multi_hot(task), evaluated, scale)
    train, judged = label.values[label.present & ~evaluated], label.values[label.present & evaluated]
    if label.classes:
        return _classes(task, train, judged, label.classes, scale)
    rows = len(judged) * scale
    if task.form == "count":
        mean = max(float(train.mean()), _SMALLEST)
        logarithms = np.log(np.where(judged > 0, judged, 1.0) / mean)
        return _number("the mean", mean, "a deviance", 2 * (judged * logarithms - (judged - mean)), rows)
    if task.options.get("loss") == "mse":
        mean = float(train.mean())
        return _number("the mean", mean, "an rmse", np.square(judged - mean), rows, root=True)
    median = float(np.median(train))
    return _number("the median", median, "a mae", np.abs(judged - median), rows)


def _number(what: str, guess: float, metric: str, losses: np.ndarray, rows: float, root: bool = False) -> TaskGates:
    """The gate of a number for which one constant is guessed.

    Args:
        metric: its name with the article.
        losses: of each row; the metric is their mean.
        rows: how many will be evaluated.
        root: whether it is the square root of the mean.
    """
    name, value = metric.partition(" ")[2], float(losses.mean())
    noise = float(losses.std()) / math.sqrt(rows)
    if root:
        value = math.sqrt(value)
        noise /= 2 * max(value, _SMALLEST)
    reason = f"guessing {what}, {guess:.5g}, has {metric} of {value:.5g}; one standard error of it is {noise:.2g}"
    return TaskGates({name: {"max": rounded_down(value), "max_rise": _change(noise, LEAST_RISE * value)}}, reason)


def _classes(task: TaskProposal, train: np.ndarray, judged: np.ndarray, classes: int, scale: float) -> TaskGates:
    priors = np.bincount(train, minlength=classes) / len(train)
    majority = int(priors.argmax())
    counts = np.bincount(judged, minlength=classes)
    accuracy = float((judged == majority).mean())
    log_loss = float(-np.log(np.clip(priors[judged], _SMALLEST, 1)).mean())
    auc = _auc(counts, scale)
    guess = f"guessing has an auc of 0.5{_error(counts, scale)}, and by the majority an accuracy of {accuracy:.3f}"
    if KINDS[task.kind].decides == "median":
        median = int(np.searchsorted(np.cumsum(priors), 0.5))
        mae = float(np.abs(judged - median).mean())
        limits = {"auc": auc, "mae": {"max": rounded_down(mae)}}
        return TaskGates(limits, f"{guess}, by the median a mae of {mae:.4g} classes")
    limits = {"auc": auc, "log_loss": {"max": rounded_down(log_loss)}}
    return TaskGates(limits, f"{guess}, by the frequencies a log_loss of {log_loss:.4g}")


def _multilabel(applies: np.ndarray, known: np.ndarray, evaluated: np.ndarray, scale: float) -> TaskGates:
    train, judged = applies[known & ~evaluated], applies[known & evaluated]
    priors = np.clip(train.mean(axis=0), _SMALLEST, 1 - _SMALLEST)
    log_loss = float(-np.where(judged, np.log(priors), np.log1p(-priors)).mean())
    counts = np.array([judged.sum(), judged.size - judged.sum()])
    limits = {"auc": _auc(counts, scale)}
    return TaskGates(
        limits, f"guessing has an auc of 0.5{_error(counts, scale)}, by the frequencies a log_loss of {log_loss:.4g}"
    )


def _tags(task: TaskProposal, evaluated: np.ndarray, scale: float) -> TaskGates:
    """Guessing the most frequent tag for every token."""
    rows = [tags_in_row(value) for value in task.column.array.to_pylist()]
    flat = [
        np.array([tag for row in np.flatnonzero(part).tolist() for tag in rows[row]])
        for part in (~evaluated, evaluated)
    ]
    known, counts = np.unique(flat[0], return_counts=True)
    usual = known[counts.argmax()] if len(known) else ""
    right = flat[1] == usual
    accuracy, noise = float(right.mean()), float(right.std()) / math.sqrt(max(1.0, len(right) * scale))
    limits: dict[str, Rules] = {
        "token_accuracy": {"min": rounded_down(accuracy), "max_drop": _change(noise, LEAST_DROP)}
    }
    return TaskGates(limits, f"guessing the most frequent tag, {usual}, has a token_accuracy of {accuracy:.3f}")


def _box(task: TaskProposal, evaluated: np.ndarray, scale: float) -> TaskGates:
    """Guessing the mean box."""
    boxes = boxes_of(task.column)
    assert boxes is not None
    judged = evaluated[[bool(row) for row in task.column.array.to_pylist()]]
    mean, others = boxes[~judged].mean(axis=0), boxes[judged]
    sides = np.minimum(others[:, 2:], mean[2:]) - np.maximum(others[:, :2], mean[:2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    ious = shared / (np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(mean[2:] - mean[:2]) - shared)
    iou, noise = float(ious.mean()), float(ious.std()) / math.sqrt(max(1.0, len(ious) * scale))
    limits: dict[str, Rules] = {"iou": {"min": rounded_down(iou), "max_drop": _change(noise, LEAST_DROP)}}
    return TaskGates(limits, f"guessing the mean box has an iou of {iou:.3f}; one standard error of it is {noise:.2g}")


def _auc(counts: np.ndarray, scale: float) -> Rules:
    """The gate on an AUC: 0.5 and one standard error, of the sample's rows, and a drop of one, of all rows."""
    drop = _change(_luck(counts) / math.sqrt(scale), LEAST_DROP)
    return {"min": round(min(0.5 + _luck(counts), HIGHEST_CHANCE), 3), "max_drop": drop}


def _error(counts: np.ndarray, scale: float) -> str:
    return f" with a standard error of {_luck(counts) / math.sqrt(scale):.2g}"


def _luck(counts: np.ndarray) -> float:
    """The standard error of the AUC of a model that guesses (Hanley and McNeil 1982, under no difference)."""
    total = counts.sum()
    errors = [math.sqrt((total + 1) / (12 * n * (total - n))) for n in counts.tolist() if 0 < n < total]
    # The mean over the classes varies less than each.
    return float(np.mean(errors)) / math.sqrt(max(1, len(errors) - 1)) if errors else 0.1


def _change(noise: float, least: float) -> Mapping[str, float]:
    return {"limit": float(f"{max(noise, least):.2g}"), "confidence": CONFIDENCE}


def rounded_down(value: float) -> float:
    """To four significant digits, never above `value`, which the model has to beat."""
    if value <= 0:
        return value
    scale = 10.0 ** (3 - math.floor(math.log10(value)))
    return float(f"{math.floor(value * scale) / scale:.4g}")
