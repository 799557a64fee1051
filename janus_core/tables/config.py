"""The part of the configuration that ExampleGen reads."""

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from janus_core.strict import Count, Number, StrictModel, reject_bool
from janus_core.tables.times import time_pattern

_SPAN_SPEC = re.compile(r"\{SPAN(:\d+)?\}")
_CHARACTERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "bar": "|", "space": " ", "backslash": "\\"}
"""Names for characters that have a meaning of their own in YAML or in a shell."""
_DATE_SPECS = ("{YYYY}", "{MM}", "{DD}")


def _date_text(value: Any) -> Any:
    # YAML turns an unquoted date into a date object.
    return value.isoformat() if isinstance(value, datetime.date) else value


class HashSplit(StrictModel):
    """Each row goes to train or eval by a seeded hash of its key."""

    by: Literal["hash"]
    eval_fraction: Annotated[Number, Field(gt=0, lt=1)] = Field(0.2, description="Share of rows for evaluation.")
    key: list[str] | None = Field(
        None, description="Columns that are hashed, so that rows with one key stay together; by default all columns."
    )


class TimeSplit(StrictModel):
    """Rows before a point in time train, the others evaluate."""

    by: Literal["time"]
    column: str = Field(description="A column of numbers or of dates/times, in ISO 8601 or as `format` describes.")
    eval_from: Annotated[Number | str, BeforeValidator(_date_text)] = Field(
        description="The first value that belongs to eval: a number, or a date/time, always in ISO 8601 whatever "
        "`format` is. Without a time zone, it is compared with the local time of each row."
    )
    format: str | None = Field(
        None, description="The form of dates that are not in ISO 8601, in strptime's notation, such as %d/%m/%Y."
    )

    @field_validator("format")
    @classmethod
    def _check_format(cls, form: str | None) -> str | None:
        if form is not None:
            time_pattern(form)
        return form

    @property
    def shown(self) -> str:
        """`eval_from` for messages: a whole number without a fraction."""
        return f"{self.eval_from:.15g}" if isinstance(self.eval_from, float) else str(self.eval_from)


class SpanSplit(StrictModel):
    """The newest span is evaluated; the `data.window` spans before it are trained on."""

    by: Literal["span"]


Split = Annotated[HashSplit | TimeSplit | SpanSplit, Field(discriminator="by")]


def columns_of_split(split: HashSplit | TimeSplit | SpanSplit) -> list[str]:
    """The columns that decide which split a row belongs to."""
    if isinstance(split, SpanSplit):
        return []
    return [split.column] if isinstance(split, TimeSplit) else split.key or []


Thousands = Literal[",", ".", "'", " ", "_"]


class DataConfig(StrictModel):
    """Where the examples come from."""

    path: str = Field(description="A folder, file or glob; TFX's {SPAN} and {VERSION} patterns are allowed.")
    format: Literal["csv", "parquet", "tfrecord"] = Field("csv", description="The files' format.")
    delimiter: str = Field(
        ",",
        description="The character that separates the cells of CSV, such as ';', or its name: comma, semicolon, tab, "
        "bar or space.",
    )
    encoding: str = Field("utf-8", description="The encoding of CSV, by its name in Python, such as cp1252 or utf-16.")
    skip_rows: Annotated[int, BeforeValidator(reject_bool), Field(ge=0, le=1000)] = Field(
        0,
        description="Number of lines before the header of CSV, such as a title; blank lines there are always skipped.",
    )
    skip_footer: Annotated[int, BeforeValidator(reject_bool), Field(ge=0, le=1000)] = Field(
        0,
        description="Number of rows at the end of each CSV file that do not belong to the table, such as a total; "
        "`janus predict` reads them all the same.",
    )
    escape_char: str | None = Field(
        None,
        description='The character that escapes the next one in CSV, such as \\ in "a \\"quoted\\" word"; a '
        "doubled quote always stands for one quote.",
    )
    skip_initial_space: bool = Field(
        False,
        description="Whether blanks at the beginning of a CSV cell are skipped, so that a quote after them opens a "
        "quoted cell.",
    )
    null_values: list[str] | dict[str, list[str]] = Field(
        [],
        description="Texts in CSV that count as missing values, in addition to the empty cell: one list for all "
        "columns, such as [NA], or a list per column. If NA is a class or a category of one column, list the others.",
    )
    decimal: Literal[".", ","] | dict[str, Literal[".", ","]] = Field(
        ".", description="The decimal mark of numbers in CSV, for all columns or per column."
    )
    thousands: Thousands | dict[str, Thousands] | None = Field(
        None,
        description="The mark between groups of digits of numbers in CSV, for all columns or per column; a space "
        "includes no-break spaces.",
    )
    split: Split = Field(HashSplit(by="hash"), description="How rows are divided into train and eval.")
    window: Count = Field(
        1,
        description="The number of spans to train on: the newest ones, whose eval rows are evaluated; with a split "
        "by span, the ones before the newest, which is evaluated.",
    )

    @property
    def by_span(self) -> bool:
        """Whether whole spans are trained on, and another is evaluated."""
        return isinstance(self.split, SpanSplit)

    @model_validator(mode="after")
    def _check_marks(self) -> "DataConfig":
        own = [mark for mark in (self.decimal, self.thousands) if isinstance(mark, dict)]
        for column in dict.fromkeys(["", *(column for marks in own for column in marks)]):
            decimal = self.decimal.get(column, ".") if isinstance(self.decimal, dict) else self.decimal
            thousands = self.thousands.get(column) if isinstance(self.thousands, dict) else self.thousands
            if decimal == thousands:
                where = f" of column '{column}'" if column else ""
                raise ValueError(f"decimal and thousands{where} are both '{decimal}': give data.decimal as well")
        return self

    @field_validator("delimiter", "escape_char")
    @classmethod
    def _check_character(cls, character: str | None, info: ValidationInfo) -> str | None:
        character = _CHARACTERS.get(character or "", character)
        if character is not None and (len(character) != 1 or not character.isascii() or character in '"\r\n'):
            raise ValueError(f"{character!r} is not a single ASCII character other than a quote or a line break")
        if character is not None and character.isalnum():
            raise ValueError(f"{character!r} is a letter or a digit, which can be part of a cell")
        if info.field_name == "escape_char" and character == info.data.get("delimiter"):
            raise ValueError(f"{character!r} is the delimiter already")
        return character

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError:
            raise ValueError(f"there is no encoding '{encoding}'; common ones are utf-8, utf-16 and cp1252") from None
        return encoding

    @field_validator(
        "delimiter", "encoding", "skip_rows", "skip_footer", "escape_char", "skip_initial_space", "null_values"
    )
    @classmethod
    def _check_csv(cls, value: Any, info: ValidationInfo) -> Any:
        usual = not value or value == cls.model_fields[str(info.field_name)].default
        if not usual and info.data.get("format") in ("parquet", "tfrecord"):
            raise ValueError(f"this applies to CSV only, and the format is {info.data['format']}")
        return value

    @field_validator("split")
    @classmethod
    def _check_split(cls, split: Split, info: ValidationInfo) -> Split:
        if isinstance(split, SpanSplit):
            _require_spans(info.data.get("path", ""), "a split by span")
        return split

    @field_validator("window")
    @classmethod
    def _check_window(cls, window: int, info: ValidationInfo) -> int:
        if window > 1:
            _require_spans(info.data.get("path", ""), f"a window of {window} spans")
        return window


def _require_spans(path: str, what: str) -> None:
    if not (_SPAN_SPEC.search(path) or all(spec in path for spec in _DATE_SPECS)):
        raise ValueError(f"{what} needs {{SPAN}} (or {{YYYY}}, {{MM}} and {{DD}}) in data.path, which is '{path}'")
