"""Sufficient statistics: what is kept of the rows of a slice, small and mergeable."""

import abc
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from components.metrics.rows import Membership, Rows


@dataclass(eq=False)
class Statistic(abc.ABC):
    """A mergeable summary of labelled rows, from which metrics follow. Its fields are its settings.

    A row whose prediction is not finite makes the state NaN, and so every metric of a slice that holds it.
    """

    @property
    def name(self) -> str:
        """Which statistic it is, with its settings; metrics that ask for the same one share it."""
        return repr(self)

    @abc.abstractmethod
    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        """The state of each group, float64, in the order of the groups.

        Args:
            rows: without masked rows (weight 0).
            membership: the groups' rows.

        Raises:
            ValueError: labels or predictions do not fit the task.
        """

    def of_draws(self, rows: Rows, draws: np.ndarray) -> list[np.ndarray]:
        """The state of each draw of rows.

        Args:
            rows: without masked rows.
            draws: int64 [draws, size], rows, of which any may occur several times.
        """
        groups = np.repeat(np.arange(len(draws)), draws.shape[1])
        return self.of_groups(rows, Membership(draws.ravel(), groups, len(draws)))

    def merge(self, states: Sequence[np.ndarray]) -> np.ndarray:
        """The state of all rows of `states`, at least one; by default their sum."""
        return states[0] if len(states) == 1 else np.sum(np.stack(states), axis=0)


@dataclass(eq=False)
class ClassStatistic(Statistic):
    """A statistic of a task with so many classes."""

    classes: int


class RowSums(Statistic):
    """float64 [1 + k]: the sum of weights, and the weighted sums of k numbers of each row."""

    @abc.abstractmethod
    def of_rows(self, rows: Rows) -> np.ndarray:
        """The numbers of each row, [n] or [n, k]; predictions that are not finite have been replaced by 1.

        Raises:
            ValueError: labels or predictions do not fit the task.
        """

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        finite = finite_rows(rows.predictions)
        values = self.of_rows(replace(rows, predictions=np.where(finite[:, None], rows.predictions, 1.0)))
        weights = np.where(finite, rows.weights, np.nan)[:, None]
        values = values[:, None] if values.ndim == 1 else values
        return list(grouped_sums(np.concatenate([weights, weights * values], axis=1), membership))


class RowCount(Statistic):
    """float64 [1]: rows that are not masked. Labels and predictions play no part."""

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        ones = np.ones(len(membership.rows))
        return list(weighted_counts(membership.groups, ones, membership.count)[:, None])


def ratio(total: float, weight: float) -> float:
    """A sum over a weight; NaN where the weight is 0."""
    return total / weight if weight else np.nan


def weighted_counts(codes: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """The sum of the weights of each code from 0 to size - 1, float64 [size], of no codes too."""
    return np.bincount(codes, weights=weights, minlength=size).astype(np.float64, copy=False)


def grouped_sums(contributions: np.ndarray, membership: Membership) -> np.ndarray:
    """Sums over the rows of each group.

    Args:
        contributions: [n, k], each row's own, with k of at least 1.
        membership: the groups' rows.

    Returns:
        float64 [groups, k].
    """
    sums = [
        weighted_counts(membership.groups, column[membership.rows], membership.count)
        for column in np.transpose(contributions)
    ]
    return np.stack(sums, axis=1)


def grouped_counts(codes: np.ndarray, size: int, values: np.ndarray, membership: Membership) -> np.ndarray:
    """Sums over the rows of each group that have the same code.

    Args:
        codes: int64 [n], from 0 to size - 1.
        size: number of codes.
        values: [n].
        membership: the groups' rows.

    Returns:
        float64 [groups, size].
    """
    cells = membership.groups * size + codes[membership.rows]
    return weighted_counts(cells, values[membership.rows], membership.count * size).reshape(membership.count, size)


def class_probabilities(rows: Rows, classes: int) -> np.ndarray:
    """Probability of each class, float64 [n, classes]; a width of 1 is the probability of the second of two.

    Raises:
        ValueError: the predictions are not of that width.
    """
    width = rows.predictions.shape[1]
    if width == 1 and classes == 2:
        return np.concatenate([1 - rows.predictions, rows.predictions], axis=1)
    if width != classes:
        raise ValueError(f"the model predicts {width} classes, the task has {classes}")
    return rows.predictions


def class_indices(rows: Rows, classes: int) -> np.ndarray:
    """The labels as int64 [n].

    Raises:
        ValueError: a label is no index of a class.
    """
    labels = single_labels(rows).astype(np.int64)
    if labels.size and (labels.min() < 0 or labels.max() >= classes or (labels != rows.labels).any()):
        raise ValueError(f"a label is no class index from 0 to {classes - 1}")
    return labels


def single_labels(rows: Rows) -> np.ndarray:
    """The labels of a task that has one per row, [n].

    Raises:
        ValueError: there are several.
    """
    if rows.labels.ndim != 1:
        raise ValueError(f"a row has {rows.labels.shape[1]} labels, the task has one")
    return rows.labels


def label_flags(rows: Rows, classes: int) -> np.ndarray:
    """Which classes each row of a multilabel task has, bool [n, classes].

    Raises:
        ValueError: labels or predictions are not of that width, or a label is neither 0 nor 1.
    """
    labels = rows.labels if rows.labels.ndim == 2 else rows.labels[:, None]
    widths = {labels.shape[1], rows.predictions.shape[1]}
    if widths != {classes}:
        raise ValueError(
            f"rows have {labels.shape[1]} labels and {rows.predictions.shape[1]} predictions, "
            f"the task has {classes} classes"
        )
    flags = labels != 0
    if (labels[flags] != 1).any():
        raise ValueError("a label of a multilabel task is neither 0 nor 1")
    return flags


def finite_rows(predictions: np.ndarray) -> np.ndarray:
    """Which rows hold only finite numbers, bool [n]."""
    return np.isfinite(predictions).all(axis=1)
