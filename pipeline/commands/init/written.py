"""How the cells of a text column write numbers or times, and which of them are neither."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.cells import CellForm
from janus_core.tables.column_kinds import kind_of_text, text_to_kind
from janus_core.tables.config import DataConfig
from janus_core.tables.missing_markers import MISSING_MARKERS
from janus_core.tables.times import parse_times
from pipeline.commands.init.names import names_a_code

MOST_ODD = 0.05
"""The share of values that may be no numbers in a column of numbers, or no times in one of times."""
MOST_ODD_VALUES = 20
FEWEST_NUMBERS = 20
"""With fewer different numbers, text such as `3+` among them is a category, not a mistake."""
FEWEST_WITH_UNIT = 10
_MOST_LISTED = 20
"""Words for missing values of more columns stand in one list, if no column of text holds them."""
_HEAD = 200
"""So many different values rule out most columns of text."""

_CURRENCY = r"(?:[A-Z]{2,3})?\p{Sc}|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|Rs\.?"
_BLANKS = "[ \u00a0\u202f]*"
_NUMBER_WITH_UNIT = (
    rf"^\s*[+-]?{_BLANKS}(?P<before>{_CURRENCY})?{_BLANKS}[+-]?"
    "(?P<body>[\\d.,'\u2019 \u00a0\u202f]*\\d[.,]?)(?:[eE][+-]?\\d+)?"
    rf"{_BLANKS}(?P<after>%|‰|{_CURRENCY}|°[CF]?|[A-Za-zµ²³]{{1,8}}(?:/[A-Za-z0-9²³]{{1,4}})?)?\s*$"
)
_NO_UNITS = frozenset({"am", "pm", "st", "nd", "rd", "th", "x"})
_MARKS = ((".", None), (".", ","), (",", None), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"))
_DATES = ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
_SHORT_DATES = ("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_ZONES = ("", "%z", " %z")
_LIKE_A_DATE = r"^\s*(\d{4}-\d{2}|\d{1,4}[-/. ][0-9A-Za-z]{1,9}[-/. ]\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
ISO = "iso"
AMBIGUOUS = "day or month first"
_TIME_FORMS = (ISO, *(date + clock for date in (*_DATES, *_SHORT_DATES) for clock in _CLOCKS))
_ZONED_FORMS = tuple(f"{form}{zone}" for form in _TIME_FORMS[1:] if ":" in form for zone in _ZONES[1:])


@dataclass(frozen=True)
class Written:
    """How a column of numbers is written.

    Attributes:
        form: its marks and unit, and the words that count as missing.
        words: the words for `missing`, with their rows.
        odd: other values that are no numbers, with their rows; they are taken for missing as well.
        where: of some of `odd`, where they first are.
        ambiguous: a value whose mark may be one of thousands or a decimal one; None if there is none.
    """

    form: CellForm = CellForm()
    words: Mapping[str, int] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    ambiguous: str | None = None

    @property
    def shown(self) -> str:
        """The form in words: `written with %`; empty where numbers are written plainly."""
        parts = [f"a decimal {'comma' if self.form.decimal == ',' else 'point'}"] if self.form.decimal != "." else []
        parts += [f"'{self.form.thousands}' between thousands"] if self.form.thousands else []
        parts += [f"the unit {self.form.unit}"] if self.form.unit else []
        return f"written with {' and '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class Mixed:
    """Most values are numbers, but not all.

    Attributes:
        share: of the rows that hold numbers.
        others: the most frequent of the other values.
        units: the units, where there are several.
    """

    share: float
    others: tuple[str, ...]
    units: tuple[str, ...] = ()


def read_as_written(columns: Mapping[str, pa.Array]) -> tuple[dict[str, pa.Array], dict[str, Written]]:
    """Columns of CSV, those of text that write numbers in their own way as numbers, and how these are written."""
    found: dict[str, pa.Array] = {}
    written: dict[str, Written] = {}
    for name, column in columns.items():
        found[name] = column
        if not pa.types.is_binary(column.type) or not _is_text(column):
            continue
        cells = column.cast(pa.string())
        counts = cells.drop_null().value_counts()
        how = as_numbers(counts.field("values"), counts.field("counts").to_numpy(), names_a_code(name))
        if isinstance(how, Written):
            numbers = how.form.plain(how.form.known(cells))
            kind = kind_of_text(numbers)
            if kind in ("int", "float"):
                found[name], written[name] = text_to_kind(numbers, kind), how
    return found, written


def data_as_written(data: DataConfig, columns: Mapping[str, pa.Array], written: Mapping[str, Written]) -> DataConfig:
    """The keys that make ExampleGen read the columns in the same way; a unit stands with the feature."""
    words: Any = {name: list(how.form.null_words) for name, how in written.items() if how.form.null_words}
    if len(words) > _MOST_LISTED and not _in_text(everywhere := sorted(set().union(*words.values())), columns):
        words = everywhere
    commas = {name: "," for name, how in written.items() if how.form.decimal == ","}
    points = any(pa.types.is_floating(column.type) and name not in commas for name, column in columns.items())
    decimal: Any = (commas if points else ",") if commas else "."
    groups = {name: how.form.thousands for name, how in written.items() if how.form.thousands}
    alike = len(set(groups.values())) == 1 and not (isinstance(decimal, dict) and "," in groups.values())
    thousands: Any = (next(iter(groups.values())) if alike else groups) if groups else None
    return data.model_copy(update={"null_values": words or [], "decimal": decimal, "thousands": thousands})


def _in_text(words: Sequence[str], columns: Mapping[str, pa.Array]) -> bool:
    known = pa.array([word.encode() for word in words])
    text = [column for column in columns.values() if pa.types.is_binary(column.type)]
    return any(pc.any(pc.is_in(column, value_set=known)).as_py() for column in text)


def _is_text(column: pa.Array) -> bool:
    try:
        column.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def as_numbers(values: pa.StringArray, counts: np.ndarray, a_code: bool = False) -> Written | Mixed | None:
    """How numbers are written in a column that is text to Python.

    Args:
        values: its different values.
        counts: int64 [values], their rows.
        a_code: whether its name says that it is a code or an identifier, in which text among numbers has a meaning.

    Returns:
        Written where (nearly) all are numbers; Mixed where most are; None where it is text.
    """
    missing = _missing(values)
    rest = np.flatnonzero(~missing)
    head = rest[:_HEAD]
    if not len(rest) or _matches(values.take(pa.array(head))).mean() < 0.3:
        return None
    words = {values[place].as_py(): int(counts[place]) for place in np.flatnonzero(missing).tolist()}
    words = {word: rows for word, rows in words.items() if word.strip()}
    values, counts = values.take(pa.array(rest)), counts[rest]
    parts = pc.extract_regex(values, _NUMBER_WITH_UNIT)
    alike = pc.is_valid(parts).to_numpy(zero_copy_only=False)
    total = int(counts.sum())
    if counts[alike].sum() < 0.5 * total:
        return None
    units = _tally(parts, counts)
    unit = next(iter(units), None)
    if unit and unit.lower() in _NO_UNITS:
        return None
    decimal, thousands, ambiguous = _marks(values, counts, unit)
    form = CellForm(tuple(words), decimal, thousands, unit)
    fits = form.holds(values)
    places = np.flatnonzero(~fits)
    rows, distinct = int(counts[fits].sum()), int(fits.sum())
    weak = (unit is not None and unit.isalpha()) or (decimal, thousands) != (".", None)
    if distinct < (FEWEST_WITH_UNIT if weak else 2):
        return None
    if rows < 0.5 * total:
        return None
    tolerable = rows >= (1 - MOST_ODD) * total and len(places) <= MOST_ODD_VALUES and distinct >= FEWEST_NUMBERS
    if len(places) and (a_code or not tolerable):
        most = places[np.argsort(-counts[places], kind="stable")][:3]
        others = tuple(values.take(pa.array(most)).to_pylist())
        return Mixed(rows / total, others, tuple(units)[:3] if len(units) > 1 else ())
    if thousands == " " and len({len(text) for text in values.to_pylist()}) == 1:
        # Telephone and account numbers are all of one length.
        return None
    odd = {values[place].as_py(): int(counts[place]) for place in places.tolist()}
    form = replace(form, null_words=(*words, *odd))
    return Written(form, words, odd, {}, ambiguous)


def time_form_of(values: pa.StringArray, counts: np.ndarray) -> tuple[str, dict[str, int]] | None:
    """`iso`, a format of strptime or `AMBIGUOUS`, and the values that are of another; None where most are no times."""
    rest = np.flatnonzero(~_missing(values))
    if not len(rest):
        return None
    values, counts = values.take(pa.array(rest)), counts[rest]
    head = values.slice(0, _HEAD)
    if pc.match_substring_regex(head, _LIKE_A_DATE).to_numpy(zero_copy_only=False).mean() < 0.5:
        return None
    shares = {form: float(_are_times(head, form).mean()) for form in (*_TIME_FORMS, *_ZONED_FORMS)}
    fit = [form for form, share in shares.items() if share >= 0.5 and share == max(shares.values())]
    fit = fit or [form for form, share in shares.items() if share >= 1 - MOST_ODD]
    best: list[tuple[float, str, np.ndarray]] = []
    for form in fit:
        valid = _are_times(values, form)
        best.append((float(counts[valid].sum() / counts.sum()), form, valid))
    best.sort(key=lambda entry: -entry[0])
    if not best or best[0][0] < 1 - MOST_ODD:
        return None
    share, form, valid = best[0]
    if len(best) > 1 and best[1][0] == share:
        form = AMBIGUOUS
    return form, {values[place].as_py(): int(counts[place]) for place in np.flatnonzero(~valid).tolist()}


def _are_times(values: pa.StringArray, form: str) -> np.ndarray:
    times = parse_times(values, None if form == ISO else form)
    # Times with and without a zone do not compare.
    return times.valid & (times.zoned | ~times.zoned.any())


def _missing(values: pa.StringArray) -> np.ndarray:
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    known = pa.array(["", *sorted(MISSING_MARKERS)])
    return pc.is_in(plain, value_set=known).to_numpy(zero_copy_only=False).astype(bool)


def _matches(values: pa.StringArray) -> np.ndarray:
    return pc.match_substring_regex(values, _NUMBER_WITH_UNIT).to_numpy(zero_copy_only=False).astype(bool)


def _tally(parts: pa.StructArray, counts: np.ndarray) -> dict[str, int]:
    """The units, the most frequent first."""
    tally: dict[str, int] = {}
    for name in ("before", "after"):
        texts = pc.struct_field(parts, [parts.type.get_field_index(name)]).to_pylist()
        for text, rows in zip(texts, counts.tolist(), strict=True):
            if text:
                tally[text] = tally.get(text, 0) + rows
    return dict(sorted(tally.items(), key=lambda item: -item[1]))


def _marks(values: pa.StringArray, counts: np.ndarray, unit: str | None) -> tuple[str, str | None, str | None]:
    """The marks that fit most values; of those that fit as many, the most usual."""
    fits = [CellForm((), decimal, thousands, unit).holds(values) for decimal, thousands in _MARKS]
    scores = [int(counts[fit].sum()) for fit in fits]
    best = scores.index(max(scores))
    decimal, thousands = _MARKS[best]
    ambiguous = None
    if (decimal, thousands) == (".", ",") and scores[2] == scores[1]:
        # Each comma stands alone, before three digits.
        texts = values.filter(pa.array(fits[best])).to_pylist()
        if any(re.search(r"(?<!\d)0,", text) for text in texts):
            return ",", None, None
        ambiguous = texts[0] if all("," in text for text in texts) else None
    return decimal, thousands, ambiguous
