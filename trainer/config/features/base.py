"""What every kind of feature has, and what the rest of Janus needs to know of a kind.

A kind is one class here, in a module of this package, and one encoder in `trainer.encoders`. Everything else (the
schema, the data gates, the baselines, the signatures, the description) asks the class.
"""

from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from janus_core.strict import StrictModel

Rounding = Literal["number", "cyclical", "category"]
"""How a kind reads a column of numbers, which a tf.Example holds in 32 bits (`components.example_gen.precision`)."""

InputKind = Literal["number", "circle", "category", "tokens"]
"""What the transformed numbers are, for the baselines: numbers; sine and cosine; an id; several ids, 0 for none."""


class FeatureSize(NamedTuple):
    """What a feature adds to a network, where vocabularies, which are not known before training, are empty.

    Attributes:
        parameters: of its encoder.
        width: the numbers that the encoder gives the trunk.
        inside: the numbers of a row within the encoder.
    """

    parameters: int
    width: int
    inside: int = 0


class FeatureConfig(StrictModel):
    """What every kind of feature shares.

    Attributes:
        numeric: whether the column must hold numbers.
        rounding: see `Rounding`; None where rounding is harmless.
        stable: whether its column is expected to keep its distribution, as times, free texts and images do not.
        network_keys: the keys that only the network depends on, not Transform.
    """

    numeric: ClassVar[bool] = False
    rounding: ClassVar[Rounding | None] = "category"
    stable: ClassVar[bool] = True
    network_keys: ClassVar[tuple[str, ...]] = ()

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

    @property
    def other_columns(self) -> list[str]:
        """Further columns that the feature reads, in the same way as its own."""
        return []

    @property
    def has_vocabulary(self) -> bool:
        """Whether Transform makes a vocabulary, named by `trainer.names.vocabulary_name`."""
        return False

    @property
    def dates(self) -> str | None:
        """The form in which its columns hold dates, empty for the default one; None where they hold none."""
        return None

    @property
    def reads_text(self) -> bool:
        """Whether digits in CSV are text: 007 is not 7."""
        return False

    @property
    def row_length(self) -> int | None:
        """The length of the list that each row holds; None where it holds one value, or `many`."""
        return None

    @property
    def many(self) -> bool:
        """Whether a row holds a list of any length."""
        return False

    @property
    def baseline_input(self) -> InputKind | None:
        """What the baselines read of it; None: nothing, and the report says so."""
        return "number"

    def network_size(self) -> FeatureSize:
        """What it adds to the network, without the missing indicator."""
        return FeatureSize(0, 1)


def column_of(name: str, feature: FeatureConfig) -> str:
    """The raw column that the feature `name` reads."""
    return feature.column or name


def columns_of(name: str, feature: FeatureConfig) -> list[str]:
    """All raw columns that the feature `name` reads, its own first."""
    return list(dict.fromkeys([column_of(name, feature), *feature.other_columns]))


def embedding_size(tokens: int) -> int:
    """The default embedding size for a number of distinct ids: 1.6 · n^0.56, at most 64 (fastai's rule, 2018)."""
    return max(1, min(64, round(1.6 * tokens**0.56)))


def size_of_embedding(ids: int, size: int | None) -> FeatureSize:
    """The size of an embedding of so many ids."""
    width = size or embedding_size(ids)
    return FeatureSize(ids * width, width)
