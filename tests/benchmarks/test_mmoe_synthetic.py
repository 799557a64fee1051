"""MMoE's synthetic study: the labels, the stack of networks, and what is concluded."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.mmoe_synthetic import (
    CORRELATIONS,
    EXPERT_UNITS,
    INPUTS,
    MODELS,
    TASKS,
    Problems,
    Stack,
    conclusions,
    equal_units,
    make_network,
    parameters,
)

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("regime", ["smooth", "wavy", "jagged"])
def test_weights_have_the_cosine_and_labels_the_papers_form(regime: str) -> None:
    problems = Problems.of(regime, [3, 4])
    x = RNG.normal(size=(2, 5, INPUTS)).astype(np.float32)
    labels = problems.labels(x).numpy()
    for seed in range(2):
        for index, cosine in enumerate(CORRELATIONS):
            first, second = problems.weights[seed, index]
            assert first @ second == pytest.approx(cosine, abs=1e-5)
            assert np.linalg.norm(second) == pytest.approx(1, abs=1e-5)
            for task, weights in enumerate((first, second)):
                z = x[seed] @ weights
                expected = z + sum(
                    np.sin(a * z + b) for a, b in zip(problems.alpha[seed], problems.beta[seed], strict=True)
                )
                np.testing.assert_allclose(labels[seed, index, :, task], expected, atol=1e-4)


def test_both_models_have_as_many_parameters() -> None:
    bottom, mmoe = (parameters(make_network(model, units)) for model, units in zip(MODELS, (equal_units(), 16)))  # noqa: B905
    tower = 16 * 8 + 8 + 8 + 1
    assert mmoe == 8 * (100 * EXPERT_UNITS + EXPERT_UNITS) + len(TASKS) * (100 * 8 + tower)
    assert abs(bottom - mmoe) <= (INPUTS + 1 + 16) / 2


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_stack_trains_each_network_as_keras_does(model: str) -> None:
    """Three steps of Adam, with a learning rate of its own for each of two networks."""
    rates = [0.001, 0.01]
    batches = [(RNG.normal(size=(2, 8, INPUTS)), RNG.normal(size=(2, 8, 2))) for _ in range(3)]
    stack = Stack(model, 6, [1, 2])
    for x, labels in batches:
        stack.train(tf.constant(x, tf.float32), tf.constant(labels, tf.float32), tf.constant(rates))
    for index, (seed, rate) in enumerate(zip([1, 2], rates, strict=True)):
        keras.utils.set_random_seed(seed)
        network = make_network(model, 6)
        optimizer = keras.optimizers.Adam(rate)
        for x, labels in batches:
            with tf.GradientTape() as tape:
                loss = 2 * tf.reduce_mean(tf.square(network(tf.constant(x[index], tf.float32)) - labels[index]))
            optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        for stacked, alone in zip(stack.variables, network.trainable_variables, strict=True):
            np.testing.assert_allclose(stacked.numpy()[index], alone.numpy(), atol=2e-5)


def test_the_slope_by_hand() -> None:
    """Gaps that fall by 2 from cosine 0 to 1, each seed with a level of its own."""
    levels = np.array([[1.0], [2.0], [6.0], [3.0], [4.0], [5.0]])
    # Its own: what is drawn must not depend on which tests ran before.
    rng = np.random.default_rng(4)
    gap = levels - 2.0 * np.array(CORRELATIONS) + 1e-3 * rng.normal(size=(6, len(CORRELATIONS)))
    found = conclusions(gap + 10.0, np.full_like(gap, 10.0))
    assert found["slope"]["mean"] == pytest.approx(-2.0, abs=0.01)
    assert found["gap_grows_as_correlation_falls"] == "yes"
    assert found["losses"]["gap"][0]["median"] == pytest.approx(3.5, abs=0.01)
    assert conclusions(-gap, np.zeros_like(gap))["gap_grows_as_correlation_falls"] == "no, it shrinks"
    assert conclusions(rng.normal(size=(6, 4)), np.zeros((6, 4)))["gap_grows_as_correlation_falls"] == "not shown"
