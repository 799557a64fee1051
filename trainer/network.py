"""The network: an encoder per feature, one trunk, a tower and a head per task; or several of them, averaged."""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import keras
import numpy as np
import tensorflow_transform as tft
from keras import ops

from trainer.config import CyclicalFeature, NumericFeature, SequenceTagsTask, TrainerConfig, dependency_order
from trainer.config.features.datetime import DatetimeFeature
from trainer.encoders import ENCODERS
from trainer.encoders.cyclical import turn
from trainer.encoders.piecewise_linear import PiecewiseLinear, edges_of
from trainer.encoders.sequence import states_name
from trainer.heads.base import Head
from trainer.heads.sequence_tags import over_tokens
from trainer.names import missing_name
from trainer.trunks import TRUNKS
from trainer.trunks.base import Encode


@dataclass(frozen=True)
class Network:
    """A network, with the parts that balancing and reports use.

    Attributes:
        model: functional: transformed features → each task's raw output, float32 [batch, units]; of several members,
            that of their mean prediction.
        gates: functional: the same features → each gate's weights, float32 [batch, experts], by the keys of
            `Trunk.gates`; None without gates.
        experts: the experts' names in the order of the weights, by the same keys.
        last_shared: see `Trunk`.
        members: the networks that are packed in it; empty if there is only one.
    """

    model: keras.Model
    gates: keras.Model | None
    experts: dict[str, list[str]]
    last_shared: list[keras.layers.Layer]
    members: list["Network"] = field(default_factory=list)

    @cached_property
    def shared_variables(self) -> list[keras.Variable]:
        """The trainable variables that at least two tasks' outputs depend on, in the model's order.

        They are derived from the graph, layer by layer: a layer must not have both shared variables and a task's own.
        """
        if self.members:
            return [variable for member in self.members for variable in member.shared_variables]
        uses = Counter(
            id(variable)
            for output in self.model.output.values()
            for variable in _functional(self.model.input, output).trainable_variables
        )
        return [variable for variable in self.model.trainable_variables if uses[id(variable)] > 1]


def build_network(
    config: TrainerConfig,
    transform: tft.TFTransformOutput,
    heads: Mapping[str, Head],
    edges: Mapping[str, np.ndarray] | None = None,
) -> Network:
    """Encoders, trunk, towers and heads, in layers named after the features and tasks that they belong to.

    Features that are encoded piecewise linearly need `edges`, which `feature_edges` gives.
    """
    inputs = feature_inputs(config, transform)
    encode = partial(_encode, config, transform, inputs, edges or {})
    if config.model.members == 1:
        return _one_network(config, inputs, encode, heads, "network")
    members = [_one_network(config, inputs, encode, heads, f"member_{n}") for n in range(config.model.members)]
    raw = [member.model(inputs) for member in members]
    gated = [member.gates(inputs) for member in members if member.gates is not None]
    gates = {key: ops.concatenate([one[key] for one in gated], axis=1) / len(members) for key in members[0].experts}
    return Network(
        model=_functional(
            inputs,
            {name: Average(head, name=f"{name}_average")([one[name] for one in raw]) for name, head in heads.items()},
            name="network",
        ),
        gates=_functional(inputs, gates) if gates else None,
        experts={
            key: [f"{member.model.name}.{expert}" for member in members for expert in member.experts[key]]
            for key in gates
        },
        last_shared=[layer for member in members for layer in member.last_shared],
        members=members,
    )


class Average(keras.layers.Layer):
    """The raw output of the members' mean prediction of a task."""

    def __init__(self, head: Head, name: str):
        super().__init__(name=name, dtype="float32")
        self._average = head.average

    def call(self, raw: Sequence[Any]) -> Any:
        """The members' raw outputs, [batch, units] each → [batch, units]."""
        return self._average(list(raw))

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """See Keras."""
        return input_shape[0]


def members_of(network: keras.Model) -> list[keras.Model]:
    """The networks that are packed in a network, or the network itself."""
    return [layer for layer in network.layers if isinstance(layer, keras.Model)] or [network]


def _one_network(
    config: TrainerConfig,
    inputs: Mapping[str, keras.KerasTensor],
    encode: Encode,
    heads: Mapping[str, Head],
    model_name: str,
) -> Network:
    settings = config.model.trunk
    trunk = TRUNKS[settings.kind](settings, encode, list(config.tasks))
    outputs: dict[str, keras.KerasTensor] = {}
    for name in dependency_order(config.tasks):
        hidden = trunk.towers[name]
        sizes = config.model.towers.get(name, config.model.towers.get("default", []))
        dropout = config.model.tower_dropout.get(name, config.model.tower_dropout.get("default", 0.0))
        for depth, units in enumerate(sizes):
            hidden = keras.layers.Dense(units, activation=settings.activation, name=f"{name}_tower_{depth}")(hidden)
            if dropout:
                hidden = keras.layers.Dropout(dropout, name=f"{name}_tower_{depth}_dropout")(hidden)
        task = config.tasks[name]
        if isinstance(task, SequenceTagsTask):
            states = _states(inputs, trunk.towers[name], task.sequence)
            hidden = over_tokens(name, inputs[task.sequence], states, hidden)
        outputs[name] = heads[name].build(hidden, outputs)
    return Network(
        model=_functional(inputs, outputs, name=model_name),
        gates=_functional(inputs, {key: gate.weights for key, gate in trunk.gates.items()}) if trunk.gates else None,
        experts={key: gate.experts for key, gate in trunk.gates.items()},
        last_shared=trunk.last_shared,
    )


def _states(inputs: Mapping[str, keras.KerasTensor], hidden: keras.KerasTensor, sequence: str) -> keras.KerasTensor:
    """The states of a sequence's tokens in that encoder, of perhaps several, which a task's tower reads."""
    layers = _functional(inputs, hidden).layers
    return next(layer.output for layer in layers if layer.name.endswith(states_name(sequence)))


def _encode(
    config: TrainerConfig,
    transform: tft.TFTransformOutput,
    inputs: Mapping[str, keras.KerasTensor],
    edges: Mapping[str, np.ndarray],
    prefix: str,
) -> keras.KerasTensor:
    """All features concatenated, float32 [batch, width], by layers whose names begin with `prefix`."""
    encoded = [
        ENCODERS[feature.kind].encode(name, feature, transform, inputs, prefix)
        for name, feature in config.features.items()
    ]
    encoded += [inputs[missing_name(name)] for name, feature in config.features.items() if feature.missing_indicator]
    binned = [name for name in edges if len(edges[name]) > 1]
    if binned:
        numbers = [_number(config, name, inputs[name]) for name in binned]
        joined = keras.layers.Concatenate(name=f"{prefix}numbers")(numbers) if len(numbers) > 1 else numbers[0]
        encoded.append(PiecewiseLinear([edges[name] for name in binned], f"{prefix}piecewise_linear")(joined))
    return keras.layers.Concatenate(name=f"{prefix}features")(encoded) if len(encoded) > 1 else encoded[0]


def binned_features(config: TrainerConfig) -> list[str]:
    """The features that are encoded piecewise linearly."""
    return [
        name
        for name, feature in config.features.items()
        if isinstance(feature, NumericFeature | CyclicalFeature | DatetimeFeature)
        and (feature.encoding or config.model.encoding) == "piecewise_linear"
        and getattr(feature, "scale", None) != "bucketize"
        and "trend" in getattr(feature, "chosen", ["trend"])
    ]


def feature_edges(config: TrainerConfig, sample: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Feature → its edges, for `build_network`, from a sample: transformed feature → float32 [rows, width]."""
    return {name: edges_of(np.asarray(_number(config, name, sample[name]))[:, 0]) for name in binned_features(config)}


def _number(config: TrainerConfig, name: str, transformed: Any) -> Any:
    """The number that a piecewise-linear encoding reads, float32 [batch, 1]."""
    feature = config.features[name]
    if isinstance(feature, DatetimeFeature):
        # The trend comes first.
        return transformed[:, :1]
    return turn(transformed) if isinstance(feature, CyclicalFeature) else transformed


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
