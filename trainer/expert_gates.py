"""The utilisation of expert gates: the mean weight of each expert in each task's gate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from trainer.names import log_name
from trainer.network import Network

Features: TypeAlias = Mapping[str, tf.Tensor]
WeightSums: TypeAlias = Callable[[Features], tuple[tf.Tensor, dict[str, tf.Tensor]]]


class GateUtilisation(keras.callbacks.Callback):
    """Adds each gate's mean weights over the validation rows to the epoch's logs, under `utilisation_name`.

    It must precede the callbacks that record the logs. A network without gates adds nothing.
    """

    def __init__(self, network: Network, validation: tf.data.Dataset):
        super().__init__()
        self._experts = network.experts
        self._sums = weight_sums(network.gates) if network.gates is not None else None
        self._validation = validation

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Adds the epoch's utilisation."""
        if self._sums is not None and logs is not None:
            features = (features for features, _, _ in self._validation)
            logs.update(mean_weights(self._sums, self._experts, features))


def weight_sums(gates: keras.Model) -> WeightSums:
    """Compiles: features → the number of rows, and each gate's weights summed over them, float32 [experts]."""

    @tf.function(reduce_retracing=True, autograph=False)
    def sums(features: Features) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        weights = gates(features, training=False)
        rows = tf.shape(next(iter(weights.values())))[0]
        return rows, {gate: tf.reduce_sum(values, axis=0) for gate, values in weights.items()}

    return sums


def mean_weights(
    sums: WeightSums, experts: Mapping[str, Sequence[str]], batches: Iterable[Features]
) -> dict[str, float]:
    """Mean weights over all rows of batches of features, by `utilisation_name`; `sums` is a result of `weight_sums`."""
    rows, totals = 0, {gate: np.zeros(len(names)) for gate, names in experts.items()}
    for features in batches:
        batch_rows, batch_sums = sums(features)
        rows += int(batch_rows)
        for gate, values in batch_sums.items():
            totals[gate] += values.numpy()
    return {
        utilisation_name(gate, expert): float(total / rows)
        for gate, names in experts.items()
        for expert, total in zip(names, totals[gate], strict=True)
    }


def utilisation_name(gate: str, expert: str) -> str:
    """The name in the logs: `val_<task>_gate/<expert>`, or `val_<task>_gate/<level>/<expert>`."""
    owner, _, level = gate.partition("/")
    return _prefix(owner) + (f"{level}/{expert}" if level else expert)


def utilisation_of(task: str, logs: Mapping[str, Any]) -> dict[str, Any]:
    """A task's gate weights in an epoch's logs: `<expert>`, or `<level>/<expert>`, → mean weight."""
    prefix = _prefix(task)
    return {name.removeprefix(prefix): value for name, value in logs.items() if name.startswith(prefix)}


def _prefix(owner: str) -> str:
    return f"val_{log_name(owner)}_gate/"
