"""The network: an encoder per feature, one trunk, a tower and a head per task."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import keras
import tensorflow_transform as tft

from trainer.config import TrainerConfig, dependency_order
from trainer.encoders import ENCODERS
from trainer.heads.base import Head
from trainer.names import missing_name
from trainer.trunks import TRUNKS


@dataclass(frozen=True)
class Network:
    """A network, with the parts that balancing and reports use.

    Attributes:
        model: functional: transformed features → each task's raw output, float32 [batch, units].
        gates: functional: the same features → each gate's weights, float32 [batch, experts], by the keys of
            `Trunk.gates`; None without gates.
        experts: the experts' names in the order of the weights, by the same keys.
        last_shared: see `Trunk`.
    """

    model: keras.Model
    gates: keras.Model | None
    experts: dict[str, list[str]]
    last_shared: list[keras.layers.Layer]

    @cached_property
    def shared_variables(self) -> list[keras.Variable]:
        """The trainable variables that at least two tasks' outputs depend on, in the model's order.

        They are derived from the graph, layer by layer: a layer must not have both shared variables and a task's own.
        """
        uses = Counter(
            id(variable)
            for output in self.model.output.values()
            for variable in _functional(self.model.input, output).trainable_variables
        )
        return [variable for variable in self.model.trainable_variables if uses[id(variable)] > 1]


def build_network(config: TrainerConfig, transform: tft.TFTransformOutput, heads: Mapping[str, Head]) -> Network:
    """Encoders, trunk, towers and heads, in layers named after the features and tasks that they belong to."""
    inputs = feature_inputs(config, transform)
    settings = config.model.trunk
    trunk = TRUNKS[settings.kind](settings, partial(_encode, config, transform, inputs), list(config.tasks))
    outputs: dict[str, keras.KerasTensor] = {}
    for name in dependency_order(config.tasks):
        hidden = trunk.towers[name]
        sizes = config.model.towers.get(name, config.model.towers.get("default", []))
        for depth, units in enumerate(sizes):
            hidden = keras.layers.Dense(units, activation=settings.activation, name=f"{name}_tower_{depth}")(hidden)
        outputs[name] = heads[name].build(hidden, outputs)
    return Network(
        model=_functional(inputs, outputs, name="network"),
        gates=_functional(inputs, {key: gate.weights for key, gate in trunk.gates.items()}) if trunk.gates else None,
        experts={key: gate.experts for key, gate in trunk.gates.items()},
        last_shared=trunk.last_shared,
    )


def _encode(
    config: TrainerConfig, transform: tft.TFTransformOutput, inputs: Mapping[str, keras.KerasTensor], prefix: str
) -> keras.KerasTensor:
    """All features concatenated, float32 [batch, width], by layers whose names begin with `prefix`."""
    encoded = [
        ENCODERS[feature.kind].encode(name, feature, transform, inputs, prefix)
        for name, feature in config.features.items()
    ]
    encoded += [inputs[missing_name(name)] for name, feature in config.features.items() if feature.missing_indicator]
    return keras.layers.Concatenate(name=f"{prefix}features")(encoded) if len(encoded) > 1 else encoded[0]


def feature_inputs(config: TrainerConfig, transform: tft.TFTransformOutput) -> dict[str, keras.KerasTensor]:
    """A Keras input for each transformed feature that the network reads.

    The dot in its name avoids collisions with layers' names, such as that of a feature called `features`.
    """
    specs = transform.transformed_feature_spec()
    return {
        name: keras.Input(shape=tuple(specs[name].shape), dtype=specs[name].dtype.name, name=f"{name}.input")
        for name in config.network_inputs()
    }


def _functional(inputs: Mapping[str, keras.KerasTensor], outputs: Any, **arguments: str) -> keras.Model:
    with warnings.catch_warnings():
        # The keys are deliberately not the inputs' names: see `feature_inputs`.
        warnings.filterwarnings("ignore", message="When providing `inputs` as a dict", category=UserWarning)
        return keras.Model(inputs, outputs, **arguments)
