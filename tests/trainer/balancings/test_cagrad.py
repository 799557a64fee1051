"""CAGrad against cases computed by hand, a plain search, and a certificate of optimality."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.balancings.toy import toy_balancing


def direction(gradients: np.ndarray, c: float, present: list | None = None) -> np.ndarray:
    """What is applied: the paper's d times the number of tasks."""
    array = np.asarray(gradients, np.float32)
    balancing = toy_balancing({"kind": "cagrad", "c": c}, "abcdefghijkl"[: len(array)])
    present = present or [1.0] * len(array)
    return balancing.coefficients(tf.constant(array @ array.T), tf.constant(present)).numpy() @ array


def by_search(gradients: np.ndarray, c: float) -> np.ndarray:
    """Two tasks: the dual's minimum by golden section, in float64."""
    gradients = np.asarray(gradients, np.float64)
    mean = gradients.mean(axis=0)
    radius = c * np.linalg.norm(mean)

    def value(x: float) -> float:
        mixed = x * gradients[0] + (1 - x) * gradients[1]
        return mixed @ mean + radius * np.linalg.norm(mixed)

    low, high, ratio = 0.0, 1.0, (np.sqrt(5) - 1) / 2
    for _ in range(200):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if value(left) < value(right) else (left, high)
    mixed = low * gradients[0] + (1 - low) * gradients[1]
    return 2 * (mean + radius * mixed / np.linalg.norm(mixed))


def test_orthogonal_of_equal_length() -> None:
    # By symmetry w = (1/2, 1/2) and g_w = g_0 = (1/2, 1/2), so d = (1 + c)·g_0.
    np.testing.assert_allclose(direction([[1, 0], [0, 1]], 0.5), [1.5, 1.5], atol=1e-6)


def test_parallel() -> None:
    # g_0 = (2, 0): the shorter gradient has all the weight, d = (2, 0) + 2c·(1, 0).
    np.testing.assert_allclose(direction([[1, 0], [3, 0]], 0.4), [5.6, 0], atol=1e-6)


def test_conflicting_of_equal_length() -> None:
    # g_0 = (1/4, √3/4), and w = (1/2, 1/2) again.
    gradients = [[1, 0], [-0.5, np.sqrt(3) / 2]]
    np.testing.assert_allclose(direction(gradients, 0.4), 1.4 * np.array([0.5, np.sqrt(3) / 2]), atol=1e-6)


@pytest.mark.parametrize(
    ("gradients", "c"),
    [
        ([[1, 0], [0, 2]], 0.4),
        ([[1, 0], [-0.9, 0.3]], 0.4),
        ([[1, 0], [-5, 1]], 0.9),
        ([[3, 1], [0.2, 0.1]], 0.2),
    ],
)
def test_two_tasks_against_a_search(gradients: list, c: float) -> None:
    np.testing.assert_allclose(direction(gradients, c), by_search(gradients, c), rtol=1e-6, atol=1e-6)


def test_with_c_0_it_is_the_sum() -> None:
    np.testing.assert_allclose(direction([[1, 0, 2], [-3, 1, 0], [0, 1, 1]], 0.0), [-2, 2, 3], atol=1e-6)


def test_a_zero_gradient() -> None:
    # All weight goes to it, g_w = 0, and d = g_0.
    np.testing.assert_allclose(direction([[1, 2], [0, 0]], 0.4), [1, 2], atol=1e-6)
    np.testing.assert_allclose(direction([[0, 0], [0, 0]], 0.4), [0, 0], atol=1e-6)


def test_an_absent_task_has_no_part() -> None:
    gradients = [[1, 0], [-0.9, 0.3]]
    for with_absent, present in (([*gradients, [0, 0]], [1, 1, 0]), ([[0, 0], *gradients], [0, 1, 1])):
        np.testing.assert_allclose(
            direction(with_absent, 0.4, [float(p) for p in present]), direction(gradients, 0.4), atol=1e-6
        )
    np.testing.assert_allclose(direction([[0, 0], [1, 2]], 0.4, [0.0, 1.0]), [1.4, 2.8], atol=1e-6)
    np.testing.assert_allclose(direction([[0, 0], [0, 0]], 0.4, [0.0, 0.0]), [0, 0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 8), st.sampled_from([0.1, 0.4, 0.9]), st.booleans())
def test_the_gain_of_the_worst_off_task_is_the_most_possible(seed: int, tasks: int, c: float, alike: bool) -> None:
    """Weak duality: min_i g_i·d of any allowed d is at most the dual at any w. Where they meet, both are best."""
    rng = np.random.default_rng(seed)
    gradients = (rng.normal(size=(tasks, 30)) + (3 * rng.normal(size=30) if alike else 0)).astype(np.float32)
    found = direction(gradients, c).astype(np.float64) / tasks
    mean = gradients.astype(np.float64).mean(axis=0)
    radius = c * np.linalg.norm(mean)
    np.testing.assert_allclose(np.linalg.norm(found - mean), radius, rtol=1e-4)
    mixed = (found - mean) * np.linalg.norm(mean)
    shares = np.linalg.lstsq(gradients.T.astype(np.float64), mixed, rcond=None)[0]
    assert shares.min() > -1e-4 * abs(shares).max()
    mixed = np.clip(shares, 0, None) / np.clip(shares, 0, None).sum() @ gradients
    dual = mixed @ mean + radius * np.linalg.norm(mixed)
    primal = (gradients @ found).min()
    assert primal == pytest.approx(dual, abs=1e-5 * np.linalg.norm(gradients, axis=1).max() * np.linalg.norm(found))
