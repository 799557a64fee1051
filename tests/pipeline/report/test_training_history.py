"""The history of a training, read back."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.outcome import MONITOR, kept_epoch, read_history
from pipeline.report.report_json import finite
from trainer.callbacks import MONITOR as WATCHED
from trainer.callbacks import BestWeights
from trainer.config import EarlyStoppingConfig


def test_it_is_read_and_made_fit_for_json(tmp_path: Path) -> None:
    epochs = [{"loss": 1.5, "val_loss": float("nan")}, {"loss": float("inf"), "val_loss": 0.5}]
    (tmp_path / "history.json").write_text(json.dumps(epochs))
    history = read_history(str(tmp_path))
    assert history[0]["loss"] == 1.5
    assert math.isnan(history[0]["val_loss"])
    assert [finite(value) for epoch in history for value in epoch.values()] == [1.5, None, None, 0.5]


def test_without_a_file_there_are_no_epochs(tmp_path: Path) -> None:
    assert read_history(str(tmp_path)) == []
    assert kept_epoch([]) is None


@pytest.mark.parametrize(
    ("losses", "min_delta", "kept"),
    [([3.0, 1.0, 2.0], 0.0, 1), ([1.0, 1.0], 0.0, 0), ([3.0, 2.95, 2.0], 0.1, 2), ([3.0, 2.95], 0.1, 0)],
)
def test_the_kept_epoch(losses: list[float], min_delta: float, kept: int) -> None:
    history = [{MONITOR: loss, "epoch": float(number)} for number, loss in enumerate(losses)]
    assert kept_epoch(history, min_delta) is history[kept]


LOSSES = st.floats(0, 10, width=16) | st.sampled_from([float("nan"), float("inf")])


@given(losses=st.lists(LOSSES, min_size=1, max_size=8), min_delta=st.floats(0, 1))
def test_it_is_the_one_that_the_trainer_keeps(losses: list[float], min_delta: float) -> None:
    assert MONITOR == WATCHED
    best = BestWeights(EarlyStoppingConfig(patience=100, min_delta=min_delta))
    network = SimpleNamespace(variables=[SimpleNamespace(numpy=lambda: 0)], trainable_variables=[])
    best.set_model(SimpleNamespace(network=network, optimizer=SimpleNamespace(use_ema=False)))
    history = [{MONITOR: loss} for loss in losses]
    for epoch, logs in enumerate(history):
        best.on_epoch_end(epoch, logs)
    assert kept_epoch(history, min_delta) is history[best.best_epoch]
