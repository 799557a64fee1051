"""One stack of layers for all tasks."""

from collections.abc import Sequence

import keras

from trainer.config import TrunkConfig
from trainer.trunks.base import Encode, Trunk


def shared_bottom(config: TrunkConfig, encode: Encode, tasks: Sequence[str]) -> Trunk:
    """One stack of dense layers whose output every tower reads (Caruana 1997, "Multitask Learning")."""
    hidden = encode("")
    dense = None
    for depth, units in enumerate(config.units):
        dense = keras.layers.Dense(units, activation=config.activation, name=f"trunk_{depth}")
        hidden = dense(hidden)
        if config.dropout:
            hidden = keras.layers.Dropout(config.dropout, name=f"trunk_{depth}_dropout")(hidden)
    return Trunk(towers=dict.fromkeys(tasks, hidden), last_shared=[dense] if dense else [])
