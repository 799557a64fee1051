"""`model.trunk`: the layers between the encoded features and the tasks' towers."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, Rate, StrictModel, reject_bool


class TrunkConfig(StrictModel):
    """What every kind of trunk shares."""

    units: Annotated[list[Count], Field(min_length=1)] = Field([128, 64], description="The sizes of the layers.")
    dropout: Rate = Field(0.0, description="The dropout rate after each layer of the trunk.")
    activation: Literal["relu", "gelu", "silu", "elu", "selu", "tanh"] = Field(
        "relu", description="The activation of the trunk's and the towers' layers."
    )


class SharedBottomTrunk(TrunkConfig):
    """One stack of layers for all tasks."""

    kind: Literal["shared_bottom"] = "shared_bottom"


class IndependentTrunk(TrunkConfig):
    """Nothing is shared: each task has encoders and a stack of layers of its own."""

    kind: Literal["none"]


class CrossStitchTrunk(TrunkConfig):
    """A stack of layers per task. After each layer, the stacks are mixed by trained weights."""

    kind: Literal["cross_stitch"]
    alpha: Annotated[float, BeforeValidator(reject_bool), Field(ge=0, le=1)] = Field(
        0.9, description="The initial weight of a task's own stack. The other stacks share the rest equally."
    )


class ExpertsConfig(TrunkConfig):
    """What every trunk of experts shares."""

    units: Annotated[list[Count], Field(min_length=1)] = Field([64], description="The sizes of each expert's layers.")


class MmoeTrunk(ExpertsConfig):
    """Experts that all tasks share, and a gate per task."""

    kind: Literal["mmoe"]
    experts: Count = Field(4, description="The number of experts.")


class CgcTrunk(ExpertsConfig):
    """Shared experts, experts of each task's own, and a gate per task."""

    kind: Literal["cgc"]
    shared_experts: Count = Field(2, description="The number of shared experts.")
    task_experts: Count = Field(2, description="The number of experts of each task's own.")


class PleTrunk(ExpertsConfig):
    """Levels of shared experts and experts of each task's own. Each level reads the gates of the one below."""

    kind: Literal["ple"]
    levels: Count = Field(2, description="The number of levels. With 1, the trunk is the same as cgc.")
    shared_experts: Count = Field(2, description="The number of shared experts per level.")
    task_experts: Count = Field(2, description="The number of experts of each task's own per level.")


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
