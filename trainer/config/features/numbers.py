"""Features of columns of numbers."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from janus_core.strict import Count, Number, Positive, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind

Encoding = Literal["raw", "piecewise_linear"]
ENCODING = "How the network receives the number. By default, it is `model.encoding`."

UNIT = "The unit that is written before or after the numbers in CSV, such as %, $ or kg. It is removed on reading."


class NumericFeature(FeatureConfig):
    """A number per row."""

    numeric = True
    rounding = "number"
    network_keys = ("encoding",)

    kind: Literal["numeric"]
    unit: Annotated[str, Field(min_length=1)] | None = Field(None, description=UNIT)
    scale: Literal["z_score", "log", "min_max", "quantile", "bucketize", "none"] = Field(
        "z_score",
        description="How the number is scaled. z_score: to mean 0 and standard deviation 1; log: sign(x)·log(1+|x|), "
        "then z_score; min_max: to [0, 1]; quantile: rank in [0, 1]; bucketize: one-hot of quantile buckets, or of "
        "`boundaries`; none: unchanged.",
    )
    buckets: Annotated[int, BeforeValidator(reject_bool), Field(ge=2)] = Field(
        10, description="The number of buckets for bucketize, and of quantiles for quantile."
    )
    boundaries: list[Number] | None = Field(None, description="Fixed ascending boundaries for bucketize.")
    missing: Literal["mean", "median"] | Number = Field(
        "mean",
        description="The replacement of missing values and NaN: mean, median, or a constant in the column's unit.",
    )
    encoding: Encoding | None = Field(None, description=ENCODING)

    @model_validator(mode="after")
    def _check(self) -> "NumericFeature":
        if self.boundaries is not None:
            if self.scale != "bucketize":
                raise ValueError("`boundaries` requires `scale: bucketize`")
            if not self.boundaries or sorted(set(self.boundaries)) != self.boundaries:
                raise ValueError("`boundaries` must be ascending, without repeats, and not empty")
        if self.scale == "bucketize" and self.encoding == "piecewise_linear":
            raise ValueError(
                "`scale: bucketize` makes classes of the numbers, so `encoding: piecewise_linear` cannot go with it"
            )
        return self

    @property
    def baseline_input(self) -> InputKind:
        """A bucket's number is an id, as the network has it."""
        return "category" if self.scale == "bucketize" else "number"

    def network_size(self) -> FeatureSize:
        """The number, or one number for each bucket."""
        buckets = len(self.boundaries) + 1 if self.boundaries else self.buckets
        return FeatureSize(0, buckets if self.scale == "bucketize" else 1)


class CyclicalFeature(FeatureConfig):
    """A number on a circle (hour of day, month, angle), given to the model as sine and cosine."""

    numeric = True
    rounding = "cyclical"
    network_keys = ("encoding",)

    kind: Literal["cyclical"]
    unit: Annotated[str, Field(min_length=1)] | None = Field(None, description=UNIT)
    period: Positive = Field(description="The length of one turn, in the column's unit.")
    encoding: Encoding | None = Field(None, description=ENCODING)

    @property
    def baseline_input(self) -> InputKind:
        """Sine and cosine."""
        return "circle"

    def network_size(self) -> FeatureSize:
        """Sine and cosine."""
        return FeatureSize(0, 2)


class VectorFeature(FeatureConfig):
    """A list of numbers of one fixed length per row."""

    numeric = True
    rounding = None

    kind: Literal["vector"]
    length: Count = Field(description="The number of numbers in each row.")
    scale: Literal["z_score", "min_max", "none"] = Field(
        "z_score", description="How each position is scaled by itself."
    )
    missing: Literal["mean"] | Number = Field(
        "mean", description="The replacement of a missing vector, and of NaN in a vector."
    )

    @property
    def row_length(self) -> int:
        """Its length."""
        return self.length

    def network_size(self) -> FeatureSize:
        """The numbers themselves."""
        return FeatureSize(0, self.length)
