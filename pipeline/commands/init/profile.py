"""A column of the sample: its values counted, and what several guesses need to know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from components.example_gen.domains import as_text
from janus_core.tables.column_kinds import Kind, kind_of_type
from janus_core.tables.lists import is_list, list_offsets
from pipeline.commands.init.column_names import tokens_of
from pipeline.commands.init.number_forms import NumberForm

_SMALL_STEP = 2


@dataclass(frozen=True)
class Profile:
    """A column of the sample in plain numbers.

    Attributes:
        name: the column's name.
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
    if not columns:
        return 0
    rows = columns[0].rows
    state = np.zeros(rows, np.uint64)
    for column in columns:
        state = (state + _hashes(column)) * np.uint64(0x9E3779B97F4A7C15)
        state ^= state >> np.uint64(29)
    return rows - len(np.unique(state))


def _hashes(column: Profile) -> np.ndarray:
    if column.kind is None:
        return np.zeros(column.rows, np.uint64)
    if column.listed:
        return np.array([hash(str(value)) & 0x7FFFFFFFFFFFFFFF for value in column.array.to_pylist()], np.uint64)
    return (column.codes + 1).astype(np.uint64)
