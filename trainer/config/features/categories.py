"""Features of columns that hold one of several values."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind, size_of_embedding

TopK = Annotated[Count | None, Field(description="Only the k most frequent values are in the vocabulary.")]
MinFrequency = Annotated[
    Count | None, Field(description="Only values that occur at least this often are in the vocabulary.")
]
OovBuckets = Annotated[
    Count, Field(description="The number of buckets into which values outside the vocabulary are hashed.")
]
"""The keys of a vocabulary, whatever kind of feature looks values up in it."""


class CategoricalFeature(FeatureConfig):
    """A string or whole number per row, looked up in a vocabulary computed from the training split."""

    network_keys = ("embed",)

    kind: Literal["categorical"]
    embed: Count | None = Field(
        None, description="The embedding's size. By default, it is derived from the vocabulary's size."
    )
    top_k: TopK = None
    min_frequency: MinFrequency = None
    oov_buckets: OovBuckets = 1

    @property
    def has_vocabulary(self) -> bool:
        """Always."""
        return True

    @property
    def baseline_input(self) -> InputKind:
        """An id."""
        return "category"

    def network_size(self) -> FeatureSize:
        """An embedding of an empty vocabulary."""
        return size_of_embedding(1 + self.oov_buckets, self.embed)


class HashedFeature(FeatureConfig):
    """A string or whole number of high cardinality per row, hashed into a fixed number of buckets."""

    network_keys = ("embed",)

    kind: Literal["hashed"]
    buckets: Annotated[int, BeforeValidator(reject_bool), Field(ge=2)] = Field(
        description="The number of hash buckets."
    )
    embed: Count | None = Field(
        None, description="The embedding's size. By default, it is derived from the number of buckets."
    )

    @property
    def baseline_input(self) -> InputKind:
        """An id."""
        return "category"

    def network_size(self) -> FeatureSize:
        """An embedding of the buckets."""
        return size_of_embedding(1 + self.buckets, self.embed)
