"""`model.balancing`: how the tasks' losses become one.

Whatever the kind, `loss_weight` of a task stays its prior: the method's own weight is multiplied by it, or, where
gradients are combined, the gradient that goes in.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import StrictModel, reject_bool

NonNegative = Annotated[float, BeforeValidator(reject_bool), Field(ge=0)]
Positive = Annotated[float, BeforeValidator(reject_bool), Field(gt=0)]


class FixedBalancing(StrictModel):
    """The sum of the losses, each by its task's `loss_weight`."""

    kind: Literal["fixed"] = "fixed"


class UncertaintyBalancing(StrictModel):
    """Each loss by a learnt noise level of its task (Kendall et al. 2018)."""

    kind: Literal["uncertainty"]
    learning_rate: Positive = Field(
        0.025, description="Of the noise levels' logarithms, which an Adam of their own moves."
    )


class DwaBalancing(StrictModel):
    """Dynamic weight average: more weight to losses that fall slowly from epoch to epoch (Liu et al. 2019)."""

    kind: Literal["dwa"]
    temperature: Positive = Field(2.0, description="The higher, the more equal the weights.")


class GradNormBalancing(StrictModel):
    """Gradients of like size at the last shared layers, larger for tasks that lag behind (Chen et al. 2018)."""

    kind: Literal["gradnorm"]
    alpha: NonNegative = Field(1.5, description="How strongly tasks that lag behind are favoured; 0: not at all.")
    learning_rate: Positive = Field(0.025, description="Of the weights' logarithms, which an Adam of their own moves.")


class PcgradBalancing(StrictModel):
    """Gradient surgery: what conflicts with another task's gradient is projected away (Yu et al. 2020)."""

    kind: Literal["pcgrad"]


class CagradBalancing(StrictModel):
    """The direction near the mean gradient that improves the worst-off task most (Liu et al. 2021)."""

    kind: Literal["cagrad"]
    c: Annotated[float, BeforeValidator(reject_bool), Field(ge=0, lt=1)] = Field(
        0.4, description="Radius of the search around the mean gradient, as a share of its length; 0: the mean itself."
    )


class FamoBalancing(StrictModel):
    """All losses fall at a like relative rate, judged by the losses alone (Liu et al. 2023)."""

    kind: Literal["famo"]
    gamma: NonNegative = Field(0.001, description="Decay of the weights' logits towards equal weights.")
    learning_rate: Positive = Field(0.025, description="Of the logits, which an Adam of their own moves.")
    same_batch: bool = Field(
        False,
        description="Judge each step by its own batch, at the cost of a second forward pass; false: by the next batch.",
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
