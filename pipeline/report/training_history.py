"""The history that the Trainer writes: each epoch's losses, metrics and weights, and the number of labels."""

import json
from typing import Any

from tfx.dsl.io import fileio

HISTORY_FILE, LABELLED_FILE = "history.json", "labelled.json"
MONITOR = "val_balanced_loss"

Epoch = dict[str, float]
"""Name → value at the end of an epoch."""


def read_history(model_run_uri: str) -> list[Epoch]:
    """The epochs of a training, in order; empty if there is no history.

    Args:
        model_run_uri: folder of the Trainer's `model_run` artifact.
    """
    return _read(f"{model_run_uri}/{HISTORY_FILE}", [])


def read_labelled(model_run_uri: str) -> dict[str, int]:
    """Task → rows of the train split with a label and a weight above 0; empty if the training has not ended."""
    return _read(f"{model_run_uri}/{LABELLED_FILE}", {})


def _read(path: str, default: Any) -> Any:
    if not fileio.exists(path):
        return default
    with fileio.open(path, "r") as file:
        return json.load(file)


def kept_epoch(history: list[Epoch], min_delta: float = 0.0) -> Epoch | None:
    """The epoch whose weights were exported: `trainer.callbacks.BestWeights` keeps the first of the least loss.

    Args:
        history: the epochs.
        min_delta: the least fall that counts, `training.early_stopping.min_delta`.
    """
    kept: Epoch | None = None
    for epoch in history:
        if kept is None or epoch[MONITOR] < kept[MONITOR] - min_delta:
            kept = epoch
    return kept
