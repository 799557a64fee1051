"""The network: an encoder per feature, one trunk, a tower and a head per task."""

from collections.abc import Mapping

import keras
import tensorflow as tf
import tensorflow_transform as tft

from trainer.config import TrainerConfig
from trainer.encoders import ENCODERS
from trainer.heads.base import Head
from trainer.names import missing_name
from trainer.trunk import TRUNKS


def build_network(config: TrainerConfig, transform: tft.TFTransformOutput, heads: Mapping[str, Head]) -> keras.Model:
    """A functional model: transformed features → each task's raw output, float32 [batch, units].

    Layers are named after the features and tasks that they belong to.
    """
    inputs = feature_inputs(config, transform)
    encoded = [
        ENCODERS[feature.kind].encode(name, feature, transform, inputs) for name, feature in config.features.items()
    ]
    encoded += [inputs[missing_name(name)] for name, feature in config.features.items() if feature.missing_indicator]
    joined = keras.layers.Concatenate(name="features")(encoded) if len(encoded) > 1 else encoded[0]
    trunk = config.model.trunk
    towers = TRUNKS[trunk.kind](trunk, joined, list(config.tasks))
    outputs = {}
    for name, hidden in towers.items():
        sizes = config.model.towers.get(name, config.model.towers.get("default", []))
        for depth, units in enumerate(sizes):
            hidden = keras.layers.Dense(units, activation=trunk.activation, name=f"{name}_tower_{depth}")(hidden)
        outputs[name] = keras.layers.Dense(
            heads[name].units,
            bias_initializer=keras.initializers.Constant(heads[name].initial_bias),
            name=f"{name}_head",
            dtype="float32",
        )(hidden)
    return keras.Model(inputs, outputs, name="network")


def feature_inputs(config: TrainerConfig, transform: tft.TFTransformOutput) -> dict[str, keras.KerasTensor]:
    """A Keras input for each transformed feature that the network reads."""
    specs = transform.transformed_feature_spec()
    names = list(config.features)
    names += [missing_name(name) for name, feature in config.features.items() if feature.missing_indicator]
    return {name: keras.Input(shape=_length(specs[name]), dtype=specs[name].dtype.name, name=name) for name in names}


def _length(spec: tf.io.FixedLenFeature) -> tuple[int, ...]:
    return tuple(spec.shape)
