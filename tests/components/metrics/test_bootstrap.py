"""The standard error of a change between two models on the same rows."""

from typing import Any

import numpy as np
import pytest

from components.metrics.bootstrap import change_errors
from components.metrics.classification import ClassAccuracy, ExpectedCalibrationError
from components.metrics.curves import ExclusiveScores, MultilabelScores, OneVsRestAUC
from components.metrics.metric import StatisticMetric
from components.metrics.regression import AbsoluteError, MeanBias, RootSquaredError
from components.metrics.rows import Membership, Rows, make_rows

BINARY = OneVsRestAUC(classes=2)


def sided(labels: np.ndarray, *predictions: np.ndarray, weights: np.ndarray | None = None) -> list[Rows]:
    return [make_rows(labels, one, np.ones(len(labels)) if weights is None else weights) for one in predictions]


def numbers(rows: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels that vary by far more than two models' predictions do from each other."""
    random = np.random.default_rng(1)
    labels = random.normal(0, 100, rows)
    model = random.normal(0, 1, rows)
    return labels, model, model + random.normal(0, 5, rows)


def error(metric: StatisticMetric, rows: list[Rows], **given: Any) -> float:
    return change_errors({"it": metric}, rows[0], rows[1], given.get("seed", 0), given.get("harms", {}))["it"]


def test_what_both_models_get_wrong_cancels_out() -> None:
    labels, model, baseline = numbers()
    differences = np.abs(model - labels) - np.abs(baseline - labels)
    expected = differences.std() / np.sqrt(len(labels))
    found = error(AbsoluteError(), sided(labels, model, baseline))
    assert found == pytest.approx(expected, rel=0.15)
    # Of either value by itself it is more than ten times as large.
    assert np.abs(model - labels).std() / np.sqrt(len(labels)) > 10 * found


def test_weights_count() -> None:
    labels, model, baseline = numbers()
    weights = np.random.default_rng(2).exponential(size=len(labels))
    differences = np.abs(model - labels) - np.abs(baseline - labels)
    share = weights / weights.sum()
    expected = np.sqrt(np.sum(share**2 * (differences - share @ differences) ** 2))
    found = error(AbsoluteError(), sided(labels, model, baseline, weights=weights))
    assert found == pytest.approx(expected, rel=0.15)


def delong(labels: np.ndarray, *scores: np.ndarray) -> float:
    """DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988: the standard error of the difference of two AUCs."""
    placements = []
    for one in scores:
        positive, negative = one[labels == 1], one[labels == 0]
        above = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
        placements.append((above.mean(axis=1), above.mean(axis=0)))
    (v10_a, v01_a), (v10_b, v01_b) = placements
    return float(np.sqrt(np.var(v10_a - v10_b, ddof=1) / len(v10_a) + np.var(v01_a - v01_b, ddof=1) / len(v01_a)))


def test_of_an_auc_it_is_delongs() -> None:
    random = np.random.default_rng(3)
    labels = (random.uniform(size=800) < 0.3).astype(int)
    common = labels + random.normal(size=800)
    scores = [np.round(1 / (1 + np.exp(-common - random.normal(0, 0.5, 800))), 3) for _ in range(2)]
    assert error(BINARY, sided(labels, *scores)) == pytest.approx(delong(labels, *scores), rel=0.15)


def test_it_has_the_spread_of_changes_over_many_tables() -> None:
    changes, errors = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        labels = random.normal(size=300)
        sides = sided(labels, *(random.normal(0, 0.5, 300) for _ in range(2)))
        values = [np.sqrt(np.mean((side.predictions[:, 0] - labels) ** 2)) for side in sides]
        changes.append(values[0] - values[1])
        errors.append(error(RootSquaredError(), sides))
    assert np.mean(errors) == pytest.approx(np.std(changes), rel=0.25)


def test_the_same_seed_gives_the_same_and_equal_models_have_none() -> None:
    labels, model, baseline = numbers(200)
    rows = sided(labels, model, baseline)
    assert error(AbsoluteError(), rows) == error(AbsoluteError(), rows)
    assert error(AbsoluteError(), rows) != error(AbsoluteError(), rows, seed=1)
    assert error(AbsoluteError(), sided(labels, model, model)) == 0


def test_of_a_harm_it_is_that_of_the_harm() -> None:
    labels, model, _ = numbers(400)
    rows = sided(labels, model + 1000, -model - 1000)
    distance = error(MeanBias(), rows, harms={"it": lambda after, before: abs(after) - abs(before)})
    # The labels move both biases by the same, but their distances from 0 in opposite directions.
    assert distance > 5 * error(MeanBias(), rows)


def test_what_is_undefined_or_too_few_has_none() -> None:
    ones = np.ones(50, int)
    assert change_errors({"auc": BINARY}, *sided(ones, ones * 0.4, ones * 0.5), 0, {}) == {}
    assert change_errors({"mae": AbsoluteError()}, *sided(np.ones(1), np.ones(1), np.ones(1)), 0, {}) == {}
    labels = np.arange(50) % 2
    infinite = np.where(np.arange(50) == 3, np.nan, 0.5)
    assert change_errors({"auc": BINARY}, *sided(labels, infinite, ones * 0.5), 0, {}) == {}


def test_of_many_classes_fewer_rows_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    sides = sided(labels, *(random.dirichlet(np.ones(3), 600) for _ in range(2)))
    every = error(ClassAccuracy(classes=3), sides)
    monkeypatch.setattr("components.metrics.bootstrap.MOST_CELLS", 600)
    assert error(ClassAccuracy(classes=3), sides) == pytest.approx(every, rel=0.3)
    monkeypatch.setattr("components.metrics.bootstrap.MOST_AT_ONCE", 1000)
    assert error(ExpectedCalibrationError(classes=3), sides) > 0


@pytest.mark.parametrize(("statistic", "width"), [(ExclusiveScores(3), 3), (MultilabelScores(2), 2)])
def test_draws_of_scores_are_those_of_groups(statistic: Any, width: int) -> None:
    random = np.random.default_rng(0)
    scores = random.integers(1, 9, (40, width)) / 10
    labels = random.integers(0, 3, 40) if width == 3 else random.integers(0, 2, (40, 2))
    rows = make_rows(labels, scores, random.uniform(0.5, 2, 40))
    draws = random.integers(0, 40, (5, 40))
    groups = statistic.of_groups(rows, Membership(draws.ravel(), np.repeat(np.arange(5), 40), 5))
    for drawn, grouped in zip(statistic.of_draws(rows, draws), groups, strict=True):
        kept = drawn[(drawn[:, 1:].sum(axis=1) > 0) | (np.arange(len(drawn)) == 0)]
        np.testing.assert_allclose(kept, grouped)
