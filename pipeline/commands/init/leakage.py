"""How well a single column predicts a target: one that nearly determines it may not be known when predicting."""

from dataclasses import dataclass

import numpy as np

from pipeline.commands.init.profile import Profile

MOST_ROWS = 20_000
FEWEST_ROWS = 40
"""With fewer rows, the score on half of them says nothing."""
AUC_LIMIT, R2_LIMIT = 0.99, 0.95
_BINS = 32
_PRIOR_ROWS = 5.0
"""A bin's mean is drawn towards the mean of all rows as if the bin held this many more average rows."""


@dataclass(frozen=True)
class Label:
    """A target's labels: class indices, or numbers; `present` says which rows have one."""

    values: np.ndarray
    present: np.ndarray
    classes: int


@dataclass(frozen=True)
class Score:
    """`auc` (the mean over the classes, each against the rest) or `r2`, on rows that were held out."""

    metric: str
    value: float

    def __str__(self) -> str:
        return f"{self.metric} {self.value:.3f}"

    @property
    def leaks(self) -> bool:
        """Whether the column nearly determines the target."""
        return self.value >= (AUC_LIMIT if self.metric == "auc" else R2_LIMIT)

    @property
    def strength(self) -> float:
        """0 for guessing, 1 for certainty: comparable between the metrics."""
        return max(0.0, 2 * self.value - 1 if self.metric == "auc" else self.value)


def score(column: Profile, label: Label, seed: int = 0) -> Score | None:
    """How well one half of the rows is predicted by the other half's mean per bin (of a number) or value (of text).

    A number may be predicted from a number by a straight line as well: the better of both counts.

    None for lists, and where fewer than FEWEST_ROWS rows have a label.
    """
    places = np.flatnonzero(label.present)
    if column.listed or column.kind is None or len(places) < FEWEST_ROWS:
        return None
    generator = np.random.RandomState(seed)
    places = generator.permutation(places)[:MOST_ROWS]
    half = len(places) // 2
    learnt, held_out = places[:half], places[half:]
    bins = _bins(column, learnt)
    values = label.values.astype(np.float64)[:, None]
    if label.classes:
        values = (label.values[:, None] == np.arange(label.classes)).astype(np.float64)
    means = values[learnt].mean(axis=0)
    width = int(bins.max()) + 1
    counts = np.bincount(bins[learnt], minlength=width)[:, None]
    sums = np.stack([np.bincount(bins[learnt], weights=v, minlength=width) for v in values[learnt].T], axis=1)
    predicted = ((sums + _PRIOR_ROWS * means) / (counts + _PRIOR_ROWS))[bins[held_out]]
    truth = values[held_out]
    from sklearn.metrics import r2_score, roc_auc_score

    if label.classes:
        areas = [roc_auc_score(*pair) for pair in zip(truth.T, predicted.T, strict=True) if np.ptp(pair[0]) > 0]
        return Score("auc", float(np.mean(areas))) if areas else None
    found = [float(r2_score(truth, by)) for by in (predicted, _line(column, values[:, 0], learnt, held_out))]
    return Score("r2", max(found)) if np.ptp(truth) > 0 else None


def _line(column: Profile, values: np.ndarray, learnt: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """What a straight line through the learnt rows predicts, which bins of few rows could only approach."""
    mean = values[learnt].mean()
    if column.numbers is None:
        return np.full(len(held_out), mean)
    known = learnt[np.isfinite(column.numbers[learnt])]
    centre = column.numbers[known].mean() if len(known) else 0.0
    x, y = column.numbers[known] - centre, values[known]
    spread = float(np.square(x).sum())
    slope = float((x * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    return mean + slope * np.nan_to_num(column.numbers[held_out] - centre, posinf=0.0, neginf=0.0)


def _bins(column: Profile, learnt: np.ndarray) -> np.ndarray:
    """int64 [rows]: each value has a bin of its own, of a number with many values each quantile; 0: missing."""
    if column.numbers is None or len(column.values) <= _BINS:
        return column.codes + 1
    numbers = column.numbers
    known = numbers[learnt][np.isfinite(numbers[learnt])]
    if not known.size:
        return np.zeros(len(numbers), np.int64)
    bins = int(min(_BINS * 2, max(4, known.size // 20)))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.where(np.isnan(numbers), 0, np.searchsorted(edges, numbers, side="right") + 1)
