"""Dense layers, one on the other."""

from typing import Any

import keras

from trainer.config import TrunkConfig


def dense_stack(config: TrunkConfig, hidden: Any, prefix: str) -> tuple[Any, keras.layers.Layer]:
    """Dense layers with dropout, named `<prefix>trunk_<depth>`.

    Args:
        config: of which `units`, `activation` and `dropout` count.
        hidden: [batch, width].
        prefix: of the layers' names.

    Returns:
        The output, [batch, units of the last layer], and the last layer with weights.
    """
    for depth, units in enumerate(config.units):
        dense = keras.layers.Dense(units, activation=config.activation, name=f"{prefix}trunk_{depth}")
        hidden = dense(hidden)
        if config.dropout:
            hidden = keras.layers.Dropout(config.dropout, name=f"{prefix}trunk_{depth}_dropout")(hidden)
    return hidden, dense
