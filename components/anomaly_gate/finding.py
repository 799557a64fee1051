"""One thing that is wrong with the data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Finding:
    """What was expected of a column in a split, what was seen, and how often."""

    column: str
    split: str
    expected: str
    seen: str
    count: str = ""

    def without_values(self) -> "Finding":
        """The same of a column whose values may not be shown."""
        if self.seen.startswith("none"):
            return self
        expected = "values of the schema's domain" if self.expected.startswith("one of ") else self.expected
        return replace(self, expected=expected, seen="values that are not shown (sensitive)")

    def __str__(self) -> str:
        many = f" ({self.count})" if self.count else ""
        return f"{self.column}, {self.split} split: expected {self.expected}; saw {self.seen}{many}"


def rows(count: int, total: int) -> str:
    """`12 of 1,000 rows`."""
    return f"{count:,} of {total:,} rows"


def most_frequent_first(counts: Mapping[str, int]) -> list[str]:
    """The values, in an order that does not depend on how they were counted."""
    return sorted(counts, key=lambda value: (-counts[value], value))


def listing(values: list[str], limit: int = 5) -> str:
    """The first few values, and how many more there are."""
    shown = ", ".join(f"'{value}'" for value in values[:limit])
    return shown if len(values) <= limit else f"{shown} and {len(values) - limit} more"
