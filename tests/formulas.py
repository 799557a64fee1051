"""Metrics by their definitions, row by row or pair by pair: slow, and written without a look at components/metrics."""

import math
import re

import numpy as np


def mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.sum(weights * values) / np.sum(weights))


def number_metrics(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Of labels [n] and predictions [n]."""
    errors = predictions - labels
    spread = labels - mean(labels, weights)
    return {
        "mae": mean(np.abs(errors), weights),
        "rmse": math.sqrt(mean(errors**2, weights)),
        "bias": mean(errors, weights),
        "r2": 1 - mean(errors**2, weights) / mean(spread**2, weights) if len(set(labels)) > 1 else math.nan,
    }


def count_metrics(labels: np.ndarray, predictions: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Of labels [n] and expected counts [n]."""
    deviances = [2 * ((y * math.log(y / m) if y else 0.0) - (y - m)) for y, m in zip(labels, predictions, strict=True)]
    return {"deviance": mean(np.array(deviances), weights), **number_metrics(labels, predictions, weights)}


def quantile_metrics(
    labels: np.ndarray, quantiles: np.ndarray, levels: list[float], weights: np.ndarray
) -> dict[str, float]:
    """Of labels [n] and quantiles [n, levels]; without what is of the median."""
    losses, covered = [], []
    for label, row in zip(labels, quantiles, strict=True):
        of_levels = [
            level * (label - q) if label >= q else (1 - level) * (q - label)
            for level, q in zip(levels, row, strict=True)
        ]
        losses.append(sum(of_levels) / len(levels))
        covered.append(min(row) <= label <= max(row))
    found = {"pinball": mean(np.array(losses), weights)}
    return {**found, "coverage": mean(np.array(covered, float), weights)} if len(levels) > 1 else found


def class_metrics(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, decided: np.ndarray | None = None
) -> dict[str, float]:
    """Of class indices [n] and probabilities [n, classes]; of two classes, F1 and areas are the second's.

    `decided` are class indices [n], where they are not those of the most probable classes.
    """
    classes = probabilities.shape[1]
    predicted = np.array([int(np.argmax(row)) for row in probabilities])
    counted = [1] if classes == 2 else list(range(classes))
    confidence = probabilities.max(axis=1)
    bins = [min(max(math.ceil(value * 15) - 1, 0), 14) for value in confidence]
    gaps = [
        abs(np.sum((weights * (confidence - (predicted == labels)))[np.array(bins) == place])) for place in range(15)
    ]
    predicted = predicted if decided is None else decided
    return {
        "accuracy": mean(predicted == labels, weights),
        "log_loss": mean(-np.log(probabilities[np.arange(len(labels)), labels]), weights),
        "f1": _mean_f1([(labels == k, predicted == k) for k in counted], weights),
        "ece": float(sum(gaps) / np.sum(weights)),
        **_areas([(labels == k, probabilities[:, k]) for k in counted], weights),
    }


def ordinal_metrics(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Of class indices [n], ascending, and probabilities [n, classes]."""
    medians = []
    for row in probabilities:
        total, place = 0.0, 0
        for place, probability in enumerate(row):  # noqa: B007 - the last one is what is wanted
            total += probability
            if total >= 0.5:
                break
        medians.append(place)
    median = np.array(medians)
    observed = sum(w * (y - m) ** 2 for w, y, m in zip(weights, labels, median, strict=True)) / weights.sum()
    by_chance = sum(
        w * v * (y - m) ** 2 for w, y in zip(weights, labels, strict=True) for v, m in zip(weights, median, strict=True)
    )
    found = class_metrics(labels, probabilities, weights)
    return {
        **{name: found[name] for name in ("accuracy", "auc", "log_loss", "f1", "ece")},
        "mae": mean(np.abs(median - labels), weights),
        "qwk": 1 - observed / (by_chance / weights.sum() ** 2) if by_chance else math.nan,
    }


def multilabel_metrics(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Of labels [n, classes], 0 or 1, and probabilities [n, classes]."""
    predicted, positive = probabilities > 0.5, labels == 1
    classes = range(labels.shape[1])
    of_outcome = np.where(positive, probabilities, 1 - probabilities)
    bins = np.clip(np.ceil(probabilities * 15), 1, 15)
    gaps = [
        abs(np.sum((weights * (probabilities - positive)[:, k])[bins[:, k] == place]))
        for k in classes
        for place in range(1, 16)
    ]
    return {
        "accuracy": mean((predicted == positive).mean(axis=1), weights),
        "subset_accuracy": mean((predicted == positive).all(axis=1), weights),
        "log_loss": mean(-np.log(of_outcome).mean(axis=1), weights),
        "f1": _mean_f1([(positive[:, k], predicted[:, k]) for k in classes], weights),
        "ece": float(sum(gaps) / np.sum(weights) / len(classes)),
        **_areas([(positive[:, k], probabilities[:, k]) for k in classes], weights),
    }


def _mean_f1(pairs: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> float:
    values = []
    for positive, predicted in pairs:
        right = weights[positive & predicted].sum()
        total = weights[positive].sum() + weights[predicted].sum()
        if total:
            values.append(2 * right / total)
    return float(np.mean(values)) if values else math.nan


def _areas(pairs: list[tuple[np.ndarray, np.ndarray]], weights: np.ndarray) -> dict[str, float]:
    both = [(positive, scores) for positive, scores in pairs if positive.any() and not positive.all()]
    if not both:
        return {"auc": math.nan, "auc_pr": math.nan}
    return {
        "auc": float(np.mean([auc(positive, scores, weights) for positive, scores in both])),
        "auc_pr": float(np.mean([auc_pr(positive, scores, weights) for positive, scores in both])),
    }


def auc(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The weighted share of pairs of a positive and a negative row in the right order; a tie is half right."""
    pairs = np.outer(weights[positive], weights[~positive])
    differences = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.sum(pairs * ((differences > 0) + 0.5 * (differences == 0))) / pairs.sum())


def auc_pr(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """The mean, over positive rows by weight, of the precision at their score."""
    area = 0.0
    for row in np.flatnonzero(positive):
        above = scores >= scores[row]
        area += weights[row] * weights[above & positive].sum() / weights[above].sum()
    return float(area / weights[positive].sum())


def box_metrics(labels: np.ndarray, boxes: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Of boxes [n, 4]: top, left, bottom, right."""
    overlaps = []
    for (a, b, c, d), (e, f, g, h) in zip(labels, boxes, strict=True):
        both = max(min(c, g) - max(a, e), 0) * max(min(d, h) - max(b, f), 0)
        overlaps.append(both / ((c - a) * (d - b) + (g - e) * (h - f) - both))
    found = np.array(overlaps)
    return {"iou": mean(found, weights), "iou_50": mean(found >= 0.5, weights)}


def tag_metrics(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, tags: list[str]
) -> dict[str, float]:
    """Of labels [n, length], -1 without a tag, and probabilities [n, length, tags], of the tags O, B-A and I-A."""
    right = tokens = 0.0
    of_tags = {tag: [0.0, 0.0, 0.0] for tag in tags}
    entities = [0.0, 0.0, 0.0]
    for row, weight in enumerate(weights):
        pairs = [
            (tags[int(label)], tags[int(np.argmax(given))])
            for label, given in zip(labels[row], probabilities[row], strict=True)
            if label >= 0
        ]
        for wanted, given in pairs:
            tokens += weight
            right += weight * (wanted == given)
            of_tags[wanted][0] += weight * (wanted == given)
            of_tags[wanted][1] += weight
            of_tags[given][2] += weight
        found = [set(_spans([pair[side] for pair in pairs])) for side in (0, 1)]
        for place, count in enumerate((len(found[0] & found[1]), len(found[0]), len(found[1]))):
            entities[place] += weight * count
    f1s = [2 * both / (one + other) for both, one, other in of_tags.values() if one + other]
    return {
        "token_accuracy": right / tokens,
        "f1": sum(f1s) / len(f1s),
        "entity_f1": 2 * entities[0] / (entities[1] + entities[2]) if entities[1] + entities[2] else math.nan,
    }


def _spans(tags: list[str]) -> list[tuple[int, int]]:
    """First place and length of each run that begins at B-A, or at I-A after O, and goes on with I-A."""
    text = "".join({"O": "O", "B-A": "B", "I-A": "I"}[tag] for tag in tags)
    return [(found.start(), len(found[0])) for found in re.finditer("BI*|I+", text)]
