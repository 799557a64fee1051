"""Means, intervals and verdicts against values computed by hand and by scipy's own test."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.commands.compare.comparison import change, estimate, mean_over_tasks, relative_changes


def test_mean_and_standard_error() -> None:
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.standard_error == pytest.approx(1 / np.sqrt(3))


def test_one_seed_has_no_standard_error_and_no_verdict() -> None:
    assert estimate([0.7]).standard_error is None
    one = change([0.5], 0.95)
    assert (one.mean, one.low, one.high, one.verdict) == (0.5, None, None, None)


def test_an_undefined_value_leaves_no_mean() -> None:
    found = estimate([0.7, None])
    assert (found.mean, found.values) == (None, [0.7, None])


def test_the_interval_by_hand() -> None:
    """Mean 2, standard error 1/√3, t(0.975, 2) = 4.302653."""
    found = change([1.0, 2.0, 3.0], 0.95)
    half = 4.302653 / np.sqrt(3)
    assert found.low == pytest.approx(2 - half, abs=1e-6)
    assert found.high == pytest.approx(2 + half, abs=1e-6)
    assert found.verdict == "neutral"


@pytest.mark.parametrize(
    ("values", "confidence", "verdict"),
    [
        ([0.010, 0.011, 0.012], 0.95, "shares well"),
        ([-0.010, -0.011, -0.012], 0.95, "negative transfer"),
        ([0.01, 0.02, 0.03], 0.95, "neutral"),
        ([0.01, 0.02, 0.03], 0.90, "shares well"),
        ([0.01, 0.01], 0.95, "shares well"),
        ([0.0, 0.0], 0.95, "neutral"),
    ],
)
def test_the_verdict_follows_from_the_interval(values: list[float], confidence: float, verdict: str) -> None:
    assert change(values, confidence).verdict == verdict


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=8), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_verdict_is_that_of_a_paired_t_test(values: list[float], confidence: float) -> None:
    if np.std(values) < 1e-6:
        return
    found = change(values, confidence)
    test = stats.ttest_1samp(values, 0.0)
    interval = test.confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)
    if abs(test.pvalue - (1 - confidence)) > 1e-6:
        assert (found.verdict == "neutral") == (test.pvalue > 1 - confidence)


def test_differences_are_taken_seed_by_seed_and_relative_to_the_others_mean() -> None:
    assert relative_changes([0.9, 0.8], [0.7, 0.9], higher_is_better=True) == pytest.approx([0.25, -0.125])
    assert relative_changes([9.0, 12.0], [10.0, 10.0], higher_is_better=False) == pytest.approx([0.1, -0.2])


def test_a_negative_mean_does_not_turn_the_sign_around() -> None:
    assert relative_changes([-1.0], [-2.0], higher_is_better=True) == pytest.approx([0.5])


@pytest.mark.parametrize(("values", "others"), [([None], [1.0]), ([1.0], [None]), ([1.0], [0.0])])
def test_what_is_not_defined_has_no_change(values: list[float | None], others: list[float | None]) -> None:
    assert relative_changes(values, others, higher_is_better=True) is None


def test_delta_m_is_the_mean_over_tasks() -> None:
    assert mean_over_tasks([[0.1, 0.2], [-0.3, 0.0]]) == pytest.approx([-0.1, 0.1])
    assert mean_over_tasks([[0.1, 0.2], None]) is None


def test_students_quantile() -> None:
    found = change([1.0, 2.0, 3.0], 0.95)
    assert found.low == pytest.approx(2.0 - 4.30265273 / 3**0.5)
    assert found.high == pytest.approx(2.0 + 4.30265273 / 3**0.5)
