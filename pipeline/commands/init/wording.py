"""Values and counts as comments and messages show them."""

from collections.abc import Sequence


def one_line(text: str) -> str:
    """The text with blanks in place of line breaks and other characters that do not print."""
    return "".join(char if char.isprintable() else " " for char in text)


def shown(value: str, most: int = 40) -> str:
    """A value in quotes, on one line, cut where it is longer than `most` characters."""
    plain = one_line(value)
    return f"'{plain[:most]}…'" if len(plain) > most else f"'{plain}'"


def listed(values: Sequence[str], most: int = 3) -> str:
    """The first values in quotes, and how many more there are."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return ", ".join(map(shown, values[:most])) + more


def counted(rows: int) -> str:
    """`1 row`, `1,234 rows`."""
    return "1 row" if rows == 1 else f"{rows:,} rows"
