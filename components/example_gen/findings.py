"""What is wrong with single values, counted over the whole source before it is reported."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

_SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """`count` rows with the same flaw; `where` is the first. `column` is ready to print where it names several."""

    flaw: Literal["outside_domain", "missing_time", "missing_key"]
    column: str
    value: str
    count: int
    where: str


MAX_VALUES = 1000
"""The most values that are reported: a continuous column that is declared as classes would fill the memory."""


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """One finding per flaw, column and value, in the order of first occurrence; the first MAX_VALUES."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        key = (finding.flaw, finding.column, finding.value)
        first = merged.get(key)
        if first:
            merged[key] = replace(first, count=first.count + finding.count)
        elif len(merged) < MAX_VALUES:
            merged[key] = finding
    return list(merged.values())


def describe(finding: Finding, domains: Mapping[str, list[str]]) -> str:
    """A sentence for the error message."""
    rows = "1 row" if finding.count == 1 else f"{finding.count:,} rows"
    if finding.flaw == "missing_time":
        return (
            f"{finding.where}: column '{finding.column}', by which the data are split (data.split.column), "
            f"has no value in {rows} (this is the first)"
        )
    if finding.flaw == "missing_key":
        return f"{finding.where}: {rows} (this is the first) have no value in data.split.key: {finding.column}"
    allowed = domains[finding.column]
    shown = ", ".join(allowed[:_SHOWN]) + (f" and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else "")
    close = difflib.get_close_matches(finding.value, allowed, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return (
        f"{finding.where}: column '{finding.column}' holds '{finding.value}' in {rows} (this is the first), "
        f"which is not among the classes {shown}{hint}"
    )
