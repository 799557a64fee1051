"""`model.balancing`: how the tasks' losses become one."""

from typing import Literal

from pydantic import Field

from trainer.config.base import StrictModel


class BalancingConfig(StrictModel):
    """How the tasks' losses become one."""

    kind: Literal["fixed"] = Field("fixed", description="fixed: the sum of losses by each task's loss_weight.")
