"""Ratios of errors, and their intervals, of models whose errors are known."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.intervals import Predicted, best_of, ratios, read_predictions, write_predictions

RNG = np.random.default_rng(3)


def scores(labels: np.ndarray, distance: float, classes: int) -> np.ndarray:
    """Probabilities whose logit of the right class is higher by `distance` standard deviations."""
    logits = RNG.normal(size=(len(labels), classes)) + distance * np.eye(classes)[labels]
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_a_ratio_of_areas_and_its_interval() -> None:
    labels = np.repeat([0, 1, 2], [900, 500, 3])
    good, bad = (Predicted("auc", labels, scores(labels, distance, 3)) for distance in (2.0, 1.0))
    areas = [[roc_auc_score(labels == number, side.values[:, number]) for number in range(3)] for side in (good, bad)]
    lost = 1 - np.array(areas)
    plain, by_rows = ratios([bad], good, replicas=300)
    assert plain.value == pytest.approx(lost[1].mean() / lost[0].mean())
    assert by_rows.value == pytest.approx(lost[1] @ [900, 500, 3] / (lost[0] @ [900, 500, 3]))
    assert 1.08 < by_rows.low < by_rows.value < by_rows.high
    assert 1.08 < plain.low < plain.value < plain.high
    assert best_of({"bad": bad, "good": good}) == "good"


def test_what_both_find_hard_cancels_out() -> None:
    labels, noise = RNG.normal(size=400), RNG.normal(size=400)
    one, other = (Predicted("mae", labels, labels + factor * noise) for factor in (1.2, 1.0))
    assert ratios([one], other, replicas=50)[0] == pytest.approx((1.2, 1.2, 1.2))


def test_an_interval_covers_the_true_ratio_as_often_as_it_says() -> None:
    covered = 0
    for _ in range(100):
        labels = np.zeros(200)
        one, other = (Predicted("mae", labels, RNG.normal(scale=scale, size=200)) for scale in (1.1, 1.0))
        plain, _ = ratios([one], other, replicas=200)
        covered += plain.low < 1.1 < plain.high
    assert 88 <= covered <= 99


def test_seeds_are_part_of_the_noise() -> None:
    labels = np.zeros(300)
    other = Predicted("mae", labels, np.ones(300))
    seeds = [Predicted("mae", labels, np.full(300, error)) for error in (1.0, 1.3)]
    assert ratios(seeds, other, replicas=200)[0] == pytest.approx((1.15, 1.0, 1.3))


def test_predictions_of_both_sides_have_the_same_order_of_classes(tmp_path: Path) -> None:
    labels = np.array([0, 2, 1, 2])
    values = scores(labels, 1.0, 3)
    write_predictions(tmp_path, "kind", "recipe 0", Predicted("auc", labels, values), ["a", "b", "c"])
    turned = Predicted("auc", 2 - labels, values[:, ::-1])
    write_predictions(tmp_path, "kind", "catboost", turned, ["c", "b", "a"])
    found = read_predictions(tmp_path, "kind")
    assert list(found) == ["catboost", "recipe 0"]
    for predicted in found.values():
        np.testing.assert_array_equal(predicted.labels, labels)
        np.testing.assert_array_equal(predicted.values, values)
    write_predictions(tmp_path, "kind", "xgboost", Predicted("auc", labels[:3], values[:3]), ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"kind: the models were evaluated on different rows"):
        read_predictions(tmp_path, "kind")
