"""A column of the sample: its values counted, what several guesses need to know of them, and how it writes times."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.example_gen.bad_rows import as_text
from janus_core.tables.column_kinds import Kind, kind_of_type
from janus_core.tables.lists import is_list, list_offsets
from janus_core.tables.times import parse_times
from pipeline.commands.init.column_names import BIRTH_TOKENS, TIME_TOKENS, tokens_of
from pipeline.commands.init.number_forms import HEAD, MOST_ODD, NumberForm, is_missing

_SMALL_STEP = 2


@dataclass(frozen=True)
class Profile:
    """A column of the sample in plain numbers.

    Attributes:
        array: its values; int64, float64, binary, lists of these, or null.
        kind: of the values or the lists' elements; None if there are none.
        listed: whether rows hold lists.
        rows: sampled rows.
        missing: those without a value; NaN counts as missing.
        values: the different values in the order of frequency, as text, with their rows; empty for lists.
        numbers: float64 [rows], NaN where missing; None for text and lists.
        form: how its numbers are written in CSV, where Python would not read them.
    """

    name: str
    array: pa.Array
    kind: Kind | None
    listed: bool
    rows: int
    missing: int
    values: dict[str, int]
    numbers: np.ndarray | None
    form: NumberForm | None = None

    @property
    def unit(self) -> str | None:
        """What is written beside its numbers in CSV."""
        return self.form.cells.unit if self.form else None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def tokens(self) -> list[str]:
        """The words of its name."""
        return tokens_of(self.name)

    @cached_property
    def known(self) -> np.ndarray:
        """float64, its numbers without those that are missing."""
        return self.numbers[~np.isnan(self.numbers)] if self.numbers is not None else np.zeros(0)

    @property
    def whole(self) -> bool:
        """Whether every value is a whole number."""
        finite = self.known[np.isfinite(self.known)]
        return bool(finite.size and (finite == np.floor(finite)).all())

    @property
    def skewness(self) -> float:
        """Of its numbers; 0 where they are all the same."""
        deviation = float(self.known.std())
        return float(np.mean(((self.known - self.known.mean()) / deviation) ** 3)) if deviation > 0 else 0.0

    @property
    def range(self) -> str:
        """Of numbers: how many different ones there are, from where to where, and how they are written."""
        written = f", {self.form.described}" if self.form and self.form.described else ""
        return f"number, {len(self.values):,} values from {self.known.min():g} to {self.known.max():g}{written}"

    @property
    def distinct(self) -> tuple[pa.StringArray, np.ndarray]:
        """The different values as text, and their rows, int64."""
        return pa.array(list(self.values), pa.string()), np.array(list(self.values.values()), np.int64)

    @cached_property
    def codes(self) -> np.ndarray:
        """int64 [rows]: equal values have equal codes, from 0 on; -1 where the value is missing."""
        indices = self.array.dictionary_encode().indices.fill_null(-1)
        return indices.to_numpy(zero_copy_only=False).astype(np.int64)


def profile(name: str, array: pa.Array, form: NumberForm | None = None) -> Profile:
    """Counts a column's values."""
    kind, listed, rows = kind_of_type(array.type), is_list(array.type), len(array)
    if kind is None or listed:
        missing = int((np.diff(list_offsets(array)) == 0).sum()) if listed else rows
        return Profile(name, array, kind if missing < rows else None, listed, rows, missing, {}, None)
    numbers = None
    missing = array.null_count
    if kind != "bytes":
        numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = int(np.isnan(numbers).sum())
    counts = array.drop_null().value_counts()
    rows_of = counts.field("counts").to_numpy()
    order = np.argsort(-rows_of, kind="stable")
    found = zip(counts.field("values").take(pa.array(order)).to_pylist(), rows_of[order].tolist(), strict=True)
    values = {as_text(value): count for value, count in found if value == value}
    return Profile(name, array, kind if missing < rows else None, False, rows, missing, values, numbers, form)


def is_row_number(column: Profile) -> bool:
    """Whether a whole number differs in every row and only grows or only falls, by steps of about one.

    With larger steps, it may be that the table is sorted by it.
    """
    if not column.whole or column.missing or len(column.values) != column.rows or column.rows < 10:
        return False
    steps = np.diff(column.known)
    monotonic = bool((steps > 0).all() or (steps < 0).all())
    return monotonic and (bool((steps == steps[0]).all()) or bool(np.median(np.abs(steps)) <= _SMALL_STEP))


def repeated_rows(columns: Sequence[Profile]) -> int:
    """How many rows of the sample equal an earlier one."""
    import pandas as pd

    known = (column for column in columns if column.kind is not None)
    codes = {c.name: list(map(str, c.array.to_pylist())) if c.listed else c.codes for c in known}
    return int(pd.DataFrame(codes).duplicated().sum())


# --- points in time -----------------------------------------------------------------------------------------------

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
class TimeForm:
    """How a column writes points in time.

    Attributes:
        form: ISO, `epoch`, `yyyymmdd`, a format of strptime, or AMBIGUOUS.
        odd: the values that are no such times, with their rows.
    """

    form: str
    odd: dict[str, int] = field(default_factory=dict)

    @property
    def format(self) -> str | None:
        """The format of strptime; None for ISO."""
        return None if self.form == ISO else self.form


def time_form_of(column: Profile) -> TimeForm | None:
    """How the values are points in time; None where they are none, and for dates of birth."""
    tokens = set(column.tokens)
    if column.listed or not column.present or BIRTH_TOKENS & tokens:
        return None
    if column.kind == "bytes":
        return text_time_form(column)
    if not column.whole or not TIME_TOKENS & tokens:
        return None
    known = column.known
    least, greatest = float(known.min()), float(known.max())
    if any(lowest <= least and greatest <= 4.2 * lowest for lowest in (5e8, 5e11, 5e14, 5e17)):
        return TimeForm("epoch")
    if least >= 19000101 and greatest <= 21991231 and (known // 100 % 100 <= 12).all() and (known % 100 <= 31).all():
        return TimeForm("yyyymmdd")
    return None


def text_time_form(column: Profile) -> TimeForm | None:
    """The form that (nearly) all values of a column of text have; None if there is none."""
    values, counts = column.distinct
    rest = np.flatnonzero(~is_missing(values))
    if not len(rest):
        return None
    values, counts = values.take(pa.array(rest)), counts[rest]
    head = values.slice(0, HEAD)
    if pc.match_substring_regex(head, _LIKE_A_DATE).to_numpy(zero_copy_only=False).mean() < 0.5:
        return None
    shares = {form: float(_are_times(head, form).mean()) for form in (*_TIME_FORMS, *_ZONED_FORMS)}
    fit = [form for form, share in shares.items() if share >= 0.5 and share == max(shares.values())]
    fit = fit or [form for form, share in shares.items() if share >= 1 - MOST_ODD]
    valid = {form: _are_times(values, form) for form in fit}
    rows = {form: int(counts[valid[form]].sum()) for form in fit}
    best = max(rows, key=lambda form: rows[form], default=None)
    if best is None or rows[best] / counts.sum() < 1 - MOST_ODD:
        return None
    odd = {values[place].as_py(): int(counts[place]) for place in np.flatnonzero(~valid[best]).tolist()}
    return TimeForm(best if list(rows.values()).count(rows[best]) == 1 else AMBIGUOUS, odd)


def _are_times(values: pa.StringArray, form: str) -> np.ndarray:
    times = parse_times(values, None if form == ISO else form)
    # Times with and without a zone do not compare.
    return times.valid & (times.zoned | ~times.zoned.any())
