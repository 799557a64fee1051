"""ESMM: the product's logit, its gradient into the given tower, its outputs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.heads.harness import head, indices, sigmoid

# Of 10 rows, 5 are clicked and 2 bought, which is 0.4 of the clicked ones.
CLICKS = [1] * 5 + [0] * 5
PURCHASES = [1] * 2 + [0] * 8


def network() -> tuple[keras.Model, dict]:
    heads = {"click": head("binary", CLICKS, name="click")}
    heads["buy"] = head("binary", PURCHASES, name="buy", given=heads["click"])
    towers = {name: keras.Input([2], name=name) for name in heads}
    raw: dict = {}
    for name, made in heads.items():
        raw[name] = made.build(towers[name], raw)
    return keras.Model(towers, raw), heads


def answer(click: float, conditional: float) -> np.ndarray:
    """The raw output of `buy` for given logits."""
    model, _ = network()
    weights = {variable.path: variable for variable in model.trainable_variables}
    assert set(weights) == {"click_head/kernel", "click_head/bias", "buy_head/kernel", "buy_head/bias"}
    weights["click_head/bias"].assign([click])
    weights["buy_head/bias"].assign([conditional])
    return model({"click": tf.zeros([1, 2]), "buy": tf.zeros([1, 2])})["buy"].numpy()[0]


@settings(max_examples=60, deadline=None)
@given(click=st.floats(-12, 12), conditional=st.floats(-12, 12))
def test_the_raw_output_is_the_logit_of_the_product(click: float, conditional: float) -> None:
    product = sigmoid(click) * sigmoid(conditional)
    raw = answer(click, conditional)
    assert raw[0] == pytest.approx(np.log(product / (1 - product)), abs=1e-4)
    assert raw[1] == pytest.approx(conditional, abs=1e-6)


@pytest.mark.parametrize(("click", "conditional"), [(500.0, 500.0), (-500.0, 3.0), (500.0, -500.0), (-500.0, -500.0)])
def test_extreme_logits_stay_finite(click: float, conditional: float) -> None:
    expected = min(click, conditional) if min(click, conditional) > 0 or max(click, conditional) > 0 else -1000.0
    assert answer(click, conditional)[0] == pytest.approx(expected, abs=1.0)


def test_the_label_teaches_the_given_tower() -> None:
    model, heads = network()
    inputs = {"click": tf.ones([1, 2]), "buy": tf.ones([1, 2])}
    with tf.GradientTape() as tape:
        raw = model(inputs)
        loss = heads["buy"].loss(indices(1), raw["buy"], tf.ones(1))
    gradients = dict(
        zip(
            (variable.path for variable in model.trainable_variables),
            tape.gradient(loss, model.trainable_variables),
            strict=True,
        )
    )
    # For a positive label, the loss is -log σ(a) - log σ(b), so d/da = σ(a) - 1 and d/db = σ(b) - 1.
    click, conditional = float(raw["click"][0, 0]), float(raw["buy"][0, 1])
    np.testing.assert_allclose(gradients["click_head/bias"], [sigmoid(click) - 1], rtol=1e-5)
    np.testing.assert_allclose(gradients["buy_head/bias"], [sigmoid(conditional) - 1], rtol=1e-5)


def test_training_starts_at_the_conditional_frequency() -> None:
    model, heads = network()
    raw = model({"click": tf.zeros([1, 2]), "buy": tf.zeros([1, 2])})
    np.testing.assert_allclose(raw["buy"], [heads["buy"].constant], rtol=1e-5)
    outputs = heads["buy"].outputs(raw["buy"])
    np.testing.assert_allclose(outputs["buy/conditional"], [[0.4]], rtol=1e-4)
    np.testing.assert_allclose(outputs["buy"], [[0.2]], rtol=1e-4)
    assert heads["buy"].trivial_loss() == pytest.approx(-0.2 * np.log(0.2) - 0.8 * np.log(0.8), rel=1e-4)


def test_the_outputs() -> None:
    _, heads = network()
    outputs = heads["buy"].outputs(tf.constant([[np.log(1 / 3), np.log(4.0)]], tf.float32))
    assert set(outputs) == {"buy", "buy/classes", "buy/decision", "buy/probabilities", "buy/conditional"}
    np.testing.assert_allclose(outputs["buy"], [[0.25]], rtol=1e-6)
    np.testing.assert_allclose(outputs["buy/probabilities"], [[0.75, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(outputs["buy/conditional"], [[0.8]], rtol=1e-6)


def test_a_chain_is_the_product_of_three() -> None:
    heads = {"a": head("binary", CLICKS, name="a")}
    heads["b"] = head("binary", PURCHASES, name="b", given=heads["a"])
    heads["c"] = head("binary", [1] + [0] * 9, name="c", given=heads["b"])
    tower = keras.Input([1])
    raw: dict = {}
    for name, made in heads.items():
        raw[name] = made.build(tower, raw)
    outputs = heads["c"].outputs(keras.Model(tower, raw)(tf.zeros([1, 1]))["c"])
    np.testing.assert_allclose(outputs["c"], [[0.1]], rtol=1e-4)
    np.testing.assert_allclose(outputs["c/conditional"], [[0.5]], rtol=1e-4)


def test_more_positives_than_the_given_tasks_keep_the_constant_finite() -> None:
    click = head("binary", [0, 0, 0, 1], name="click")
    assert np.isfinite(head("binary", [1, 1, 1, 0], name="buy", given=click).constant).all()
