"""`model.balancing`: how the tasks' losses are combined.

With every kind, a task's `loss_weight` is its prior: it multiplies the method's own weight, or, where gradients are
combined, the task's gradient.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import NonNegative, Positive, StrictModel, reject_bool


class FixedBalancing(StrictModel):
    """The sum of the losses, each weighted by its task's `loss_weight`."""

    kind: Literal["fixed"] = "fixed"


class UncertaintyBalancing(StrictModel):
    """Each loss weighted by a learned noise level of its task (Kendall et al. 2018)."""

    kind: Literal["uncertainty"]
    learning_rate: Positive = Field(
        0.025,
        description="The learning rate of the noise levels' logarithms, which have an Adam optimizer of their own.",
    )


class DwaBalancing(StrictModel):
    """Dynamic weight averaging: more weight for losses that fall slowly from epoch to epoch (Liu et al. 2019)."""

    kind: Literal["dwa"]
    temperature: Positive = Field(
        2.0, description="The softmax temperature: the higher it is, the more equal the weights are."
    )


class GradNormBalancing(StrictModel):
    """Gradients of similar norm at the last shared layers, larger for tasks that lag behind (Chen et al. 2018)."""

    kind: Literal["gradnorm"]
    alpha: NonNegative = Field(1.5, description="How strongly tasks that lag behind are favoured; 0 means not at all.")
    learning_rate: Positive = Field(
        0.025, description="The learning rate of the weights' logarithms, which have an Adam optimizer of their own."
    )


class PcgradBalancing(StrictModel):
    """Gradient surgery: the part of a gradient that conflicts with another task's is removed (Yu et al. 2020)."""

    kind: Literal["pcgrad"]


class CagradBalancing(StrictModel):
    """The direction near the mean gradient that improves the worst-off task most (Liu et al. 2021)."""

    kind: Literal["cagrad"]
    c: Annotated[float, BeforeValidator(reject_bool), Field(ge=0, lt=1)] = Field(
        0.4, description="The search radius around the mean gradient, as a share of its norm; 0 means the mean itself."
    )


class FamoBalancing(StrictModel):
    """All losses decrease at a similar relative rate, from the losses alone (Liu et al. 2023)."""

    kind: Literal["famo"]
    gamma: NonNegative = Field(0.001, description="The decay of the weights' logits towards equal weights.")
    learning_rate: Positive = Field(
        0.025, description="The learning rate of the logits, which have an Adam optimizer of their own."
    )
    same_batch: bool = Field(
        False,
        description="Whether the progress of a step is measured on its own batch, by a second forward pass, or on the "
        "next batch.",
    )


def _fixed_by_default(value: Any) -> Any:
    return {"kind": "fixed", **value} if isinstance(value, dict) else value


BalancingConfig = Annotated[
    FixedBalancing
    | UncertaintyBalancing
    | DwaBalancing
    | GradNormBalancing
    | PcgradBalancing
    | CagradBalancing
    | FamoBalancing,
    Field(discriminator="kind"),
    BeforeValidator(_fixed_by_default),
]
