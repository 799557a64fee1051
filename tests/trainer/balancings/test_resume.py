"""A killed training resumes to what an uninterrupted one is, whatever the balancing."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.balancings.toy import KINDS, toy_config, toy_dataset, toy_model, toy_rows
from trainer.callbacks import Checkpoint, ShuffleEpoch
from trainer.input import TrainingData
from trainer.run import train


def trained(kind: str, checkpoints: Path | None = None) -> tuple[list[dict[str, float]], list[np.ndarray]]:
    """History and the balancing's state of a whole training, in a model of its own."""
    rows = toy_rows()
    config = toy_config(KINDS[kind])
    model = toy_model(config, rows, steps_per_execution=3)
    dataset = toy_dataset(rows)
    epoch = tf.Variable(0, dtype=tf.int64)
    data = TrainingData(dataset, dataset, epoch, rows=128, validation_rows=128, labels={}, in_memory=True)
    epochs = config.training.epochs_for(data.rows)
    _, history = train(model, data, config, epochs, checkpoints, [ShuffleEpoch(data.epoch)], [])
    return history.epochs, [variable.numpy() for variable in model.balancing.variables]


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_resumed_is_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, state = trained(kind)
    original = Checkpoint.on_epoch_end

    def kill(self: Checkpoint, epoch: int, logs: dict | None = None) -> None:
        original(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", kill)
        with pytest.raises(KeyboardInterrupt):
            trained(kind, tmp_path / "checkpoints")
    resumed, resumed_state = trained(kind, tmp_path / "checkpoints")
    assert len(resumed) == len(whole) == 4
    for one, other in zip(resumed, whole, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    for one, other in zip(resumed_state, state, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    if kind != "fixed":
        weights = [[epoch[f"{task}_weight"] for task in "abc"] for epoch in whole]
        assert np.ptp(np.array(weights[1:]), axis=0).max() > 1e-4
