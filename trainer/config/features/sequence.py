"""Features of columns that hold a sequence of tokens."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from janus_core.strict import Count, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind, size_of_embedding
from trainer.config.features.categories import MinFrequency, OovBuckets, TopK


class SequenceFeature(FeatureConfig):
    """Tokens in an order, such as the words of a sentence, in a list or in one text; read with their neighbours."""

    network_keys = ("encoder", "embed", "units")

    kind: Literal["sequence"]
    separator: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="What separates the tokens where a row holds them in one text. By default, that is a blank in CSV; "
        "else a row holds a list, as Parquet and TFRecord have them.",
    )
    max_length: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=4096)] = Field(
        64, description="The number of tokens that are read of a row, from its beginning."
    )
    encoder: Literal["gru", "conv", "transformer"] = Field(
        "gru",
        description="How tokens are read with their neighbours. gru: a recurrent network in both directions; conv: two "
        "convolutions over five tokens each; transformer: one block of attention to all tokens.",
    )
    embed: Count = Field(32, description="The size of the tokens' embedding.")
    units: Annotated[int, BeforeValidator(reject_bool), Field(ge=4, multiple_of=4)] = Field(
        64, description="The size of a token's state, of which the network gets the mean and the maximum."
    )
    top_k: TopK = None
    min_frequency: MinFrequency = None
    oov_buckets: OovBuckets = 1

    @field_validator("separator")
    @classmethod
    def _check(cls, separator: str | None) -> str | None:
        if separator is not None and not separator.strip() and separator != " ":
            raise ValueError("white space around tokens is dropped, so that only a single blank can separate them")
        return separator

    @property
    def has_vocabulary(self) -> bool:
        """Of the tokens."""
        return True

    @property
    def many(self) -> bool:
        """Whether rows hold lists."""
        return self.separator is None

    @property
    def reads_text(self) -> bool:
        """Tokens may be digits."""
        return True

    @property
    def baseline_input(self) -> InputKind:
        """Ids."""
        return "tokens"

    def network_size(self) -> FeatureSize:
        """An embedding of an empty vocabulary, and about as many parameters as each encoder has."""
        embedding = size_of_embedding(1 + self.oov_buckets, self.embed)
        parameters = embedding.parameters + 2 * self.units * (self.embed + self.units)
        return FeatureSize(parameters, 2 * self.units, self.max_length * (self.embed + 4 * self.units))
