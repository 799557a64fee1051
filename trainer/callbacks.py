"""Keras callbacks: the shuffle's epoch, the best weights and early stopping, checkpoints, and progress messages."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from janus_core.files import replacing
from janus_core.progress import PROGRESS, EpochEnded, EpochStarted, announce
from trainer.config import EarlyStoppingConfig
from trainer.distribution import replicas
from trainer.heads.base import Head
from trainer.multitask import BALANCED_LOSS
from trainer.names import log_name

MONITOR = f"val_{BALANCED_LOSS}"


class ShuffleEpoch(keras.callbacks.Callback):
    """Sets the epoch of the input pipeline's shuffle, counted from `first`."""

    def __init__(self, epoch: tf.Variable, first: int = 0):
        super().__init__()
        self._epoch, self._first = epoch, first

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Sets the variable before the epoch's iterator is created."""
        self._epoch.assign(self._first + epoch)


class BalancingEpoch(keras.callbacks.Callback):
    """Passes each epoch's mean training losses to the balancing; precedes `Checkpoint`, which saves its state."""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Passes on the tasks' losses."""
        values = logs or {}
        balancing = self.model.balancing
        balancing.end_epoch({task.name: float(values[f"{log_name(task.name)}_loss"]) for task in balancing.tasks})


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least balanced validation loss, and may stop early.

    Unlike that of Keras's EarlyStopping, its state can be checkpointed, so that a resumed training ends like an
    uninterrupted one.
    """

    def __init__(self, early_stopping: EarlyStoppingConfig | None):
        super().__init__()
        self._early_stopping = early_stopping
        self.best = float("inf")
        self.best_epoch = -1
        self.waited = 0
        self.weights: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Compares the epoch with the best one so far."""
        value = float((logs or {})[MONITOR])
        min_delta = self._early_stopping.min_delta if self._early_stopping else 0.0
        if value < self.best - min_delta or not self.weights:
            self.best, self.best_epoch, self.waited = value, epoch, 0
            self.weights = exported_weights(self.model)
        else:
            self.waited += 1
        if self._early_stopping and self.waited > self._early_stopping.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Restores the best epoch's weights."""
        _assign(self.model, self.weights)


class AveragedWeights(keras.callbacks.Callback):
    """Validates the moving average of the weights (`training.ema`) in place of the weights themselves.

    Differs from Keras's SwapEMAWeights in that training goes on, and is checkpointed, with the weights as they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own: list[np.ndarray] = []

    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Puts the average into the network."""
        self._own = [variable.numpy() for variable in self.model.network.variables]
        _assign(self.model, exported_weights(self.model))

    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Puts the weights back."""
        _assign(self.model, self._own)


def exported_weights(model: keras.Model) -> list[np.ndarray]:
    """The values of the network's variables that are exported: their moving averages, where the optimizer has them."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    trained = model.network.trainable_variables
    averages = optimizer._model_variables_moving_average if optimizer.use_ema else trained
    by_id = {id(variable): average for variable, average in zip(trained, averages, strict=True)}
    return [by_id.get(id(variable), variable).numpy() for variable in model.network.variables]


def _assign(model: keras.Model, values: list[np.ndarray]) -> None:
    for variable, value in zip(model.network.variables, values, strict=True):
        variable.assign(value)


class EpochHistory(keras.callbacks.Callback):
    """Every epoch's logs as plain numbers, also those of epochs before a resumption."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Appends the epoch."""
        self.epochs.append({name: float(value) for name, value in (logs or {}).items()})


class Checkpoint(keras.callbacks.Callback):
    """Writes all training state after each epoch, so that a killed training can resume.

    A checkpoint is one folder, renamed into place when it is complete: `state.json`, `variables.npz` (the network's,
    the optimizer's and the balancing's variables, in order) and `best.npz`.
    """

    def __init__(self, folder: Path, best: BestWeights, history: EpochHistory):
        super().__init__()
        self._folder = folder
        self._best = best
        self._history = history

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the checkpoint, then removes the one before it."""
        state = {
            "epoch": epoch,
            "best": self._best.best,
            "best_epoch": self._best.best_epoch,
            "waited": self._best.waited,
            "stopped": bool(self.model.stop_training),
            "history": self._history.epochs,
        }
        with replacing(self._folder / f"epoch-{epoch:05d}") as staging:
            staging.mkdir()
            _save(staging / "variables.npz", [variable.numpy() for variable in _state(self.model)])
            _save(staging / "best.npz", self._best.weights)
            (staging / "state.json").write_text(json.dumps(state), encoding="utf-8")
        for old in self._folder.glob("epoch-*"):
            if old.name != f"epoch-{epoch:05d}":
                shutil.rmtree(old, ignore_errors=True)

    def restore(self, model: keras.Model) -> tuple[int, bool]:
        """Loads the newest checkpoint, if there is one.

        Returns:
            The next epoch to train, and whether early stopping had already ended the training.
        """
        states = sorted(self._folder.glob("epoch-*/state.json"))
        if not states:
            return 0, False
        folder = states[-1].parent
        state = json.loads(states[-1].read_text(encoding="utf-8"))
        for variable, value in zip(_state(model), _load(folder / "variables.npz"), strict=True):
            variable.assign(value)
        self._best.weights = _load(folder / "best.npz")
        self._best.best, self._best.best_epoch = state["best"], state["best_epoch"]
        self._best.waited = state["waited"]
        self._history.epochs.extend(state["history"])
        PROGRESS.info("resumed after epoch %d from a checkpoint", state["epoch"] + 1)
        return state["epoch"] + 1, state["stopped"]


class Progress(keras.callbacks.Callback):
    """Announces the beginning of each epoch, and at its end each task's validation loss and headline metric."""

    def __init__(self, heads: Mapping[str, Head], epochs: int):
        super().__init__()
        self._heads = heads
        self._epochs = epochs
        self._started = time.monotonic()
        self._seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Starts the epoch's clock."""
        self._started = time.monotonic()
        announce(
            EpochStarted(
                epoch=epoch + 1,
                epochs=self._epochs,
                share_done=self._share_done(),
                seconds_per_epoch=mean(self._seconds) if self._seconds else None,
            )
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Announces the epoch's figures."""
        values = logs or {}
        self._seconds.append(time.monotonic() - self._started)
        tasks = {
            name: {metric: float(values[f"val_{log_name(name)}_{metric}"]) for metric in ("loss", head.headline)}
            for name, head in self._heads.items()
        }
        left = mean(self._seconds) * (self._epochs - epoch - 1)
        announce(EpochEnded(epoch + 1, self._epochs, self._seconds[-1], left, tasks))

    def _share_done(self) -> Callable[[], float] | None:
        # The optimizer counts steps anyway; a callback per batch would make Keras wait for each batch's losses.
        steps, iterations = self.params.get("steps"), self.model.optimizer.iterations
        if not steps or replicas() > 1:
            return None
        before = int(iterations.numpy())
        return lambda: min((int(iterations.numpy()) - before) / steps, 1.0)


def _state(model: keras.Model) -> list[Any]:
    return [*model.network.variables, *model.optimizer.variables, *model.balancing.variables]


def _save(path: Path, arrays: list[np.ndarray]) -> None:
    np.savez(path, **{f"{index:06d}": array for index, array in enumerate(arrays)})


def _load(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return [archive[name] for name in sorted(archive.files)]
