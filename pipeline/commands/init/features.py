"""Which feature each column makes, and the reason for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.precision import offset_against_rounding
from janus_core.tables.column_kinds import EXACT
from janus_core.tables.lists import list_offsets
from janus_core.tables.times import MILLISECONDS_FROM
from pipeline.commands.init.column_names import (
    BIRTH_TOKENS,
    CODE_TOKENS,
    ID_TOKENS,
    POSTCODE_TOKENS,
    names_a_code,
    names_a_person,
)
from pipeline.commands.init.media import image_files_of, images_of, is_ordered, repeating_share, sequence_keys
from pipeline.commands.init.number_forms import MixedNumbers, NumberForm, is_utf8, number_form_of
from pipeline.commands.init.profile import (
    AMBIGUOUS,
    ISO,
    Profile,
    TimeForm,
    is_row_number,
    text_time_form,
    time_form_of,
)
from pipeline.commands.init.wording import listed, shown

Guessed = Literal[
    "numeric", "categorical", "hashed", "cyclical", "vector", "datetime", "text", "set", "sequence", "image", "dropped"
]

MOST_CATEGORIES = 200
"""A column of text with more different values is hashed instead of given a vocabulary."""
FEWEST_VALUES = 10
FEWEST_SHARE = 0.01
"""A column with values in fewer rows may have none in the training split."""

_TEXT_WORDS = 3.0
_TITLE_WORDS = 2.0
_MOST_TOKENS = 256
_SEPARATORS = ("|", ";", ",")
_LONGEST_PART = 40
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_IP_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){3,7}")
_CODE = re.compile(r"(?=.*\d)[\w\-:/.#]+")
_CYCLES: tuple[tuple[frozenset[str], tuple[int, int], int, str], ...] = (
    (frozenset({"month", "mon"}), (1, 12), 12, "a month"),
    (frozenset({"hour", "hr"}), (0, 24), 24, "an hour of the day"),
    (frozenset({"minute"}), (0, 60), 60, "a minute of the hour"),
    (frozenset({"second"}), (0, 60), 60, "a second of the minute"),
    (frozenset({"weekday", "dow", "dayofweek"}), (0, 7), 7, "a day of the week"),
    (frozenset({"dayofyear", "doy", "yday"}), (0, 366), 366, "a day of the year"),
    (frozenset({"week", "weekofyear", "isoweek"}), (1, 53), 52, "a week of the year"),
    (frozenset({"quarter", "qtr"}), (1, 4), 4, "a quarter"),
    (frozenset({"day", "mday"}), (1, 7), 7, "a day of the week"),
    (frozenset({"day", "mday"}), (1, 31), 31, "a day of the month"),
    (frozenset({"dir", "direction", "bearing", "heading", "azimuth"}), (0, 360), 360, "an angle in degrees"),
)


@dataclass(frozen=True)
class Guess:
    """What is proposed for a column: a feature of a kind with its keys, or to leave it out.

    Attributes:
        as_text: whether digits of CSV are read as text, since 01234 is not 1234.
    """

    kind: Guessed
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    as_text: bool = False


def dropped(reason: str) -> Guess:
    """The guess that leaves a column out."""
    return Guess("dropped", reason)


def guess_feature(column: Profile, tables: Sequence[str] = ()) -> Guess:
    """The feature that a column makes; paths of images are relative to the folders of `tables`, its files."""
    if column.kind is None or not column.present:
        return dropped("no value in any row")
    if column.present < max(FEWEST_VALUES, FEWEST_SHARE * column.rows) and column.missing:
        return dropped(f"a value in only {column.present:,} of {column.rows:,} rows")
    if column.listed:
        return _guess_list(column)
    if len(column.values) == 1 and not column.missing:
        return dropped(f"constant: {shown(next(iter(column.values)))} in every row")
    return _guess_text(column, tables) if column.numbers is None else _guess_number(column)


# --- lists and text -----------------------------------------------------------------------------------------------


def _guess_list(column: Profile) -> Guess:
    if column.kind == "bytes":
        values = column.array.flatten().drop_null()
        if not is_utf8(values):
            return dropped("not text: bytes that are not UTF-8")
        if is_ordered(column):
            return guess_sequence(
                column,
                f"lists of text in an order: {100 * repeating_share(column):.0f} % have a value twice, unlike a set",
            )
        guess = _guess_set(values.cast(pa.string()), "lists of text")
        order = ", hardly ever one twice in a row: a set; write kind: sequence if their order matters"
        return replace(guess, reason=guess.reason + order)
    sizes = np.diff(list_offsets(column.array))
    lengths = np.unique(sizes[sizes > 0])
    if len(lengths) > 1:
        return dropped(f"lists of {lengths[0]} to {lengths[-1]} numbers; a vector has one length")
    length = int(lengths[0])
    return Guess("vector", f"{length} numbers in each row", {"length": length})


def guess_sequence(column: Profile, what: str) -> Guess:
    """Tokens in their order."""
    return Guess("sequence", what, sequence_keys(column), as_text=not column.listed)


def _guess_text(column: Profile, tables: Sequence[str]) -> Guess:
    count, ratio = len(column.values), len(column.values) / column.present
    tokens = set(column.tokens)
    images = images_of(column) or image_files_of(column, tables)
    if images is not None:
        return dropped(images) if isinstance(images, str) else Guess("image", *images)
    if any("\\x" in value for value in column.values) and not is_utf8(column.array):
        return dropped("not text: bytes that are not UTF-8")
    if personal := _personal(column, tokens):
        return dropped(personal)
    if times := time_form_of(column):
        return _guess_times(column, times)
    if POSTCODE_TOKENS & tokens:
        return _category(column, "postcodes", as_text=True)
    values, counts = column.distinct
    numbers = number_form_of(values, counts, names_a_code(column.name))
    # Of whole numbers too large to be read as numbers, the digits are names.
    digits = [value for value in column.values if len(value) > 15 and value.lstrip("-").isdecimal()]
    large = any(abs(int(value)) > EXACT for value in digits)
    if isinstance(numbers, NumberForm) and not large:
        return dropped(_numbers_as_text(numbers))
    few = count <= MOST_CATEGORIES and ratio <= 0.5
    if isinstance(numbers, MixedNumbers) and not names_a_code(column.name):
        if numbers.units or not few:
            return dropped(_mixed_numbers(numbers))
        return _category(column, f"text, as {listed(numbers.others)} among its numbers are none")
    if guessed := _separated(column):
        return guessed
    words = float(np.average([value.count(" ") + 1 for value in column.values], weights=counts))
    if (words > _TEXT_WORDS and ratio > 0.5) or (words > _TITLE_WORDS and ratio > 0.9 and count > 20):
        return _guess_free_text(column, words)
    if ratio > 0.9 and count > 20:
        rows = f"{count:,} values in {column.present:,} rows"
        if ID_TOKENS & tokens or sum(bool(_CODE.fullmatch(value)) for value in column.values) > 0.9 * count:
            return dropped(f"identifier: {rows}")
        return dropped(f"text that hardly repeats: {rows}, so that little can be learnt of each")
    return _category(column, "whole numbers beyond 2^53, read as text" if isinstance(numbers, NumberForm) else "text")


def _guess_free_text(column: Profile, words: float) -> Guess:
    """As many words are read as 95 % of the texts have, and a third more for their punctuation."""
    lengths = [value.count(" ") + 1 for value in column.values]
    needed = 1.33 * float(np.quantile(lengths, 0.95))
    tokens = int(min(max(8, 2 ** np.ceil(np.log2(needed))), _MOST_TOKENS))
    options: dict[str, Any] = {"max_tokens": tokens}
    if column.missing >= max(1, 0.005 * column.rows):
        options["missing_indicator"] = True
    return Guess("text", f"free text, {words:.0f} words on average", options)


def _separated(column: Profile) -> Guess | None:
    """Sets of values in one text: few parts in many combinations."""
    values, counts = column.distinct
    for separator in _SEPARATORS:
        holding = pc.match_substring(values, separator).to_numpy(zero_copy_only=False)
        if counts[holding].sum() < 0.2 * counts.sum():
            continue
        parts = pc.utf8_trim_whitespace(pc.list_flatten(pc.split_pattern(values, separator)))
        parts = parts.filter(pc.not_equal(parts, ""))
        distinct = parts.unique()
        longest = max(map(len, distinct.to_pylist()), default=0)
        if 2 <= len(distinct) <= min(MOST_CATEGORIES, 0.5 * len(values)) and longest <= _LONGEST_PART:
            return replace(
                _guess_set(parts, f"text with {shown(separator)} between values"),
                options={"separator": separator},
                as_text=True,
            )
    return None


def _guess_set(values: pa.StringArray, what: str) -> Guess:
    distinct = len(values.unique())
    if distinct <= MOST_CATEGORIES:
        return Guess("set", f"{what}, {distinct:,} different ones")
    buckets = int(min(2 ** np.ceil(np.log2(distinct * 1.5)), 1 << 16))
    return Guess("set", f"{what}, {distinct:,} different ones", {"buckets": buckets})


def _personal(column: Profile, tokens: set[str]) -> str | None:
    """Why the values identify people, by what they are or by the column's name; None if they do not."""
    for what, pattern in (("e-mail addresses", _EMAIL), ("network addresses", _IP_ADDRESS)):
        rows = sum(rows for value, rows in column.values.items() if pattern.fullmatch(value.strip()))
        if rows > 0.8 * column.present:
            return f"{what}, which identify people"
    if BIRTH_TOKENS & tokens and text_time_form(column):
        return "dates of birth, which identify people; add a column of ages to use them"
    return _personal_by_name(column)


def _personal_by_name(column: Profile) -> str | None:
    personal = names_a_person(column.name) and len(column.values) > 2
    return "identifies people, by the column's name" if personal else None


def _guess_times(column: Profile, times: TimeForm) -> Guess:
    what = f"points in time{_described(times)}"
    if times.form == AMBIGUOUS:
        return dropped(f"{what}; give it `kind: datetime` and a format")
    if times.odd:
        return dropped(f"{what}: name these values in data.null_values to use the column")
    form = times.format
    if form == "epoch":
        greatest = float(column.known.max())
        form = "epoch_s" if greatest < MILLISECONDS_FROM else "epoch_ms"
        if greatest >= 1000 * MILLISECONDS_FROM:
            return dropped(f"{what} in less than milliseconds; write milliseconds to use the column")
    elif form == "yyyymmdd":
        form = "%Y%m%d"
    options: dict[str, Any] = {"format": form} if form else {}
    if column.missing >= max(1, 0.005 * column.rows):
        options["missing_indicator"] = True
    return Guess("datetime", what, options, as_text=column.kind != "bytes" and form == "%Y%m%d")


def _described(times: TimeForm) -> str:
    form = f" ({times.form})" if times.form != ISO else ""
    return form + (f", but for {listed(list(times.odd))}" if times.odd else "")


def _numbers_as_text(numbers: NumberForm) -> str:
    """Why text of Parquet is left out: of CSV, such columns are read as numbers."""
    if numbers.cells.null_words:
        return f"numbers, but for {listed(numbers.cells.null_words)}: leave these cells empty to use the column"
    return f"numbers as text, {numbers.described or 'with blanks'}: store them as numbers to use the column"


def _mixed_numbers(numbers: MixedNumbers) -> str:
    if numbers.units:
        return f"numbers in several units ({', '.join(numbers.units)}): write them in one to use the column"
    return (
        f"numbers in {100 * numbers.share:.0f} % of the rows, but not {listed(numbers.others)}: write them alike, or "
        "name what is missing in data.null_values, to use the column"
    )


def _category(column: Profile, what: str, as_text: bool = False) -> Guess:
    distinct = len(column.values)
    values = f"{distinct:,} value{'s' if distinct > 1 else ''}"
    if distinct <= MOST_CATEGORIES and distinct <= max(20, column.present / 3):
        return Guess("categorical", f"{what}, {values}", as_text=as_text)
    buckets = int(min(max(64, 2 ** np.ceil(np.log2(distinct * 1.5))), 1 << 16))
    return Guess("hashed", f"{what} of high cardinality, {values}", {"buckets": buckets}, as_text)


# --- numbers ------------------------------------------------------------------------------------------------------


def _guess_number(column: Profile) -> Guess:
    known, tokens, count = column.known, column.tokens, len(column.values)
    few = count > 2 and count <= 0.5 * column.present
    if not np.isfinite(known).all():
        return dropped(f"infinite in {int((~np.isfinite(known)).sum()):,} rows; correct the values to use it")
    if times := time_form_of(column):
        return _guess_times(column, times)
    if personal := _personal_by_name(column):
        return dropped(personal)
    if is_row_number(column):
        return dropped("identifier: a number that grows from row to row")
    if column.unit or not column.whole:
        return _scaled(column)
    if POSTCODE_TOKENS & set(tokens) and count > 2:
        return _category(column, "postcodes", as_text=True)
    if ID_TOKENS & {*tokens[:1], *tokens[-1:]} and count > 20:
        if count > 0.9 * column.present:
            return dropped(f"identifier: {count:,} values in {column.present:,} rows, and by its name")
        return _category(column, "identifies something by its name")
    if cycle := _cycle(tokens, known):
        period, what = cycle
        return Guess("cyclical", f"{what}, from {known.min():g} to {known.max():g}", {"period": period})
    if CODE_TOKENS & set(tokens) and few:
        return _category(column, "a code by its name")
    if offset_against_rounding(known, "number") is not None and count <= 0.5 * column.present:
        return _category(column, "numbers so far from 0 and near to each other that they are names")
    return _scaled(column)


def _cycle(tokens: Sequence[str], known: np.ndarray) -> tuple[int, str] | None:
    joined = {*tokens, *("".join(tokens[start : start + 3]) for start in range(len(tokens)))}
    least, greatest = float(known.min()), float(known.max())
    many = len(np.unique(known))
    for words, (lowest, highest), period, what in _CYCLES:
        if words & joined and lowest <= least and greatest <= highest and many > 2:
            return period, what
    clock = (known % 100 < 60).all() and least >= 0 and 1000 < greatest <= 2400 and many > 24
    if clock and "time" in tokens:
        return 2400, "a time of day as hhmm"
    return None


def _scaled(column: Profile) -> Guess:
    options: dict[str, Any] = {"unit": column.unit} if column.unit else {}
    reason = column.range
    if abs(column.skewness) > 3 and len(column.values) > 10:
        options["scale"] = "log"
        reason += f", long-tailed (skewness {column.skewness:.1f})"
    if column.missing >= max(1, 0.005 * column.rows):
        options["missing_indicator"] = True
        reason += f", missing in {100 * column.missing / column.rows:.1f} %"
    return Guess("numeric", reason, options)
