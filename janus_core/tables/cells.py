"""How missing values and numbers are written in the cells of CSV columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.column_kinds import CellError, Kind, kind_of_text, text_to_kind
from janus_core.tables.config import DataConfig

_SPACES = "[ \u00a0\u202f]"
_MARKS = {" ": _SPACES, "'": "['\u2019]"}
_NOT_FINITE = "[Nn]a[Nn]|NAN|[Ii]nf(?:inity)?|INF"
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class CellForm:
    """How the cells of one column are written.

    Attributes:
        null_words: texts that count as missing, in addition to the empty cell.
        decimal: the decimal mark, `.` or `,`.
        thousands: the mark between groups of digits; None if there is none.
        unit: what may precede or follow a number, such as % or kg.
    """

    null_words: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    unit: str | None = None

    @property
    def pattern(self) -> str:
        """Matches a cell that holds a number; the groups `sign`, `whole`, `fraction` and `exponent` are its parts."""
        unit = f"(?:{re.escape(self.unit)})?" if self.unit else ""
        whole = r"\d+"
        if self.thousands:
            mark = _MARKS.get(self.thousands, re.escape(self.thousands))
            # Groups of two digits before the last one are how India writes them.
            whole = rf"\d{{1,3}}(?:{mark}\d{{2,3}})*{mark}\d{{3}}|\d+"
        number = rf"(?P<whole>{whole})?(?:{re.escape(self.decimal)}(?P<fraction>\d*))?(?P<exponent>[eE][+-]?\d+)?"
        blanks = rf"{_SPACES}*"
        sign = "(?P<sign>[+-]?)"
        # The sign of -$5 precedes the unit, that of $-5 follows it.
        head = rf"(?:{sign}{blanks}{unit}|{unit}{blanks}{sign.replace('sign', 'sign_after')})" if unit else sign
        return rf"^{blanks}{head}{blanks}(?:{number}|(?P<special>{_NOT_FINITE})){blanks}{unit}{blanks}$"

    def known(self, cells: pa.StringArray) -> pa.StringArray:
        """The cells, null where they hold a word for a missing value."""
        if not self.null_words:
            return cells
        words = pa.array(self.null_words, cells.type)
        return pc.if_else(pc.is_in(cells, value_set=words), pa.scalar(None, cells.type), cells)

    def plain(self, cells: pa.StringArray) -> pa.StringArray:
        """The numbers as Python writes them.

        Raises CellError for the first cell that is not a number in this form; a blank one is missing.
        """
        if not self._applies(cells):
            return cells
        parts = pc.extract_regex(cells, self.pattern)
        blank = pc.match_substring_regex(cells, r"^\s*$")
        wrong = pc.and_kleene(pc.invert(_has_digits(parts)), pc.invert(blank))
        row = pc.index(wrong, True).as_py()
        if row >= 0:
            raise CellError(row, cells[row].as_py(), self.reason)
        whole = pc.replace_substring_regex(_part(parts, "whole"), r"\D", "")
        signs = ("sign", "sign_after") if self.unit else ("sign",)
        fraction = _part(parts, "fraction")
        point = pc.if_else(pc.equal(pc.binary_length(fraction), 0), "", ".")
        pieces = [*(_part(parts, name) for name in signs), whole, point, fraction]
        text = pc.binary_join_element_wise(*pieces, _part(parts, "exponent"), _part(parts, "special"), "")
        return pc.if_else(blank, pa.scalar(None, cells.type), text)

    def holds(self, values: pa.StringArray) -> np.ndarray:
        """bool [values], whether each is a number as this form writes them."""
        return _has_digits(pc.extract_regex(values, self.pattern)).to_numpy(zero_copy_only=False).astype(bool)

    @property
    def reason(self) -> str:
        """The form in words, for messages; empty for the usual one."""
        parts = [f"data.decimal is '{self.decimal}'"] if self.decimal != "." else []
        parts += [f"data.thousands is '{self.thousands}'"] if self.thousands else []
        parts += [f"its unit is '{self.unit}'"] if self.unit else []
        return ", ".join(parts)

    def _applies(self, cells: pa.StringArray) -> bool:
        """Whether Python would read any cell differently: most columns that have a unit hold plain numbers."""
        if self.decimal != ".":
            return True
        marks = [_MARKS.get(self.thousands, re.escape(self.thousands))] if self.thousands else []
        marks += [re.escape(self.unit)] if self.unit else []
        return any(pc.any(pc.match_substring_regex(cells, mark)).as_py() for mark in marks)


def _part(parts: pa.StructArray, name: str) -> pa.StringArray:
    """A named group; empty where it, or the whole pattern, does not match."""
    index = parts.type.get_field_index(name)
    return pc.fill_null(pc.struct_field(parts, [index]), "")


def _has_digits(parts: pa.StructArray) -> pa.BooleanArray:
    text = pc.binary_join_element_wise(*(_part(parts, name) for name in ("whole", "fraction", "special")), "")
    return pc.not_equal(text, "")


@dataclass(frozen=True)
class CellForms:
    """How all columns are written: each attribute of CellForm for all of them, or column → its own."""

    null_words: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    decimal: str | Mapping[str, str] = "."
    thousands: str | Mapping[str, str] | None = None
    units: Mapping[str, str] = field(default_factory=dict)

    def of(self, column: str) -> CellForm:
        """One column's form."""
        return CellForm(
            _own(self.null_words, column, ()),
            _own(self.decimal, column, "."),
            _own(self.thousands, column, None),
            self.units.get(column),
        )

    def kind(self, column: str, cells: pa.StringArray, wide: Kind = "bytes") -> Kind | None:
        """The narrowest kind that holds every cell; None if all are missing; `wide` as in `kind_of_text`."""
        try:
            return kind_of_text(self.of(column).plain(cells), wide)
        except CellError:
            return "bytes"

    def convert(self, column: str, cells: pa.StringArray, kind: Kind) -> pa.Array:
        """Cells as int64, float64 or binary. Raises CellError for the first that is not a number."""
        if kind == "bytes":
            return text_to_kind(cells, kind)
        form = self.of(column)
        try:
            return text_to_kind(form.plain(cells), kind)
        except CellError as error:
            # Report the cell as it is in the file.
            raise CellError(error.row, cells[error.row].as_py(), error.reason or form.reason) from None


AS_PYTHON = CellForms()
"""Numbers as Python writes them, and no word for missing values."""


def forms_of(data: DataConfig, units: Mapping[str, str] | None = None) -> CellForms:
    """The forms that a configuration names; `units` are those of its features and tasks, by column."""
    words = data.null_values
    null_words = {c: tuple(w) for c, w in words.items()} if isinstance(words, dict) else tuple(words)
    return CellForms(null_words, data.decimal, data.thousands, dict(units or {}))


def columns_of_cells(data: DataConfig) -> dict[str, str]:
    """Each column whose cells have a form of their own → the config key that names it."""
    keys = {"null_values": data.null_values, "decimal": data.decimal, "thousands": data.thousands}
    return {column: f"data.{key}" for key, own in keys.items() if isinstance(own, dict) for column in own}


def _own(value: Any, column: str, default: _Value) -> Any | _Value:
    return value.get(column, default) if isinstance(value, Mapping) else value
