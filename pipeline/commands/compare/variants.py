"""What `janus compare` trains: multi-task networks, single-task networks, and single-task networks of equal size."""

import difflib
import math
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from janus_core.errors import ConfigError
from trainer.config import ModelConfig, TrainerConfig, given_of

ALL = "all"

LARGEST_FACTOR = 64.0
STEPS = 24
"""The number of bisections in the search for the width that gives a network of a wanted size."""


@dataclass(frozen=True)
class Candidate:
    """A multi-task network: the kinds of a trunk and a balancing; `own`: whether it is the configuration's."""

    trunk: str
    balancing: str
    own: bool
    config: TrainerConfig

    @property
    def name(self) -> str:
        """For people, and unique."""
        return f"{self.trunk} × {self.balancing}"


def base_config(config: TrainerConfig, epochs: int | None = None) -> TrainerConfig:
    """The configuration as it is compared: trained from scratch, in this process.

    Raises:
        ConfigError: it has one task.
    """
    if len(config.tasks) < 2:
        raise ConfigError(
            f"there is nothing to compare: the configuration has one task, '{next(iter(config.tasks))}'; "
            "`janus compare` needs at least two that share a network"
        )
    changes: dict[str, Any] = {"distribution": "none", "warm_start": False}
    if epochs is not None:
        changes["epochs"] = epochs
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def kinds_of(key: Literal["trunk", "balancing"]) -> list[str]:
    """All that `model.<key>.kind` may be."""
    members = typing.get_args(ModelConfig.model_fields[key].annotation)
    return [str(kind) for member in members for kind in typing.get_args(member.model_fields["kind"].annotation)]


def chosen(option: str, given: str | None, allowed: Sequence[str], own: str) -> list[str]:
    """The kinds that a comma-separated option names, `all`, or the configuration's own where it is not given.

    Raises:
        ConfigError: a name is unknown; the message suggests the nearest.
    """
    if given is None:
        return [own]
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if names == [ALL]:
        return list(allowed)
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ConfigError(f"{option}: '{name}' is unknown.{hint} Allowed: {', '.join(allowed)}, or {ALL}")
    if not names:
        raise ConfigError(f"{option}: expected names, separated by commas, of {', '.join(allowed)}, or {ALL}")
    return names


def candidates(config: TrainerConfig, trunks: Iterable[str], balancings: Iterable[str]) -> list[Candidate]:
    """The product of trunks and balancings; the configuration's own model is always one of them, and comes first."""
    own = (config.model.trunk.kind, config.model.balancing.kind)
    pairs = dict.fromkeys([own, *((trunk, balancing) for trunk in trunks for balancing in balancings)])
    return [
        Candidate(trunk, balancing, pair == own, _with_model(config, _trunk(config, trunk), balancing))
        for pair in pairs
        for trunk, balancing in [pair]
    ]


def rebalanced(candidate: Candidate, balancing: str) -> Candidate:
    """The candidate with another kind of balancing."""
    config = _with_model(candidate.config, candidate.config.model.trunk.model_dump(), balancing)
    return Candidate(candidate.trunk, balancing, candidate.own, config)


def single_task(config: TrainerConfig, task: str) -> TrainerConfig:
    """The network of one task alone: encoders, one stack of the trunk's `units`, the task's tower and head.

    The stack is the same for every kind of trunk, so that all multi-task networks are held against the same ones. A
    `loss_weight` has no meaning for one task, and a task that is `given` another predicts the probability of both by
    itself.
    """
    alone: dict[str, Any] = {"loss_weight": 1.0}
    if given_of(config.tasks[task]) is not None:
        alone["given"] = None
    towers = config.model.towers
    dropout = config.model.tower_dropout
    own = {
        "trunk": {"kind": "shared_bottom", **_shape(config)},
        "towers": {"default": towers.get(task, towers.get("default", []))},
        "tower_dropout": {name: dropout[name] for name in (task, "default") if name in dropout},
        "balancing": {"kind": "fixed"},
    }
    model = ModelConfig.model_validate(config.model.model_dump() | own)
    return config.model_copy(update={"tasks": {task: config.tasks[task].model_copy(update=alone)}, "model": model})


def widened(config: TrainerConfig, factor: float) -> TrainerConfig:
    """The same network with the sizes of all its hidden layers multiplied; encoders stay as they are."""

    def scaled(units: Iterable[int]) -> list[int]:
        return [max(1, math.floor(factor * size + 0.5)) for size in units]

    trunk = config.model.trunk.model_copy(update={"units": scaled(config.model.trunk.units)})
    towers = {name: scaled(units) for name, units in config.model.towers.items()}
    return config.model_copy(update={"model": config.model.model_copy(update={"trunk": trunk, "towers": towers})})


def of_equal_size(
    config: TrainerConfig, target: int, count: Callable[[TrainerConfig], int]
) -> tuple[TrainerConfig, float]:
    """The `widened` network whose number of parameters is nearest to a target, and its factor.

    By bisection on counted parameters, which do not fall as the factor grows. Where even layers of one unit have too
    many (embeddings are not scaled), it is these.
    """
    counted: dict[str, tuple[int, TrainerConfig, float]] = {}

    def size(factor: float) -> int:
        found = widened(config, factor)
        key = found.model.model_dump_json()
        if key not in counted:
            counted[key] = (count(found), found, factor)
        return counted[key][0]

    low, high = 0.0, 1.0
    size(low)
    while size(high) < target and high < LARGEST_FACTOR:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        if size(middle) < target:
            low = middle
        else:
            high = middle
    _, best, factor = min(counted.values(), key=lambda item: (abs(item[0] - target), item[2]))
    return best, factor


def _trunk(config: TrainerConfig, kind: str) -> dict[str, Any]:
    own = config.model.trunk
    return own.model_dump() if kind == own.kind else {"kind": kind, **_shape(config)}


def _shape(config: TrainerConfig) -> dict[str, Any]:
    trunk = config.model.trunk
    return {"units": trunk.units, "dropout": trunk.dropout, "activation": trunk.activation}


def _with_model(config: TrainerConfig, trunk: dict[str, Any], balancing: str) -> TrainerConfig:
    """The configuration with another trunk and balancing; all else of the model, such as its members, stays."""
    own = config.model.balancing
    changed = {"trunk": trunk, "balancing": own.model_dump() if balancing == own.kind else {"kind": balancing}}
    return config.model_copy(update={"model": ModelConfig.model_validate(config.model.model_dump() | changed)})
