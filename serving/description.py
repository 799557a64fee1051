"""A model's description: `assets.extra/janus.json` beside the SavedModel, which TF Serving ignores.

The signatures hold names and dtypes. The description adds what a person or a client also needs: kinds of tasks, class
names, units, levels of quantiles, and the values that a column may have.
"""

import json
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from janus_core.errors import ServingError

FILE = Path("assets.extra") / "janus.json"
"""Relative to the model's folder."""


class ColumnDescription(BaseModel):
    """A raw column that a request gives."""

    dtype: str = Field(description="`string`, `float` or `int`: what the column's values are in a tf.Example.")
    required: bool = Field(description="Whether a row without it is refused.")
    length: int | None = Field(None, description="The length of a vector; None for a single value.")
    many: bool = Field(False, description="Whether a row may hold several values (a list of strings).")
    values: list[str] = Field([], description="Known values of a categorical column, if they are few.")
    features: list[str] = Field([], description="The features that are made from it.")
    kinds: list[str] = Field([], description="The kinds of these features, such as `numeric` and `cyclical`.")

    @property
    def single(self) -> bool:
        """Whether a row holds one value, rather than a vector or a list."""
        return self.length is None and not self.many

    @property
    def is_image(self) -> bool:
        """Whether its values are encoded images."""
        return "image" in self.kinds


class DecisionDescription(BaseModel):
    """How a binary task's output `<task>/decision` follows from the probability of the second class."""

    rule: str = Field(description="`f1`, `youden`, `cost`, by which the threshold was chosen, or `fixed`.")
    threshold: float = Field(description="The second class is decided above this probability, else the first.")
    note: str = Field("", description="A remark on the choice of the threshold; else empty.")


class TaskDescription(BaseModel):
    """A task that the model predicts."""

    kind: str = Field(description="Such as `binary` or `regression`.")
    label: str = Field(description="The label's column in the training data.")
    classes: list[str] = Field([], description="In the order of the probabilities.")
    unit: str | None = Field(None, description="Of a numeric prediction.")
    quantiles: list[float] = Field([], description="Levels, in the order of the prediction's columns; else empty.")
    outputs: list[str] = Field(description="The names of its outputs in serving_default and serving_columns.")
    decision: DecisionDescription | None = Field(None, description="Of a binary task.")
    signature: str = Field(description="The classify or regress signature of this task; empty if it has none.")


class ModelDescription(BaseModel):
    """A model's tasks and columns, in the order of the configuration."""

    tasks: dict[str, TaskDescription]
    columns: dict[str, ColumnDescription]


def image_columns(description: ModelDescription | None) -> list[str]:
    """The columns whose values are encoded images; none without a description."""
    columns = description.columns if description else {}
    return [name for name, column in columns.items() if column.is_image]


def write_description(model: Path | str, description: ModelDescription) -> None:
    """Writes a description beside a SavedModel."""
    path = Path(model) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(description.model_dump(), indent=1) + "\n", encoding="utf-8")


def has_description(model: Path | str) -> bool:
    """Whether a model was made by Janus."""
    return (Path(model) / FILE).exists()


def read_description(model: Path | str) -> ModelDescription | None:
    """Reads a model's description; None if it has none, as a model that was not made by Janus.

    Raises:
        ServingError: it is damaged.
    """
    path = Path(model) / FILE
    try:
        return ModelDescription.model_validate_json(path.read_bytes()) if path.exists() else None
    except (OSError, ValidationError) as error:
        raise ServingError(
            f"{path} is damaged: serve another version (`janus rollback`), or train the model again"
        ) from error
