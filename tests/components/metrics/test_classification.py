import math

import numpy as np
import pytest

from components.metrics.classification import (
    ClassAccuracy,
    ExpectedCalibrationError,
    LogLoss,
    MacroF1,
    PresentClasses,
)
from components.metrics.rows import Membership, make_rows
from tests.components.metrics.values import metric_value

THREE = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.4, 0.1]])
THREE_LABELS = np.array([0, 1, 0, 1])
ALL = [ClassAccuracy, MacroF1, LogLoss, ExpectedCalibrationError]


def test_accuracy_of_three_classes():
    assert metric_value(ClassAccuracy(classes=3), THREE_LABELS, THREE) == 0.5


def test_binary_accuracy_predicts_the_second_class_above_one_half_only():
    assert metric_value(ClassAccuracy(classes=2), [1, 0, 1, 0], [[0.50004], [0.50004], [0.5], [0.5]]) == 0.5


def test_binary_f1_is_that_of_the_second_class():
    # Two right, one wrongly called positive, one missed: 2·2 / (2·2 + 1 + 1).
    labels, predictions = [1, 1, 1, 0, 0], [[0.9], [0.6], [0.2], [0.7], [0.1]]
    assert metric_value(MacroF1(classes=2), labels, predictions) == pytest.approx(4 / 6)


def test_macro_f1_leaves_out_a_class_that_does_not_occur():
    labels = np.array([0, 0, 1, 1])
    predictions = np.eye(4)[[0, 1, 1, 1]]
    # Class 0: 2·1 / (2 + 1); class 1: 2·2 / (2 + 3); classes 2 and 3 occur nowhere.
    assert metric_value(MacroF1(classes=4), labels, predictions) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_macro_f1_counts_a_class_that_is_only_predicted():
    assert metric_value(MacroF1(classes=3), [0, 0], np.eye(3)[[0, 2]]) == pytest.approx((2 / 3 + 0) / 2)


def test_f1_without_positives_is_undefined():
    assert math.isnan(metric_value(MacroF1(classes=2), [0, 0], [[0.1], [0.2]]))


def test_log_loss():
    expected = -np.mean(np.log([0.7, 0.8, 0.2, 0.4]))
    assert metric_value(LogLoss(classes=3), THREE_LABELS, THREE) == pytest.approx(expected)


def test_log_loss_of_a_binary_task_uses_the_labelled_class():
    assert metric_value(LogLoss(classes=2), [1, 0], [[0.8], [0.4]]) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)


def test_log_loss_stays_finite_at_certainty():
    assert metric_value(LogLoss(classes=2), [1, 0], [[0.0], [0.0]]) == pytest.approx(-np.log(1e-7) / 2)


def test_ece_of_two_bins():
    # Bin of 0.9: three rows, two right; bin of 0.6: two rows, one right.
    labels, predictions = [1, 1, 0, 1, 0], [[0.9], [0.9], [0.9], [0.6], [0.6]]
    assert metric_value(ExpectedCalibrationError(classes=2), labels, predictions) == pytest.approx(
        3 / 5 * abs(2 / 3 - 0.9) + 2 / 5 * abs(1 / 2 - 0.6)
    )


def test_ece_bins_hold_their_right_edge():
    # 0.6 is the right edge of the ninth of 15 bins: together with 0.59, not with 0.61.
    predictions = np.array([[0.6, 0.4], [0.59, 0.41], [0.61, 0.39]])
    assert metric_value(ExpectedCalibrationError(classes=2), [0, 1, 0], predictions) == pytest.approx(
        2 / 3 * abs(0.5 - 0.595) + 1 / 3 * abs(1 - 0.61)
    )


def test_ece_of_a_perfect_and_of_a_wrong_certain_model():
    assert metric_value(ExpectedCalibrationError(classes=3), [0, 1], np.eye(3)[[0, 1]]) == 0
    assert metric_value(ExpectedCalibrationError(classes=3), [0, 1], np.eye(3)[[1, 0]]) == 1


def test_present_classes_are_those_of_the_labels():
    labels, predictions = [0, 2, 2, 1], np.eye(4)[[3, 3, 3, 3]]
    assert metric_value(PresentClasses(classes=4), labels, predictions) == 3
    assert metric_value(PresentClasses(classes=4), labels, predictions, np.array([1, 1, 1, 0])) == 2


@pytest.mark.parametrize("metric", ALL)
def test_masked_rows_do_not_count_even_when_they_are_not_finite(metric):
    predictions = np.concatenate([THREE, [[np.nan] * 3, [0.0, 0.0, 1.0]]])
    labels = np.append(THREE_LABELS, [0, 0])
    weights = np.array([1, 1, 1, 1, 0, 0])
    expected = metric_value(metric(classes=3), THREE_LABELS, THREE)
    assert metric_value(metric(classes=3), labels, predictions, weights) == pytest.approx(expected)


@pytest.mark.parametrize("metric", ALL)
def test_weights_count_as_repetitions(metric):
    weighted = metric_value(metric(classes=3), THREE_LABELS, THREE, np.array([3, 1, 2, 1]))
    repeated = np.array([0, 0, 0, 1, 2, 2, 3])
    assert weighted == pytest.approx(metric_value(metric(classes=3), THREE_LABELS[repeated], THREE[repeated]))


@pytest.mark.parametrize("metric", ALL)
def test_a_prediction_that_is_not_finite_makes_the_metric_undefined(metric):
    assert math.isnan(metric_value(metric(classes=3), [0, 1], [[1.0, 0.0, 0.0], [np.nan, 0.5, 0.5]]))
    assert math.isnan(metric_value(metric(classes=2), [0, 1], [[0.5], [np.nan]]))


@pytest.mark.parametrize("metric", ALL)
def test_without_rows_the_metric_is_undefined(metric):
    assert math.isnan(metric_value(metric(classes=3), [0], [[1.0, 0.0, 0.0]], np.array([0.0])))


@pytest.mark.parametrize("metric", ALL)
@pytest.mark.parametrize("pieces", [2, 5])
def test_merged_states_give_the_same_value(metric, pieces):
    random = np.random.default_rng(3)
    predictions = random.dirichlet(np.ones(3), size=57)
    labels = random.integers(0, 3, size=57)
    assert metric_value(metric(classes=3), labels, predictions, pieces=pieces) == pytest.approx(
        metric_value(metric(classes=3), labels, predictions)
    )


@pytest.mark.parametrize("metric", ALL)
def test_groups_are_computed_apart_and_may_overlap(metric):
    random = np.random.default_rng(4)
    predictions, labels = random.dirichlet(np.ones(3), size=20), random.integers(0, 3, size=20)
    rows = make_rows(labels, predictions, np.ones(20))
    members = {0: np.arange(20), 1: np.arange(0, 20, 3), 3: np.array([4, 7])}
    membership = Membership(
        rows=np.concatenate(list(members.values())),
        groups=np.concatenate([np.full(len(chosen), group) for group, chosen in members.items()]),
        count=4,
    )
    states = metric(classes=3).statistic().of_groups(rows, membership)
    assert len(states) == 4
    for group, chosen in members.items():
        expected = metric_value(metric(classes=3), labels[chosen], predictions[chosen])
        assert metric(classes=3).value(states[group]) == pytest.approx(expected)
    assert math.isnan(metric(classes=3).value(states[2]))


@pytest.mark.parametrize("metric", ALL)
def test_predictions_and_labels_must_fit_the_classes(metric):
    with pytest.raises(ValueError, match="predicts 2 classes, the task has 3"):
        metric_value(metric(classes=3), [0], [[0.5, 0.5]])
    with pytest.raises(ValueError, match="no class index from 0 to 2"):
        metric_value(metric(classes=3), [3], [[1.0, 0.0, 0.0]])
