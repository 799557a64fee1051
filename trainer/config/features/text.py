"""Features of columns of free text."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from janus_core.strict import Count, Rate, Whole, reject_bool
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind

MOST_IDS = 1 << 24
"""float32, in which the baselines have ids, is exact up to here."""

TextBuckets = Annotated[int, BeforeValidator(reject_bool), Field(ge=2, lt=MOST_IDS)]


class TextFeature(FeatureConfig):
    """Free text per row: its words, runs of them and of characters are hashed, embedded, and pooled by mean and max."""

    stable = False
    network_keys = ("embed", "dropout")

    kind: Literal["text"]
    max_tokens: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=4096)] = Field(
        64, description="The number of words and punctuation marks that are read of a text, from its beginning."
    )
    ngrams: Annotated[int, BeforeValidator(reject_bool), Field(ge=1, le=5)] = Field(
        2, description="Up to how many words in a row are embedded together: 1 for single words only."
    )
    characters: Annotated[Whole, Field(le=8)] = Field(
        0,
        description="The length of runs of characters that are embedded as well, such as 3, which helps with misspelt "
        "and inflected words and with languages that write no blanks; 0 for none.",
    )
    buckets: TextBuckets = Field(
        16384, description="The number of hash buckets for words, and runs of words and characters."
    )
    embed: Count = Field(16, description="The embedding's size.")
    dropout: Rate = Field(0.2, description="The share of the pooled numbers that is dropped in training.")

    @property
    def reads_text(self) -> bool:
        """Text may be digits."""
        return True

    @property
    def baseline_input(self) -> InputKind:
        """Ids of n-grams."""
        return "tokens"

    @property
    def most_characters(self) -> int:
        """The number of runs of characters that are read."""
        return 4 * self.max_tokens if self.characters else 0

    @property
    def width(self) -> int:
        """The ids of a row."""
        return self.max_tokens * self.ngrams + self.most_characters

    def network_size(self) -> FeatureSize:
        """The embedding, of which there are the mean and the maximum."""
        return FeatureSize((1 + self.buckets) * self.embed, 2 * self.embed)
