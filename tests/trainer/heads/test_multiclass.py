"""Multiclass heads against hand-computed numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head, indices

CLASSES = ["a", "b", "c"]
RAW = tf.math.log([[0.7, 0.2, 0.1]])


def test_loss_and_outputs() -> None:
    made = head("multiclass", [0, 0, 1, 2], classes=CLASSES)
    np.testing.assert_allclose(np.exp(made.constant), [0.5, 0.25, 0.25], rtol=1e-6)
    assert made.trivial_loss() == pytest.approx(1.5 * np.log(2))
    assert float(made.row_losses(indices(1), RAW)[0]) == pytest.approx(-np.log(0.2))
    outputs = made.outputs(RAW)
    np.testing.assert_allclose(outputs["t"], [[0.7, 0.2, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(outputs["t/probabilities"], outputs["t"])
    assert outputs["t/classes"].numpy().tolist() == [[b"a", b"b", b"c"]]


def test_focal_loss() -> None:
    made = head("multiclass", [0, 1, 2], classes=CLASSES, loss="focal", gamma=1.5)
    expected = [(1 - p) ** 1.5 * -np.log(p) for p in (0.7, 0.2, 0.1)]
    losses = made.row_losses(indices(0, 1, 2), tf.tile(RAW, [3, 1]))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_balanced_class_weights() -> None:
    # Frequencies 1/2, 1/4, 1/4: weights 2/3, 4/3, 4/3; their mean over the training rows is 1.
    made = head("multiclass", [0, 0, 1, 2], classes=CLASSES, class_weights="balanced")
    assert made.class_weights is not None
    np.testing.assert_allclose(made.class_weights, [2 / 3, 4 / 3, 4 / 3], rtol=1e-6)
    losses = -np.log([0.7, 0.1])
    loss = made.loss(indices(0, 2), tf.tile(RAW, [2, 1]), tf.ones(2))
    assert float(loss) == pytest.approx((2 / 3 * losses[0] + 4 / 3 * losses[1]) / 2, rel=1e-5)
    np.testing.assert_allclose(np.exp(made.constant), [1 / 3] * 3, rtol=1e-5)
    assert made.trivial_loss() == pytest.approx(np.log(3), rel=1e-5)


def test_balanced_class_weights_take_an_absent_class_as_one() -> None:
    made = head("multiclass", [0, 0, 0, 2], classes=CLASSES, class_weights="balanced")
    assert made.class_weights is not None
    np.testing.assert_allclose(made.class_weights, [2 / 3, 1.0, 2.0], rtol=1e-6)


def test_balanced_class_weights_see_sample_weights() -> None:
    made = head("multiclass", [0, 1, 2], weights=[2.0, 1.0, 1.0], classes=CLASSES, class_weights="balanced")
    assert made.class_weights is not None
    np.testing.assert_allclose(made.class_weights, [2 / 3, 4 / 3, 4 / 3], rtol=1e-6)
