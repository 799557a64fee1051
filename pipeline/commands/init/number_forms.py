"""How the cells of a text column write numbers, and which of them are no numbers."""

import re
from collections import Counter
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
from pipeline.commands.init.column_names import names_a_code

MOST_ODD = 0.05
"""The largest share of values in a column of numbers that are no numbers, or in one of times that are no times."""
MOST_ODD_VALUES = 20
FEWEST_NUMBERS = 20
"""Where fewer different values are numbers, text such as `3+` among them is a category, not a mistake."""
FEWEST_WITH_UNIT = 10
_MOST_LISTED = 20
"""The words for missing values of more columns are written as one list, if no column of text holds any of them."""
HEAD = 200
"""The first different values, which are enough to rule out most columns of text."""

_CURRENCY = r"(?:[A-Z]{2,3})?\p{Sc}|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL|Rs\.?"
_BLANKS = "[ \u00a0\u202f]*"
_NUMBER_WITH_UNIT = (
    rf"^\s*[+-]?{_BLANKS}(?P<before>{_CURRENCY})?{_BLANKS}[+-]?"
    "(?P<body>[\\d.,'\u2019 \u00a0\u202f]*\\d[.,]?)(?:[eE][+-]?\\d+)?"
    rf"{_BLANKS}(?P<after>%|‰|{_CURRENCY}|°[CF]?|[A-Za-zµ²³]{{1,8}}(?:/[A-Za-z0-9²³]{{1,4}})?)?\s*$"
)
_ENDINGS = {"png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "pdf", "txt", "wav"}
_NO_UNITS = frozenset({"am", "pm", "st", "nd", "rd", "th", "x", *_ENDINGS})
_MARKS = ((".", None), (".", ","), (",", None), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"))


@dataclass(frozen=True)
class NumberForm:
    """How a column of numbers is written.

    Attributes:
        cells: its marks and unit, and the words that count as missing.
        words: the words for `missing`, with their rows.
        odd: other values that are no numbers, with their rows; they count as missing as well.
        where: the first place of some of `odd`.
        ambiguous: a value whose mark may be one of thousands or a decimal one; None if there is none.
    """

    cells: CellForm = CellForm()
    words: Mapping[str, int] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    ambiguous: str | None = None

    @property
    def described(self) -> str:
        """The form in words, such as `written with the unit %`; empty where numbers are written plainly."""
        cells = self.cells
        parts = [f"a decimal {'comma' if cells.decimal == ',' else 'point'}"] if cells.decimal != "." else []
        parts += [f"'{cells.thousands}' between thousands"] if cells.thousands else []
        parts += [f"the unit {cells.unit}"] if cells.unit else []
        return f"written with {' and '.join(parts)}" if parts else ""


@dataclass(frozen=True)
class MixedNumbers:
    """Most values are numbers, but not all.

    Attributes:
        share: of the rows that hold numbers.
        others: the most frequent of the other values.
        units: the units, where there are several.
    """

    share: float
    others: tuple[str, ...]
    units: tuple[str, ...] = ()


def read_numbers(columns: Mapping[str, pa.Array]) -> tuple[dict[str, pa.Array], dict[str, NumberForm]]:
    """Columns of CSV, with the text that writes numbers in a form of its own as numbers, and these forms."""
    read = dict(columns)
    forms: dict[str, NumberForm] = {}
    for name, column in columns.items():
        if not pa.types.is_binary(column.type) or not is_utf8(column):
            continue
        cells = column.cast(pa.string())
        counts = cells.drop_null().value_counts()
        form = number_form_of(counts.field("values"), counts.field("counts").to_numpy(), names_a_code(name))
        if isinstance(form, NumberForm):
            numbers = form.cells.plain(form.cells.known(cells))
            kind = kind_of_text(numbers)
            if kind in ("int", "float"):
                read[name], forms[name] = text_to_kind(numbers, kind), form
    return read, forms


def with_number_forms(data: DataConfig, columns: Mapping[str, pa.Array], forms: Mapping[str, NumberForm]) -> DataConfig:
    """The keys that make ExampleGen read the columns in the same way; a unit is a key of the feature."""
    cells = {name: form.cells for name, form in forms.items()}
    words: Any = {name: list(form.null_words) for name, form in cells.items() if form.null_words}
    if len(words) > _MOST_LISTED and not _in_text(everywhere := sorted(set().union(*words.values())), columns):
        words = everywhere
    commas = {name: "," for name, form in cells.items() if form.decimal == ","}
    points = any(pa.types.is_floating(column.type) and name not in commas for name, column in columns.items())
    decimal: Any = (commas if points else ",") if commas else "."
    groups = {name: form.thousands for name, form in cells.items() if form.thousands}
    alike = len(set(groups.values())) == 1 and not (isinstance(decimal, dict) and "," in groups.values())
    thousands: Any = (next(iter(groups.values())) if alike else groups) if groups else None
    return data.model_copy(update={"null_values": words or [], "decimal": decimal, "thousands": thousands})


def _in_text(words: Sequence[str], columns: Mapping[str, pa.Array]) -> bool:
    known = pa.array([word.encode() for word in words])
    text = [column for column in columns.values() if pa.types.is_binary(column.type)]
    return any(pc.any(pc.is_in(column, value_set=known)).as_py() for column in text)


def is_utf8(column: pa.Array) -> bool:
    """Whether all values of a binary column are UTF-8."""
    try:
        column.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def number_form_of(
    values: pa.StringArray, counts: np.ndarray, a_code: bool = False
) -> NumberForm | MixedNumbers | None:
    """How numbers are written in a column that Python would read as text, of which these are the different values.

    Args:
        counts: int64 [values], their rows.
        a_code: whether its name says that it is a code or an identifier, in which text among numbers has a meaning.

    Returns:
        NumberForm where (nearly) all are numbers; MixedNumbers where most are; None where it is text.
    """
    missing = is_missing(values)
    rest = np.flatnonzero(~missing)
    head = rest[:HEAD]
    like_numbers = pc.match_substring_regex(values.take(pa.array(head)), _NUMBER_WITH_UNIT)
    if not len(rest) or like_numbers.to_numpy(zero_copy_only=False).astype(bool).mean() < 0.3:
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
    if distinct < (FEWEST_WITH_UNIT if weak else 2) or rows < 0.5 * total:
        return None
    tolerable = rows >= (1 - MOST_ODD) * total and len(places) <= MOST_ODD_VALUES and distinct >= FEWEST_NUMBERS
    if len(places) and (a_code or not tolerable):
        most = places[np.argsort(-counts[places], kind="stable")][:3]
        others = tuple(values.take(pa.array(most)).to_pylist())
        return MixedNumbers(rows / total, others, tuple(units)[:3] if len(units) > 1 else ())
    if thousands == " " and len({len(text) for text in values.to_pylist()}) == 1:
        # Telephone and account numbers are all of one length.
        return None
    odd = {values[place].as_py(): int(counts[place]) for place in places.tolist()}
    return NumberForm(replace(form, null_words=(*words, *odd)), words, odd, {}, ambiguous)


def is_missing(values: pa.StringArray) -> np.ndarray:
    """bool [values], whether each is blank or a word for `missing`."""
    plain = pc.utf8_lower(pc.utf8_trim_whitespace(values))
    known = pa.array(["", *sorted(MISSING_MARKERS)])
    return pc.is_in(plain, value_set=known).to_numpy(zero_copy_only=False).astype(bool)


def _tally(parts: pa.StructArray, counts: np.ndarray) -> dict[str, int]:
    """The units, the most frequent first."""
    tally: Counter[str] = Counter()
    for name in ("before", "after"):
        texts = pc.struct_field(parts, [parts.type.get_field_index(name)]).to_pylist()
        for text, rows in zip(texts, counts.tolist(), strict=True):
            tally.update({text: rows} if text else {})
    return dict(tally.most_common())


def _marks(values: pa.StringArray, counts: np.ndarray, unit: str | None) -> tuple[str, str | None, str | None]:
    """The decimal and the thousands mark that fit most values, and an ambiguous value; the usual marks win a tie."""
    fits = [CellForm((), decimal, thousands, unit).holds(values) for decimal, thousands in _MARKS]
    scores = [int(counts[fit].sum()) for fit in fits]
    best = scores.index(max(scores))
    decimal, thousands = _MARKS[best]
    ambiguous = None
    if (decimal, thousands) == (".", ",") and scores[2] == scores[1]:
        # Each value has one comma, before three digits.
        texts = values.filter(pa.array(fits[best])).to_pylist()
        if any(re.search(r"(?<!\d)0,", text) for text in texts):
            return ",", None, None
        ambiguous = texts[0] if all("," in text for text in texts) else None
    return decimal, thousands, ambiguous
