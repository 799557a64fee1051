"""Types that all parts of the configuration use."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
LONGEST_NAME = 128
"""A name becomes part of file names, such as a vocabulary's, which have at most 255 bytes."""
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME)]


class StrictModel(BaseModel):
    """A pydantic model that rejects unknown keys, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


def reject_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got the boolean {str(value).lower()}")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError("expected a number of at most 64 bits")
    return value


def class_name(value: Any) -> str:
    """A class as the configuration names it, a string or a whole number, as text; ValueError for anything else."""
    if isinstance(value, bool):
        raise ValueError(f"YAML reads this class as the boolean {str(value).lower()}; put it in quotes, or use 0 and 1")
    if isinstance(value, (int, str)):
        return str(value)
    raise ValueError("a class is a string or a whole number, as in the label's column")


Number = Annotated[float, BeforeValidator(reject_bool)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Whole = Annotated[int, BeforeValidator(reject_bool), Field(ge=0)]
Count = Annotated[PositiveInt, BeforeValidator(reject_bool)]
ClassName = Annotated[str, BeforeValidator(class_name)]
Rate = Annotated[float, BeforeValidator(reject_bool), Field(ge=0, lt=1)]
LabelForm = Literal["number", "count", "class", "classes", "box", "tags"]
"""What a row's label is: a number, one that is not negative, one class, any number of classes, a rectangle,
or a class for each token of a sequence."""
