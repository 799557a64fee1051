"""Features of columns that hold any number of values in a row."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from janus_core.strict import Count, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind, size_of_embedding
from trainer.config.features.categories import MinFrequency, OovBuckets, TopK
from trainer.config.features.text import TextBuckets


class SetFeature(FeatureConfig):
    """Any number of strings or whole numbers per row, in a list or in one text: the mean of their embeddings."""

    network_keys = ("embed",)

    kind: Literal["set"]
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="What separates the values where a row holds them in one text. By default, a row holds a list, as "
        "Parquet and TFRecord have them.",
    )
    max_values: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=4096)] = Field(
        32, description="The number of values that are read of a row, from its beginning."
    )
    buckets: TextBuckets | None = Field(
        None,
        description="The number of buckets into which the values are hashed, for high cardinality. By default, there "
        "is a vocabulary of the training split.",
    )
    embed: Count | None = Field(
        None, description="The embedding's size. By default, it is derived from the number of values or buckets."
    )
    top_k: TopK = None
    min_frequency: MinFrequency = None
    oov_buckets: OovBuckets = 1

    @model_validator(mode="after")
    def _check(self) -> "SetFeature":
        fields = type(self).model_fields
        for key in ("top_k", "min_frequency", "oov_buckets"):
            if self.buckets is not None and getattr(self, key) != fields[key].default:
                raise ValueError(f"`{key}` belongs to a vocabulary, and with `buckets` there is none")
        return self

    @property
    def has_vocabulary(self) -> bool:
        """Unless the values are hashed."""
        return self.buckets is None

    @property
    def many(self) -> bool:
        """Whether rows hold lists."""
        return self.separator is None

    @property
    def reads_text(self) -> bool:
        """`1,2` is no number, and neither is `1` beside it."""
        return self.separator is not None

    @property
    def baseline_input(self) -> InputKind:
        """Ids."""
        return "tokens"

    def network_size(self) -> FeatureSize:
        """An embedding of the buckets, or of an empty vocabulary."""
        return size_of_embedding(1 + (self.buckets or self.oov_buckets), self.embed)
