"""GradNorm against a re-derivation in numpy."""

import numpy as np
import tensorflow as tf

from tests.trainer.balancings.numpy_adam import NumpyAdam
from tests.trainer.balancings.toy import toy_balancing

ALPHA, RATE = 0.7, 0.05


def test_20_steps_with_missing_tasks() -> None:
    first = np.array([1.0, 50.0, 0.02])
    balancing = toy_balancing({"kind": "gradnorm", "alpha": ALPHA, "learning_rate": RATE}, trivial=first.tolist())
    rng = np.random.default_rng(1)
    # At first in inverse proportion to the first losses.
    weights, adam = 3 / first / (1 / first).sum(), NumpyAdam(3, RATE)
    for step in range(20):
        losses = first * rng.uniform(0.3, 1.2, 3)
        norms = rng.lognormal(size=3) * [1, 30, 0.1]
        present = np.array([True, True, step % 4 != 3])
        losses, norms = losses * present, norms * present
        actual = balancing.task_weights(tf.constant(losses, tf.float32), tf.ones(3)).numpy()
        np.testing.assert_allclose(actual, weights, rtol=1e-5)
        balancing.learn(*(tf.constant(v, tf.float32) for v in (losses, present, norms)))
        here = np.flatnonzero(present)
        sizes = weights[here] * norms[here]
        ratios = losses[here] / first[here]
        target = sizes.mean() * (ratios / ratios.mean()) ** ALPHA
        gradient = np.zeros(3)
        # d|w·n - target|/d(log w) = sign(w·n - target)·w·n
        gradient[here] = np.sign(sizes - target) * sizes
        moved = np.exp(adam.step(np.log(weights), gradient, present))
        weights = np.where(present, moved * weights[here].sum() / moved[here].sum(), weights)
    assert abs(weights.sum() - 3) < 1e-6
    assert np.abs(weights * first / (weights * first).mean() - 1).max() > 0.1


def test_a_task_of_weight_0_has_no_part_in_the_start() -> None:
    balancing = toy_balancing({"kind": "gradnorm"}, trivial=[1.0, 3.0, 1e-6], c={"loss_weight": 0})
    np.testing.assert_allclose(balancing.loss_weights(tf.ones(3), tf.ones(3)), [1.5, 0.5, 0], rtol=1e-6)


def test_with_alpha_0_the_gradients_become_equally_large() -> None:
    balancing = toy_balancing({"kind": "gradnorm", "alpha": 0.0, "learning_rate": 0.05}, ("a", "b"))
    norms = tf.constant([100.0, 0.1])
    for _ in range(300):
        balancing.learn(tf.ones(2), tf.ones(2), norms)
    sizes = balancing.task_weights(tf.ones(2), tf.ones(2)).numpy() * norms.numpy()
    assert 0.8 < sizes[0] / sizes[1] < 1.25


def test_a_task_that_lags_gains_weight() -> None:
    balancing = toy_balancing({"kind": "gradnorm", "alpha": 1.0}, ("a", "b"))
    for _ in range(20):
        balancing.learn(tf.constant([0.9, 0.3]), tf.ones(2), tf.ones(2))
    lagging, leading = balancing.task_weights(tf.ones(2), tf.ones(2)).numpy()
    assert lagging > 1.2 > 0.8 > leading


def test_overflown_norms_move_nothing() -> None:
    balancing = toy_balancing({"kind": "gradnorm"}, ("a", "b"))
    balancing.learn(tf.ones(2), tf.ones(2), tf.constant([float("inf"), 1.0]))
    np.testing.assert_allclose(balancing.task_weights(tf.ones(2), tf.ones(2)), [1, 1], rtol=1e-6)
