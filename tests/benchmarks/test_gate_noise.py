"""The simulated models are as good as the table says."""

import numpy as np
import pytest

from benchmarks.gate_noise import AUC, MAE, auc_pair, mae_pair, simulate
from components.metrics.curves import OneVsRestAUC
from components.metrics.metric import StatisticMetric
from components.metrics.regression import AbsoluteError
from components.metrics.rows import Rows, one_group


def value(metric: StatisticMetric, rows: Rows) -> float:
    return metric.value_of(metric.statistic().of_groups(rows, one_group(len(rows.weights)))[0])


def test_the_true_changes_are_those_asked_for() -> None:
    random = np.random.default_rng(0)
    after, before = (value(OneVsRestAUC(classes=2), side) for side in auc_pair(random, 200_000, 0.06))
    assert (before, after) == (pytest.approx(AUC, abs=0.005), pytest.approx(AUC - 0.06, abs=0.005))
    after, before = (value(AbsoluteError(), side) for side in mae_pair(random, 200_000, 2.0))
    assert (before, after) == (pytest.approx(MAE, rel=0.02), pytest.approx(MAE + 2, rel=0.02))


def test_a_large_harm_is_blocked_and_none_is_not() -> None:
    gate = ("mae", AbsoluteError(), mae_pair, "max_rise", 5.0, 300)
    assert simulate(*gate, harm=20.0, repeats=3)["sure"] == 1
    assert simulate(*gate, harm=0.0, repeats=3)["sure"] == 0
