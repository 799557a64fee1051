"""`features`: what the network reads of each row."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from janus_core.strict import Count, Number, StrictModel, reject_bool


class FeatureConfig(StrictModel):
    """What every kind of feature shares."""

    column: str | None = Field(None, description="The column's name in the data; by default the feature's own name.")
    sensitive: bool = Field(
        False, description="Keep its values out of reports, messages, warm-up requests and the model's description."
    )
    missing_indicator: bool = Field(False, description="Add an input that is 1 where the value is missing, else 0.")


UNIT = "What stands beside the numbers in CSV, before or after them, such as %, $ or kg; left away at reading."


class NumericFeature(FeatureConfig):
    """A number per row."""

    kind: Literal["numeric"]
    unit: Annotated[str, Field(min_length=1)] | None = Field(None, description=UNIT)
    scale: Literal["z_score", "log", "min_max", "quantile", "bucketize", "none"] = Field(
        "z_score",
        description="z_score; log: sign(x)·log(1+|x|), then z-score; min_max: to [0, 1]; quantile: rank in [0, 1]; "
        "bucketize: one-hot of quantile buckets, or of `boundaries`; none: as it is.",
    )
    buckets: Annotated[int, BeforeValidator(reject_bool), Field(ge=2)] = Field(
        10, description="Number of buckets for bucketize, of quantiles for quantile."
    )
    boundaries: list[Number] | None = Field(None, description="Fixed ascending boundaries for bucketize.")
    missing: Literal["mean", "median"] | Number = Field(
        "mean", description="What a missing value (or NaN) becomes: mean, median, or a constant in the column's unit."
    )

    @model_validator(mode="after")
    def _check(self) -> "NumericFeature":
        if self.boundaries is not None:
            if self.scale != "bucketize":
                raise ValueError("`boundaries` goes with `scale: bucketize` only")
            if not self.boundaries or sorted(set(self.boundaries)) != self.boundaries:
                raise ValueError("`boundaries` must be ascending, without repeats, and not empty")
        return self


class CategoricalFeature(FeatureConfig):
    """A string or whole number per row, by a vocabulary computed from the training split."""

    kind: Literal["categorical"]
    embed: Count | None = Field(None, description="Embedding size; by default from the vocabulary's size.")
    top_k: Count | None = Field(None, description="Keep only the k most frequent values.")
    min_frequency: Count | None = Field(None, description="Keep only values seen at least so often.")
    oov_buckets: Count = Field(1, description="Buckets for values outside the vocabulary (hashed between them).")


class HashedFeature(FeatureConfig):
    """A string or whole number of high cardinality per row, hashed into a fixed number of buckets."""

    kind: Literal["hashed"]
    buckets: Annotated[int, BeforeValidator(reject_bool), Field(ge=2)] = Field(description="Number of hash buckets.")
    embed: Count | None = Field(None, description="Embedding size; by default from the number of buckets.")


class CyclicalFeature(FeatureConfig):
    """A number on a circle (hour of day, month, angle), given to the model as sine and cosine."""

    kind: Literal["cyclical"]
    unit: Annotated[str, Field(min_length=1)] | None = Field(None, description=UNIT)
    period: Annotated[float, BeforeValidator(reject_bool), Field(gt=0)] = Field(
        description="The length of one turn, in the column's unit."
    )


class VectorFeature(FeatureConfig):
    """A list of numbers of one fixed length per row."""

    kind: Literal["vector"]
    length: Count = Field(description="How many numbers each row holds.")
    scale: Literal["z_score", "min_max", "none"] = Field("z_score", description="Applied to each position by itself.")
    missing: Literal["mean"] | Number = Field("mean", description="What a missing vector, or a NaN in one, becomes.")


Feature = Annotated[
    NumericFeature | CategoricalFeature | HashedFeature | CyclicalFeature | VectorFeature, Field(discriminator="kind")
]


def column_of(name: str, feature: FeatureConfig) -> str:
    """The raw column that the feature `name` reads."""
    return feature.column or name
