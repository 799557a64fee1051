"""Metrics of a tag per token: labels are [n, length] indices, -1 without a tag, predictions [n, length · tags]."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.metrics.classification import mean_f1
from components.metrics.metric import StatisticMetric
from components.metrics.rows import Rows
from components.metrics.statistic import RowSums, ratio

Entity = tuple[str, int, int]
"""Type, first and last place."""


@dataclass(eq=False)
class TagSums(RowSums):
    """Sums of tagged and of rightly tagged tokens; per tag, of right, labelled and predicted ones; and of entities.

    A place that has a label counts, whatever is predicted elsewhere.
    """

    tags: list[str]

    def of_rows(self, rows: Rows) -> np.ndarray:
        labels = (rows.labels[:, None] if rows.labels.ndim == 1 else rows.labels).astype(np.int64)
        count = len(self.tags)
        if rows.predictions.shape[1] != labels.shape[1] * count:
            raise ValueError(
                f"rows have {labels.shape[1]} labels and {rows.predictions.shape[1]} predictions, of {count} tags"
            )
        predicted = rows.predictions.reshape(*labels.shape, count).argmax(axis=2)
        tagged = labels >= 0
        right = tagged & (labels == predicted)
        of_tags = [
            (mask[:, :, None] & (indices[:, :, None] == np.arange(count))).sum(axis=1)
            for mask, indices in ((right, labels), (tagged, labels), (tagged, predicted))
        ]
        sums = [tagged.sum(axis=1, keepdims=True), right.sum(axis=1, keepdims=True), *of_tags]
        return np.concatenate([*sums, self._entities(labels, predicted)], axis=1).astype(np.float64)

    def _entities(self, labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Of each row, the entities that are labelled and predicted, labelled, and predicted, int64 [n, 3]."""
        if not is_bio(self.tags):
            return np.zeros((len(labels), 3), np.int64)
        counts = np.zeros((len(labels), 3), np.int64)
        for row, (wanted, given) in enumerate(zip(labels, predicted, strict=True)):
            places = np.flatnonzero(wanted >= 0)
            both = [set(entities([self.tags[tag] for tag in of[places]])) for of in (wanted, given)]
            counts[row] = len(both[0] & both[1]), len(both[0]), len(both[1])
        return counts


def is_bio(tags: Sequence[str]) -> bool:
    """Whether tags mark entities: O, and B-<type> and I-<type>."""
    return any(tag.startswith("B-") for tag in tags) and all(tag == "O" or tag[:2] in ("B-", "I-") for tag in tags)


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities of a sentence's BIO tags, as conlleval and seqeval have them.

    One ends before O, B or another type, and begins at B, and at an I that no B or I of its type precedes.
    """
    found = []
    begin = 0
    for place, (before, tag) in enumerate(itertools.pairwise(["O", *tags, "O"])):
        goes_on = tag.startswith("I-") and before != "O" and before[2:] == tag[2:]
        if before != "O" and not goes_on:
            found.append((before[2:], begin, place - 1))
        if tag != "O" and not goes_on:
            begin = place
    return found


class TokenAccuracy(StatisticMetric):
    """Share of the tagged tokens whose most probable tag is the label's; NaN without any."""

    statistic_class = TagSums

    def value(self, state: np.ndarray) -> float:
        return ratio(state[2], state[1])


class TagF1(StatisticMetric):
    """The unweighted mean of each tag's F1 over tokens; one that is neither labelled nor predicted is left out."""

    statistic_class = TagSums

    def value(self, state: np.ndarray) -> float:
        return mean_f1(*state[3:-3].reshape(3, -1))


class EntityF1(StatisticMetric):
    """F1 of entities, which are right if type, first and last token are; NaN where none is labelled or predicted.

    The micro average, as in seqeval's `f1_score` and CoNLL's evaluation (Tjong Kim Sang and De Meulder 2003).
    """

    statistic_class = TagSums

    def value(self, state: np.ndarray) -> float:
        right, labelled, predicted = state[-3:]
        return ratio(2 * right, labelled + predicted)
