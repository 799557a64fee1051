"""Features of columns of images."""

import math
from typing import Annotated, Literal

from pydantic import Field

from janus_core.strict import Count, Rate
from trainer.config.features.base import FeatureConfig, FeatureSize, InputKind

GRID = 4
"""An image's last map is averaged to at most so many places along each side."""


class ImageFeature(FeatureConfig):
    """An image per row, encoded as JPEG, PNG or GIF (its first frame); decoded and resized inside the model."""

    rounding = None
    stable = False
    network_keys = ("filters", "embed", "shift", "brightness")

    kind: Literal["image"]
    source: Literal["bytes", "path"] = Field(
        "bytes",
        description="What the column holds. bytes: the encoded image itself, as in Parquet; path: the image's file, "
        "relative to the folder of the data file, which is read when the data are ingested. Requests always hold the "
        "encoded image.",
    )
    size: Annotated[list[Count], Field(min_length=2, max_length=2)] = Field(
        description="The height and the width that images are resized to, such as [64, 64]."
    )
    channels: Literal[1, 3] = Field(3, description="The number of channels: 1 for grey, 3 for red, green and blue.")
    filters: Annotated[list[Count], Field(min_length=1)] = Field(
        [16, 32, 64], description="The filters of the encoder's convolutions. Each one but the first halves the size."
    )
    embed: Count = Field(64, description="The size of the vector that the encoder gives the network.")
    shift: Rate | None = Field(
        None,
        description="The greatest shift of an image in training, as a share of its height and width, by chance. By "
        "default, it is 0.1, or 0 if there is a task of kind box, whose labels would no longer be right.",
    )
    brightness: Rate = Field(
        0.1, description="The greatest change of an image's brightness in training, as a share of white, by chance."
    )
    max_pixels: Count = Field(
        50_000_000,
        description="The greatest height times width of an image. The size is read from the image's header, and a "
        "larger image is refused before it is decoded.",
    )

    @property
    def baseline_input(self) -> InputKind:
        """The pixels."""
        return "number"

    def network_size(self) -> FeatureSize:
        """The encoder's last layer, which has nearly all of its parameters."""
        maps = sum(filters / 4 ** max(depth - 1, 0) for depth, filters in enumerate(self.filters))
        numbers = round(math.prod(self.size) * (self.channels + 2 * maps))
        return FeatureSize((1 + (GRID**2 + 2) * self.filters[-1]) * self.embed, self.embed, numbers)
