"""Uncertainty's weights and steps against its formulas."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.balancings.numpy_adam import NumpyAdam
from tests.trainer.balancings.toy import toy_balancing
from trainer.balancings import BalancedTask
from trainer.balancings.uncertainty import Uncertainty, huber_slope
from trainer.config import TrainerConfig

FORMS = {
    "mse": ({"kind": "regression", "loss": "mse"}, 0.5, 0.5),
    "mae": ({"kind": "regression", "loss": "mae"}, 1.0, 1.0),
    "quantile": ({"kind": "regression", "loss": "quantile", "quantiles": [0.1, 0.9]}, 1.0, 1.0),
    "binary": ({"kind": "binary"}, 1.0, 0.5),
    "multiclass": ({"kind": "multiclass", "classes": [0, 1, 2]}, 1.0, 0.5),
    "multilabel": ({"kind": "multilabel", "classes": [0, 1, 2]}, 1.0, 0.5),
    "ordinal": ({"kind": "ordinal", "classes": [0, 1, 2, 3]}, 1.0, 1.5),
    "count": ({"kind": "count"}, 1.0, 0.5),
}
"""Each kind of loss with a and n' of a·exp(-s)·L + n(s)."""


def uncertainty(**tasks: dict) -> Uncertainty:
    config = TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": {"x": {"kind": "numeric"}},
            "tasks": {name: {"label": name, **task} for name, task in tasks.items()},
            "model": {"balancing": {"kind": "uncertainty", "learning_rate": 0.1}},
            "training": {},
        }
    )
    balanced = [BalancedTask(name, task, 1.0) for name, task in config.tasks.items()]
    return Uncertainty(config.model.balancing, balanced)


def test_each_kinds_form_over_20_steps() -> None:
    balancing = uncertainty(**{name: task for name, (task, _, _) in FORMS.items()})
    factors, slopes = (np.array([form[i] for form in FORMS.values()]) for i in (1, 2))
    rng = np.random.default_rng(0)
    # At first where it settles for a loss of 1, the trivial loss here.
    log_noise, adam = np.log(factors / slopes), NumpyAdam(len(FORMS), 0.1)
    for _ in range(20):
        losses, present = rng.lognormal(size=len(FORMS)), rng.random(len(FORMS)) > 0.2
        weights = balancing.task_weights(tf.constant(losses, tf.float32), tf.ones(len(FORMS))).numpy()
        np.testing.assert_allclose(weights, factors * np.exp(-log_noise), rtol=1e-5)
        balancing.learn(tf.constant(losses, tf.float32), tf.constant(present, tf.float32), None)
        log_noise = adam.step(log_noise, slopes - factors * np.exp(-log_noise) * losses, present)


@pytest.mark.parametrize("log_temperature", [-6.0, -1.0, 0.0, 0.7, 5.0])
def test_hubers_normaliser(log_temperature: float) -> None:
    """The slope of log ∫ exp(-H(e)/t) de, integrated and differentiated numerically."""

    def log_normaliser(s: float) -> float:
        temperature = math.exp(s)
        errors = np.linspace(0, 1 + 60 * max(temperature, 0.01), 2_000_001)
        huber = np.where(errors <= 1, errors**2 / 2, errors - 0.5)
        values = np.exp(-huber / temperature)
        return math.log(2 * np.sum((values[1:] + values[:-1]) / 2) * (errors[1] - errors[0]))

    numeric = (log_normaliser(log_temperature + 1e-3) - log_normaliser(log_temperature - 1e-3)) / 2e-3
    assert float(huber_slope(tf.constant(log_temperature))) == pytest.approx(numeric, abs=1e-4)


def test_it_starts_where_it_settles_for_the_trivial_loss() -> None:
    task = {"kind": "regression", "loss": "huber", "label": "y"}
    for loss in (1e-4, 0.3, 1.0, 50.0):
        config = TrainerConfig.model_validate(
            {
                "seed": 1,
                "features": {"x": {"kind": "numeric"}},
                "tasks": {"y": task, "z": {**task, "label": "z"}},
                "model": {"balancing": {"kind": "uncertainty"}},
                "training": {},
            }
        )
        tasks = [BalancedTask("y", config.tasks["y"], loss), BalancedTask("z", config.tasks["z"], 1.0)]
        balancing = Uncertainty(config.model.balancing, tasks)
        before = balancing.variables[0].numpy()
        slope = float(huber_slope(tf.constant(before[0])))
        assert slope == pytest.approx(math.exp(-before[0]) * loss, rel=1e-4)


def test_weights_settle_at_the_inverse_of_the_losses() -> None:
    balancing = uncertainty(
        mse=FORMS["mse"][0],
        mae=FORMS["mae"][0],
        binary=FORMS["binary"][0],
        huber={"kind": "regression", "loss": "huber"},
    )
    losses = tf.constant([4.0, 0.02, 0.5, 1e-4])
    for _ in range(800):
        balancing.learn(losses, tf.ones(4), None)
    weights = balancing.task_weights(losses, tf.ones(4)).numpy()
    # n'/L; a little noise is a Gaussian's for Huber's loss.
    np.testing.assert_allclose(weights, [0.5 / 4.0, 1 / 0.02, 0.5 / 0.5, 0.5 / 1e-4], rtol=0.01)


def test_a_loss_weight_multiplies_and_is_not_learnt_away() -> None:
    plain, prior = toy_balancing({"kind": "uncertainty"}), toy_balancing({"kind": "uncertainty"}, b={"loss_weight": 3})
    losses = tf.constant([1.0, 20.0, 300.0])
    for balancing in (plain, prior):
        for _ in range(50):
            balancing.learn(losses, tf.ones(3), None)
    ratio = prior.loss_weights(losses, tf.ones(3)) / plain.loss_weights(losses, tf.ones(3))
    np.testing.assert_allclose(ratio, [1, 3, 1], rtol=1e-6)
