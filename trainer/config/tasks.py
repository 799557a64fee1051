"""`tasks`: what is predicted."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from trainer.config.base import ClassName, StrictModel, reject_bool


class TaskConfig(StrictModel):
    """What every kind of task shares."""

    label: str = Field(description="The label's column. A row where it is missing is masked for this task only.")
    loss_weight: Annotated[float, BeforeValidator(reject_bool), Field(ge=0)] = Field(
        1.0, description="This task's factor in the total loss."
    )


class BinaryTask(TaskConfig):
    """Two classes; the prediction is the probability of the second."""

    kind: Literal["binary"]
    classes: Annotated[list[ClassName], Field(min_length=2, max_length=2)] = Field(
        ["0", "1"], description="The label's two values: negative, then positive.", validate_default=True
    )
    loss: Literal["cross_entropy"] = "cross_entropy"


class MulticlassTask(TaskConfig):
    """Two or more exclusive classes."""

    kind: Literal["multiclass"]
    classes: Annotated[list[ClassName], Field(min_length=2)] = Field(description="The label's values, in order.")
    loss: Literal["cross_entropy"] = "cross_entropy"


class RegressionTask(TaskConfig):
    """A number, predicted in its own unit; standardised inside the model."""

    kind: Literal["regression"]
    loss: Literal["mse", "mae", "huber"] = Field("mse", description="On the standardised label; huber has delta 1.")
    unit: str | None = Field(None, description="The label's unit, for reports.")


Task = Annotated[BinaryTask | MulticlassTask | RegressionTask, Field(discriminator="kind")]
