import math

import numpy as np
import pytest

from components.metrics.regression import IntervalCoverage, PinballLoss
from tests.components.metrics.values import metric_value
from tests.formulas import quantile_metrics

LEVELS = [0.1, 0.5, 0.9]
BOTH = {"pinball": PinballLoss, "coverage": IntervalCoverage}


def test_pinball_loss_of_one_row():
    # Errors 3, 0, -2: 0.1 · 3, 0, 0.1 · 2.
    assert metric_value(PinballLoss(levels=LEVELS), [5.0], [[2.0, 5.0, 7.0]]) == pytest.approx((0.3 + 0.2) / 3)


def test_pinball_loss_of_the_median_is_half_the_absolute_error():
    assert metric_value(PinballLoss(levels=[0.5]), [5.0, 1.0], [[2.0], [2.0]]) == pytest.approx((3 + 1) / 4)


def test_an_interval_holds_its_ends():
    quantiles = np.tile([2.0, 4.0, 7.0], (4, 1))
    assert metric_value(IntervalCoverage(levels=LEVELS), [2.0, 7.0, 7.1, 1.9], quantiles) == 0.5


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("pieces", [1, 4])
def test_each_equals_its_formula_with_weights_and_masked_rows(name, pieces):
    random = np.random.default_rng(1)
    labels, quantiles = random.normal(size=50), np.sort(random.normal(size=(50, 3)), axis=1)
    weights = random.uniform(0.1, 3, size=50) * (random.uniform(size=50) < 0.8)
    kept = weights > 0
    expected = quantile_metrics(labels[kept], quantiles[kept], LEVELS, weights[kept])[name]
    quantiles[~kept] = np.nan
    assert metric_value(BOTH[name](levels=LEVELS), labels, quantiles, weights, pieces=pieces) == pytest.approx(expected)


@pytest.mark.parametrize("metric", BOTH.values())
def test_undefined_without_rows_and_where_a_prediction_is_not_finite(metric):
    assert math.isnan(metric_value(metric(levels=LEVELS), [0.0], [[1.0, 2.0, 3.0]], np.zeros(1)))
    assert math.isnan(metric_value(metric(levels=LEVELS), [0.0, 1.0], [[1.0, 2.0, 3.0], [1.0, np.nan, 3.0]]))


@pytest.mark.parametrize("metric", BOTH.values())
def test_predictions_must_fit_the_levels(metric):
    with pytest.raises(ValueError, match="predicts 2 quantiles, the task has 3"):
        metric_value(metric(levels=LEVELS), [0.0], [[1.0, 2.0]])


def test_statistics_of_the_same_levels_are_shared_and_of_others_not():
    assert PinballLoss(levels=LEVELS).statistic().name == IntervalCoverage(levels=tuple(LEVELS)).statistic().name
    assert PinballLoss(levels=LEVELS).statistic().name != PinballLoss(levels=[0.1, 0.9]).statistic().name
