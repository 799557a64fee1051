"""The curves and counts that a task's plots show, from its sampled rows."""

import numpy as np

from janus_core.kinds import kind_of
from pipeline.report.analysis.analysis_json import (
    CalibrationBin,
    ClassAnalysis,
    Confusion,
    Decisions,
    Grid,
    Histogram,
    LevelCoverage,
    TaskAnalysis,
)
from pipeline.report.analysis.sample import Predicted
from trainer.config import Task, classes_of, quantiles_of

CURVE_POINTS = 101
CALIBRATION_BINS = 10
CURVED_CLASSES = 6
"""At most so many classes, the most frequent, have curves; more could not be distinguished."""
CONFUSED_CLASSES = 12
RESIDUAL_BINS, GRID_BINS = 40, 32
OUTERMOST = 0.005
"""Share of the rows beyond each end of an axis, which are counted in its outermost bin."""

OTHERS = "all others"


def curves_of(task: Task, predicted: Predicted) -> TaskAnalysis:
    """Curves and counts of one task, whichever apply to its kind.

    Args:
        task: its configuration.
        predicted: its labelled rows, at least one.
    """
    analysis = TaskAnalysis(rows=len(predicted.rows))
    classes, decides = classes_of(task), kind_of(task).decides
    if decides == "tokens":
        return analysis
    if classes:
        flags, probabilities = _flags(task, predicted), _probabilities(predicted, len(classes))
        weights = predicted.weights
        shares = weights @ flags / weights.sum()
        frequent = np.argsort(-shares, kind="stable")
        # Of two exclusive classes the curves of the first mirror those of the second.
        curved = [1] if decides == "threshold" else sorted(frequent[:CURVED_CLASSES])
        analysis.classes = [
            _class_analysis(classes[i], float(shares[i]), flags[:, i], probabilities[:, i], weights) for i in curved
        ]
        if decides == "each":
            analysis.decisions = [
                _decisions(classes[i], flags[:, i], probabilities[:, i] > 0.5, weights)
                for i in sorted(frequent[:CONFUSED_CLASSES])
            ]
        else:
            decided = _decided(task, probabilities)
            if predicted.decision is not None:
                decided = (predicted.decision[:, 0] == classes[1].encode()).astype(np.int64)
            analysis.confusion = _confusion(classes, flags.argmax(1), decided, weights, frequent)
        return analysis
    if not kind_of(task).is_numeric:
        return analysis
    label, value = predicted.labels[:, 0].astype(np.float64), predicted.output[:, 0]
    finite = np.isfinite(value) & np.isfinite(label)
    if finite.any():
        label, value, weights = label[finite], value[finite], predicted.weights[finite]
        analysis.residuals = _residuals(value - label, weights)
        analysis.predicted_true = _grid(value, label, weights)
    levels = quantiles_of(task)
    if predicted.quantiles is not None and predicted.quantiles.shape[1] == len(levels):
        below = predicted.weights @ (predicted.labels[:, :1] <= predicted.quantiles) / predicted.weights.sum()
        analysis.coverage = [
            LevelCoverage(level=level, share=float(share)) for level, share in zip(levels, below, strict=True)
        ]
    return analysis


# --- classes ----------------------------------------------------------------------------------------------------


def _flags(task: Task, predicted: Predicted) -> np.ndarray:
    """Which classes apply, float64 [n, classes]."""
    if kind_of(task).decides == "each":
        return predicted.labels.astype(np.float64)
    return np.eye(len(classes_of(task)))[predicted.labels[:, 0].astype(np.int64)]


def _probabilities(predicted: Predicted, classes: int) -> np.ndarray:
    values = np.nan_to_num(predicted.output)
    return np.concatenate([1 - values, values], axis=1) if values.shape[1] == 1 and classes == 2 else values


def _decided(task: Task, probabilities: np.ndarray) -> np.ndarray:
    """The predicted class: the median of ordered ones, as the task's metrics have it, else the most probable."""
    if kind_of(task).decides == "median":
        reached = np.cumsum(probabilities, axis=1) >= 0.5
        reached[:, -1] = True
        return reached.argmax(axis=1)
    return probabilities.argmax(axis=1)


def _class_analysis(
    name: str, share: float, flags: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> ClassAnalysis:
    order = np.argsort(-scores, kind="stable")
    # Rows of the same score are on one side of any threshold.
    last = np.append(scores[order][1:] != scores[order][:-1], True)
    true = np.cumsum((weights * flags)[order])[last]
    false = np.cumsum((weights * (1 - flags))[order])[last]
    steps = np.linspace(0, 1, CURVE_POINTS)
    fall_out = recall_at = threshold = recall = precision = np.empty(0)
    if true[-1] > 0:
        places = np.searchsorted(true, steps[1:] * true[-1] * (1 - 1e-12))
        recall, precision = true[places] / true[-1], true[places] / (true[places] + false[places])
        if false[-1] > 0:
            fall_out = steps
            reached = np.append(0, false) / false[-1]
            recall_at = np.interp(steps, reached, np.append(0, true) / true[-1])
            threshold = np.interp(steps, reached, np.append(1, scores[order][last]))
    return ClassAnalysis(
        name=name,
        share=share,
        false_positive_rate=_rounded(fall_out),
        true_positive_rate=_rounded(recall_at),
        threshold=_rounded(threshold),
        recall=_rounded(recall),
        precision=_rounded(precision),
        calibration=_calibration(flags, scores, weights),
    )


def _calibration(flags: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> list[CalibrationBin]:
    bins = np.clip((scores * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    sums = [np.bincount(bins, values, CALIBRATION_BINS) for values in (weights, weights * scores, weights * flags)]
    return [
        CalibrationBin(predicted=float(predicted / weight), observed=float(observed / weight), weight=float(weight))
        for weight, predicted, observed in zip(*sums, strict=True)
        if weight > 0
    ]


def _confusion(
    classes: list[str], label: np.ndarray, decided: np.ndarray, weights: np.ndarray, frequent: np.ndarray
) -> Confusion:
    size = len(classes)
    counts = np.bincount(label * size + decided, weights, size * size).reshape(size, size)
    if size <= CONFUSED_CLASSES:
        return Confusion(classes=classes, counts=counts.tolist())
    kept = sorted(frequent[: CONFUSED_CLASSES - 1])
    groups = np.zeros((CONFUSED_CLASSES, size))
    groups[-1] = 1
    for place, index in enumerate(kept):
        groups[:, index] = np.eye(CONFUSED_CLASSES)[place]
    return Confusion(classes=[*(classes[i] for i in kept), OTHERS], counts=(groups @ counts @ groups.T).tolist())


def _decisions(name: str, flags: np.ndarray, decided: np.ndarray, weights: np.ndarray) -> Decisions:
    both = weights @ (flags * decided)
    predicted, labelled = weights @ decided, weights @ flags
    return Decisions(
        name=name,
        true_positive=float(both),
        false_positive=float(predicted - both),
        false_negative=float(labelled - both),
        true_negative=float(weights.sum() - predicted - labelled + both),
    )


# --- numbers ----------------------------------------------------------------------------------------------------


def _residuals(residuals: np.ndarray, weights: np.ndarray) -> Histogram:
    edges = _edges(residuals, RESIDUAL_BINS)
    counts, _ = np.histogram(np.clip(residuals, edges[0], edges[-1]), edges, weights=weights)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _grid(value: np.ndarray, label: np.ndarray, weights: np.ndarray) -> Grid:
    edges = _edges(np.concatenate([value, label]), GRID_BINS)
    inside = [np.clip(values, edges[0], edges[-1]) for values in (value, label)]
    places = [np.clip(np.searchsorted(edges, values, "right") - 1, 0, GRID_BINS - 1) for values in inside]
    counts = np.bincount(places[0] * GRID_BINS + places[1], weights, GRID_BINS**2).reshape(GRID_BINS, GRID_BINS)
    return Grid(edges=edges.tolist(), counts=counts.tolist())


def _edges(values: np.ndarray, bins: int) -> np.ndarray:
    low, high = np.quantile(values, [OUTERMOST, 1 - OUTERMOST])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, bins + 1)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 5) for value in values]
