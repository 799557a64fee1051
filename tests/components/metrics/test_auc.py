import math

import numpy as np
import pytest

from components.metrics.auc import OneVsRestAUC, OneVsRestAUCPR
from tests.components.metrics.values import metric_value

BOTH = [OneVsRestAUC, OneVsRestAUCPR]


def rank_auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """The share of pairs of a positive and a negative row that are in the right order; a tie is half right."""
    differences = scores[positive][:, None] - scores[~positive][None, :]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


def average_precision(positive: np.ndarray, scores: np.ndarray) -> float:
    """The mean, over positive rows, of the precision at their score."""
    above = scores[None, :] >= scores[positive][:, None]
    return float(np.mean((above & positive[None, :]).sum(axis=1) / above.sum(axis=1)))


def test_binary_auc_of_four_rows():
    # Of the four pairs only (0.3, 0.6) is in the wrong order.
    assert metric_value(OneVsRestAUC(2), [1, 0, 1, 0], [[0.9], [0.6], [0.3], [0.1]]) == pytest.approx(3 / 4)


def test_binary_auc_equals_the_rank_statistic():
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, size=400)
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    auc = metric_value(OneVsRestAUC(2), labels, scores[:, None])
    assert auc == pytest.approx(rank_auc(labels == 1, scores), abs=2e-4)


def test_area_under_precision_and_recall_is_near_the_average_precision():
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, size=2000)
    scores = np.clip(random.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    area = metric_value(OneVsRestAUCPR(2), labels, scores[:, None])
    assert area == pytest.approx(average_precision(labels == 1, scores), abs=2e-3)


@pytest.mark.parametrize("metric", BOTH)
def test_perfect_and_reversed_order(metric):
    assert metric_value(metric(2), [1, 1, 0, 0], [[0.9], [0.8], [0.2], [0.1]]) == pytest.approx(1)
    assert metric_value(OneVsRestAUC(2), [0, 0, 1, 1], [[0.9], [0.8], [0.2], [0.1]]) == pytest.approx(0)


def test_several_classes_are_averaged_each_against_the_rest():
    random = np.random.default_rng(5)
    predictions, labels = random.dirichlet(np.ones(3), size=300), random.integers(0, 3, size=300)
    expected = np.mean([rank_auc(labels == index, predictions[:, index]) for index in range(3)])
    assert metric_value(OneVsRestAUC(3), labels, predictions) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("metric", BOTH)
def test_an_absent_class_is_left_out_of_the_average(metric):
    random = np.random.default_rng(6)
    predictions, labels = random.dirichlet(np.ones(3), size=100), random.integers(0, 2, size=100)
    of_each = [metric_value(metric(2), labels == index, predictions[:, index : index + 1]) for index in range(2)]
    assert metric_value(metric(3), labels, predictions) == pytest.approx(np.mean(of_each))


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize("label", [0, 1])
def test_a_single_class_has_no_curve(metric, label):
    assert math.isnan(metric_value(metric(2), [label, label], [[0.3], [0.6]]))
    assert math.isnan(metric_value(metric(3), [label, label], np.eye(3)[:2]))


@pytest.mark.parametrize("metric", BOTH)
def test_probabilities_of_exactly_zero_and_one(metric):
    assert metric_value(metric(2), [1, 0], [[1.0], [0.0]]) == pytest.approx(1)


@pytest.mark.parametrize("metric", BOTH)
def test_masked_rows_do_not_count_and_pieces_merge(metric):
    random = np.random.default_rng(8)
    predictions, labels = random.dirichlet(np.ones(3), size=90), random.integers(0, 3, size=90)
    weights = (random.uniform(size=90) < 0.7).astype(float)
    predictions[weights == 0] = np.nan
    kept = weights == 1
    expected = metric_value(metric(3), labels[kept], predictions[kept])
    assert metric_value(metric(3), labels, predictions, weights, pieces=4) == pytest.approx(expected)


@pytest.mark.parametrize("metric", BOTH)
def test_a_prediction_that_is_not_finite_makes_the_metric_undefined(metric):
    assert math.isnan(metric_value(metric(2), [1, 0, 1], [[0.9], [0.1], [np.nan]]))
