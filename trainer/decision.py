"""The decision thresholds of binary tasks: the probability above which the second class is predicted."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from janus_core.progress import PROGRESS
from serving.description import DecisionDescription
from trainer.config import BinaryTask
from trainer.config.tasks import Costs
from trainer.heads.base import Head
from trainer.heads.binary import BinaryHead

_RULES = {"f1": "the greatest F1", "youden": "the greatest Youden's J", "cost": "the least cost"}
_Rows = tuple[np.ndarray, ...]
"""Probabilities, labels and weights, [n] each."""

FEW = 10
"""A class with fewer validation rows makes the threshold unreliable, which is reported."""
MANY_TIMES = 2.5
"""It is reported if the second class is predicted for more than this many times the rows that have it."""


def choose_decisions(
    network: keras.Model, heads: Mapping[str, Head], validation: tf.data.Dataset
) -> dict[str, DecisionDescription]:
    """Chooses each binary task's threshold on the validation rows, sets it in the head, and returns them by task.

    `validation` holds batches of (features, labels, weights).
    """
    binary = {name: head for name, head in heads.items() if isinstance(head, BinaryHead)}
    for head in binary.values():
        if isinstance(head.task.decision, float):
            head.decision = DecisionDescription(rule="fixed", threshold=head.task.decision)
    chosen = {name: head for name, head in binary.items() if not isinstance(head.task.decision, float)}
    for name, rows in _validation_rows(network, chosen, validation).items() if chosen else ():
        task = chosen[name].task
        chosen[name].decision = decision = best_decision(task, *rows)
        words = [f"{_RULES[decision.rule]} on the validation rows"] if decision.rule in _RULES else []
        words += [decision.note] if decision.note else []
        PROGRESS.info(
            "%s: %s above a probability of %.4g: %s", name, task.classes[1], decision.threshold, "; ".join(words)
        )
    return {name: head.decision for name, head in binary.items()}


def best_decision(task: BinaryTask, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> DecisionDescription:
    """The threshold that a task's rule chooses, between two neighbouring probabilities; of equals, the highest.

    Args:
        task: its rule and costs.
        scores, labels, weights: [n] each: the probability of the second class; 1 where the row is of it, else 0; and
            the row's weight, 0 where it is masked.
    """
    rule, kept = str(task.decision), weights > 0
    scores, labels, weights = scores[kept], labels[kept] == 1, weights[kept].astype(np.float64)
    rows = {task.classes[1]: int(labels.sum()), task.classes[0]: int((~labels).sum())}
    absent = [name for name, count in rows.items() if not count]
    if absent and (rule != "cost" or len(absent) == 2):
        missing = " or ".join(absent)
        note = f"no validation row is {missing}, so the threshold is 0.5: set `decision`, or hold more rows out"
        return DecisionDescription(rule="fixed", threshold=0.5, note=note)
    unique, places = np.unique(scores, return_inverse=True)
    positive, negative = (np.bincount(places.ravel(), weights * flags, len(unique)) for flags in (labels, ~labels))
    # Place k: the first class is predicted for the k lowest probabilities.
    missed, true = _before(positive), positive.sum() - _before(positive)
    false = negative.sum() - _before(negative)
    if rule == "f1":
        worth = 2 * true / (2 * true + false + missed)
    elif rule == "youden":
        worth = true / positive.sum() - false / negative.sum()
    else:
        costs = task.costs or Costs(false_positive=1.0, false_negative=1.0)
        worth = -(costs.false_positive * false + costs.false_negative * missed)
    if unique[0] <= 0:
        worth[0] = -np.inf  # Nothing is below a probability of 0.
    place = len(worth) - 1 - int(np.argmax(worth[::-1]))
    low = float(unique[place - 1]) if place else 0.0
    high = float(unique[place]) if place < len(unique) else 1.0
    threshold = np.float32((low + high) / 2)
    few = [f"{count} {'is' if count == 1 else 'are'} {name}" for name, count in rows.items() if count < FEW]
    notes = [f"chosen by few validation rows: {' and '.join(few)}"] if few else []
    decided, labelled = (true + false)[place] / weights.sum(), positive.sum() / weights.sum()
    if rule == "f1" and decided > MANY_TIMES * labelled:
        notes.append(
            f"{task.classes[1]} is decided in {decided:.0%} of the validation rows, but {labelled:.0%} are: the model "
            "hardly ranks them, then the greatest F1 is that of deciding for nearly all; see `decision`"
        )
    return DecisionDescription(
        rule=rule, threshold=float(threshold if threshold < high else np.float32(low)), note="; ".join(notes)
    )


def _before(weights: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(weights)])


def _validation_rows(
    network: keras.Model, heads: Mapping[str, BinaryHead], validation: tf.data.Dataset
) -> dict[str, _Rows]:
    """Task → probabilities as in the exported model, labels and weights."""

    @tf.function(reduce_retracing=True, autograph=False)
    def probabilities(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        raw = network(features, training=False)
        return {name: head.probability(raw[name])[:, 0] for name, head in heads.items()}

    parts: dict[str, list[_Rows]] = {name: [] for name in heads}
    for features, labels, weights in validation:
        for name, scores in probabilities(features).items():
            parts[name].append((scores.numpy(), labels[name].numpy(), weights[name].numpy()))
    return {name: tuple(map(np.concatenate, zip(*rows, strict=True))) for name, rows in parts.items()}
