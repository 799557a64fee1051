"""A network of three numbers, one encoding layer, a trunk and a linear head per task, all weights random."""

from typing import Any

import keras
import numpy as np

from trainer.config import ModelConfig
from trainer.network import Network
from trainer.trunks import TRUNKS

WIDTH, ENCODED = 3, 5
EVERY_KIND = {
    "shared_bottom": {},
    "mmoe": {"experts": 3},
    "cgc": {"shared_experts": 1, "task_experts": 2},
    "ple": {"levels": 2, "shared_experts": 1, "task_experts": 2},
    "cross_stitch": {"alpha": 0.8},
    "none": {},
}
"""Keys that tell each kind's layers from another's by their sizes."""


def small_network(kind: str, tasks: tuple[str, ...] = ("a", "b"), **keys: Any) -> Network:
    """The network with a trunk of this kind; by default of layers of 4 and 2 units."""
    config = ModelConfig.model_validate(
        {"trunk": {"kind": kind, "units": [4, 2], "activation": "tanh", **EVERY_KIND[kind], **keys}}
    ).trunk
    inputs = {"x": keras.Input((WIDTH,), name="x")}
    trunk = TRUNKS[kind](
        config, lambda prefix: keras.layers.Dense(ENCODED, name=f"{prefix}encoder")(inputs["x"]), list(tasks)
    )
    outputs = {
        task: keras.layers.Dense(1, name=f"{task}_head", dtype="float32")(hidden)
        for task, hidden in trunk.towers.items()
    }
    network = Network(
        model=keras.Model(inputs, outputs),
        gates=keras.Model(inputs, {key: gate.weights for key, gate in trunk.gates.items()}) if trunk.gates else None,
        experts={key: gate.experts for key, gate in trunk.gates.items()},
        last_shared=trunk.last_shared,
    )
    randomise(network.model)
    return network


def randomise(model: keras.Model) -> None:
    """Gives every variable, biases too, values of its own."""
    rng = np.random.default_rng(7)
    for variable in model.variables:
        variable.assign(rng.normal(size=variable.shape))


def rows(count: int = 6) -> dict[str, np.ndarray]:
    """Inputs."""
    return {"x": np.random.default_rng(1).normal(size=(count, WIDTH)).astype(np.float32)}


def weights(network: Network, layer: str) -> list[np.ndarray]:
    """A layer's weights in float64."""
    return [value.astype(np.float64) for value in network.model.get_layer(layer).get_weights()]


def layers_of(network: Network, variables: list[keras.Variable]) -> set[str]:
    """The names of the layers that hold the variables, and all of whose trainable variables are among them."""
    found = {id(variable) for variable in variables}
    return {
        layer.name
        for layer in network.model.layers
        if layer.trainable_variables and found >= {id(variable) for variable in layer.trainable_variables}
    }
