"""Focal loss: (1 - p)^γ · (-log p), where p is the predicted probability of the label.

Lin, Goyal, Girshick, He and Dollár 2017, "Focal Loss for Dense Object Detection", equation 4. With γ = 0 it is
cross-entropy; the α of its equation 5 is `class_weights`. 1 - p is computed as the exponential of a log-probability,
so that its power has a finite gradient everywhere.
"""

from typing import Any

import numpy as np
import tensorflow as tf

DEFAULT_GAMMA = 2.0
FREQUENCY_FLOOR = 1e-6
"""Classes that are absent count as if they had this frequency, which keeps log-odds finite."""


def gamma_of(task: Any) -> float:
    """The exponent of a task's loss; 0 for cross-entropy."""
    if task.loss != "focal":
        return 0.0
    return DEFAULT_GAMMA if task.gamma is None else task.gamma


def sigmoid_focal(labels: tf.Tensor, logits: tf.Tensor, gamma: float) -> tf.Tensor:
    """Loss of independent classes: float32, of the shape of `labels` (0 or 1) and `logits`."""
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
    if not gamma:
        return cross_entropy
    log_rest = tf.math.log_sigmoid(logits * (1 - 2 * labels))
    return tf.exp(gamma * log_rest) * cross_entropy


def softmax_focal(labels: tf.Tensor, logits: tf.Tensor, gamma: float) -> tf.Tensor:
    """Loss of exclusive classes: float32 [batch], from int64 labels [batch] and logits [batch, classes]."""
    cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not gamma:
        return cross_entropy
    others = tf.one_hot(labels, logits.shape[1], on_value=logits.dtype.min, off_value=0.0) + logits
    log_rest = tf.reduce_logsumexp(others, axis=1) - tf.reduce_logsumexp(logits, axis=1)
    return tf.exp(gamma * log_rest) * cross_entropy


def best_constant(frequencies: np.ndarray, gamma: float) -> np.ndarray:
    """The constant probabilities of exclusive classes that have the least mean focal loss.

    For γ = 0 the frequencies themselves. Else the loss of each class falls in its probability, and ever less steeply,
    so that the optimum is where frequency · slope is the same number λ for all: found by bisection, of λ and, for each
    λ, of the probabilities' log-odds.

    Args:
        frequencies: [classes], summing to 1; raised to FREQUENCY_FLOOR.

    Returns:
        float64 [classes], summing to 1.
    """
    floored = np.maximum(frequencies, FREQUENCY_FLOOR)
    floored = floored / floored.sum()
    if not gamma:
        return floored
    log_odds = np.linspace(-30.0, 30.0, 60_001)
    log_slopes = _log_slope(log_odds, gamma)
    logs = np.log(floored)

    def probabilities(log_lambda: float) -> np.ndarray:
        return 1 / (1 + np.exp(-np.interp(logs - log_lambda, -log_slopes, log_odds)))

    low, high = logs.min() + log_slopes[-1], logs.max() + log_slopes[0]
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if probabilities(middle).sum() > 1 else (low, middle)
    best = probabilities(middle)
    return best / best.sum()


def _log_slope(log_odds: np.ndarray, gamma: float) -> np.ndarray:
    """The log of -d/dp of (1 - p)^γ · (-log p): falling in p."""
    log_p, log_rest = -np.logaddexp(0, -log_odds), -np.logaddexp(0, log_odds)
    return gamma * log_rest + np.log(gamma * np.exp(-log_rest) * -log_p + np.exp(-log_p))
