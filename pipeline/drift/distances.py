"""The distance between two samples of a column, in bins that the training split fixes.

TFDV bins numbers by each side's own range: one outlier, or a maximum of 6 instead of 7, moves all of its bins, and two
samples of one distribution come out far apart. Here both sides are counted in the same bins, and values outside the
training split's range have bins of their own, so that they weigh as much as there are of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

L_INFINITY, JENSEN_SHANNON = "L-infinity", "Jensen-Shannon"

FEW = 20
"""A column with no more distinct values has a bin for each of them."""
BINS = 10


@dataclass(frozen=True)
class Bins:
    """The bins of a number.

    Attributes:
        single: values that have a bin of their own, ascending, [s].
        edges: between the bins of all other values, ascending, [e]; a value on an edge is below it.
        least, greatest: the range of the training split; below and above it are the last two bins.
    """

    single: np.ndarray
    edges: np.ndarray
    least: float
    greatest: float

    def shares(self, values: np.ndarray) -> np.ndarray:
        """The share of the values in each bin, [s + e + 3]; all 0 where there are no values."""
        bins = len(self.single) + np.searchsorted(self.edges, values)
        if len(self.single):
            nearest = np.minimum(np.searchsorted(self.single, values), len(self.single) - 1)
            bins = np.where(self.single[nearest] == values, nearest, bins)
        last = len(self.single) + len(self.edges) + 1
        bins = np.where(values < self.least, last, np.where(values > self.greatest, last + 1, bins))
        return np.bincount(bins, minlength=last + 2) / max(len(values), 1)

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Those of the values that are outside the range."""
        return values[(values < self.least) | (values > self.greatest)]


def bins_of(training: np.ndarray, least: float = np.inf, greatest: float = -np.inf) -> Bins:
    """The values themselves where they are few, else deciles, with a bin for each value that is in a tenth of the rows.

    Args:
        training: finite values of the training split, or of a sample of it, [n], n > 0.
        least, greatest: the range of the whole split, where it is known to be wider.
    """
    distinct, counts = np.unique(training, return_counts=True)
    single = distinct if len(distinct) <= FEW else distinct[counts * BINS >= len(training)]
    rest = training[~np.isin(training, single)]
    edges = np.unique(np.quantile(rest, np.linspace(0, 1, BINS + 1)[1:-1])) if len(rest) else np.empty(0)
    return Bins(single, edges, min(least, float(distinct[0])), max(greatest, float(distinct[-1])))


def distance(measure: str, first: np.ndarray, second: np.ndarray) -> float:
    """Of two distributions over the same bins, from 0 to 1."""
    return jensen_shannon(first, second) if measure == JENSEN_SHANNON else float(np.abs(first - second).max())


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """The divergence of two distributions over the same bins, in bits (Lin 1991)."""
    middle = (first + second) / 2
    return float(sum(_relative_entropy(shares, middle) for shares in (first, second)) / 2)


def text_shares(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
    """Two mappings of a value to its share as distributions over the same bins."""
    values = list(dict.fromkeys([*first, *second]))
    return np.array([first.get(v, 0.0) for v in values]), np.array([second.get(v, 0.0) for v in values])


def _relative_entropy(shares: np.ndarray, of: np.ndarray) -> float:
    there = shares > 0
    return float(np.sum(shares[there] * np.log2(shares[there] / of[there])))
