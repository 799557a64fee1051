"""Metrics of predictions are those that the Evaluator would give."""

import numpy as np
import pytest

from pipeline.commands.compare.training import measured, metrics_plan
from tests.pipeline.evaluation_harness import make_config
from trainer.evaluate import Predictions

RNG = np.random.default_rng(3)


def test_the_plan_has_every_metric_of_every_task() -> None:
    plan = metrics_plan(make_config())
    assert set(plan["status"]) == {"accuracy", "auc", "auc_pr", "log_loss", "f1", "ece", "labelled"}
    assert set(plan["delay"]) == {"mae", "rmse", "r2", "bias", "labelled"}


def test_masked_rows_do_not_count_and_batches_are_one() -> None:
    labels = np.array([[1.0], [2.0], [5.0], [9.0]], np.float32)
    weights = np.array([[1.0], [1.0], [0.0], [2.0]], np.float32)
    values = np.array([[2.0], [2.0], [99.0], [6.0]], np.float32)
    batches = [
        {"delay": Predictions(labels[part], weights[part], {"delay": values[part]})}
        for part in (slice(0, 1), slice(1, 4))
    ]
    found = measured(batches, metrics_plan(make_config()))
    assert list(found) == ["delay"]
    assert found["delay"]["labelled"] == 3
    assert found["delay"]["mae"] == pytest.approx((1 + 0 + 2 * 3) / 4)
    assert found["delay"]["bias"] == pytest.approx((1 + 0 - 2 * 3) / 4)


def test_auc_is_the_share_of_ordered_pairs() -> None:
    labels = RNG.integers(0, 2, (300, 1))
    scores = (0.3 * labels + 0.7 * RNG.random((300, 1))).astype(np.float32)
    decided = np.where(scores > 0.2, b"1", b"0").astype(object)
    rows = Predictions(labels, np.ones((300, 1), np.float32), {"late": scores, "late/decision": decided})
    measured_metrics = measured([{"late": rows}], metrics_plan(make_config()))["late"]
    assert measured_metrics["accuracy"] == pytest.approx(np.mean((scores > 0.2) == labels))
    found = measured_metrics["auc"]
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = np.sign(positive[:, None] - negative[None, :])
    assert found == pytest.approx((pairs.mean() + 1) / 2, abs=1e-4)


def test_what_is_not_defined_is_none() -> None:
    rows = Predictions(np.ones((5, 1), np.int64), np.ones((5, 1), np.float32), {"late": np.full((5, 1), 0.5)})
    rows.outputs["late/decision"] = np.full((5, 1), b"1", object)
    found = measured([{"late": rows}], metrics_plan(make_config()))["late"]
    assert found["auc"] is None
    rows = Predictions(np.ones((2, 1)), np.ones((2, 1), np.float32), {"delay": np.array([[np.nan], [1.0]])})
    assert measured([{"delay": rows}], metrics_plan(make_config()))["delay"]["mae"] is None
