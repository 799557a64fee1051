"""What is wrong with single values, counted over the whole source before it is reported."""

import difflib
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.batch import Batch
from janus_core.tables.lists import flat_values, is_list, row_of_value

_SHOWN = 20


@dataclass(frozen=True)
class BadRows:
    """`count` rows with the same flaw; `where` is the first. `column` is ready to print where it names several."""

    flaw: Literal["outside_domain", "missing_time", "missing_key", "no_date"]
    column: str
    value: str
    count: int
    where: str


MAX_VALUES = 1000
"""The most values that are reported: a continuous column that is declared as classes would fill the memory."""


def merge_bad_rows(bad_rows: Iterable[BadRows]) -> list[BadRows]:
    """One entry per flaw, column and value, in the order of first occurrence; the first MAX_VALUES."""
    merged: dict[tuple[str, str, str], BadRows] = {}
    for bad in bad_rows:
        key = (bad.flaw, bad.column, bad.value)
        first = merged.get(key)
        if first:
            merged[key] = replace(first, count=first.count + bad.count)
        elif len(merged) < MAX_VALUES:
            merged[key] = bad
    return list(merged.values())


def describe(bad: BadRows, domains: Mapping[str, list[str]], dates: Mapping[str, str]) -> str:
    """A sentence for the error message."""
    rows = "1 row" if bad.count == 1 else f"{bad.count:,} rows"
    if bad.flaw == "missing_time":
        return (
            f"{bad.where}: column '{bad.column}', by which the data are split (data.split.column), "
            f"has no value in {rows} (this is the first)"
        )
    if bad.flaw == "missing_key":
        return f"{bad.where}: {rows} (this is the first) have no value in data.split.key: {bad.column}"
    if bad.flaw == "no_date":
        form = f"of the format '{dates[bad.column]}'" if dates[bad.column] else "in ISO 8601"
        value = f"'{bad.value}'" if bad.value else "a value"
        return (
            f"{bad.where}: column '{bad.column}' holds {value} in {rows} (this is the first), which is no date {form} "
            "of the years 1 to 9999; correct the value or the feature's format, or name what means missing in "
            "data.null_values"
        )
    allowed = domains[bad.column]
    shown = ", ".join(allowed[:_SHOWN]) + (f" and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else "")
    close = difflib.get_close_matches(bad.value, allowed, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return (
        f"{bad.where}: column '{bad.column}' holds '{bad.value}' in {rows} (this is the first), "
        f"which is not among the classes {shown}{hint}"
    )


def check_domains(batch: Batch, domains: Mapping[str, list[str]]) -> list[BadRows]:
    """An entry per column and value that is neither missing nor among the column's allowed values."""
    bad_rows = []
    for name, allowed in domains.items():
        column = batch.columns.get(name)
        if column is None:
            continue
        values, offsets = flat_values(column) if is_list(column.type) else (column, np.arange(batch.rows + 1))
        known = set(allowed)
        wrong = (e for e in values.value_counts().to_pylist() if e["values"] is not None)
        wrong = (entry for entry in wrong if as_text(entry["values"]) not in known)
        for entry in itertools.islice(wrong, MAX_VALUES):
            value = entry["values"]
            place = pc.index(values, pa.scalar(value, values.type)).as_py() if value == value else _first_nan(values)
            where = batch.locate(row_of_value(offsets, place))
            bad_rows.append(BadRows("outside_domain", name, as_text(value), entry["counts"], where))
    return bad_rows


def as_text(value: Any) -> str:
    """A value as a class is written in the config: whole numbers without a fraction, bytes as UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _first_nan(values: pa.Array) -> int:
    return int(pc.index(pc.is_nan(values), True).as_py())
