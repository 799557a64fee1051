"""What the training labels of one task look like: for standardisation, first biases and the trivial predictor."""

from dataclasses import dataclass

import numpy as np

from trainer.errors import DataError


@dataclass(frozen=True)
class LabelStatistics:
    """Statistics of a task's present labels in the training split.

    Attributes:
        count: labelled rows.
        mean, deviation: of a regression label, in its own unit; deviation is 1 for a constant label.
        median: of a regression label, in its own unit.
        frequencies: of a classification label, float64 [classes], summing to 1.
        labels: the labels themselves, at most SAMPLE of them, for the trivial predictor's loss.
    """

    count: int
    mean: float
    deviation: float
    median: float
    frequencies: np.ndarray
    labels: np.ndarray


SAMPLE = 1_000_000


def label_statistics(task: str, column: str, labels: np.ndarray, weights: np.ndarray, classes: int) -> LabelStatistics:
    """Statistics of one task's labels.

    Args:
        task: its name, for the error.
        column: the label's column, for the error.
        labels: [rows], class indices or numbers.
        weights: [rows], 0 where the label is missing.
        classes: their number; 0 for regression.

    Raises:
        DataError: no row has a label.
    """
    present = labels[weights > 0]
    if not len(present):
        raise DataError(
            f"task '{task}': every label is missing in the training split (column '{column}'); "
            "correct the column or the split, or remove the task"
        )
    if classes:
        frequencies = np.bincount(present.astype(np.int64), minlength=classes) / len(present)
        return LabelStatistics(len(present), 0.0, 1.0, 0.0, frequencies, present[:SAMPLE])
    values = present.astype(np.float64)
    deviation = float(values.std())
    return LabelStatistics(
        count=len(values),
        mean=float(values.mean()),
        deviation=deviation if deviation > 1e-9 * max(1.0, abs(values.mean())) else 1.0,
        median=float(np.median(values)),
        frequencies=np.zeros(0),
        labels=values[:SAMPLE],
    )
