"""Heads against hand-computed numbers."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import BinaryTask, MulticlassTask, RegressionTask
from trainer.errors import DataError
from trainer.heads.binary import BinaryHead
from trainer.heads.multiclass import MulticlassHead
from trainer.heads.regression import RegressionHead
from trainer.label_statistics import LabelStatistics, label_statistics


def statistics(labels: list[float], weights: list[float] | None = None, classes: int = 0) -> LabelStatistics:
    return label_statistics("t", "y", np.array(labels), np.array(weights or [1.0] * len(labels)), classes)


def regression(loss: str) -> RegressionHead:
    task = RegressionTask(kind="regression", label="y", loss=loss)  # type: ignore[arg-type]
    return RegressionHead("t", task, statistics([10.0, 30.0]))


def test_regression_loss_is_in_standard_deviations() -> None:
    # mean 20, standard deviation 10: label 40 is 2, a raw output of 0.5 is 1.5 off.
    labels, raw = tf.constant([40.0]), tf.constant([[0.5]])
    assert float(regression("mse").row_losses(labels, raw)[0]) == pytest.approx(2.25)
    assert float(regression("mae").row_losses(labels, raw)[0]) == pytest.approx(1.5)
    assert float(regression("huber").row_losses(labels, raw)[0]) == pytest.approx(1.0)
    assert float(regression("huber").row_losses(labels, tf.constant([[1.5]]))[0]) == pytest.approx(0.125)


def test_regression_output_is_in_the_labels_unit() -> None:
    assert regression("mse").outputs(tf.constant([[0.5]]))["t"].numpy().tolist() == [[25.0]]


def test_constant_label_does_not_divide_by_zero() -> None:
    head = RegressionHead("t", RegressionTask(kind="regression", label="y"), statistics([5.0, 5.0, 5.0]))
    assert head.outputs(tf.constant([[0.0]]))["t"].numpy().tolist() == [[5.0]]
    assert head.trivial_loss() > 0


def test_masked_rows_do_not_dilute_the_loss() -> None:
    head = regression("mse")
    labels, raw = tf.constant([40.0, 0.0, 0.0, 0.0]), tf.zeros([4, 1])
    assert float(head.loss(labels, raw, tf.constant([1.0, 0.0, 0.0, 0.0]))) == pytest.approx(4.0)


def test_a_batch_without_labels_has_no_loss_and_no_gradient() -> None:
    head = regression("mse")
    raw = tf.Variable([[1.0], [2.0]])
    with tf.GradientTape() as tape:
        loss = head.loss(tf.zeros(2), raw, tf.zeros(2))
    assert float(loss) == 0.0
    assert tape.gradient(loss, raw).numpy().tolist() == [[0.0], [0.0]]


def test_multiclass() -> None:
    task = MulticlassTask(kind="multiclass", label="y", classes=["a", "b", "c"])
    head = MulticlassHead("t", task, statistics([0, 0, 1, 2], classes=3))
    np.testing.assert_allclose(np.exp(head.initial_bias), [0.5, 0.25, 0.25])
    assert head.trivial_loss() == pytest.approx(1.5 * np.log(2))
    raw = tf.math.log([[0.7, 0.2, 0.1]])
    assert float(head.row_losses(tf.constant([1], tf.int64), raw)[0]) == pytest.approx(-np.log(0.2))
    outputs = head.outputs(raw)
    np.testing.assert_allclose(outputs["t"], [[0.7, 0.2, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(outputs["t/probabilities"], outputs["t"])
    assert outputs["t/classes"].numpy().tolist() == [[b"a", b"b", b"c"]]


def test_binary() -> None:
    head = BinaryHead("t", BinaryTask(kind="binary", label="y"), statistics([0, 0, 0, 1], classes=2))
    np.testing.assert_allclose(tf.sigmoid(head.initial_bias), [0.25], rtol=1e-6)
    raw = tf.constant([[np.log(3.0)]], tf.float32)
    assert float(head.row_losses(tf.constant([0], tf.int64), raw)[0]) == pytest.approx(-np.log(0.25), rel=1e-6)
    outputs = head.outputs(raw)
    np.testing.assert_allclose(outputs["t"], [[0.75]], rtol=1e-6)
    np.testing.assert_allclose(outputs["t/probabilities"], [[0.25, 0.75]], rtol=1e-6)
    assert outputs["t/classes"].numpy().tolist() == [[b"0", b"1"]]


def test_absent_class_keeps_the_bias_finite() -> None:
    head = BinaryHead("t", BinaryTask(kind="binary", label="y"), statistics([1, 1], classes=2))
    assert np.isfinite(head.initial_bias).all()


def test_median_minimises_absolute_loss() -> None:
    task = RegressionTask(kind="regression", label="y", loss="mae")
    labels = [0.0, 0.0, 0.0, 100.0]
    head = RegressionHead("t", task, statistics(labels))
    assert float(head.outputs(tf.constant([head.initial_bias]))["t"][0, 0]) == pytest.approx(0.0, abs=1e-4)


def test_no_label_at_all_names_the_task() -> None:
    with pytest.raises(DataError, match="task 't'.*column 'y'"):
        statistics([0.0, 0.0], weights=[0.0, 0.0])
