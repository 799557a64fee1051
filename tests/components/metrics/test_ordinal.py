import math

import numpy as np
import pytest

from components.metrics.classification import ClassDistance, QuadraticWeightedKappa
from tests.components.metrics.values import metric_value

BOTH = [ClassDistance, QuadraticWeightedKappa]
PROBABILITIES = np.array([[0.6, 0.2, 0.2], [0.4, 0.2, 0.4], [0.45, 0.05, 0.5], [0.0, 0.3, 0.7], [0.5, 0.0, 0.5]])
"""Medians 0, 1, 1, 2, 0; the most probable classes are 0, 0, 2, 2, 0."""
LABELS = np.array([0, 1, 2, 0, 0])


def test_distances_are_those_of_the_median_class():
    assert metric_value(ClassDistance(classes=3), LABELS, PROBABILITIES) == pytest.approx((0 + 0 + 1 + 2 + 0) / 5)


def test_kappa_compares_with_independent_margins():
    # Labels 3, 1, 1 of each class, medians 2, 2, 1; observed 1 + 4, expected Σ d²·l·m / 5.
    expected = (1 * (3 * 2 + 1 * 2 + 1 * 1 + 1 * 2) + 4 * (3 * 1 + 1 * 2)) / 5
    assert metric_value(QuadraticWeightedKappa(classes=3), LABELS, PROBABILITIES) == pytest.approx(1 - 5 / expected)


def test_perfect_and_reversed_order():
    labels = np.array([0, 1, 2])
    assert metric_value(QuadraticWeightedKappa(classes=3), labels, np.eye(3)) == pytest.approx(1)
    assert metric_value(QuadraticWeightedKappa(classes=3), labels, np.eye(3)[::-1]) == pytest.approx(-1)
    assert metric_value(ClassDistance(classes=3), labels, np.eye(3)) == 0


def test_kappa_of_a_single_class_is_undefined():
    assert math.isnan(metric_value(QuadraticWeightedKappa(classes=3), [1, 1], np.eye(3)[[1, 1]]))
    # All predictions alike, the labels not: no better than chance.
    assert metric_value(QuadraticWeightedKappa(classes=3), [0, 1, 2], np.eye(3)[[1, 1, 1]]) == pytest.approx(0)


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize("pieces", [1, 3])
def test_weights_count_as_repetitions_and_mask(metric, pieces):
    weights = np.array([2, 1, 0, 3, 1])
    probabilities = PROBABILITIES.copy()
    probabilities[2] = np.nan
    repeated = np.repeat(np.arange(5), weights)
    expected = metric_value(metric(classes=3), LABELS[repeated], PROBABILITIES[repeated])
    assert metric_value(metric(classes=3), LABELS, probabilities, weights, pieces=pieces) == pytest.approx(expected)


@pytest.mark.parametrize("metric", BOTH)
def test_undefined_without_rows_and_where_a_prediction_is_not_finite(metric):
    assert math.isnan(metric_value(metric(classes=3), [0], [[1.0, 0.0, 0.0]], np.zeros(1)))
    assert math.isnan(metric_value(metric(classes=3), [0, 1], [[1.0, 0.0, 0.0], [np.nan, 0.5, 0.5]]))


@pytest.mark.parametrize("metric", BOTH)
def test_predictions_and_labels_must_fit_the_classes(metric):
    with pytest.raises(ValueError, match="predicts 2 classes, the task has 3"):
        metric_value(metric(classes=3), [0], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="a row has 2 labels, the task has one"):
        metric_value(metric(classes=3), [[0, 1]], [[1.0, 0.0, 0.0]])
