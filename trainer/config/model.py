"""`model`: the network."""

from pydantic import Field

from janus_core.strict import Count, Rate, StrictModel
from trainer.config.balancing import BalancingConfig, FixedBalancing
from trainer.config.features.numbers import Encoding
from trainer.config.trunk import AnyTrunk, SharedBottomTrunk


class ModelConfig(StrictModel):
    """The network."""

    trunk: AnyTrunk = Field(SharedBottomTrunk(), description="The layers between the encoded features and the towers.")
    towers: dict[str, list[Count]] = Field(
        {"default": [32]}, description="Sizes of each task's own layers. `default` is for tasks that are not named."
    )
    tower_dropout: dict[str, Rate] = Field(
        {},
        description="The dropout rate after each layer of a task's tower. `default` is for tasks that are not named; "
        "without it, they have no dropout.",
    )
    encoding: Encoding = Field(
        "raw",
        description="How the network receives numeric and cyclical features. raw: the scaled number itself; "
        "piecewise_linear: beside it, a piecewise-linear encoding (Gorishniy et al. 2022) with up to 48 edges at "
        "quantiles of the training rows. A feature's own `encoding` takes precedence.",
    )
    members: Count = Field(
        1,
        description="The number of networks that are trained side by side on the same batches, each with initial "
        "weights of its own. Their predictions are averaged: probabilities of classes, and numbers as they are.",
    )
    balancing: BalancingConfig = Field(FixedBalancing(), description="How the tasks' losses are combined.")
