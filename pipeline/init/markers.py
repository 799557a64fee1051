"""Words for `missing` amid numbers, such as the NA that R and pandas write."""

from collections.abc import Iterable

import pyarrow as pa

MISSING_MARKERS = frozenset({"na", "n/a", "#n/a", "null", "none", "?", "-", "--", ".", "missing", "unknown", "nil"})
_FEWEST_NUMBERS = 2


def markers_among_numbers(values: Iterable[str]) -> list[str]:
    """The words for `missing` among the different values of a column that is one of numbers otherwise."""
    words: list[str] = []
    rest: list[str] = []
    for value in values:
        (words if value.strip().lower() in MISSING_MARKERS else rest).append(value)
    return words if words and len(rest) >= _FEWEST_NUMBERS and all(map(is_number, rest)) else []


def markers_of_columns(columns: Iterable[pa.Array]) -> list[str]:
    """Those of all columns, sorted; binary columns are looked at, others have no words."""
    found: set[str] = set()
    for column in columns:
        if pa.types.is_binary(column.type):
            unique = [value for value in column.unique().to_pylist() if value is not None]
            found.update(markers_among_numbers(value.decode("utf-8", errors="replace") for value in unique))
    return sorted(found)


def is_number(text: str) -> bool:
    """Whether ExampleGen takes a cell for a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
