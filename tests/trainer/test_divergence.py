"""A loss that is no longer a finite number ends the training, and says where and why."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from janus_core.errors import DataError, JanusError
from tests.trainer.balancings.toy import BATCH, Batch, toy_config, toy_dataset, toy_model, toy_rows
from trainer.callbacks import EpochHistory
from trainer.divergence import fit
from trainer.input import TrainingData

pytestmark = pytest.mark.slow


def train(rows: Batch, validation: Batch | None = None, **compile_options: object) -> list[dict[str, float]]:
    """Trains two tasks with batches in order; the labels' statistics are those of rows without an extreme value."""
    config = toy_config({"kind": "fixed"}, tasks=("a", "b"))
    config = config.model_copy(update={"training": config.training.model_copy(update={"batch_size": BATCH})})
    model = toy_model(config, toy_rows(tasks=("a", "b")), **compile_options)
    epoch = tf.Variable(0, dtype=tf.int64)
    data = TrainingData(toy_dataset(rows), toy_dataset(validation or rows), epoch, 8 * BATCH, 8 * BATCH, {}, True)
    history = EpochHistory()
    fit(model, data, config, [history], epochs=3)
    return history.epochs


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_the_first_step_the_task_and_the_column_are_named(steps_per_execution: int) -> None:
    rows = toy_rows(tasks=("a", "b"))
    rows[1]["b"][5 * BATCH + 1], rows[2]["b"][5 * BATCH + 1] = 1e30, 1.0
    with pytest.raises(DataError, match="task 'b' is no longer a finite number .at step 6, in epoch 1.*column 'b'"):
        train(rows, steps_per_execution=steps_per_execution)


def test_a_feature_is_named_with_its_remedy() -> None:
    rows = toy_rows(tasks=("a", "b"))
    rows[0]["x"][0, 1] = np.nan
    with pytest.raises(DataError, match="tasks 'a', 'b'.*step 1,.*column 'x'.*infinite value or NaN.*features.x.scale"):
        train(rows)


def test_without_an_extreme_column_the_steps_are_too_large() -> None:
    rows = toy_rows(tasks=("a", "b"))
    with pytest.raises(JanusError, match="learning_rate below 0.01") as raised:
        train(rows, optimizer=keras.optimizers.SGD(1e30))
    assert raised.value.exit_code == 1


def test_the_validation_rows_are_looked_at() -> None:
    rows = toy_rows(tasks=("a", "b"))
    validation = toy_rows(tasks=("a", "b"))
    validation[1]["a"][0], validation[2]["a"][0] = 1e30, 1.0
    with pytest.raises(DataError, match="task 'a' .*in the validation rows after epoch 1.*column 'a'"):
        train(rows, validation)


def test_a_step_compiled_by_xla_has_no_assertion_but_the_epoch_ends_the_training() -> None:
    rows = toy_rows(tasks=("a", "b"))
    rows[1]["b"][5 * BATCH + 1], rows[2]["b"][5 * BATCH + 1] = 1e30, 1.0
    with pytest.raises(DataError, match="task 'b'.*at step 6, in epoch 1"):
        train(rows, jit_compile=True)


def test_finite_losses_are_left_alone() -> None:
    assert len(train(toy_rows(tasks=("a", "b")))) == 3
