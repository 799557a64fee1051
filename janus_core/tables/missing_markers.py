"""Words for `missing` among numbers, such as the NA that R and pandas write."""

from collections.abc import Iterable

MISSING_MARKERS = frozenset(
    {"na", "n/a", "n.a.", "<na>", "nan", "null", "(null)", "[null]", "<null>", "none", "nil", "missing", "unknown"}
    | {"\\n", "?", "-", "--", ".", "#n/a", "#na", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"}
)
CERTAIN_MARKERS = MISSING_MARKERS - {"na", "none", "missing", "unknown", "-", "--", "."}
"""Those that are never a class of a label, as NA sometimes is."""
_FEWEST_NUMBERS = 2


def markers_among_numbers(values: Iterable[str]) -> list[str]:
    """The words for `missing` among the different values of a column whose other values are numbers."""
    words: list[str] = []
    rest: list[str] = []
    for value in values:
        (words if value.strip().lower() in MISSING_MARKERS else rest).append(value)
    return words if words and len(rest) >= _FEWEST_NUMBERS and all(map(is_number, rest)) else []


def doubtful_classes(
    classes: Iterable[str], markers: frozenset[str] = MISSING_MARKERS
) -> tuple[list[str], list[list[str]]]:
    """Classes that may stand for a missing label, and groups of them that differ in case or blanks only."""
    listed = list(classes)
    alike: dict[str, list[str]] = {}
    for value in listed:
        alike.setdefault(" ".join(value.split()).casefold(), []).append(value)
    missing = [value for value in listed if value.strip().lower() in markers | {""}]
    return missing, [variants for variants in alike.values() if len(variants) > 1]


def is_number(text: str) -> bool:
    """Whether ExampleGen reads a cell as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
