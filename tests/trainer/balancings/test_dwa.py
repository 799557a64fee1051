"""DWA's weights against its formula."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.balancings.toy import toy_balancing


def weights_of(balancing: object) -> list[float]:
    return balancing.task_weights(tf.ones(3), tf.ones(3)).numpy().tolist()  # type: ignore[attr-defined]


def losses(*values: float) -> dict[str, float]:
    return dict(zip("abc", values, strict=True))


def test_two_equal_epochs_then_the_formula() -> None:
    balancing = toy_balancing({"kind": "dwa", "temperature": 2.0})
    assert weights_of(balancing) == [1, 1, 1]
    balancing.end_epoch(losses(4.0, 1000.0, 0.1))
    assert weights_of(balancing) == [1, 1, 1]
    balancing.end_epoch(losses(2.0, 1000.0, 0.09))
    exponentials = np.exp(np.array([0.5, 1.0, 0.9]) / 2)
    np.testing.assert_allclose(weights_of(balancing), 3 * exponentials / exponentials.sum(), rtol=1e-6)
    balancing.end_epoch(losses(1.9, 500.0, 0.09))
    exponentials = np.exp(np.array([0.95, 0.5, 1.0]) / 2)
    np.testing.assert_allclose(weights_of(balancing), 3 * exponentials / exponentials.sum(), rtol=1e-6)


def test_temperature() -> None:
    hot, cold = (toy_balancing({"kind": "dwa", "temperature": t}) for t in (100.0, 0.1))
    for balancing in (hot, cold):
        balancing.end_epoch(losses(1, 1, 1))
        balancing.end_epoch(losses(0.5, 0.9, 1.0))
    np.testing.assert_allclose(weights_of(hot), 1, atol=0.01)
    assert weights_of(cold)[2] > 2


def test_an_epoch_without_labels_leaves_the_last_loss() -> None:
    balancing = toy_balancing({"kind": "dwa"})
    balancing.end_epoch(losses(1, 1, 1))
    balancing.end_epoch(losses(0.5, 0.5, 0.0))
    balancing.end_epoch(losses(0.4, 0.4, 0.8))
    exponentials = np.exp(np.array([0.8, 0.8, 0.8]) / 2)
    np.testing.assert_allclose(weights_of(balancing), 3 * exponentials / exponentials.sum(), rtol=1e-6)


def test_a_task_of_weight_0_has_no_part() -> None:
    balancing = toy_balancing({"kind": "dwa"}, b={"loss_weight": 0})
    balancing.end_epoch(losses(1, 1e-30, 1))
    balancing.end_epoch(losses(0.5, 1e30, 1))
    exponentials = np.exp(np.array([0.5, 1.0]) / 2)
    a, _, c = weights_of(balancing)
    assert [a, c] == pytest.approx((2 * exponentials / exponentials.sum()).tolist())
