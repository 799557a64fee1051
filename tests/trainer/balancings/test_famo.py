"""FAMO against a re-derivation in numpy."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from tests.trainer.balancings.numpy_adam import NumpyAdam
from tests.trainer.balancings.toy import toy_balancing

GAMMA, RATE = 0.01, 0.05


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum()


def moved(logits: np.ndarray, adam: NumpyAdam, fall: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Algorithm 2: the gradient of softmax(ξ)·δ in ξ over the counted tasks, and weight decay."""
    here = np.flatnonzero(counted)
    gradient = np.zeros(len(logits))
    if len(here):
        z = softmax(logits[here])
        jacobian = np.diag(z) - np.outer(z, z)
        gradient[here] = jacobian @ fall[here] + GAMMA * logits[here]
    return adam.step(logits, gradient, counted)


def weights_of(logits: np.ndarray, losses: np.ndarray, present: np.ndarray) -> np.ndarray:
    weights = np.zeros(len(logits))
    here = np.flatnonzero(present)
    relative = softmax(logits[here]) / losses[here]
    weights[here] = relative / relative.sum()
    return weights


def batches(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    scales = np.array([1.0, 1000.0, 0.01])
    found = []
    for step in range(count):
        present = np.array([True, step % 5 != 2, step % 3 != 1])
        found.append((scales * rng.uniform(0.5, 1.0, 3) * 0.97 ** (step * np.arange(3)) * present, present))
    return found


def tensor(values: np.ndarray) -> tf.Tensor:
    return tf.constant(values, tf.float32)


def test_20_steps_judged_by_the_next_batch() -> None:
    balancing = toy_balancing({"kind": "famo", "gamma": GAMMA, "learning_rate": RATE})
    logits, adam = np.zeros(3), NumpyAdam(3, RATE)
    last, known = np.zeros(3), np.zeros(3, bool)
    for losses, present in batches(20):
        balancing.before_step(tensor(losses), tensor(present))
        actual = balancing.task_weights(tensor(losses), tensor(present)).numpy()
        with np.errstate(divide="ignore"):
            fall = last - np.log(losses)
        logits = moved(logits, adam, fall, present & known)
        last, known = np.where(present, last - fall, last), known | present
        np.testing.assert_allclose(actual, weights_of(logits, losses, present), rtol=2e-5)
    assert np.ptp(logits) > 0.05


def test_20_steps_judged_by_the_same_batch() -> None:
    balancing = toy_balancing({"kind": "famo", "gamma": GAMMA, "learning_rate": RATE, "same_batch": True})
    logits, adam = np.zeros(3), NumpyAdam(3, RATE)
    rng = np.random.default_rng(4)
    for losses, present in batches(20):
        balancing.before_step(tensor(losses), tensor(present))
        actual = balancing.task_weights(tensor(losses), tensor(present)).numpy()
        np.testing.assert_allclose(actual, weights_of(logits, losses, present), rtol=2e-5)
        after = losses * rng.uniform(0.9, 1.0, 3)
        step = SimpleNamespace(losses=tensor(losses), present=tensor(present))
        balancing.after_step(step, lambda after=after: tensor(after))  # type: ignore[arg-type, misc]
        fall = np.zeros(3)
        fall[present] = np.log(losses[present] / after[present])
        logits = moved(logits, adam, fall, present)


def test_weights_are_free_of_scale_and_sum_to_1() -> None:
    balancing = toy_balancing({"kind": "famo"})
    losses = tf.constant([1.0, 1000.0, 0.01])
    weights = balancing.task_weights(losses, tf.ones(3)).numpy()
    np.testing.assert_allclose(weights * losses.numpy() / (weights * losses.numpy()).sum(), 1 / 3, rtol=1e-5)
    assert abs(weights.sum() - 1) < 1e-6


def test_nothing_present() -> None:
    balancing = toy_balancing({"kind": "famo"})
    balancing.before_step(tf.zeros(3), tf.zeros(3))
    np.testing.assert_array_equal(balancing.task_weights(tf.zeros(3), tf.zeros(3)), [0, 0, 0])
    assert not any(np.any(variable.numpy()) for variable in balancing.variables)
