"""`features`: the network's inputs. A kind is a class in a module of this package, and one line in `Feature`."""

from typing import Annotated

from pydantic import Field

from trainer.config.features.base import FeatureConfig as FeatureConfig
from trainer.config.features.base import column_of as column_of
from trainer.config.features.base import columns_of as columns_of
from trainer.config.features.categories import CategoricalFeature, HashedFeature
from trainer.config.features.datetime import DatetimeFeature
from trainer.config.features.images import ImageFeature
from trainer.config.features.numbers import CyclicalFeature, NumericFeature, VectorFeature
from trainer.config.features.sequence import SequenceFeature
from trainer.config.features.set import SetFeature
from trainer.config.features.text import TextFeature

# fmt: off
Feature = Annotated[
    NumericFeature
    | CategoricalFeature
    | HashedFeature
    | CyclicalFeature
    | VectorFeature
    | DatetimeFeature
    | TextFeature
    | SetFeature
    | ImageFeature
    | SequenceFeature,
    Field(discriminator="kind"),
]
# fmt: on
