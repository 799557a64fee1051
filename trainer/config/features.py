"""`features`: the network's inputs."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from janus_core.strict import Count, Number, Positive, StrictModel, reject_bool


class FeatureConfig(StrictModel):
    """What every kind of feature shares."""

    column: str | None = Field(
        None, description="The column's name in the data. By default, it is the feature's own name."
    )
    sensitive: bool = Field(
        False,
        description="Whether its values are kept out of reports, messages, warm-up requests and the model's "
        "description.",
    )
    missing_indicator: bool = Field(
        False, description="Whether to add an input that is 1 where the value is missing, else 0."
    )


Encoding = Literal["raw", "piecewise_linear"]
ENCODING = "How the network receives the number. By default, it is `model.encoding`."

UNIT = "The unit that is written before or after the numbers in CSV, such as %, $ or kg. It is removed on reading."


class NumericFeature(FeatureConfig):
    """A number per row."""

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


class CategoricalFeature(FeatureConfig):
    """A string or whole number per row, looked up in a vocabulary computed from the training split."""

    kind: Literal["categorical"]
    embed: Count | None = Field(
        None, description="The embedding's size. By default, it is derived from the vocabulary's size."
    )
    top_k: Count | None = Field(None, description="Only the k most frequent values are in the vocabulary.")
    min_frequency: Count | None = Field(
        None, description="Only values that occur at least this often are in the vocabulary."
    )
    oov_buckets: Count = Field(
        1, description="The number of buckets into which values outside the vocabulary are hashed."
    )


class HashedFeature(FeatureConfig):
    """A string or whole number of high cardinality per row, hashed into a fixed number of buckets."""

    kind: Literal["hashed"]
    buckets: Annotated[int, BeforeValidator(reject_bool), Field(ge=2)] = Field(
        description="The number of hash buckets."
    )
    embed: Count | None = Field(
        None, description="The embedding's size. By default, it is derived from the number of buckets."
    )


class CyclicalFeature(FeatureConfig):
    """A number on a circle (hour of day, month, angle), given to the model as sine and cosine."""

    kind: Literal["cyclical"]
    unit: Annotated[str, Field(min_length=1)] | None = Field(None, description=UNIT)
    period: Positive = Field(description="The length of one turn, in the column's unit.")
    encoding: Encoding | None = Field(None, description=ENCODING)


class VectorFeature(FeatureConfig):
    """A list of numbers of one fixed length per row."""

    kind: Literal["vector"]
    length: Count = Field(description="The number of numbers in each row.")
    scale: Literal["z_score", "min_max", "none"] = Field(
        "z_score", description="How each position is scaled by itself."
    )
    missing: Literal["mean"] | Number = Field(
        "mean", description="The replacement of a missing vector, and of NaN in a vector."
    )


Feature = Annotated[
    NumericFeature | CategoricalFeature | HashedFeature | CyclicalFeature | VectorFeature, Field(discriminator="kind")
]


def column_of(name: str, feature: FeatureConfig) -> str:
    """The raw column that the feature `name` reads."""
    return feature.column or name
