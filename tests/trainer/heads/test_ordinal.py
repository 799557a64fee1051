"""CORAL: its loss by hand, rank consistency, the distribution over classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.trainer.heads.harness import head, indices, sigmoid

CLASSES = ["low", "middle", "high", "top"]
LABELS = [0, 1, 1, 2, 2, 2, 2, 3]


def test_the_loss_is_the_sum_over_the_thresholds() -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    raw = np.array([[1.5, 0.5, -2.0]])
    # Label 1 is above class 0, and not above classes 1 and 2.
    expected = -np.log(sigmoid(1.5)) - np.log(1 - sigmoid(0.5)) - np.log(1 - sigmoid(-2.0))
    assert float(made.row_losses(indices(1), tf.constant(raw, tf.float32))[0]) == pytest.approx(expected, rel=1e-5)


def test_the_outputs_are_the_falls_of_the_cumulative_probabilities() -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    raw = tf.constant([[np.log(9.0), 0.0, -np.log(4.0)]], tf.float32)
    outputs = made.outputs(raw)
    np.testing.assert_allclose(outputs["t"], [[0.1, 0.4, 0.3, 0.2]], rtol=1e-5)
    np.testing.assert_allclose(outputs["t/probabilities"], outputs["t"])
    assert outputs["t/classes"].numpy().tolist() == [[name.encode() for name in CLASSES]]


def test_thresholds_out_of_order_give_no_negative_probability() -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    outputs = made.outputs(tf.constant([[0.0, np.log(4.0), -np.log(4.0)]], tf.float32))
    # Cumulative 0.5, 0.8, 0.2: falls 0.5, -0.3, 0.6, 0.2.
    np.testing.assert_allclose(outputs["t"], [np.array([0.5, 0.0, 0.6, 0.2]) / 1.3], rtol=1e-5)


def test_training_starts_at_the_classes_frequencies() -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    np.testing.assert_allclose(made.outputs(made.constant[None])["t"], [[1 / 8, 2 / 8, 4 / 8, 1 / 8]], rtol=1e-5)


def test_class_weights() -> None:
    made = head("ordinal", LABELS, classes=CLASSES, class_weights={"top": 3.0})
    raw = tf.constant([[1.5, 0.5, -2.0]] * 2)
    losses = made.row_losses(indices(0, 3), raw).numpy()
    loss = made.loss(indices(0, 3), raw, tf.ones(2))
    assert float(loss) == pytest.approx((losses[0] + 3 * losses[1]) / 4, rel=1e-6)


def test_the_metric_is_the_medians_distance_in_classes() -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    # Medians: two logits above 0 is class 2; none is class 0; all is class 3.
    raw = tf.constant([[2.0, 0.1, -1.0], [-0.1, -1.0, -2.0], [3.0, 2.0, 1.0]])
    metric = made.make_metric()
    made.update_metric(metric, indices(0, 0, 2), raw, tf.constant([1.0, 1.0, 2.0]))
    assert float(metric.result()) == pytest.approx((2 * 1 + 0 * 1 + 1 * 2) / 4)


def trained_biases(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, keras.Model]:
    made = head("ordinal", labels.tolist(), classes=CLASSES)
    hidden = keras.Input([1])
    model = keras.Model(hidden, made.build(hidden, {}))
    kernel, bias = model.trainable_variables
    bias.assign(np.zeros(3))
    optimizer = keras.optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            loss = made.loss(tf.constant(labels), model(tf.constant(scores)), tf.ones(len(labels)))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for _ in range(300):
        step()
    return bias.numpy(), model


def test_the_optimum_is_rank_consistent() -> None:
    """Theorem 1 of the paper: from biases without any order, training finds the classes' order."""
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(400, 1)).astype(np.float32)
    labels = np.clip(np.round(scores[:, 0] + rng.normal(size=400) + 1.5), 0, 3).astype(np.int64)
    bias, model = trained_biases(labels, scores)
    assert (np.diff(bias) < 0).all()
    assert len(model.trainable_variables) == 2
    assert model.trainable_variables[0].shape == (1, 1)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float32, (3, 2), elements=st.floats(-50, 50, width=32)),
    hnp.arrays(np.float32, (3,), elements=st.floats(-5, 5, width=32)),
)
def test_the_thresholds_order_is_the_same_in_every_row(inputs: np.ndarray, bias: np.ndarray) -> None:
    made = head("ordinal", LABELS, classes=CLASSES)
    hidden = keras.Input([2])
    model = keras.Model(hidden, made.build(hidden, {}))
    model.trainable_variables[1].assign(bias)
    raw = model(inputs)
    np.testing.assert_allclose(raw - raw[:, :1], np.tile(bias - bias[0], (3, 1)), atol=1e-4)
    probabilities = made.outputs(raw)["t"].numpy()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-5)
