"""Multilabel heads against hand-computed numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head, sigmoid

CLASSES = ["a", "b", "c"]
ROWS = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0]]
RAW = tf.constant([[0.5, -1.0, 2.0]])


def test_the_loss_is_the_mean_over_the_classes() -> None:
    made = head("multilabel", ROWS, classes=CLASSES)
    expected = np.mean(-np.log([sigmoid(0.5), 1 - sigmoid(-1.0), sigmoid(2.0)]))
    assert float(made.row_losses(tf.constant([[1.0, 0.0, 1.0]]), RAW)[0]) == pytest.approx(expected, rel=1e-5)


def test_focal_loss() -> None:
    made = head("multilabel", ROWS, classes=CLASSES, loss="focal", gamma=3.0)
    p = np.array([sigmoid(0.5), 1 - sigmoid(-1.0), sigmoid(2.0)])
    expected = np.mean((1 - p) ** 3 * -np.log(p))
    assert float(made.row_losses(tf.constant([[1.0, 0.0, 1.0]]), RAW)[0]) == pytest.approx(expected, rel=1e-5)


def test_the_outputs() -> None:
    outputs = head("multilabel", ROWS, classes=CLASSES).outputs(RAW)
    np.testing.assert_allclose(outputs["t"], sigmoid(RAW), rtol=1e-6)
    np.testing.assert_allclose(outputs["t/probabilities"], outputs["t"])
    assert outputs["t/classes"].numpy().tolist() == [[b"a", b"b", b"c"]]


def test_training_starts_at_each_classes_frequency() -> None:
    made = head("multilabel", ROWS, weights=[1.0, 1.0, 2.0, 0.0], classes=CLASSES)
    np.testing.assert_allclose(sigmoid(made.constant), [0.5, 0.75, 0.0], atol=2e-6)


def test_the_metric_is_the_mean_of_the_classes_areas() -> None:
    made = head("multilabel", ROWS, classes=["a", "b"] + ["c"])
    metric = made.make_metric()
    labels = tf.constant([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # Class a is in order, class b in reverse, class c in order.
    raw = tf.constant([[2.0, -2.0, -2.0], [-2.0, 2.0, 2.0]])
    made.update_metric(metric, labels, raw, tf.ones(2))
    assert float(metric.result()) == pytest.approx(2 / 3, abs=0.01)
