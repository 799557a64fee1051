"""Box heads against hand-computed numbers."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head, tensorflow_gradient
from trainer.heads.box import overlaps

BOXES = [[0.0, 0.0, 0.4, 0.4], [0.2, 0.2, 1.0, 0.6]]


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def test_half_of_a_box_has_the_overlap_of_a_half() -> None:
    iou, generalised = overlaps(tf.constant([[0.0, 0.0, 0.4, 0.4]]), tf.constant([[0.0, 0.0, 0.2, 0.4]]))
    assert float(iou[0]) == pytest.approx(0.5)
    # Nothing of the smallest box around both is uncovered.
    assert float(generalised[0]) == pytest.approx(0.5)


def test_boxes_apart_have_no_overlap_and_are_the_worse_the_farther_they_are() -> None:
    label = tf.constant([[0.0, 0.0, 0.2, 0.2]] * 2)
    iou, generalised = overlaps(label, tf.constant([[0.0, 0.4, 0.2, 0.6], [0.0, 0.8, 0.2, 1.0]]))
    assert not iou.numpy().any()
    # Around both: 0.2 x 0.6 = 0.12, of which 0.08 is covered; and 0.2 x 1.0 = 0.2.
    np.testing.assert_allclose(generalised, [-(0.12 - 0.08) / 0.12, -(0.2 - 0.08) / 0.2], rtol=1e-5)


def test_the_loss_is_the_smooth_error_and_what_is_not_overlapped() -> None:
    made = head("box", BOXES)
    raw = tf.constant([[logit(0.2), logit(0.2), logit(0.4), logit(0.4)]])
    np.testing.assert_allclose(made.row_losses(tf.constant([[0.0, 0.0, 0.4, 0.4]]), raw), [0.0], atol=1e-5)
    # The right edge is 0.2 too far: its smooth error is 0.2/0.1 - 0.5, of four edges; the overlap is 2/3.
    raw = tf.constant([[logit(0.2), logit(0.3), logit(0.4), logit(0.6)]])
    np.testing.assert_allclose(made.row_losses(tf.constant([[0.0, 0.0, 0.4, 0.4]]), raw), [1.5 / 4 + 1 / 3], rtol=1e-4)


def test_boxes_apart_still_have_a_gradient() -> None:
    made = head("box", BOXES)
    labels = tf.constant([[0.0, 0.0, 0.1, 0.1]])
    raw = np.array([[logit(0.9), logit(0.9), logit(0.1), logit(0.1)]], np.float32)
    assert np.abs(tensorflow_gradient(lambda r: made.row_losses(labels, r), raw)).max() > 0.01


def test_training_starts_at_the_mean_box() -> None:
    made = head("box", BOXES, weights=[3.0, 1.0])
    # Centres 0.2, 0.2 and 0.6, 0.4; sizes 0.4, 0.4 and 0.8, 0.4.
    centre, size = np.array([0.3, 0.25]), np.array([0.5, 0.4])
    np.testing.assert_allclose(
        made.outputs(made.constant[None])["t"][0], [*centre - size / 2, *centre + size / 2], rtol=1e-5
    )
    assert made.trivial_loss() > 0


def test_the_output_is_within_the_image() -> None:
    found = head("box", BOXES).outputs(tf.constant([[-9.0, 9.0, 2.0, 2.0]]))["t"].numpy()
    assert found.min() == 0
    assert found.max() == 1


def test_the_metric_is_the_mean_overlap_by_weight() -> None:
    made = head("box", BOXES)
    metric = made.make_metric()
    raw = tf.constant([[logit(0.2), logit(0.2), logit(0.4), logit(0.4)]] * 3)
    labels = tf.constant([[0.0, 0.0, 0.4, 0.4], [0.0, 0.0, 0.4, 0.2], [0.8, 0.8, 1.0, 1.0]])
    made.update_metric(metric, labels, raw, tf.constant([1.0, 3.0, 0.0]))
    assert float(metric.result()) == pytest.approx((1 + 3 * 0.5) / 4, rel=1e-4)
