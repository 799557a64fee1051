"""Binary heads against hand-computed numbers."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from serving.description import DecisionDescription
from tests.trainer.heads.harness import head, indices, sigmoid


def test_loss_and_outputs() -> None:
    made = head("binary", [0, 0, 0, 1])
    np.testing.assert_allclose(tf.sigmoid(made.constant), [0.25], rtol=1e-5)
    raw = tf.constant([[np.log(3.0)]], tf.float32)
    assert float(made.row_losses(indices(0), raw)[0]) == pytest.approx(-np.log(0.25), rel=1e-6)
    outputs = made.outputs(raw)
    np.testing.assert_allclose(outputs["t"], [[0.75]], rtol=1e-6)
    np.testing.assert_allclose(outputs["t/probabilities"], [[0.25, 0.75]], rtol=1e-6)
    assert outputs["t/classes"].numpy().tolist() == [[b"0", b"1"]]


def test_the_decision_follows_the_threshold() -> None:
    made = head("binary", [0, 0, 0, 1], classes=["no", "yes"])
    raw = tf.constant([[-1.0], [0.0], [1.0], [float("nan")]])
    assert made.outputs(raw)["t/decision"].numpy().tolist() == [[b"no"], [b"no"], [b"yes"], [b""]]
    made.decision = DecisionDescription(rule="fixed", threshold=0.2)
    assert made.outputs(raw)["t/decision"].numpy().tolist() == [[b"yes"], [b"yes"], [b"yes"], [b""]]


def test_an_absent_class_keeps_the_constant_finite() -> None:
    assert np.isfinite(head("binary", [1, 1]).constant).all()


def test_focal_loss() -> None:
    made = head("binary", [0, 1], loss="focal")
    raw = tf.constant([[np.log(3.0)], [np.log(3.0)]], tf.float32)
    # p of the second class is 0.75, γ is 2: (1 - p)² for a row of it, p² for a row of the first.
    expected = [0.75**2 * -np.log(0.25), 0.25**2 * -np.log(0.75)]
    np.testing.assert_allclose(made.row_losses(indices(0, 1), raw), expected, rtol=1e-5)


def test_class_weights() -> None:
    made = head("binary", [0, 1], classes=["no", "yes"], class_weights={"yes": 5.0})
    raw = tf.constant([[0.3], [0.3]])
    losses = -np.log([1 - sigmoid(0.3), sigmoid(0.3)])
    loss = made.loss(indices(0, 1), raw, tf.constant([1.0, 2.0]))
    assert float(loss) == pytest.approx((1 * losses[0] + 10 * losses[1]) / 11, rel=1e-5)
    assert sigmoid(made.constant[0]) == pytest.approx(5 / 6, rel=1e-4)


def test_class_weights_do_not_enter_the_metric() -> None:
    plain, weighted = head("binary", [0, 1]), head("binary", [0, 1], class_weights={"1": 50.0})
    labels, raw = indices(0, 0, 1, 1), tf.constant([[0.1], [0.4], [0.35], [0.8]])
    values = []
    for made in (plain, weighted):
        metric = made.make_metric()
        made.update_metric(metric, labels, raw, tf.ones(4))
        values.append(float(metric.result()))
    assert values[0] == values[1] == pytest.approx(0.75, abs=0.01)


def test_the_metric_is_weighted_by_row() -> None:
    made = head("binary", [0, 1])
    metric = made.make_metric()
    # Without its third row, which has weight 0, the order is perfect.
    made.update_metric(metric, indices(0, 1, 1), tf.constant([[0.0], [2.0], [-2.0]]), tf.constant([1.0, 1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_metric_ranks_rare_positives(kind: str) -> None:
    made = head(kind, [0, 1], **({"classes": ["no", "yes"]} if kind == "multiclass" else {}))
    random = np.random.default_rng(0)
    labels = (np.arange(20_000) < 200).astype(np.int64)
    logits = (random.normal(0.6 * labels, 1.0) - 11.0).astype(np.float32)
    raw = logits[:, None] if kind == "binary" else np.stack([np.zeros_like(logits), logits], axis=1)
    metric = made.make_metric()
    for part in np.split(np.arange(20_000), 2):
        made.update_metric(metric, tf.constant(labels[part]), tf.constant(raw[part]), tf.ones(10_000))
    assert float(metric.result()) == pytest.approx(roc_auc_score(labels, logits), abs=1e-3)


def test_without_both_classes_there_is_no_area() -> None:
    made = head("binary", [0, 1])
    metric = made.make_metric()
    made.update_metric(metric, indices(0, 0), tf.constant([[1.0], [2.0]]), tf.ones(2))
    assert np.isnan(float(metric.result()))
