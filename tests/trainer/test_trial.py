"""A training for its figures is the Trainer's own, and its predictions are the exported model's."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.conftest import Trained
from tests.trainer.harness import example_of
from tests.trainer.test_run import FEATURES, history
from trainer.evaluate import predictions, read_transformed
from trainer.input import TrainingData
from trainer.run import read_examples
from trainer.trial import Trial, count_parameters, effective_balancing, parameters_of, train_trial

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(trained: Trained) -> TrainingData:
    """The training split."""
    return read_examples([str(trained.folder / "examples*.gz")], trained.transform, trained.config)


@pytest.fixture(scope="module")
def trials(trained: Trained, data: TrainingData) -> list[Trial]:
    """Repetitions 1, 0, 0: the order must not matter."""
    return [train_trial(trained.config, trained.transform, data, repetition) for repetition in (1, 0, 0)]


def test_repetition_0_is_the_trainers_training(trained: Trained, trials: list[Trial]) -> None:
    losses = [epoch["val_balanced_loss"] for epoch in history(trained.folder)]
    assert trials[1].validation_loss == pytest.approx(min(losses), abs=1e-7)
    assert trials[1].best_epoch == int(np.argmin(losses)) + 1
    assert trials[1].epochs == len(losses)


def test_a_repetition_is_repeatable_and_others_differ(trials: list[Trial]) -> None:
    assert trials[1].validation_loss == trials[2].validation_loss
    for one, other in zip(trials[1].network.variables, trials[2].network.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    assert trials[0].validation_loss != trials[1].validation_loss


def test_predictions_are_the_exported_models(trained: Trained, trials: list[Trial]) -> None:
    batches = read_transformed([str(trained.folder / "examples*.gz")], trained.transform, keep=True)
    found = list(predictions(trials[1].network, trials[1].heads, batches))
    model = tf.saved_model.load(str(trained.folder / "model"))
    rows = trained.table.select(FEATURES).to_pylist()
    served = model.signatures["serving_default"](examples=tf.constant([example_of(row) for row in rows]))
    for name in ("late", "level", "delay"):
        ours = np.concatenate([batch[name].outputs[name] for batch in found])
        # Transform may have written the rows in another order.
        for column in range(ours.shape[1]):
            np.testing.assert_allclose(np.sort(ours[:, column]), np.sort(served[name][:, column]), atol=1e-4)
    assert set(found[0]["late"].outputs) == {"late", "late/decision", "late/probabilities"}


def test_labels_and_weights_come_along(trained: Trained, trials: list[Trial]) -> None:
    batches = read_transformed([str(trained.folder / "examples*.gz")], trained.transform, keep=False)
    found = list(predictions(trials[1].network, trials[1].heads, batches))
    weights = np.concatenate([batch["delay"].weights for batch in found])
    labels = np.concatenate([batch["delay"].labels for batch in found])
    known = [value for value in trained.table["delay"].to_pylist() if value is not None]
    assert weights.sum() == len(known)
    np.testing.assert_allclose(np.sort(labels[weights > 0]), np.sort(np.array(known, np.float32)), rtol=1e-6)


def test_parameters_are_counted_before_and_after(trained: Trained, data: TrainingData, trials: list[Trial]) -> None:
    by_hand = sum(int(np.prod(weight.shape)) for weight in trials[0].network.get_weights())
    assert count_parameters(trials[0].network) == by_hand
    assert parameters_of(trained.config, trained.transform, data) == trials[0].parameters == by_hand


def test_a_balancing_without_shared_layers_is_fixed(trained: Trained, data: TrainingData) -> None:
    def kind(trunk: str) -> str:
        raw = trained.config.model_dump(mode="json")
        raw["model"].update(trunk={"kind": trunk, "units": [8]}, balancing={"kind": "uncertainty"})
        return effective_balancing(type(trained.config).model_validate(raw), trained.transform, data)

    assert kind("none") == "fixed"
    assert kind("shared_bottom") == "uncertainty"
