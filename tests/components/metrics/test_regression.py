import math

import numpy as np
import pytest

from components.metrics.regression import AbsoluteError, MeanBias, PoissonDeviance, RootSquaredError, RSquared
from tests.components.metrics.values import metric_value

ALL = [AbsoluteError, RootSquaredError, RSquared, MeanBias]
LABELS = np.array([10.0, 0.0, -5.0, 7.0])
PREDICTIONS = np.array([[12.0], [-1.0], [-5.0], [4.0]])
COUNTS = np.array([0.0, 3.0, 1.0])
MEANS = np.array([[0.5], [3.0], [2.0]])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (AbsoluteError, 6 / 4),
        (RootSquaredError, math.sqrt(14 / 4)),
        (RSquared, 1 - 14 / 138),
        (MeanBias, -2 / 4),
    ],
)
def test_four_rows(metric, expected):
    # Errors 2, -1, 0, -3; the labels' mean is 3, their squared deviations 49, 9, 64 and 16.
    assert metric_value(metric(), LABELS, PREDICTIONS) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_masked_rows_do_not_count_even_when_they_are_not_finite(metric):
    labels = np.append(LABELS, [0.0, 1e9])
    predictions = np.append(PREDICTIONS, [[np.nan], [0.0]], axis=0)
    weights = np.array([1, 1, 1, 1, 0, 0])
    assert metric_value(metric(), labels, predictions, weights) == metric_value(metric(), LABELS, PREDICTIONS)


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("pieces", [2, 4, 7])
def test_merged_states_give_the_same_value(metric, pieces):
    # Seven pieces of six rows: one of them is empty.
    random = np.random.default_rng(9)
    labels, predictions = random.normal(1e6, 1, size=6), random.normal(1e6, 1, size=(6, 1))
    weights = np.array([1, 0, 2, 1, 1, 0.5])
    whole = metric_value(metric(), labels, predictions, weights)
    assert metric_value(metric(), labels, predictions, weights, pieces=pieces) == pytest.approx(whole, rel=1e-9)


def test_r2_does_not_cancel_where_the_labels_are_large():
    random = np.random.default_rng(10)
    noise, errors = random.normal(size=1000), random.normal(0, 0.5, size=1000)
    labels = 1.7e9 + noise
    expected = 1 - np.sum(errors**2) / np.sum((noise - noise.mean()) ** 2)
    assert metric_value(RSquared(), labels, (labels + errors)[:, None], pieces=10) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pieces", [1, 3])
def test_r2_of_labels_that_do_not_vary_is_undefined(pieces):
    labels = np.full(7, 0.1)
    assert math.isnan(metric_value(RSquared(), labels, labels[:, None] + 1, pieces=pieces))


def test_r2_is_zero_for_the_mean_and_one_for_the_labels():
    assert metric_value(RSquared(), LABELS, np.full((4, 1), 3.0)) == 0
    assert metric_value(RSquared(), LABELS, LABELS[:, None]) == 1


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_makes_the_metric_undefined(metric, bad):
    assert math.isnan(metric_value(metric(), [1.0, 2.0], [[1.0], [bad]], pieces=2))


@pytest.mark.parametrize("metric", ALL)
def test_without_rows_the_metric_is_undefined(metric):
    assert math.isnan(metric_value(metric(), [1.0], [[1.0]], np.array([0.0])))


def test_a_regression_predicts_one_value():
    with pytest.raises(ValueError, match="one value per row, not 2"):
        metric_value(AbsoluteError(), [1.0], [[1.0, 2.0]])


def test_deviance_of_three_rows():
    # 2 · 0.5, 0 for the perfect one, 2 · (log 0.5 + 1).
    assert metric_value(PoissonDeviance(), COUNTS, MEANS) == pytest.approx((1 + 2 * (math.log(0.5) + 1)) / 3)


def test_deviance_stays_finite_where_nothing_was_expected():
    assert metric_value(PoissonDeviance(), [2.0], [[0.0]]) == pytest.approx(2 * (2 * math.log(2e7) - 2))


def test_deviance_is_weighted_and_masked():
    weights = np.array([2.0, 0.0, 0.5])
    expected = (2 * 1 + 0.5 * 2 * (math.log(0.5) + 1)) / 2.5
    predictions = np.array([[0.5], [np.nan], [2.0]])
    assert metric_value(PoissonDeviance(), COUNTS, predictions, weights) == pytest.approx(expected)
    assert metric_value(PoissonDeviance(), COUNTS, predictions, weights, pieces=3) == pytest.approx(expected)


def test_deviance_is_undefined_without_rows_and_where_a_prediction_is_not_finite():
    assert math.isnan(metric_value(PoissonDeviance(), [1.0], [[1.0]], np.zeros(1)))
    assert math.isnan(metric_value(PoissonDeviance(), COUNTS, [[0.5], [np.inf], [2.0]]))


def test_deviance_takes_counts_only():
    with pytest.raises(ValueError, match="below 0"):
        metric_value(PoissonDeviance(), [-1.0], [[1.0]])
    with pytest.raises(ValueError, match="one value per row, not 2"):
        metric_value(PoissonDeviance(), [1.0], [[1.0, 2.0]])
