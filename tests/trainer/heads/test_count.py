"""Count heads against hand-computed numbers."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head


@pytest.mark.parametrize(("label", "rate"), [(0, 0.5), (3, 2.0), (7, 7.0)])
def test_the_loss_is_the_negative_log_likelihood(label: int, rate: float) -> None:
    likelihood = rate**label * math.exp(-rate) / math.factorial(label)
    loss = head("count", [1.0, 3.0]).row_losses(tf.constant([float(label)]), tf.constant([[math.log(rate)]]))
    assert float(loss[0]) == pytest.approx(-math.log(likelihood), rel=1e-5)


def test_the_output_is_the_expected_count() -> None:
    outputs = head("count", [1.0, 3.0]).outputs(tf.constant([[math.log(2.5)]]))
    np.testing.assert_allclose(outputs["t"], [[2.5]], rtol=1e-6)


def test_training_starts_at_the_weighted_mean() -> None:
    assert np.exp(head("count", [1.0, 4.0], weights=[2.0, 1.0]).constant[0]) == pytest.approx(2.0, rel=1e-6)


def test_no_event_at_all_keeps_the_constant_finite() -> None:
    made = head("count", [0.0, 0.0])
    assert np.isfinite(made.constant).all()
    assert made.trivial_loss() > 0


def test_the_metric_is_the_mean_deviance() -> None:
    made = head("count", [1.0, 3.0])
    metric = made.make_metric()
    made.update_metric(
        metric, tf.constant([0.0, 3.0, 9.0]), tf.math.log([[0.5], [2.0], [1.0]]), tf.constant([1.0, 3, 0])
    )
    # 2·(0 - 0 + 0.5) and 2·(3·log(3/2) - 1), the latter counting three times; the last row has no weight.
    assert float(metric.result()) == pytest.approx((1.0 + 3 * 2 * (3 * math.log(1.5) - 1)) / 4, rel=1e-5)
