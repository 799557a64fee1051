"""`model`: the network."""

from pydantic import Field

from janus_core.strict import Count, StrictModel
from trainer.config.balancing import BalancingConfig, FixedBalancing
from trainer.config.trunk import AnyTrunk, SharedBottomTrunk


class ModelConfig(StrictModel):
    """The network."""

    trunk: AnyTrunk = Field(SharedBottomTrunk(), description="The layers between the encoded features and the towers.")
    towers: dict[str, list[Count]] = Field(
        {"default": [32]}, description="Sizes of each task's own layers. `default` is for tasks that are not named."
    )
    balancing: BalancingConfig = Field(FixedBalancing(), description="How the tasks' losses are combined.")
