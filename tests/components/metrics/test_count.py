import math

import numpy as np
import pytest

from components.metrics.deviance import PoissonDeviance
from components.metrics.row_count import LabelledRows
from tests.components.metrics.values import metric_value

LABELS = np.array([0.0, 3.0, 1.0])
PREDICTIONS = np.array([[0.5], [3.0], [2.0]])


def test_deviance_of_three_rows():
    # 2 · 0.5, 0 for the perfect one, 2 · (log 0.5 + 1).
    assert metric_value(PoissonDeviance(), LABELS, PREDICTIONS) == pytest.approx((1 + 2 * (math.log(0.5) + 1)) / 3)


def test_deviance_stays_finite_where_nothing_was_expected():
    assert metric_value(PoissonDeviance(), [2.0], [[0.0]]) == pytest.approx(2 * (2 * math.log(2e7) - 2))


def test_deviance_is_weighted_and_masked():
    weights = np.array([2.0, 0.0, 0.5])
    expected = (2 * 1 + 0.5 * 2 * (math.log(0.5) + 1)) / 2.5
    predictions = np.array([[0.5], [np.nan], [2.0]])
    assert metric_value(PoissonDeviance(), LABELS, predictions, weights) == pytest.approx(expected)
    assert metric_value(PoissonDeviance(), LABELS, predictions, weights, pieces=3) == pytest.approx(expected)


def test_deviance_is_undefined_without_rows_and_where_a_prediction_is_not_finite():
    assert math.isnan(metric_value(PoissonDeviance(), [1.0], [[1.0]], np.zeros(1)))
    assert math.isnan(metric_value(PoissonDeviance(), LABELS, [[0.5], [np.inf], [2.0]]))


def test_deviance_takes_counts_only():
    with pytest.raises(ValueError, match="below 0"):
        metric_value(PoissonDeviance(), [-1.0], [[1.0]])
    with pytest.raises(ValueError, match="one value per row, not 2"):
        metric_value(PoissonDeviance(), [1.0], [[1.0, 2.0]])


@pytest.mark.parametrize("pieces", [1, 2, 4])
def test_labelled_rows_are_counted_whatever_they_weigh(pieces):
    weights = np.array([0.25, 0.0, 7.0, 1.0])
    predictions = np.array([[1.0], [1.0], [np.nan], [2.0]])
    assert metric_value(LabelledRows(), np.zeros(4), predictions, weights, pieces=pieces) == 3


def test_labelled_rows_may_have_several_labels_each():
    assert metric_value(LabelledRows(), np.zeros((4, 3)), np.zeros((4, 3)), np.array([0.5, 0.5, 0, 2])) == 3
