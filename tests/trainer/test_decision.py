"""The threshold of a binary task against every other threshold, one by one."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from trainer.config import BinaryTask
from trainer.decision import best_decision


def task(**settings: Any) -> BinaryTask:
    return BinaryTask(kind="binary", label="y", classes=["no", "yes"], **settings)


def worth(rule: str, positive: np.ndarray, decided: np.ndarray, weights: np.ndarray) -> float:
    """What a rule makes greatest, by its definition."""
    true, false, missed = (
        weights[where].sum() for where in (positive & decided, ~positive & decided, positive & ~decided)
    )
    if rule == "f1":
        return 2 * true / (2 * true + false + missed)
    if rule == "youden":
        return true / weights[positive].sum() - false / weights[~positive].sum()
    return -(1.0 * false + 4.0 * missed)


RULES = {"f1": {}, "youden": {}, "cost": {"costs": {"false_positive": 1.0, "false_negative": 4.0}}}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("base_rate", [0.5, 0.18, 0.02])
def test_no_other_threshold_is_better(rule: str, base_rate: float) -> None:
    random = np.random.default_rng(1)
    positive = random.uniform(size=1000) < base_rate
    scores = (base_rate * np.exp(random.normal(0.8 * positive, 0.5)) / 2).round(3).astype(np.float32)
    weights = np.where(random.uniform(size=1000) < 0.2, 0.0, random.uniform(0.1, 3, 1000)).astype(np.float32)
    found = best_decision(task(decision=rule, **RULES[rule]), scores, positive.astype(np.int64), weights)
    assert found.rule == rule
    best = worth(rule, positive, scores > np.float32(found.threshold), weights)
    others = [worth(rule, positive, scores > threshold, weights) for threshold in [-1.0, *np.unique(scores)]]
    assert best == pytest.approx(max(others), rel=1e-6)
    assert found.threshold not in scores, "no row is on the threshold itself"


def test_rare_positives_that_none_of_which_reaches_a_half_are_found() -> None:
    random = np.random.default_rng(0)
    positive = random.uniform(size=5000) < 0.18
    scores = np.clip(random.normal(0.15 + 0.1 * positive, 0.05), 0.01, 0.45).astype(np.float32)
    found = best_decision(task(), scores, positive.astype(np.int64), np.ones(5000))
    assert found.rule == "f1"
    assert worth("f1", positive, scores > found.threshold, np.ones(5000)) > 0.6
    assert worth("f1", positive, scores > 0.5, np.ones(5000)) == 0


def test_a_model_that_hardly_ranks_is_said_to_decide_for_nearly_all() -> None:
    random = np.random.default_rng(2)
    positive = random.uniform(size=2000) < 0.18
    found = best_decision(task(), random.uniform(size=2000).astype(np.float32), positive.astype(int), np.ones(2000))
    assert "yes is decided in" in found.note
    assert "but 19% are" in found.note
    of_youden = best_decision(task(decision="youden"), random.uniform(size=2000), positive.astype(int), np.ones(2000))
    assert of_youden.note == ""


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_without_both_classes_it_is_a_half_and_said(labels: list[int]) -> None:
    scores = np.full(len(labels), 0.2, np.float32)
    found = best_decision(task(), scores, np.array(labels, np.int64), np.ones(len(labels)))
    assert (found.rule, found.threshold) == ("fixed", 0.5)
    assert "no validation row is" in found.note


def test_few_rows_of_a_class_are_said() -> None:
    scores, labels = np.array([0.1] * 20 + [0.3], np.float32), np.array([0] * 20 + [1])
    found = best_decision(task(), scores, labels, np.ones(21))
    assert found.threshold == pytest.approx(0.2)
    assert found.note == "chosen by few validation rows: 1 is yes"


def test_neighbouring_float32_numbers_are_told_apart() -> None:
    low = np.float32(0.3)
    scores = np.array([low] * 20 + [np.nextafter(low, np.float32(1))] * 20, np.float32)
    found = best_decision(task(), scores, np.repeat([0, 1], 20), np.ones(40))
    assert (scores > np.float32(found.threshold)).tolist() == [False] * 20 + [True] * 20


def test_probabilities_of_exactly_zero_and_one() -> None:
    scores, labels = np.repeat(np.array([0.0, 1.0], np.float32), 20), np.repeat([0, 1], 20)
    assert best_decision(task(), scores, labels, np.ones(40)).threshold == 0.5
    costs = {"false_positive": 1.0, "false_negative": 1000.0}
    found = best_decision(task(decision="cost", costs=costs), scores[:20], labels[:20], np.ones(20))
    assert 0 < found.threshold <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decision": "best"}, "expected f1, youden, cost or a probability between 0 and 1, got 'best'"),
        ({"decision": 1}, "between 0 and 1, got 1"),
        ({"decision": True}, "got True"),
        ({"decision": "cost"}, "needs `costs`"),
        ({"costs": {"false_positive": 1, "false_negative": 5}}, "goes with `decision: cost` only"),
    ],
)
def test_mistakes_in_the_configuration(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        task(**settings)
    assert raised.value.error_count() == 1


def test_a_probability_of_ones_own() -> None:
    assert task(decision=0.25).decision == 0.25
