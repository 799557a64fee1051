"""Statistics of a task's training labels, for standardisation, initial biases and the trivial predictor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from janus_core.errors import DataError

SAMPLE = 1_000_000
"""The greatest number of label values that are kept for the trivial predictor's loss."""


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of a task's present labels in the training split, with each row's weight.

    Attributes:
        count: labelled rows.
        mean, deviation: of a number, in its own unit; deviation is 1 for a constant label, and for a box.
        median: of a number, in its own unit.
        frequencies: float64 [classes]: how often each class is the label, or, where several may be, among the labels;
            empty for a number.
        labels: the labels themselves, [rows] or [rows, width], an even sample if there are more than SAMPLE numbers.
        weights: float32 [rows], theirs.
    """

    count: int
    mean: float
    deviation: float
    median: float
    frequencies: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def label_statistics(
    task: str,
    column: str,
    labels: np.ndarray,
    weights: np.ndarray,
    classes: int,
    sample_weight: str | None = None,
    tags: bool = False,
) -> LabelStatistics:
    """Statistics of one task's labels.

    Args:
        task, column, sample_weight: the names of the task and of its columns, for the error.
        labels: [rows], class indices or numbers; [rows, classes], 1 where a class is among the labels, else 0; or
            [rows, 4], boxes.
        weights: [rows], 0 where the label is missing.
        classes: their number; 0 where the label is a number or a box.
        tags: whether the label is a class per token, -1 for none, [rows, length].

    Raises:
        DataError: no row has a label and a weight.
    """
    counted = weights > 0
    present, weights = labels[counted], weights[counted]
    if not len(present):
        raise DataError(
            f"task '{task}': every label is missing in the training split (column '{column}'"
            + (f", or every weight in column '{sample_weight}' is missing or 0" if sample_weight else "")
            + "); correct the column or the split, or remove the task"
        )
    step = -(-present.size // SAMPLE)
    sample = {"labels": present[::step], "weights": weights[::step]}
    if classes:
        if tags:
            tagged = present >= 0
            of_tokens = np.broadcast_to(weights.reshape(-1, *[1] * (present.ndim - 1)), present.shape)[tagged]
            sums = np.bincount(present[tagged].astype(np.int64), of_tokens, classes)
            frequencies = sums / of_tokens.sum(dtype=np.float64)
        elif present.ndim > 1:
            frequencies = np.average(present.astype(np.float64), axis=0, weights=weights)
        else:
            frequencies = np.bincount(present.astype(np.int64), weights, classes) / weights.sum(dtype=np.float64)
        return LabelStatistics(len(present), 0.0, 1.0, 0.0, frequencies, **sample)
    if present.ndim > 1:
        return LabelStatistics(len(present), 0.0, 1.0, 0.0, np.zeros(0), **sample)
    values = present.astype(np.float64)
    mean = float(np.average(values, weights=weights))
    deviation = float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))
    return LabelStatistics(
        count=len(values),
        mean=mean,
        deviation=deviation if deviation > 1e-9 * max(1.0, abs(mean)) else 1.0,
        median=float(weighted_quantiles(values, weights, [0.5])[0]),
        frequencies=np.zeros(0),
        **sample,
    )


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles of weighted values: the minimum of the mean pinball loss, or the middle of an interval of minima.

    Values and positive weights are [rows], at least one, and levels in (0, 1). Returns float64 [levels], ascending if
    the levels are.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(np.float64)
    below = np.cumsum(weights[order], dtype=np.float64)
    targets = np.array(levels) * below[-1]
    last = len(ordered) - 1
    low, high = (np.minimum(np.searchsorted(below, targets, side=side), last) for side in ("left", "right"))
    return (ordered[low] + ordered[high]) / 2
