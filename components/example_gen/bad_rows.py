"""What is wrong with single values, counted over the whole source before it is reported."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

_SHOWN = 20


@dataclass(frozen=True)
class BadRows:
    """`count` rows with the same flaw; `where` is the first. `column` is ready to print where it names several."""

    flaw: Literal["outside_domain", "missing_time", "missing_key"]
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


def describe(bad: BadRows, domains: Mapping[str, list[str]]) -> str:
    """A sentence for the error message."""
    rows = "1 row" if bad.count == 1 else f"{bad.count:,} rows"
    if bad.flaw == "missing_time":
        return (
            f"{bad.where}: column '{bad.column}', by which the data are split (data.split.column), "
            f"has no value in {rows} (this is the first)"
        )
    if bad.flaw == "missing_key":
        return f"{bad.where}: {rows} (this is the first) have no value in data.split.key: {bad.column}"
    allowed = domains[bad.column]
    shown = ", ".join(allowed[:_SHOWN]) + (f" and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else "")
    close = difflib.get_close_matches(bad.value, allowed, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return (
        f"{bad.where}: column '{bad.column}' holds '{bad.value}' in {rows} (this is the first), "
        f"which is not among the classes {shown}{hint}"
    )
