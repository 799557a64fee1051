import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score

from components.metrics import curves
from components.metrics.curves import OneVsRestAUC, OneVsRestAUCPR
from components.metrics.rows import make_rows, one_group
from tests.components.metrics.values import metric_value

BOTH = [OneVsRestAUC, OneVsRestAUCPR]


def test_binary_auc_of_four_rows():
    # Of the four pairs only (0.3, 0.6) is in the wrong order.
    assert metric_value(OneVsRestAUC(classes=2), [1, 0, 1, 0], [[0.9], [0.6], [0.3], [0.1]]) == pytest.approx(3 / 4)


def rare_rows(base_rate: float, rows: int, positives: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Labels and float32 probabilities, whose logits are normal, those of positive rows higher by 0.6 deviations."""
    random = np.random.default_rng(seed)
    labels = np.zeros(rows, np.int64)
    labels[random.choice(rows, positives, replace=False)] = 1
    logits = random.normal(size=rows)
    # Of few positive rows a random draw could be anything.
    logits[labels == 1] = 0.6 + norm.ppf((np.arange(positives) + 0.5) / positives)
    logits = 0.5 * logits + np.log(base_rate / (1 - base_rate))
    return labels, (1 / (1 + np.exp(-logits))).astype(np.float32)[:, None]


@pytest.mark.parametrize(
    ("base_rate", "rows", "positives"),
    [
        (0.5, 4000, 2000),
        (0.1, 4000, 400),
        (0.01, 20_000, 200),
        (1e-3, 50_000, 50),
        (5e-5, 100_000, 5),
        (1e-5, 200_000, 2),
    ],
)
def test_areas_are_those_of_scikit_learn_at_any_base_rate(base_rate, rows, positives):
    labels, scores = rare_rows(base_rate, rows, positives)
    # Rows of equal scores, and rows of other weights.
    scores[: rows // 4] = scores[rows // 4 : rows // 4 * 2]
    weights = np.random.default_rng(4).uniform(0.5, 2.0, rows)
    expected = [
        roc_auc_score(labels, scores[:, 0], sample_weight=weights),
        average_precision_score(labels, scores[:, 0], sample_weight=weights),
    ]
    found = [metric_value(metric(classes=2), labels, scores, weights, pieces=5) for metric in BOTH]
    assert found == pytest.approx(expected, rel=1e-9)


def test_where_positives_are_rare_equal_width_buckets_cannot_rank():
    labels, scores = rare_rows(5e-5, 400_000, 20)
    right = metric_value(OneVsRestAUC(classes=2), labels, scores)
    # There are more probabilities than a state has cells.
    assert right == pytest.approx(roc_auc_score(labels, scores[:, 0]), abs=1e-6)
    assert right == pytest.approx(0.66, abs=0.01)
    # What TFMA does: 10,000 buckets of the probability.
    assert roc_auc_score(labels, np.floor(scores[:, 0] * 10_000)) < 0.6


@pytest.mark.parametrize(("base_rate", "sign"), [(0.5, 1), (1e-3, 1), (1e-5, 1), (1e-3, -1)])
def test_joined_cells_keep_within_the_stated_bound(monkeypatch, base_rate, sign):
    monkeypatch.setattr(curves, "MOST_CELLS", 1 << 14)
    rows = 100_000
    labels, scores = rare_rows(base_rate, rows, max(round(base_rate * rows), 30))
    if sign < 0:
        labels, scores = 1 - labels, 1 - scores
    statistic = OneVsRestAUC(classes=2).statistic()
    group = one_group(rows // 10)
    states = [
        statistic.of_groups(make_rows(labels[part], scores[part], np.ones(rows // 10)), group)[0]
        for part in np.split(np.arange(rows), 10)
    ]
    state = statistic.merge([statistic.merge(states[:3]), states[3], statistic.merge(states[4:])])
    assert state[0, 0] > 0
    assert 1 << 13 < len(state) - 1 <= 1 << 14
    ((positive, negative),) = curves.curves(state)
    bound = positive @ negative / positive.sum() / negative.sum() / 2
    assert bound < 2e-4
    assert OneVsRestAUC(classes=2).value(state) == pytest.approx(roc_auc_score(labels, scores[:, 0]), rel=0, abs=bound)
    assert OneVsRestAUCPR(classes=2).value(state) == pytest.approx(
        average_precision_score(labels, scores[:, 0]), rel=0.01
    )
    # The batches and the order in which they are merged make no difference.
    np.testing.assert_array_equal(state, statistic.merge(states[::-1]))
    np.testing.assert_array_equal(
        state, statistic.of_groups(make_rows(labels, scores, np.ones(rows)), one_group(rows))[0]
    )


@pytest.mark.parametrize("metric", BOTH)
def test_perfect_and_reversed_order(metric):
    assert metric_value(metric(classes=2), [1, 1, 0, 0], [[0.9], [0.8], [0.2], [0.1]]) == pytest.approx(1)
    assert metric_value(OneVsRestAUC(classes=2), [0, 0, 1, 1], [[0.9], [0.8], [0.2], [0.1]]) == pytest.approx(0)


def test_several_classes_are_averaged_each_against_the_rest():
    random = np.random.default_rng(5)
    predictions, labels = random.dirichlet(np.ones(3), size=300), random.integers(0, 3, size=300)
    expected = roc_auc_score(np.eye(3)[labels], predictions.astype(np.float32))
    assert metric_value(OneVsRestAUC(classes=3), labels, predictions) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("metric", BOTH)
def test_an_absent_class_is_left_out_of_the_average(metric):
    random = np.random.default_rng(6)
    predictions, labels = random.dirichlet(np.ones(3), size=100), random.integers(0, 2, size=100)
    of_each = [
        metric_value(metric(classes=2), labels == index, predictions[:, index : index + 1]) for index in range(2)
    ]
    assert metric_value(metric(classes=3), labels, predictions) == pytest.approx(np.mean(of_each))


@pytest.mark.parametrize("metric", BOTH)
@pytest.mark.parametrize("label", [0, 1])
def test_a_single_class_has_no_curve(metric, label):
    assert math.isnan(metric_value(metric(classes=2), [label, label], [[0.3], [0.6]]))
    assert math.isnan(metric_value(metric(classes=3), [label, label], np.eye(3)[:2]))


@pytest.mark.parametrize("metric", BOTH)
def test_probabilities_of_exactly_zero_and_one(metric):
    assert metric_value(metric(classes=2), [1, 0], [[1.0], [0.0]]) == pytest.approx(1)


@pytest.mark.parametrize("metric", BOTH)
def test_masked_rows_do_not_count_and_pieces_merge(metric):
    random = np.random.default_rng(8)
    predictions, labels = random.dirichlet(np.ones(3), size=90), random.integers(0, 3, size=90)
    weights = (random.uniform(size=90) < 0.7).astype(float)
    predictions[weights == 0] = np.nan
    kept = weights == 1
    expected = metric_value(metric(classes=3), labels[kept], predictions[kept])
    assert metric_value(metric(classes=3), labels, predictions, weights, pieces=4) == pytest.approx(expected)


@pytest.mark.parametrize("metric", BOTH)
def test_a_prediction_that_is_not_finite_makes_the_metric_undefined(metric):
    assert math.isnan(metric_value(metric(classes=2), [1, 0, 1], [[0.9], [0.1], [np.nan]]))
