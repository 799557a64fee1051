"""What each column seems to be, and the reason for it."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from components.arrow_example_gen.domains import as_text
from components.arrow_example_gen.kinds import Kind, is_list, kind_of_type, list_offsets
from pipeline.init.markers import markers_among_numbers

Guessed = Literal["numeric", "categorical", "hashed", "cyclical", "vector", "dropped"]

MOST_CATEGORIES = 200
"""A vocabulary of more values is hashed instead."""
FEWEST_VALUES = 10
FEWEST_SHARE = 0.01
"""A column with values in fewer rows may have none in the training split."""

_TEXT_WORDS = 3.0
# As a split by time takes it; times in several zones do not sort as text.
_ISO = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?(Z|[+-]\d{2}:?\d{2})?")
_ID_TOKENS = frozenset({"id", "ids", "uuid", "guid", "key", "pk", "rowid", "index", "idx", "identifier", "tailnum"})
_CODE_TOKENS = frozenset(
    {"zip", "zipcode", "postcode", "code", "type", "class", "category", "region", "area", "tract", "store", "zone"}
)
_BIRTH_TOKENS = frozenset({"birth", "born", "dob", "birthday", "birthdate"})
_TIME_TOKENS = frozenset({"time", "timestamp", "ts", "date", "datetime", "epoch", "created", "updated", "at", "when"})
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
    """

    name: str
    array: pa.Array
    kind: Kind | None
    listed: bool
    rows: int
    missing: int
    values: dict[str, int]
    numbers: np.ndarray | None

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
    """What is proposed for a column: a feature of a kind with its keys, or to drop it."""

    kind: Guessed
    reason: str
    options: dict[str, Any] = field(default_factory=dict)


def profile(name: str, array: pa.Array) -> Profile:
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
    return Profile(name, array, kind if missing < rows else None, False, rows, missing, values, numbers)


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


def tokens_of(name: str) -> list[str]:
    """The words of a column's name, in lower case: `pickupHour_2` has pickup, hour and 2."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain)
    return [token.lower() for token in re.findall(r"[A-Za-z]+|\d+", parted)]


def shown(value: str, most: int = 40) -> str:
    """A value in a comment or message: on one line, cut where it is long."""
    plain = "".join(char if char.isprintable() else " " for char in value)
    return f"'{plain[:most]}…'" if len(plain) > most else f"'{plain}'"


def is_row_number(column: Profile) -> bool:
    """Whether a whole number is different in every row and only grows or only falls."""
    if (
        column.numbers is None
        or not column.whole
        or column.missing
        or len(column.values) != column.rows
        or column.rows < 10
    ):
        return False
    steps = np.diff(column.numbers)
    return bool((steps > 0).all() or (steps < 0).all())


def time_form(column: Profile) -> str | None:
    """`iso`, `epoch` or `yyyymmdd` where the values are points in time; None where they are not."""
    if column.listed or not column.present or _BIRTH_TOKENS & set(tokens_of(column.name)):
        return None
    if column.kind == "bytes":
        matches = [_ISO.fullmatch(value) for value in column.values]
        return "iso" if all(matches) and len({match[5] for match in matches if match}) == 1 else None
    if column.numbers is None or not column.whole:
        return None
    found = column.numbers[~np.isnan(column.numbers)]
    least, greatest = float(found.min()), float(found.max())
    if not _TIME_TOKENS & set(tokens_of(column.name)):
        return None
    if any(lowest <= least and greatest <= 4.2 * lowest for lowest in (5e8, 5e11, 5e14, 5e17)):
        return "epoch"
    if least >= 19000101 and greatest <= 21991231 and (found // 100 % 100 <= 12).all() and (found % 100 <= 31).all():
        return "yyyymmdd"
    return None


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
    if time_form(column):
        return Guess("dropped", "points in time, for which there is no encoder; add columns such as month or hour")
    markers = markers_among_numbers(column.values)
    if markers:
        return Guess(
            "dropped", f"numbers, but for {', '.join(map(shown, markers))}: leave these cells empty to use the column"
        )
    words = float(np.average([value.count(" ") + 1 for value in column.values], weights=list(column.values.values())))
    if words > _TEXT_WORDS and ratio > 0.5:
        return Guess("dropped", f"free text ({words:.0f} words on average), for which there is no encoder")
    if ratio > 0.9 and distinct > 20:
        return Guess("dropped", f"identifier: {distinct:,} values in {column.present:,} rows")
    return _category(column, "text")


def _category(column: Profile, what: str) -> Guess:
    distinct = len(column.values)
    values = f"{distinct:,} value{'s' if distinct > 1 else ''}"
    if distinct <= MOST_CATEGORIES and distinct <= max(20, column.present / 3):
        return Guess("categorical", f"{what}, {values}")
    buckets = int(min(max(64, 2 ** np.ceil(np.log2(distinct * 1.5))), 1 << 16))
    return Guess("hashed", f"{what} of high cardinality, {values}", {"buckets": buckets})


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
    if is_row_number(column):
        return Guess("dropped", "identifier: a number that grows from row to row")
    if column.whole and _ID_TOKENS & set(tokens[-1:] + tokens[:1]) and distinct > 20:
        if distinct > 0.9 * column.present:
            return Guess("dropped", f"identifier: {distinct:,} values in {column.present:,} rows, and by its name")
        return _category(column, "identifies something by its name")
    if column.whole:
        cycle = _cycle(tokens, found)
        if cycle:
            period, what = cycle
            return Guess("cyclical", f"{what}, from {found.min():g} to {found.max():g}", {"period": period})
        if _CODE_TOKENS & set(tokens) and distinct > 2 and distinct <= 0.5 * column.present:
            return _category(column, "a code by its name")
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
