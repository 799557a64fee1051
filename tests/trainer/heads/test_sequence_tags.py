"""Heads of tags against hand-computed numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from trainer.config import Task
from trainer.heads import make_head
from trainer.heads.base import Head
from trainer.heads.sequence_tags import PADDED, over_tokens
from trainer.label_statistics import label_statistics

LABELS = [[0, 1, -1], [0, -1, -1], [0, 0, 1]]


def head(weights: list[float] | None = None) -> Head:
    task = TypeAdapter(Task).validate_python(
        {"kind": "sequence_tags", "label": "y", "sequence": "s", "classes": ["a", "b"]}
    )
    statistics = label_statistics("t", "y", np.array(LABELS), np.array(weights or [1.0] * 3), 2, tags=True)
    return make_head("t", task, statistics)


def logits(*probabilities: float) -> list[float]:
    """Of two tags, from the second's probability at each place; None of padding."""
    return [float(value) for p in probabilities for value in (np.log(1 - p), np.log(p))]


def test_training_starts_at_the_frequencies_of_tokens() -> None:
    # Of the tokens, 4 and 2; with weights 3 + 1 + 2 and 3 + 1.
    np.testing.assert_allclose(np.exp(head().constant), [2 / 3, 1 / 3] * 3, rtol=1e-5)
    np.testing.assert_allclose(np.exp(head([3.0, 1.0, 1.0]).constant)[:2], [6 / 10, 4 / 10], rtol=1e-5)


def test_the_loss_is_the_mean_over_tokens_not_over_rows() -> None:
    made = head()
    raw = tf.constant([logits(0.5, 0.25, 0.1), logits(0.1, 0.5, 0.5)])
    labels = tf.constant(LABELS[:2], tf.int64)
    first, second = -np.log(0.5) - np.log(0.25), -np.log(0.9)
    np.testing.assert_allclose(made.row_losses(labels, raw), [first / 2, second], rtol=1e-5)
    assert float(made.loss(labels, raw, tf.constant([1.0, 1.0]))) == pytest.approx((first + second) / 3, rel=1e-5)
    assert float(made.loss(labels, raw, tf.constant([1.0, 0.0]))) == pytest.approx(first / 2, rel=1e-5)


def test_padding_has_neither_probabilities_nor_a_tag() -> None:
    outputs = head().outputs(tf.constant([[*logits(0.2, 0.7), PADDED, PADDED]]))
    np.testing.assert_allclose(outputs["t"], [[[0.8, 0.2], [0.3, 0.7], [0, 0]]], rtol=1e-5)
    assert outputs["t/tags"].numpy().tolist() == [[b"a", b"b", b""]]


def test_members_are_averaged_by_probability_and_padding_stays() -> None:
    made = head()
    raw = [tf.constant([[*logits(p, 0.5), PADDED, PADDED]]) for p in (0.2, 0.6)]
    found = made.outputs(made.average(raw))
    np.testing.assert_allclose(found["t"][0, :, 1], [0.4, 0.5, 0], rtol=1e-5)


def test_the_metric_is_the_share_of_right_tags() -> None:
    made = head()
    metric = made.make_metric()
    raw = tf.constant([logits(0.2, 0.2, 0.2)] * 3)
    made.update_metric(metric, tf.constant(LABELS, tf.int64), raw, tf.constant([1.0, 1.0, 0.0]))
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_tokens_see_their_own_state_and_the_row() -> None:
    made = head()
    ids, states, row = keras.Input((3,), dtype="int64"), keras.Input((3, 4)), keras.Input((2,))
    model = keras.Model([ids, states, row], made.build(over_tokens("t", ids, states, row), {}))
    found = model([tf.constant([[5, 6, 0]]), tf.random.normal([1, 3, 4]), tf.ones([1, 2])]).numpy()
    assert found.shape == (1, 6)
    assert (found[0, 4:] == PADDED).all()
    assert (found[0, :4] > PADDED).all()
