"""Focal loss at its limits, and the constant that minimises it."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.heads.harness import indices, tensorflow_gradient
from trainer.heads.focal import best_constant, sigmoid_focal, softmax_focal

LOGITS = [-60.0, -3.0, 0.0, 3.0, 60.0]


def test_gamma_zero_is_cross_entropy() -> None:
    labels, logits = tf.constant([0.0, 1.0, 0.0, 1.0, 1.0]), tf.constant(LOGITS)
    expected = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    rows, columns = indices(0, 2), tf.constant([[1.0, 2.0, 0.5], [0.0, -4.0, 3.0]])
    exclusive = tf.nn.sparse_softmax_cross_entropy_with_logits(rows, columns)
    # Zero takes a shortcut; what is next to it does not.
    for gamma in (0.0, 1e-7):
        np.testing.assert_allclose(sigmoid_focal(labels, logits, gamma), expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(softmax_focal(rows, columns, gamma), exclusive, rtol=1e-4)


def test_two_exclusive_classes_are_one_logit() -> None:
    logits = tf.constant(LOGITS)
    pairs = tf.stack([tf.zeros(5), logits], axis=1)
    np.testing.assert_allclose(
        softmax_focal(indices(1, 1, 1, 1, 1), pairs, 2.0), sigmoid_focal(tf.ones(5), logits, 2.0), rtol=1e-4, atol=1e-20
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_the_gradient_is_finite_where_the_prediction_is_certain(gamma: float) -> None:
    for label in (0.0, 1.0):
        gradient = tensorflow_gradient(lambda x, label=label: sigmoid_focal(tf.fill([5], label), x, gamma), LOGITS)
        assert np.isfinite(gradient).all()
    rows = [[100.0, 0.0, -100.0], [0.0, 0.0, 0.0], [-1000.0, 0.0, 1000.0]]
    for label in (0, 1, 2):
        gradient = tensorflow_gradient(
            lambda x, label=label: softmax_focal(tf.fill([3], tf.constant(label, tf.int64)), x, gamma), rows
        )
        assert np.isfinite(gradient).all()


def test_the_gradient_against_differences() -> None:
    """d/dz of (1 - p)^γ · (-log p) at p = σ(z): (1 - p)^γ · (γ·p·log p + p - 1), the paper's equation 11."""
    z = np.array([-2.0, -0.5, 0.0, 1.0, 3.0])
    p = 1 / (1 + np.exp(-z))
    expected = (1 - p) ** 2 * (2 * p * np.log(p) + p - 1)
    gradient = tensorflow_gradient(lambda x: sigmoid_focal(tf.ones(5), x, 2.0), z)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(frequency=st.floats(0.001, 0.999), gamma=st.sampled_from([0.0, 0.3, 1.0, 2.0, 5.0, 40.0]))
def test_the_best_constant_of_two_classes(frequency: float, gamma: float) -> None:
    p = 1 / (1 + np.exp(-np.linspace(-12, 12, 200_001)))
    losses = frequency * (1 - p) ** gamma * -np.log(p) + (1 - frequency) * p**gamma * -np.log1p(-p)
    found = best_constant(np.array([1 - frequency, frequency]), gamma)
    assert found.sum() == pytest.approx(1.0)
    assert found[1] == pytest.approx(p[losses.argmin()], abs=2e-4)


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 1000), min_size=3, max_size=6), gamma=st.sampled_from([0.5, 2.0, 4.0]))
def test_the_best_constant_of_many_classes(counts: list[int], gamma: float) -> None:
    frequencies = np.array(counts) / sum(counts)

    def loss(p: np.ndarray) -> float:
        return float((frequencies * (1 - p) ** gamma * -np.log(p)).sum())

    best = best_constant(frequencies, gamma)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = best * np.exp(0.05 * rng.normal(size=len(best)))
        assert loss(other / other.sum()) >= loss(best) - 1e-9


def test_an_absent_class_keeps_a_small_probability() -> None:
    for gamma in (0.0, 2.0):
        found = best_constant(np.array([1.0, 0.0, 0.0]), gamma)
        assert (found > 0).all()
        assert found[0] > 0.98
