"""What ExampleGen has to know of columns whose values have a structure of their own."""

from typing import Literal

from janus_core.strict import Count, StrictModel


class ImageColumn(StrictModel):
    """A column of images: `source` says what it holds, encoded images or their files' paths."""

    feature: str
    source: Literal["bytes", "path"]
    max_pixels: Count


class TagsColumn(StrictModel):
    """A label column of tags: the column of the tokens that they are of, and how a text of either is separated."""

    task: str
    tokens: str
    separator: str | None = None
    tokens_separator: str | None = None
    classes: list[str]
