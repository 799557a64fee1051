"""Quantile heads: the pinball loss by hand, and quantiles that never cross."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.trainer.heads.harness import head

LEVELS = [0.1, 0.5, 0.9]


def test_the_pinball_loss() -> None:
    # mean 20, standard deviation 10; label 40 is 2: errors 2, 1 and -1 against levels 0.1, 0.5 and 0.9.
    made = head("regression", [10.0, 30.0], loss="quantile", quantiles=LEVELS)
    loss = made.row_losses(tf.constant([40.0]), tf.constant([[0.0, 1.0, 3.0]]))
    assert float(loss[0]) == pytest.approx((0.1 * 2 + 0.5 * 1 + 0.1 * 1) / 3)


def test_the_outputs() -> None:
    made = head("regression", [10.0, 30.0], loss="quantile", quantiles=LEVELS)
    outputs = made.outputs(tf.constant([[-1.0, 0.0, 2.0], [0.0, 1.0, 1.0]]))
    np.testing.assert_allclose(outputs["t"], [[20.0], [30.0]])
    np.testing.assert_allclose(outputs["t/quantiles"], [[10.0, 20.0, 40.0], [20.0, 30.0, 30.0]])
    np.testing.assert_allclose(outputs["t/levels"], [LEVELS, LEVELS])


@pytest.mark.parametrize(("levels", "index"), [([0.4, 0.6], 0), ([0.9], 0), ([0.1, 0.45, 0.9], 1), ([0.2, 0.5], 1)])
def test_the_prediction_is_the_quantile_nearest_to_the_median(levels: list[float], index: int) -> None:
    made = head("regression", [10.0, 30.0], loss="quantile", quantiles=levels)
    outputs = made.outputs(tf.constant([np.arange(len(levels))], tf.float32))
    np.testing.assert_allclose(outputs["t"], [[20.0 + 10 * index]])


def test_training_starts_at_the_labels_quantiles() -> None:
    labels = np.random.default_rng(1).exponential(size=1001)
    made = head("regression", labels.tolist(), loss="quantile", quantiles=LEVELS)
    hidden = keras.Input([2])
    raw = keras.Model(hidden, made.build(hidden, {}))(tf.zeros([1, 2]))
    np.testing.assert_allclose(made.outputs(raw)["t/quantiles"][0], np.quantile(labels, LEVELS), rtol=1e-3)


def test_quantiles_that_coincide_leave_a_gradient() -> None:
    made = head("regression", [0.0] * 9 + [5.0], loss="quantile", quantiles=[0.1, 0.5])
    hidden = keras.Input([1])
    model = keras.Model(hidden, made.build(hidden, {}))
    model.trainable_variables[0].assign([[0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = made.loss(tf.constant([5.0]), model(tf.ones([1, 1])), tf.ones(1))
    kernel = tape.gradient(loss, model.trainable_variables)[0]
    assert np.abs(kernel[:, 1]).min() > 1e-3


@settings(max_examples=50, deadline=None)
@given(
    inputs=hnp.arrays(np.float32, (8, 3), elements=st.floats(-1e4, 1e4, width=32)),
    kernel=hnp.arrays(np.float32, (3, 5), elements=st.floats(-1e3, 1e3, width=32)),
    labels=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
)
def test_quantiles_never_cross(inputs: np.ndarray, kernel: np.ndarray, labels: list[float]) -> None:
    made = head("regression", labels, loss="quantile", quantiles=[0.05, 0.25, 0.5, 0.75, 0.95])
    hidden = keras.Input([3])
    model = keras.Model(hidden, made.build(hidden, {}))
    model.trainable_variables[0].assign(kernel)
    quantiles = made.outputs(model(inputs))["t/quantiles"].numpy()
    assert (np.diff(quantiles, axis=1) >= 0).all()
