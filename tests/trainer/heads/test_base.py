"""What all heads share: masks, weights, and the trivial predictor."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.heads.harness import head

KINDS: dict[str, dict] = {
    "binary": {"kind": "binary", "labels": [0, 1, 1]},
    "focal": {"kind": "binary", "labels": [0, 1, 1], "loss": "focal"},
    "multiclass": {"kind": "multiclass", "labels": [0, 2, 2], "classes": ["a", "b", "c"]},
    "multiclass focal": {"kind": "multiclass", "labels": [0, 2, 1], "classes": ["a", "b", "c"], "loss": "focal"},
    "ordinal": {"kind": "ordinal", "labels": [0, 2, 1], "classes": ["a", "b", "c"]},
    "multilabel": {"kind": "multilabel", "labels": [[0, 1], [1, 1], [0, 0]], "classes": ["a", "b"]},
    "regression": {"kind": "regression", "labels": [1.0, 2.0, 6.0]},
    "quantile": {"kind": "regression", "labels": [1.0, 2.0, 6.0], "loss": "quantile", "quantiles": [0.1, 0.5, 0.9]},
    "count": {"kind": "count", "labels": [0.0, 2.0, 5.0]},
}


def test_masked_rows_do_not_dilute_the_loss() -> None:
    # Labels 10 and 30 have mean 20 and standard deviation 10: a label of 40 is 2 away from the raw output 0.
    mse = head("regression", [10.0, 30.0])
    labels, raw = tf.constant([40.0, 0.0, 0.0, 0.0]), tf.zeros([4, 1])
    assert float(mse.loss(labels, raw, tf.constant([1.0, 0.0, 0.0, 0.0]))) == pytest.approx(4.0)


def test_the_loss_is_a_mean_weighted_by_row() -> None:
    mse = head("regression", [10.0, 30.0])
    labels, raw = tf.constant([40.0, 20.0]), tf.zeros([2, 1])
    assert float(mse.loss(labels, raw, tf.constant([3.0, 1.0]))) == pytest.approx((3 * 4 + 1 * 0) / 4)


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_a_batch_without_labels_has_no_loss_and_no_gradient(settings: dict) -> None:
    made = head(**settings)
    raw = tf.Variable(tf.random.stateless_normal([3, made.units], seed=[1, 2]))
    labels = tf.zeros_like(tf.constant(settings["labels"], made.label_dtype()))
    with tf.GradientTape() as tape:
        loss = made.loss(labels, raw, tf.zeros(3))
    assert float(loss) == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, raw), np.zeros([3, made.units]))


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 4.0]])
def test_no_constant_near_the_first_output_has_less_loss(settings: dict, weights: list[float] | None) -> None:
    made = head(**settings, weights=weights)
    labels = tf.constant(settings["labels"], made.label_dtype())
    rows = tf.constant(weights or [1.0, 1.0, 1.0])

    def loss(constant: np.ndarray) -> float:
        return float(made.loss(labels, tf.constant(np.tile(constant, (3, 1)), tf.float32), rows))

    best = loss(made.constant)
    assert made.trivial_loss() == pytest.approx(best, rel=1e-5)
    for step in 0.05 * np.concatenate([np.eye(made.units), -np.eye(made.units)]):
        assert loss(made.constant + step) >= best - 1e-6


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_the_layers_start_at_the_constant(settings: dict) -> None:
    """A tower that says nothing leaves the biases alone."""
    import keras

    made = head(**settings)
    hidden = keras.Input([4])
    raw = keras.Model(hidden, made.build(hidden, {}))(tf.zeros([2, 4])).numpy()
    assert raw.shape == (2, made.units)
    np.testing.assert_allclose(raw, np.tile(made.constant, (2, 1)), atol=1e-5)
