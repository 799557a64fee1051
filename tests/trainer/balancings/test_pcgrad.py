"""PCGrad against cases computed by hand and a plain re-derivation of its algorithm."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.balancings.toy import toy_balancing
from trainer.balancings.pcgrad import project_conflicts


def projected(gradients: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Algorithm 1, word for word."""
    result = []
    for i in range(len(gradients)):
        gradient = gradients[i].copy()
        for j in order[i]:
            if j != i and gradient @ gradients[j] < 0:
                gradient = gradient - gradient @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
        result.append(gradient)
    return np.array(result)


def combined(gradients: list, seed: int = 5) -> np.ndarray:
    array = np.array(gradients, np.float32)
    tasks = "abcdef"[: len(array)]
    balancing = toy_balancing({"kind": "pcgrad"}, tasks)
    balancing.seed = seed
    products = tf.constant(array @ array.T)
    return balancing.coefficients(products, tf.ones(len(array))).numpy() @ array


def test_conflicting() -> None:
    # g1·g2 = -1. g1 becomes (1, 0) + 1/2·(-1, 1), g2 becomes (-1, 1) + 1·(1, 0).
    np.testing.assert_allclose(combined([[1, 0], [-1, 1]]), [0.5, 1.5], atol=1e-6)


def test_not_conflicting() -> None:
    np.testing.assert_allclose(combined([[1, 0.5], [0, 2]]), [1, 2.5], atol=1e-6)


@pytest.mark.parametrize("gradients", [[[0, 0], [-1, 3]], [[-1, 3], [0, 0]]])
def test_a_zero_gradient_changes_nothing(gradients: list) -> None:
    np.testing.assert_allclose(combined(gradients), [-1, 3], atol=1e-6)


def test_opposite_gradients_cancel() -> None:
    np.testing.assert_allclose(combined([[2, 0], [-1, 0]]), [0, 0], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_against_the_algorithm(seed: int, tasks: int) -> None:
    rng = np.random.default_rng(seed)
    gradients = rng.normal(size=(tasks, 4)).astype(np.float32)
    order = np.array([rng.permutation(tasks) for _ in range(tasks)], np.int32)
    coefficients = project_conflicts(tf.constant(gradients @ gradients.T), tf.constant(order)).numpy()
    expected = projected(gradients.astype(np.float64), order)
    np.testing.assert_allclose(coefficients @ gradients, expected, atol=2e-5)


def test_three_tasks_in_a_given_order() -> None:
    gradients = np.array([[1, 0, 0], [-1, 1, 0], [-1, -1, 1]], np.float32)
    order = np.array([[1, 2, 0], [2, 0, 1], [0, 1, 2]], np.int32)
    coefficients = project_conflicts(tf.constant(gradients @ gradients.T), tf.constant(order)).numpy()
    # g1: along g2 is -1/2, so (1/2, 1/2, 0); with g3 that is -1, of length² 3, so + 1/3·g3.
    np.testing.assert_allclose(coefficients[0] @ gradients, [1 / 6, 1 / 6, 1 / 3], atol=1e-6)
    np.testing.assert_allclose(coefficients @ gradients, projected(gradients, order), atol=1e-6)


def test_the_order_is_random_and_depends_on_seed_and_step_alone() -> None:
    gradients = np.array([[1, 0, 0], [-1, 1, 0], [-1, -1, 1]], np.float32)
    products = tf.constant(gradients @ gradients.T)

    def ten_steps(seed: int) -> np.ndarray:
        balancing = toy_balancing({"kind": "pcgrad"})
        balancing.seed = seed
        return np.array([balancing.coefficients(products, tf.ones(3)).numpy() for _ in range(10)])

    np.testing.assert_array_equal(ten_steps(1), ten_steps(1))
    assert not np.array_equal(ten_steps(1), ten_steps(2))
    assert len(np.unique(ten_steps(1).round(4), axis=0)) > 2
