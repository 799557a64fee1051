"""What the baselines depend on, and nothing else: the node's cache key."""

from typing import Literal

from janus_core.strict import Count, LabelForm, Positive, StrictModel
from trainer.config.features.base import InputKind

BaselineName = Literal["constant", "linear", "boosting"]
Loss = Literal["squared", "absolute", "quantile", "poisson", "log"]


class BaselineTask(StrictModel):
    """A task as a baseline sees it.

    Attributes:
        form: what a row's label is.
        loss: what is minimised; log where the label is classes.
        classes: the names of the label's values; none of a number.
        levels: of the quantiles that are predicted, ascending.
    """

    form: LabelForm
    loss: Loss
    classes: list[str] = []
    levels: list[float] = []


class BaselinesConfig(StrictModel):
    """The parameters of the node.

    Attributes:
        rows: at most so many training rows of each task, drawn by `seed`.
        seconds: of the process that fits them all.
        seed: of the draw, and of the rows that boosting holds out for early stopping.
        inputs: transformed feature → what its numbers are.
    """

    names: list[BaselineName]
    rows: Count
    seconds: Positive
    seed: int
    inputs: dict[str, InputKind]
    tasks: dict[str, BaselineTask]
