"""What a trunk is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

Encode = Callable[[str], Any]
"""Prefix of layer names → all features encoded and joined, float32 [batch, width]; each call makes new layers."""


@dataclass(frozen=True)
class Gate:
    """How one mixture of experts is weighed.

    Attributes:
        weights: float32 [batch, experts], rows summing to 1.
        experts: their names, in the order of the columns.
    """

    weights: Any
    experts: list[str]


@dataclass(frozen=True)
class Trunk:
    """What lies between the encoded features and the towers.

    Attributes:
        towers: each task's input to its tower, float32 [batch, width] (or the compute dtype of mixed precision).
        gates: for a trunk that mixes experts: each task's gate by `<task>`, or by `<task>/level_<n>` where there are
            several; gates that belong to no task stand under `shared/…`.
        last_shared: the last layers with weights that several tasks share; empty where nothing is shared.
    """

    towers: dict[str, Any]
    gates: dict[str, Gate] = field(default_factory=dict)
    last_shared: list[keras.layers.Layer] = field(default_factory=list)


BuildTrunk = Callable[[Any, Encode, Sequence[str]], Trunk]
"""(the trunk's configuration, encode, names of the tasks) → the trunk."""
