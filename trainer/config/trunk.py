"""`model.trunk`: the layers that the tasks share."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.config.base import Count, Rate, StrictModel


class TrunkConfig(StrictModel):
    """The part of the network that all tasks share."""

    kind: Literal["shared_bottom"] = "shared_bottom"
    units: Annotated[list[Count], Field(min_length=1)] = Field([128, 64], description="Sizes of the shared layers.")
    dropout: Rate = Field(0.0, description="Dropout rate after each shared layer.")
    activation: Literal["relu", "gelu", "silu", "elu", "selu", "tanh"] = "relu"
