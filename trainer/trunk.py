"""Trunks: the part of the network that the tasks share. A new kind is one function and one line in `TRUNKS`."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from trainer.config import TrunkConfig


def shared_bottom(config: TrunkConfig, encoded: Any, tasks: Sequence[str]) -> dict[str, Any]:
    """One stack of dense layers whose output every tower reads (Caruana 1997, "Multitask Learning").

    Args:
        config: sizes, activation, dropout.
        encoded: float32 [batch, width], all features.
        tasks: their names.

    Returns:
        Each task's input to its tower, float32 [batch, units[-1]].
    """
    hidden = encoded
    for depth, units in enumerate(config.units):
        hidden = keras.layers.Dense(units, activation=config.activation, name=f"trunk_{depth}")(hidden)
        if config.dropout:
            hidden = keras.layers.Dropout(config.dropout, name=f"trunk_{depth}_dropout")(hidden)
    return dict.fromkeys(tasks, hidden)


TRUNKS: dict[str, Callable[[TrunkConfig, Any, Sequence[str]], dict[str, Any]]] = {"shared_bottom": shared_bottom}
