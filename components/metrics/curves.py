"""Areas under the ROC and the precision-recall curve, from weights per predicted probability."""

import abc
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from components.metrics.metric import StatisticMetric
from components.metrics.rows import Membership, Rows
from components.metrics.statistic import (
    ClassStatistic,
    Statistic,
    class_indices,
    class_probabilities,
    finite_rows,
    label_flags,
)

MOST_CELLS = 1 << 18
CELLS_PER_CLASS = 1 << 13
"""A state has at most MOST_CELLS cells (6 MB), or CELLS_PER_CLASS for each class where that is more."""

_PLACES = 31
_HALF = int(np.float32(0.5).view(np.int32))


class ScoreHistogram(ClassStatistic):
    """Per class and cell of its probability, the weight of rows that have the class and of those that do not.

    A cell is one float32 probability, which is what models predict: as long as they fit, the areas under the curves are
    exact. When there are more cells than a state may have, neighbours are joined in pairs, all at once and as often as
    needed, so that at least half of the allowed number remain. Cells joined L times are 2^(L-23) wide relative to the
    probability, or to 1 - probability above 0.5, which is about equal steps of the logit: rare classes, whose
    probabilities are all near 0, are told apart as well as others. Which cells are joined depends on the rows alone,
    not on how they were divided into batches.

    The state is float64 [1 + cells, 3]: a first row (L, 0, 0), then the cell (class · 2^31 + place, ascending, only
    those that occur), the weight of positive rows, the weight of negative rows.
    """

    @abc.abstractmethod
    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities, float64 [n, classes], and which rows have the class, bool [n, classes]."""

    def of_groups(self, rows: Rows, membership: Membership) -> list[np.ndarray]:
        cells, both = self._cells(rows)
        size = cells.shape[1] << _PLACES
        keys = membership.groups[:, None] * size + cells[membership.rows]
        keys, sums = _summed(keys.ravel(), both[:, membership.rows].reshape(2, -1))
        bounds = np.searchsorted(keys, np.arange(membership.count + 1) * size)
        return [
            self._state(0, keys[start:stop] - group * size, sums[:, start:stop])
            for group, (start, stop) in enumerate(zip(bounds[:-1], bounds[1:], strict=True))
        ]

    def of_draws(self, rows: Rows, draws: np.ndarray) -> list[np.ndarray]:
        # The rows are sorted once, not in each draw.
        cells, both = self._cells(rows)
        keys, places = np.unique(cells, return_inverse=True)
        states = []
        for draw in draws:
            times = np.bincount(draw, minlength=len(cells))[:, None]
            sums = [np.bincount(places.ravel(), (times * weights).ravel(), len(keys)) for weights in both]
            states.append(self._state(0, keys, np.stack(sums)))
        return states

    def merge(self, states: Sequence[np.ndarray]) -> np.ndarray:
        if len(states) == 1:
            return states[0]
        cells = np.concatenate([state[1:, 0] for state in states]).astype(np.int64)
        weights = np.concatenate([state[1:, 1:] for state in states])
        return self._state(int(max(state[0, 0] for state in states)), *_summed(cells, weights.T))

    def _cells(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """The cell of each probability, [n, classes], and its weights as positive and negative, [2, n, classes]."""
        probabilities, positive = self.scores(rows)
        finite = finite_rows(probabilities)
        cells = _places(np.where(finite[:, None], probabilities, 0.0))
        cells += np.arange(positive.shape[1]) << _PLACES
        weights = np.where(finite, rows.weights, np.nan)[:, None]
        return cells, np.stack([np.where(positive, weights, 0.0), np.where(positive, 0.0, weights)])

    def _state(self, level: int, cells: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """A state of ascending cells [m] and their weights [2, m], at the least level from `level` on that it fits."""
        limit = max(MOST_CELLS, CELLS_PER_CLASS * self.classes)
        while np.count_nonzero(np.diff(cells >> level)) >= limit:
            level += 1
        if level:
            cells, sums = _summed(cells >> level << level, sums)
        state = np.zeros((1 + len(cells), 3))
        state[0, 0], state[1:, 0], state[1:, 1:] = level, cells, sums.T
        return state


class ExclusiveScores(ScoreHistogram):
    """Of classes of which each row has one; of two classes only the second is kept, as class 0."""

    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        probabilities = class_probabilities(rows, self.classes)
        positive = np.equal.outer(class_indices(rows, self.classes), np.arange(self.classes))
        return (probabilities[:, 1:], positive[:, 1:]) if self.classes == 2 else (probabilities, positive)


class MultilabelScores(ScoreHistogram):
    """Of classes of which a row may have any number."""

    def scores(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return rows.predictions, label_flags(rows, self.classes)


def curves(state: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The curve of each class in a `ScoreHistogram` state that has both positive and negative rows.

    Each is the weights of the rows that have the class and of those that do not, float64 [cells], by their
    probability, ascending.
    """
    classes = state[1:, 0].astype(np.int64) >> _PLACES
    found = []
    for cells in np.split(state[1:, 1:], np.flatnonzero(np.diff(classes)) + 1):
        positive, negative = cells.T
        if positive.sum() > 0 and negative.sum() > 0:
            found.append((positive, negative))
    return found


class _Area(StatisticMetric):
    """The area under the curve of the second of two classes; of more, the mean over classes, each against the rest.

    A class that no row or every row of the slice has, has no curve and is left out of the mean; NaN if none is left.
    """

    statistic_class: ClassVar[type[Statistic]] = ExclusiveScores

    @abc.abstractmethod
    def area(self, positive: np.ndarray, negative: np.ndarray) -> float:
        """The area under one class's curve."""

    def value(self, state: np.ndarray) -> float:
        areas = [self.area(*curve) for curve in curves(state)]
        return float(np.mean(areas)) if areas else np.nan


class OneVsRestAUC(_Area):
    """Area under the ROC curve (averages over classes: Hand & Till, 2001), as scikit-learn's `roc_auc_score` has it.

    Exact while the state holds each probability by itself. Else it differs from the exact value by at most half the
    share of the pairs of a positive and a negative row that are in the same cell.
    """

    def area(self, positive: np.ndarray, negative: np.ndarray) -> float:
        """The share of pairs of a positive and a negative row that are in the right order; a tie is half right."""
        below = np.cumsum(negative) - negative / 2
        return float(positive @ below / (positive.sum() * negative.sum()))


class OneVsRestAUCPR(_Area):
    """Average precision: the mean, over the positive rows, of the precision at their probability.

    The area under the precision-recall curve in steps, as scikit-learn's `average_precision_score` has it; exact while
    the state holds each probability by itself. Interpolation between the steps, which TFMA does, is of no meaning where
    positive rows are few (Davis & Goadrich, ICML 2006, on its optimism).
    """

    def area(self, positive: np.ndarray, negative: np.ndarray) -> float:
        positive = positive[::-1]
        true = np.cumsum(positive)
        predicted = true + np.cumsum(negative[::-1])
        some = positive > 0
        return float(positive[some] @ (true[some] / predicted[some]) / true[-1])


class MultilabelAUC(OneVsRestAUC):
    """The mean over the classes of a multilabel task of the area under each one's ROC curve."""

    statistic_class = MultilabelScores


class MultilabelAUCPR(OneVsRestAUCPR):
    """The mean over the classes of a multilabel task of the area under each one's precision-recall curve."""

    statistic_class = MultilabelScores


def _places(probabilities: np.ndarray) -> np.ndarray:
    """The place of each probability among the float32 numbers, int64 from 0 to 2^31 - 1, the same from 1 as from 0."""
    values = np.abs(np.clip(probabilities.astype(np.float32), 0, 1))
    # The difference to 1 is exact from 0.5 on.
    bits = np.minimum(values, 1 - values).view(np.int32).astype(np.int64)
    return np.where(values <= 0.5, bits, 2 * _HALF - bits)


def _summed(cells: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells that occur, ascending, and the sums of their weights [2, n]."""
    # Stable sorting merges what consists of sorted runs, as states do, in little more than one pass.
    order = np.argsort(cells, kind="stable")
    cells, weights = cells[order], weights[:, order]
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    return cells[starts], np.add.reduceat(weights, starts, axis=1) if len(starts) else weights
