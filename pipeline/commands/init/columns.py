"""What each column seems to be, and the reason for it."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from components.example_gen.domains import as_text
from components.example_gen.precision import offset_against_rounding
from janus_core.tables.column_kinds import EXACT, Kind, is_list, kind_of_type, list_offsets
from pipeline.commands.init.names import CODE_TOKENS, ID_TOKENS, POSTCODE_TOKENS, names_a_code, tokens_of
from pipeline.commands.init.written import AMBIGUOUS, ISO, Mixed, Written, as_numbers, time_form_of

Guessed = Literal["numeric", "categorical", "hashed", "cyclical", "vector", "dropped"]

MOST_CATEGORIES = 200
"""A vocabulary of more values is hashed instead."""
FEWEST_VALUES = 10
FEWEST_SHARE = 0.01
"""A column with values in fewer rows may have none in the training split."""

_TEXT_WORDS = 3.0
_SMALL_STEP = 2
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_IP_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){3,7}")
_CODE = re.compile(r"(?=.*\d)[\w\-:/.#]+")
_PERSON_TOKENS = frozenset(
    {"ssn", "passport", "iban", "phone", "telephone", "mobile", "fax", "username", "login"}
    | {"surname", "lastname", "firstname", "forename", "fullname", "nickname"}
)
_NAMED_TOKENS = frozenset(
    {
        "first",
        "last",
        "full",
        "family",
        "given",
        "middle",
        "maiden",
        "user",
        "customer",
        "client",
        "patient",
        "employee",
    }
    | {"member", "passenger", "contact", "driver", "owner", "person", "student", "applicant", "holder"}
)
_BIRTH_TOKENS = frozenset({"birth", "born", "dob", "birthday", "birthdate"})
_TIME_TOKENS = frozenset(
    {"time", "timestamp", "ts", "date", "datetime", "epoch", "created", "updated", "at", "when", "ymd", "yyyymmdd"}
)
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
class Profile:
    """A column of the sample in plain numbers.

    Attributes:
        name: the column's name.
        array: its values; int64, float32, binary, lists of these, or null.
        kind: of the values or the lists' elements; None if there are none.
        listed: whether rows hold lists.
        rows: sampled rows.
        missing: those without a value; NaN counts as missing.
        values: the different values in the order of frequency, as text, with their rows; empty for lists.
        numbers: float64 [rows], NaN where missing; None for text and lists.
        written: how its numbers stand in CSV, where Python would not read them.
    """

    name: str
    array: pa.Array
    kind: Kind | None
    listed: bool
    rows: int
    missing: int
    values: dict[str, int]
    numbers: np.ndarray | None
    written: Written | None = None

    @property
    def unit(self) -> str | None:
        """What stands beside its numbers in CSV."""
        return self.written.form.unit if self.written else None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def whole(self) -> bool:
        """Whether every value is a whole number."""
        if self.numbers is None:
            return False
        found = self.numbers[np.isfinite(self.numbers)]
        return bool(found.size and (found == np.floor(found)).all())


@dataclass(frozen=True)
class Guess:
    """What is proposed for a column: a feature of a kind with its keys, or to drop it.

    `as_text`: digits of CSV are read as text, since 01234 is not 1234.
    """

    kind: Guessed
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    as_text: bool = False


@dataclass(frozen=True)
class TimeForm:
    """How a column writes points in time: ISO, `epoch`, `yyyymmdd`, a format of strptime, or AMBIGUOUS.

    `odd` are the values that are no such times, with their rows.
    """

    form: str
    odd: dict[str, int] = field(default_factory=dict)


def profile(name: str, array: pa.Array, written: Written | None = None) -> Profile:
    """Counts a column's values."""
    kind, listed, rows = kind_of_type(array.type), is_list(array.type), len(array)
    if kind is None or listed:
        empty = array.null_count if kind else rows
        if listed:
            empty = int((np.diff(list_offsets(array)) == 0).sum())
        return Profile(name, array, kind if empty < rows else None, listed, rows, empty, {}, None)
    numbers = None
    missing = array.null_count
    if kind != "bytes":
        numbers = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
        missing = int(np.isnan(numbers).sum())
    counts = array.drop_null().value_counts() if array.null_count else array.value_counts()
    order = np.argsort(-counts.field("counts").to_numpy(), kind="stable")
    found = zip(counts.field("values").take(pa.array(order)).to_pylist(), order.tolist(), strict=True)
    tallies = counts.field("counts").to_numpy()
    values = {as_text(value): int(tallies[place]) for value, place in found if value == value}
    return Profile(name, array, kind if missing < rows else None, False, rows, missing, values, numbers, written)


def guess(column: Profile) -> Guess:
    """The feature that a column makes."""
    if column.kind is None or not column.present:
        return Guess("dropped", "no value in any row")
    if column.present < max(FEWEST_VALUES, FEWEST_SHARE * column.rows) and column.missing:
        return Guess("dropped", f"a value in only {column.present:,} of {column.rows:,} rows")
    if column.listed:
        return _guess_list(column)
    if len(column.values) == 1 and not column.missing:
        return Guess("dropped", f"constant: {shown(next(iter(column.values)))} in every row")
    if column.numbers is None:
        return _guess_text(column)
    return _guess_number(column)


def shown(value: str, most: int = 40) -> str:
    """A value in a comment or message: on one line, cut where it is long."""
    plain = "".join(char if char.isprintable() else " " for char in value)
    return f"'{plain[:most]}…'" if len(plain) > most else f"'{plain}'"


def counted(rows: int) -> str:
    """`1 row`, `1,234 rows`."""
    return "1 row" if rows == 1 else f"{rows:,} rows"


def is_row_number(column: Profile) -> bool:
    """Whether a whole number is different in every row and only grows or only falls, by steps of one on the whole.

    By larger steps, it may be that the table is sorted by it.
    """
    if (
        column.numbers is None
        or not column.whole
        or column.missing
        or len(column.values) != column.rows
        or column.rows < 10
    ):
        return False
    steps = np.diff(column.numbers)
    monotonic = bool((steps > 0).all() or (steps < 0).all())
    return monotonic and (bool((steps == steps[0]).all()) or bool(np.median(np.abs(steps)) <= _SMALL_STEP))


def time_of(column: Profile) -> TimeForm | None:
    """How the values are points in time; None where (nearly) all would have to be, and are not."""
    if column.listed or not column.present or _BIRTH_TOKENS & set(tokens_of(column.name)):
        return None
    if column.kind == "bytes":
        return _text_times(column)
    if column.numbers is None or not column.whole:
        return None
    found = column.numbers[~np.isnan(column.numbers)]
    least, greatest = float(found.min()), float(found.max())
    if not _TIME_TOKENS & set(tokens_of(column.name)):
        return None
    if any(lowest <= least and greatest <= 4.2 * lowest for lowest in (5e8, 5e11, 5e14, 5e17)):
        return TimeForm("epoch")
    if least >= 19000101 and greatest <= 21991231 and (found // 100 % 100 <= 12).all() and (found % 100 <= 31).all():
        return TimeForm("yyyymmdd")
    return None


def time_form(column: Profile) -> str | None:
    """The form of `time_of`; None where the values are no points in time."""
    found = time_of(column)
    return found.form if found else None


def _text_times(column: Profile) -> TimeForm | None:
    found = time_form_of(*_distinct(column))
    return TimeForm(*found) if found else None


def _distinct(column: Profile) -> tuple[pa.StringArray, np.ndarray]:
    """The different values as text, and their rows."""
    return pa.array(list(column.values), pa.string()), np.array(list(column.values.values()), np.int64)


# --- lists and text ---------------------------------------------------------------------------------------------


def _guess_list(column: Profile) -> Guess:
    if column.kind == "bytes":
        return Guess("dropped", "lists of text have no kind of feature")
    sizes = np.diff(list_offsets(column.array))
    lengths = np.unique(sizes[sizes > 0])
    if len(lengths) > 1:
        return Guess("dropped", f"lists of {lengths[0]} to {lengths[-1]} numbers; a vector has one length")
    length = int(lengths[0])
    return Guess("vector", f"{length} numbers in each row", {"length": length})


def _guess_text(column: Profile) -> Guess:
    distinct, ratio = len(column.values), len(column.values) / column.present
    if any("\\x" in value and not _is_utf8(column) for value in column.values):
        return Guess("dropped", "not text: bytes that are not UTF-8")
    tokens = set(tokens_of(column.name))
    personal = _personal(column, tokens)
    if personal:
        return Guess("dropped", personal)
    if times := time_of(column):
        return Guess("dropped", f"points in time{_described(times)}, for which there is no encoder; {_ADD_PARTS}")
    if POSTCODE_TOKENS & tokens:
        return _category(column, "postcodes", as_text=True)
    numbers = as_numbers(*_distinct(column), names_a_code(column.name))
    # Of whole numbers too large to be read as numbers, the digits are names.
    digits = [value for value in column.values if len(value) > 15 and value.lstrip("-").isdecimal()]
    large = any(abs(int(value)) > EXACT for value in digits)
    if isinstance(numbers, Written) and not large:
        return Guess("dropped", _numbers_as_text(numbers))
    words = float(np.average([value.count(" ") + 1 for value in column.values], weights=list(column.values.values())))
    few = distinct <= MOST_CATEGORIES and ratio <= 0.5
    if isinstance(numbers, Mixed) and not names_a_code(column.name):
        if numbers.units or not few:
            return Guess("dropped", _mixed_numbers(numbers))
        return _category(column, f"text, as {_some(numbers.others)} among its numbers are none")
    if words > _TEXT_WORDS and ratio > 0.5:
        return Guess("dropped", f"free text ({words:.0f} words on average), for which there is no encoder")
    if ratio > 0.9 and distinct > 20:
        values = f"{distinct:,} values in {column.present:,} rows"
        codes = sum(bool(_CODE.fullmatch(value)) for value in column.values) > 0.9 * distinct
        if codes or ID_TOKENS & tokens:
            return Guess("dropped", f"identifier: {values}")
        return Guess("dropped", f"text that hardly repeats: {values}, so that little can be learnt of each")
    return _category(column, "whole numbers beyond 2^53, read as text" if large else "text")


def _personal(column: Profile, tokens: set[str]) -> str | None:
    """Why the values identify people, by what they are or by the column's name; None if they do not."""
    matches = {"e-mail addresses": _EMAIL, "network addresses": _IP_ADDRESS}
    for what, pattern in matches.items():
        if (
            sum(rows for value, rows in column.values.items() if pattern.fullmatch(value.strip()))
            > 0.8 * column.present
        ):
            return f"{what}, which identify people"
    if _BIRTH_TOKENS & tokens and time_form_of(*_distinct(column)):
        return "dates of birth, which identify people; add a column of ages to use them"
    return _personal_name(column, tokens)


def _personal_name(column: Profile, tokens: set[str]) -> str | None:
    named = "name" in tokens and _NAMED_TOKENS & tokens
    if (_PERSON_TOKENS & tokens or named or {"social", "security"} <= tokens) and len(column.values) > 2:
        return "identifies people, by the column's name"
    return None


_ADD_PARTS = "add columns such as month or hour"


def _described(times: TimeForm) -> str:
    form = "" if times.form in (ISO, AMBIGUOUS) else f" ({times.form})"
    odd = f", but for {_some(times.odd)}" if times.odd else ""
    return form + odd


def _numbers_as_text(numbers: Written) -> str:
    """Why text of Parquet is left out: of CSV, such columns are read as numbers."""
    if numbers.form.null_words:
        return f"numbers, but for {_some(numbers.form.null_words)}: leave these cells empty to use the column"
    return f"numbers as text, {numbers.shown or 'with blanks'}: store them as numbers to use the column"


def _mixed_numbers(numbers: Mixed) -> str:
    if numbers.units:
        return f"numbers in several units ({', '.join(numbers.units)}): write them in one to use the column"
    return (
        f"numbers in {100 * numbers.share:.0f} % of the rows, but not {_some(numbers.others)}: write them alike, or "
        "name what is missing in data.null_values, to use the column"
    )


def _some(values: Collection[str], most: int = 3) -> str:
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(shown, list(values)[:most])) + more


def _category(column: Profile, what: str, as_text: bool = False) -> Guess:
    distinct = len(column.values)
    values = f"{distinct:,} value{'s' if distinct > 1 else ''}"
    if distinct <= MOST_CATEGORIES and distinct <= max(20, column.present / 3):
        return Guess("categorical", f"{what}, {values}", as_text=as_text)
    buckets = int(min(max(64, 2 ** np.ceil(np.log2(distinct * 1.5))), 1 << 16))
    return Guess("hashed", f"{what} of high cardinality, {values}", {"buckets": buckets}, as_text)


def _is_utf8(column: Profile) -> bool:
    try:
        column.array.cast(pa.string()).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


# --- numbers ----------------------------------------------------------------------------------------------------


def _guess_number(column: Profile) -> Guess:
    numbers = column.numbers
    assert numbers is not None
    found = numbers[~np.isnan(numbers)]
    tokens = tokens_of(column.name)
    distinct = len(column.values)
    if not np.isfinite(found).all():
        return Guess("dropped", f"infinite in {int((~np.isfinite(found)).sum()):,} rows; correct the values to use it")
    if form := time_form(column):
        return Guess("dropped", f"points in time ({form}), which a model could only extrapolate from")
    if personal := _personal_name(column, set(tokens)):
        return Guess("dropped", personal)
    if is_row_number(column):
        return Guess("dropped", "identifier: a number that grows from row to row")
    if column.unit:
        return _scaled(column, found)
    if column.whole and POSTCODE_TOKENS & set(tokens) and distinct > 2:
        return _category(column, "postcodes", as_text=True)
    if column.whole and ID_TOKENS & set(tokens[-1:] + tokens[:1]) and distinct > 20:
        if distinct > 0.9 * column.present:
            return Guess("dropped", f"identifier: {distinct:,} values in {column.present:,} rows, and by its name")
        return _category(column, "identifies something by its name")
    if column.whole:
        cycle = _cycle(tokens, found)
        if cycle:
            period, what = cycle
            return Guess("cyclical", f"{what}, from {found.min():g} to {found.max():g}", {"period": period})
        if CODE_TOKENS & set(tokens) and distinct > 2 and distinct <= 0.5 * column.present:
            return _category(column, "a code by its name")
        if offset_against_rounding(found, "number") is not None and distinct <= 0.5 * column.present:
            return _category(column, "numbers so far from 0 and near to each other that they are names")
    return _scaled(column, found)


def _cycle(tokens: Sequence[str], found: np.ndarray) -> tuple[int, str] | None:
    joined = {*tokens, *("".join(tokens[start : start + 3]) for start in range(len(tokens)))}
    least, greatest = float(found.min()), float(found.max())
    many = len(np.unique(found))
    for words, (lowest, highest), period, what in _CYCLES:
        if words & joined and lowest <= least and greatest <= highest and many > 2:
            return period, what
    clock = (found % 100 < 60).all() and least >= 0 and 1000 < greatest <= 2400 and many > 24
    if clock and "time" in tokens:
        return 2400, "a time of day as hhmm"
    return None


def _scaled(column: Profile, found: np.ndarray) -> Guess:
    distinct = len(column.values)
    options: dict[str, Any] = {}
    reason = f"number, {distinct:,} values from {found.min():g} to {found.max():g}"
    if column.unit:
        options["unit"] = column.unit
    if column.written and column.written.shown:
        reason += f", {column.written.shown}"
    deviation = float(found.std())
    skew = float(np.mean(((found - found.mean()) / deviation) ** 3)) if deviation > 0 else 0.0
    if abs(skew) > 3 and distinct > 10:
        options["scale"] = "log"
        reason += f", long-tailed (skewness {skew:.1f})"
    if column.missing >= max(1, 0.005 * column.rows):
        options["missing_indicator"] = True
        reason += f", missing in {100 * column.missing / column.rows:.1f} %"
    return Guess("numeric", reason, options)


def repeated_rows(columns: Sequence[Profile]) -> int:
    """Rows of the sample that stand in it before."""
    if not columns:
        return 0
    rows = columns[0].rows
    state = np.zeros(rows, np.uint64)
    for column in columns:
        state = (state + _codes(column)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return rows - len(np.unique(state))


def _codes(column: Profile) -> np.ndarray:
    if column.kind is None:
        return np.zeros(column.rows, np.uint64)
    if column.listed:
        return np.array([hash(str(value)) & 0x7FFFFFFFFFFFFFFF for value in column.array.to_pylist()], np.uint64)
    indices = column.array.dictionary_encode().indices.fill_null(-1)
    return (indices.to_numpy(zero_copy_only=False).astype(np.int64) + 1).astype(np.uint64)
