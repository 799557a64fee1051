"""Features of columns that hold one of several values."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind, size_of_embedding


class CategoricalFeature(FeatureConfig):
    """A string or whole number per row, looked up in a vocabulary computed from the training split."""

    network_keys = ("embed",)

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
