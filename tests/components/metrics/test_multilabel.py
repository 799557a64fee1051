import math

import numpy as np
import pytest

from components.metrics.curves import MultilabelAUC, MultilabelAUCPR
from components.metrics.multilabel import (
    DecisionAccuracy,
    MultilabelCalibrationError,
    MultilabelF1,
    MultilabelLogLoss,
    MultilabelPresentClasses,
    SubsetAccuracy,
)
from tests.components.metrics.values import metric_value
from tests.formulas import multilabel_metrics

LABELS = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0], [0, 0, 1]])
PROBABILITIES = np.array([[0.9, 0.2, 0.6], [0.3, 0.4, 0.4], [0.5, 0.1, 0.7], [0.1, 0.2, 0.8]])
"""Predicted, above 0.5: 1 0 1, 0 0 0, 0 0 1, 0 0 1."""
METRICS = {
    "accuracy": DecisionAccuracy,
    "subset_accuracy": SubsetAccuracy,
    "f1": MultilabelF1,
    "log_loss": MultilabelLogLoss,
    "ece": MultilabelCalibrationError,
    "auc": MultilabelAUC,
    "auc_pr": MultilabelAUCPR,
}


def test_shares_of_decisions_and_of_whole_rows():
    assert metric_value(DecisionAccuracy(classes=3), LABELS, PROBABILITIES) == pytest.approx(9 / 12)
    assert metric_value(SubsetAccuracy(classes=3), LABELS, PROBABILITIES) == 0.5


def test_f1_leaves_out_a_class_that_does_not_occur():
    # The first class: one of two found; the third: two of three found, one called wrongly.
    assert metric_value(MultilabelF1(classes=3), LABELS, PROBABILITIES) == pytest.approx((2 / 3 + 4 / 6) / 2)
    assert math.isnan(metric_value(MultilabelF1(classes=2), [[0, 0]], [[0.1, 0.2]]))


def test_log_loss_is_the_mean_over_classes():
    expected = -np.log([0.9, 0.8, 0.6, 0.7, 0.6, 0.4, 0.5, 0.9, 0.3, 0.9, 0.8, 0.8]).mean()
    assert metric_value(MultilabelLogLoss(classes=3), LABELS, PROBABILITIES) == pytest.approx(expected)
    assert metric_value(MultilabelLogLoss(classes=2), [[1, 0]], [[0.0, 1.0]]) == pytest.approx(-math.log(1e-7))


def test_calibration_is_the_mean_over_classes_of_the_gap_in_each_bin():
    labels, probabilities = [[1, 0], [0, 0], [1, 0], [1, 0]], [[0.75, 0.1], [0.75, 0.1], [0.75, 0.1], [0.3, 0.2]]
    # The first class: three rows of 0.75 with a share of 2/3, and one of 0.3 that has it; the second: none has it.
    expected = (3 * (0.75 - 2 / 3) + 0.7) / 4, (3 * 0.1 + 0.2) / 4
    found = metric_value(MultilabelCalibrationError(classes=2), labels, probabilities)
    assert found == pytest.approx(np.mean(expected))
    assert metric_value(MultilabelCalibrationError(classes=2), [[1, 0]], [[1.0, 0.0]]) == 0


def test_areas_are_means_over_classes_that_some_rows_have_and_some_have_not():
    # First class: 0.9 and 0.5 above 0.3 and 0.1; third: of the pairs with 0.7 only 0.8 is above.
    assert metric_value(MultilabelAUC(classes=3), LABELS, PROBABILITIES) == pytest.approx((1 + 1 / 3) / 2)
    assert math.isnan(metric_value(MultilabelAUC(classes=3), np.eye(3)[:1], PROBABILITIES[:1]))


def test_of_two_classes_both_count():
    labels, probabilities = LABELS[:, [0, 2]], PROBABILITIES[:, [0, 2]]
    assert metric_value(MultilabelAUC(classes=2), labels, probabilities) == pytest.approx((1 + 1 / 3) / 2)


def test_present_classes_are_those_that_some_row_has():
    assert metric_value(MultilabelPresentClasses(classes=3), LABELS, PROBABILITIES) == 2


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("pieces", [1, 4])
def test_each_equals_its_formula_with_weights_and_masked_rows(name, pieces):
    random = np.random.default_rng(1)
    labels = (random.uniform(size=(60, 4)) < 0.4).astype(np.float32)
    probabilities = random.integers(1, 1000, size=(60, 4)) / 1000
    weights = random.uniform(0.1, 3, size=60) * (random.uniform(size=60) < 0.8)
    kept = weights > 0
    expected = multilabel_metrics(labels[kept], probabilities[kept], weights[kept])[name]
    probabilities[~kept] = np.nan
    value = metric_value(METRICS[name](classes=4), labels, probabilities, weights, pieces=pieces)
    assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS.values())
def test_undefined_without_rows_and_where_a_prediction_is_not_finite(metric):
    assert math.isnan(metric_value(metric(classes=3), LABELS, PROBABILITIES, np.zeros(4)))
    probabilities = PROBABILITIES.copy()
    probabilities[1, 2] = np.nan
    assert math.isnan(metric_value(metric(classes=3), LABELS, probabilities))


@pytest.mark.parametrize("metric", METRICS.values())
def test_labels_and_predictions_must_fit_the_classes(metric):
    with pytest.raises(ValueError, match="3 labels and 3 predictions, the task has 4 classes"):
        metric_value(metric(classes=4), LABELS, PROBABILITIES)
    with pytest.raises(ValueError, match="1 labels and 3 predictions, the task has 3 classes"):
        metric_value(metric(classes=3), LABELS[:, 0], PROBABILITIES)
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        metric_value(metric(classes=3), LABELS * 2, PROBABILITIES)
