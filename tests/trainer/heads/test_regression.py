"""Regression heads against hand-computed numbers."""

import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head


def test_the_loss_is_in_standard_deviations() -> None:
    # mean 20, standard deviation 10: label 40 is 2, a raw output of 0.5 is 1.5 off.
    labels, raw = tf.constant([40.0]), tf.constant([[0.5]])
    mse, mae, huber = (head("regression", [10.0, 30.0], loss=loss) for loss in ("mse", "mae", "huber"))
    assert float(mse.row_losses(labels, raw)[0]) == pytest.approx(2.25)
    assert float(mae.row_losses(labels, raw)[0]) == pytest.approx(1.5)
    assert float(huber.row_losses(labels, raw)[0]) == pytest.approx(1.0)
    assert float(huber.row_losses(labels, tf.constant([[1.5]]))[0]) == pytest.approx(0.125)


def test_the_output_is_in_the_labels_unit() -> None:
    assert head("regression", [10.0, 30.0]).outputs(tf.constant([[0.5]]))["t"].numpy().tolist() == [[25.0]]


def test_a_constant_label_does_not_divide_by_zero() -> None:
    made = head("regression", [5.0, 5.0, 5.0])
    assert made.outputs(tf.constant([[0.0]]))["t"].numpy().tolist() == [[5.0]]
    assert made.trivial_loss() > 0


def test_the_median_minimises_absolute_loss() -> None:
    made = head("regression", [0.0, 0.0, 0.0, 100.0], loss="mae")
    assert float(made.outputs(tf.constant([made.constant]))["t"][0, 0]) == pytest.approx(0.0, abs=1e-4)


def test_weights_move_the_mean_and_the_unit_of_loss() -> None:
    # Weighted mean 25, variance (3·25 + 225) / 4 = 75.
    made = head("regression", [30.0, 10.0], weights=[3.0, 1.0])
    assert float(made.outputs(tf.zeros([1, 1]))["t"][0, 0]) == pytest.approx(25.0)
    assert float(made.row_losses(tf.constant([30.0]), tf.zeros([1, 1]))[0]) == pytest.approx(25 / 75)


def test_an_offset_is_no_part_of_labels_but_of_predictions() -> None:
    made = head("regression", [10.0, 30.0], offset=1_700_000_000)
    predicted = made.outputs(tf.constant([[0.5]]))["t"]
    assert predicted.dtype == tf.float64
    assert predicted.numpy().tolist() == [[1_700_000_025.0]]
    metric = made.make_metric()
    made.update_metric(metric, tf.constant([24.0]), tf.constant([[0.5]]), tf.constant([1.0]))
    assert float(metric.result()) == 1.0
