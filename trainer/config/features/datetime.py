"""Features of columns of dates and times."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from janus_core.tables.times import EPOCHS, time_pattern
from trainer.config.features.base import FeatureConfig, FeatureSize
from trainer.config.features.numbers import Encoding

Part = Literal["trend", "month", "weekday", "hour"]
PARTS: dict[Part, int] = {"trend": 1, "month": 2, "weekday": 2, "hour": 2}
"""Each part, and how many numbers it is: a cycle is a sine and a cosine."""

_MOST_GROUPS = 9
"""RE2's rewrites have no more groups."""


class DatetimeFeature(FeatureConfig):
    """A date or time per row, given to the model as a trend, cycles and the days since another date."""

    stable = False
    network_keys = ("encoding",)

    kind: Literal["datetime"]
    format: str | None = Field(
        None,
        description="How the dates are written: a format of strptime such as `%d/%m/%Y`, or `epoch_s` or `epoch_ms` "
        "for seconds or milliseconds since 1970. By default, text is ISO 8601, and numbers are seconds, or, from "
        "10^11 on, milliseconds. Times with a zone are converted to UTC.",
    )
    parts: Annotated[list[Part], Field(min_length=1)] | None = Field(
        None,
        description="What is derived from a date. trend: days since a fixed date, scaled, and kept within the dates of "
        "the training split; month, weekday, hour: the place in the year, in the week and in the day, as sine and "
        "cosine. By default, those that the training split spans: month from a year on, weekday from a week on, hour "
        "where there are times of day, and the trend.",
    )
    encoding: Encoding | None = Field(
        None, description="How the network receives the trend. By default, it is `model.encoding`."
    )
    since: str | None = Field(
        None,
        description="Another column of dates, of the same format: the days since then are a part as well.",
    )

    @property
    def dates(self) -> str:
        """The form of its columns."""
        return self.format or ""

    @property
    def reads_text(self) -> bool:
        """Digits without separators may begin with a zero."""
        return self.format is not None and self.format not in EPOCHS

    @property
    def other_columns(self) -> list[str]:
        """The column that days are counted from."""
        return [self.since] if self.since else []

    @field_validator("format")
    @classmethod
    def _known(cls, form: str | None) -> str | None:
        if form is not None and form not in EPOCHS and re.compile(time_pattern(form)).groups > _MOST_GROUPS:
            raise ValueError(f"it has more than {_MOST_GROUPS} directives")
        return form

    @field_validator("parts")
    @classmethod
    def _in_order(cls, parts: list[Part] | None) -> list[Part] | None:
        return None if parts is None else [part for part in PARTS if part in parts]

    @property
    def chosen(self) -> list[Part]:
        """The parts that are derived, though perhaps masked."""
        return list(PARTS) if self.parts is None else self.parts

    def network_size(self) -> FeatureSize:
        """The numbers of the parts."""
        return FeatureSize(0, sum(PARTS[part] for part in self.chosen) + (2 if self.since else 0))
