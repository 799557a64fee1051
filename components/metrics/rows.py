"""Rows of one task, and the groups (slices) that they belong to."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Evaluated rows of one output of one model.

    Attributes:
        labels: [n], class index or value; [n, width], a flag per class of a multilabel task.
        predictions: float64 [n, width], probabilities or value; or object [n, 1], the name of the decided class.
        weights: float64 [n]; 0 masks the row.
    """

    labels: np.ndarray
    predictions: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Membership:
    """Which rows are in which groups; a row may be in any number of them.

    Attributes:
        rows: int64 [m], row of each pair.
        groups: int64 [m], group of each pair.
        count: number of groups.
    """

    rows: np.ndarray
    groups: np.ndarray
    count: int


def make_rows(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> Rows:
    """Rows from a model's outputs.

    Args:
        labels: [n] or [n, 1]; [n, width] for a multilabel task.
        predictions: [n] or [n, width].
        weights: [n] or [n, 1].

    Raises:
        ValueError: the shapes do not go together.
    """
    count = len(labels)
    labels = np.reshape(labels, (count, -1 if count else 1))
    if np.size(weights) != count or len(predictions) != count:
        raise ValueError(
            f"labels {np.shape(labels)}, predictions {np.shape(predictions)} and weights {np.shape(weights)} "
            "must have as many rows, and one weight per row"
        )
    predictions = np.asarray(predictions)
    predictions = predictions.astype(object if predictions.dtype.kind in "OSU" else np.float64)
    return Rows(
        labels=labels[:, 0] if labels.shape[1] == 1 else labels,
        predictions=predictions.reshape(count, -1 if count else 1),
        weights=np.asarray(weights, np.float64).reshape(count),
    )


def one_group(count: int) -> Membership:
    """All of `count` rows in a single group."""
    return Membership(rows=np.arange(count), groups=np.zeros(count, np.int64), count=1)


def labelled(rows: Rows, membership: Membership) -> tuple[Rows, Membership]:
    """Without the masked rows; the groups stay as they are, some perhaps empty."""
    keep = rows.weights != 0
    if keep.all():
        return rows, membership
    kept_pairs = keep[membership.rows]
    position = np.cumsum(keep) - 1
    return (
        Rows(rows.labels[keep], rows.predictions[keep], rows.weights[keep]),
        Membership(position[membership.rows[kept_pairs]], membership.groups[kept_pairs], membership.count),
    )
