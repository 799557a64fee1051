"""Experts, side by side in one layer, and gates that mix them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from trainer.config import ExpertsConfig, TrunkConfig
from trainer.trunks.base import Gate


class ExpertLayer(keras.layers.Layer):
    """A dense layer of each of several experts, as one batched product.

    Inputs are [batch, width], the same for every expert, or [experts, batch, width]; outputs [experts, batch, units]:
    with the experts first, no product needs a transposition. Kernels, [experts, width, units], begin as Glorot and
    Bengio's uniform (2010), by each expert's own sizes.
    """

    def __init__(self, experts: int, units: int, activation: str, name: str):
        super().__init__(name=name)
        self._experts = experts
        self._units = units
        self._activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes kernel and bias."""
        width = int(input_shape[-1] or 0)
        limit = math.sqrt(6 / (width + self._units))
        self.kernel = self.add_weight(
            shape=(self._experts, width, self._units),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self._experts, 1, self._units), initializer="zeros", name="bias")

    def call(self, inputs: Any) -> Any:
        """[batch, width] or [experts, batch, width] → [experts, batch, units]."""
        by_expert = inputs if len(inputs.shape) == 3 else ops.expand_dims(inputs, 0)
        return self._activation(ops.matmul(by_expert, self.kernel) + self.bias)


class Mixture(keras.layers.Layer):
    """The sum of experts, each row by its own weights."""

    def call(self, weights: Any, banks: Sequence[Any]) -> Any:
        """[batch, experts] and the experts' outputs in one or several [experts, batch, units] → [batch, units]."""
        by_expert = ops.expand_dims(ops.transpose(weights), -1)
        parts, start = [], 0
        for outputs in banks:
            end = start + outputs.shape[0]
            parts.append(ops.sum(by_expert[start:end] * outputs, axis=0))
            start = end
        return sum(parts[1:], parts[0])


@dataclass(frozen=True)
class Bank:
    """Experts that are shared by the same tasks.

    Attributes:
        outputs: [experts, batch, units].
        experts: their names.
        last: the last layer with weights.
    """

    outputs: Any
    experts: list[str]
    last: keras.layers.Layer


def expert_layer(
    config: TrunkConfig, depth: int, experts: int, hidden: Any, prefix: str
) -> tuple[Any, keras.layers.Layer]:
    """Layer number `depth` of several experts, with dropout, named `<prefix>experts_<depth>`: outputs and the layer."""
    layer = ExpertLayer(experts, config.units[depth], config.activation, name=f"{prefix}experts_{depth}")
    hidden = layer(hidden)
    if config.dropout:
        hidden = keras.layers.Dropout(config.dropout, name=f"{prefix}experts_{depth}_dropout")(hidden)
    return hidden, layer


def make_bank(config: ExpertsConfig, names: Sequence[str], inputs: Any, prefix: str) -> Bank:
    """A stack of dense layers per name, all reading `inputs`, [batch, width]."""
    hidden = inputs
    for depth in range(len(config.units)):
        hidden, layer = expert_layer(config, depth, len(names), hidden, prefix)
    return Bank(hidden, list(names), layer)


def mix(selector: Any, banks: Sequence[Bank], prefix: str) -> tuple[Any, Gate]:
    """A gate over the banks' experts: a linear layer without bias on `selector`, [batch, width], then softmax.

    The softmax is computed in float32 whatever the precision of the rest.

    Returns:
        The mixture, [batch, units], and the gate.
    """
    experts = [expert for bank in banks for expert in bank.experts]
    weights = keras.layers.Dense(
        len(experts), use_bias=False, activation="softmax", dtype="float32", name=f"{prefix}gate"
    )(selector)
    return Mixture(name=f"{prefix}mixture")(weights, [bank.outputs for bank in banks]), Gate(weights, experts)
