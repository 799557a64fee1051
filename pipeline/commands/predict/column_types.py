"""Infers the types of columns that a model does not take, in files without types: numbers where no value changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables import csv_reader
from janus_core.tables.cells import CellForms
from janus_core.tables.csv_dialect import Dialect

_WHOLE = r"^(0|-?[1-9]\d*)$"
_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"
_LONGEST_WHOLE, _LONGEST = 18, 16
"""The most characters of a whole number that int64 holds, and of a number that float64 reproduces exactly."""


@dataclass
class _Cells:
    """What a column's cells have been so far."""

    whole: bool = True
    number: bool = True
    longest: int = 0

    def add(self, cells: pa.StringArray) -> None:
        self.longest = max(self.longest, pc.max(pc.binary_length(cells)).as_py() or 0)
        self.whole = self.whole and pc.all(pc.match_substring_regex(cells, _WHOLE)).as_py()
        short = self.whole or self.longest <= _LONGEST
        self.number = self.number and short and pc.all(pc.match_substring_regex(cells, _NUMBER)).as_py()

    @property
    def type(self) -> pa.DataType:
        if not self.number or not self.longest or self.longest > (_LONGEST_WHOLE if self.whole else _LONGEST):
            return pa.string()
        return pa.int64() if self.whole else pa.float64()


def types_of_csv(
    files: Sequence[str], columns: Collection[str], dialect: Dialect, forms: CellForms
) -> dict[str, pa.DataType]:
    """int64, float64 or string for each of the columns, from all their cells; text such as 007 stays text."""
    found = {name: _Cells() for name in columns}
    for path in files:
        file = csv_reader.open_csv(path, dialect, forms)
        for block in csv_reader.blocks_between(file, file.header.stop, None, file.header.line):
            wanted = [name for name, cells in found.items() if cells.number]
            if not wanted:
                break
            for name, cells in csv_reader.parse_block(block, file, wanted).items():
                found[name].add(cells)
    return {name: cells.type for name, cells in found.items()}


def type_of_json(kinds: set[type]) -> pa.DataType:
    """The type of a column, from the Python types of its values in JSON (those of `kind_of_json`)."""
    kinds = kinds - {type(None)}
    if kinds and kinds <= {int, float}:
        return pa.int64() if kinds == {int} else pa.float64()
    return pa.bool_() if kinds == {bool} else pa.string()


def kind_of_json(value: Any) -> type:
    """The Python type of a value of JSON; str for whole numbers that float64 may not hold exactly."""
    return str if type(value) is int and abs(value) >= 2**53 else type(value)
