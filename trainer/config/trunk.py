"""`model.trunk`: the layers between the encoded features and the tasks' towers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, Rate, StrictModel, reject_bool


class TrunkConfig(StrictModel):
    """What every kind of trunk shares."""

    units: Annotated[list[Count], Field(min_length=1)] = Field([128, 64], description="Sizes of the layers.")
    dropout: Rate = Field(0.0, description="Dropout rate after each layer of the trunk.")
    activation: Literal["relu", "gelu", "silu", "elu", "selu", "tanh"] = Field(
        "relu", description="Of the trunk's and the towers' layers."
    )


class SharedBottomTrunk(TrunkConfig):
    """One stack of layers for all tasks."""

    kind: Literal["shared_bottom"] = "shared_bottom"


class IndependentTrunk(TrunkConfig):
    """Nothing is shared: each task has its own encoders and its own stack of layers."""

    kind: Literal["none"]


class CrossStitchTrunk(TrunkConfig):
    """A stack of layers per task, mixed after each layer by trained weights."""

    kind: Literal["cross_stitch"]
    alpha: Annotated[float, BeforeValidator(reject_bool), Field(ge=0, le=1)] = Field(
        0.9, description="What a task takes from its own stack at first; the other stacks share the rest evenly."
    )


class ExpertsConfig(TrunkConfig):
    """What every trunk of experts shares."""

    units: Annotated[list[Count], Field(min_length=1)] = Field([64], description="Sizes of each expert's layers.")


class MmoeTrunk(ExpertsConfig):
    """Experts for all tasks, a gate per task."""

    kind: Literal["mmoe"]
    experts: Count = Field(4, description="Number of experts.")


class CgcTrunk(ExpertsConfig):
    """Shared experts and each task's own, a gate per task."""

    kind: Literal["cgc"]
    shared_experts: Count = Field(2, description="Number of experts for all tasks.")
    task_experts: Count = Field(2, description="Number of experts of each task's own.")


class PleTrunk(ExpertsConfig):
    """Levels of shared experts and each task's own, each level fed by the gates of the one below."""

    kind: Literal["ple"]
    levels: Count = Field(2, description="Number of levels; with 1 it is cgc.")
    shared_experts: Count = Field(2, description="Number of experts for all tasks, per level.")
    task_experts: Count = Field(2, description="Number of experts of each task's own, per level.")


def _shared_bottom_by_default(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"expected a mapping, such as {{kind: {value}}}, got {value!r}")
    return {"kind": "shared_bottom", **value} if isinstance(value, Mapping) else value


AnyTrunk = Annotated[
    SharedBottomTrunk | MmoeTrunk | CgcTrunk | PleTrunk | CrossStitchTrunk | IndependentTrunk,
    Field(discriminator="kind"),
    BeforeValidator(_shared_bottom_by_default),
]
"""One kind of trunk; a mapping without `kind` is a shared_bottom."""
