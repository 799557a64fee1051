"""How large a network will at least be, by its configuration alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from trainer.config.component import TrainerConfig
from trainer.config.trunk import AnyTrunk, CgcTrunk, CrossStitchTrunk, IndependentTrunk, MmoeTrunk, PleTrunk

LARGEST_NETWORK = 1_000_000_000
"""Parameters beyond which a configuration is refused."""

PARAMETER_BYTES = 16
"""In training: the weight, its gradient and Adam's two moments, in 32 bits each."""

_ACTIVATION_BYTES, _ROWS = 8, 512
"""A unit's activation and its gradient, in 32 bits each; and the most rows of a batch that are counted, since a table
may be smaller than a batch."""


@dataclass(frozen=True)
class NetworkSize:
    """The least size of a network: vocabularies, whose sizes are not known before training, are taken as empty.

    Attributes:
        parameters: key of the configuration → the number of parameters that it makes.
        training_bytes: of the parameters, their gradients and moments, and the activations of one batch.
    """

    parameters: dict[str, int]
    training_bytes: int

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parameters.values())

    @property
    def largest(self) -> str:
        """The key of the configuration that makes most of them."""
        return max(self.parameters, key=lambda key: self.parameters[key])


def network_size(config: TrainerConfig) -> NetworkSize:
    """The least size of a configuration's network."""
    model, tasks = config.model, len(config.tasks)
    copies = tasks if isinstance(model.trunk, IndependentTrunk) else 1
    sizes = {name: feature.network_size() for name, feature in config.features.items()}
    parameters = {f"features.{name}": copies * size.parameters for name, size in sizes.items()}
    width = sum(size.width for size in sizes.values())
    width += sum(feature.missing_indicator for feature in config.features.values())
    towers = [model.towers.get(name, model.towers.get("default", [])) for name in config.tasks]
    parameters["model.trunk"], units = trunk_size(model.trunk, width, tasks)
    parameters["model.towers"] = sum(_stack(model.trunk.units[-1], tower) for tower in towers)
    units += width + sum(map(sum, towers)) + copies * sum(size.inside for size in sizes.values())
    rows = min(config.training.batch_size, _ROWS)
    return NetworkSize(
        {key: model.members * number for key, number in parameters.items()},
        model.members * (PARAMETER_BYTES * sum(parameters.values()) + _ACTIVATION_BYTES * rows * units),
    )


def trunk_size(trunk: AnyTrunk, width: int, tasks: int) -> tuple[int, int]:
    """The parameters and the units of a trunk that reads `width` numbers."""
    stack, units = _stack(width, trunk.units), sum(trunk.units)
    if isinstance(trunk, IndependentTrunk):
        return tasks * stack, tasks * units
    if isinstance(trunk, CrossStitchTrunk):
        return tasks * stack + tasks**2 * len(trunk.units), tasks * units
    if isinstance(trunk, MmoeTrunk):
        return trunk.experts * stack + tasks * width * trunk.experts, trunk.experts * units
    if isinstance(trunk, CgcTrunk | PleTrunk):
        experts = trunk.shared_experts + tasks * trunk.task_experts
        gates = tasks * (trunk.shared_experts + trunk.task_experts)
        levels = trunk.levels if isinstance(trunk, PleTrunk) else 1
        below = trunk.units[-1]
        above = experts * _stack(below, trunk.units) + gates * below
        # All levels but the last also have a gate of all experts.
        shared_gates = experts * (width + (levels - 2) * below) if levels > 1 else 0
        return experts * stack + gates * width + (levels - 1) * above + shared_gates, levels * experts * units
    return stack, units


def _stack(width: int, units: Sequence[int]) -> int:
    return sum((before + 1) * after for before, after in pairwise([width, *units]))
