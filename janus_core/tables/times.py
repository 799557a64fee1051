"""Points in time that are written as text, in ISO 8601 or in a format of strptime."""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ZONE = r"Z|UTC|GMT|[+-]\d{2}:?\d{2}"
_ISO = (
    r"(?P<Y>\d{4})-(?P<m>\d{2})(?:-(?P<d>\d{2})(?:[T ](?P<H>\d{2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.(?P<f>\d+))?)?)?)?"
    rf"(?: ?(?P<z>{_ZONE}))?"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"\d{1,2}",
    "b": r"[A-Za-z]{3,9}",
    "d": r"\d{1,2}",
    "H": r"\d{1,2}",
    "I": r"\d{1,2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,9}",
    "p": r"[AaPp]\.?[Mm]\.?",
    "z": _ZONE,
}
_LIMITS = {"m": (1, 12), "d": (1, 31), "H": (0, 23), "I": (1, 12), "M": (0, 59), "S": (0, 60)}


EPOCHS = {"epoch_s": 1.0, "epoch_ms": 1000.0}
"""Forms of numbers since 1970, and how many of them are a second."""

MILLISECONDS_FROM = 1e11
"""Numbers of no named form are seconds below, and milliseconds from here on."""

FIRST, LAST = -62_135_596_800.0, 253_402_300_799.999_999
"""The first and the last moment of the years 1 to 9999, in seconds since 1970."""


def seconds_of_numbers(numbers: np.ndarray, form: str | None) -> np.ndarray:
    """Numbers of a form of `EPOCHS`, or of none, as seconds since 1970."""
    if form is None:
        return np.where(np.abs(numbers) < MILLISECONDS_FROM, numbers, numbers / 1000.0)
    return numbers / EPOCHS[form]


@dataclass(frozen=True)
class Times:
    """Parsed points in time.

    Attributes:
        local: int64 [rows], microseconds since 1970 by the clock of the value's own zone.
        instant: int64 [rows], the same in UTC; equal to `local` where the value names no zone.
        valid: bool [rows], whether the value is a date or time of the form; false where it is missing.
        zoned: bool [rows], whether it names a zone.
    """

    local: np.ndarray
    instant: np.ndarray
    valid: np.ndarray
    zoned: np.ndarray


def time_pattern(form: str | None) -> str:
    """A regular expression for a format of strptime, ISO 8601 where it is None, whose groups are its directives.

    Raises ValueError for a directive that is not known, one that comes twice, and for a format without year and month.
    """
    if form is None:
        return rf"^\s*{_ISO}\s*$"
    parts: list[str] = []
    known: list[str] = []
    for letter, literal in re.findall(r"%(.)|([^%]+)", form, re.DOTALL):
        if literal or letter == "%":
            parts.append(re.sub(r"(?:\\\s)+", r"\\s+", re.escape(literal or "%")))
            continue
        name = "b" if letter in "Bh" else letter
        if name not in _DIRECTIVES:
            raise ValueError(f"'%{letter}' is not supported; use {', '.join(f'%{known}' for known in _DIRECTIVES)}")
        if name in known:
            raise ValueError(f"'%{letter}' appears twice")
        known.append(name)
        parts.append(f"(?P<{name}>{_DIRECTIVES[name]})")
    if not ({"Y", "y"} & set(known) and {"m", "b"} & set(known)):
        raise ValueError("it needs at least a year (%Y or %y) and a month (%m or %b)")
    return rf"^\s*{''.join(parts)}\s*$"


def parse_times(text: pa.StringArray, form: str | None = None) -> Times:
    """Parses text by a format of strptime, or as ISO 8601."""
    parts = pc.extract_regex(text, time_pattern(form))
    names = [parts.type.field(index).name for index in range(parts.type.num_fields)]
    found = {name: pc.fill_null(pc.struct_field(parts, [index]), "") for index, name in enumerate(names)}
    valid = pc.is_valid(parts).to_numpy(zero_copy_only=False).copy()
    numbers = {name: _numbers(found[name]) for name in names if name in ("Y", "y", "m", "d", "H", "I", "M", "S")}
    for name, (least, most) in _LIMITS.items():
        if name in numbers and name != "d":
            given = _given(found[name])
            valid &= ~given | ((numbers[name] >= least) & (numbers[name] <= most))
    year = numbers["Y"] if "Y" in numbers else np.where(numbers["y"] < 69, 2000, 1900) + numbers["y"]
    month = numbers["m"] if "m" in numbers else _months(found["b"])
    valid &= (year >= 1) & (month >= 1) & (month <= 12)
    day = np.maximum(numbers["d"], np.where(_given(found["d"]), 0, 1)) if "d" in numbers else np.ones_like(year)
    months = (np.where(valid, year, 1970) - 1970) * 12 + np.where(valid, month, 1) - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    following = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    valid &= (day >= 1) & (first + day <= following)
    hour = numbers.get("H", np.zeros_like(year))
    if "I" in numbers:
        hour = numbers["I"] % 12 + (12 * _starts_with_p(found["p"]) if "p" in found else 0)
    seconds = ((first + day - 1) * 24 + hour) * 3600 + numbers.get("M", 0) * 60 + numbers.get("S", 0)
    local = seconds * 1_000_000 + (_microseconds(found["f"]) if "f" in found else 0)
    zoned = _given(found["z"]) if "z" in found else np.zeros(len(text), bool)
    offset = _offsets(found["z"]) if "z" in found else 0
    return Times(np.where(valid, local, 0), np.where(valid, local - offset, 0), valid, zoned & valid)


def _given(text: pa.StringArray) -> np.ndarray:
    return pc.not_equal(text, "").to_numpy(zero_copy_only=False).astype(bool)


def _numbers(text: pa.StringArray) -> np.ndarray:
    filled = pc.if_else(pc.equal(text, ""), "0", text)
    return filled.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _microseconds(text: pa.StringArray) -> np.ndarray:
    return _numbers(pc.utf8_slice_codeunits(pc.utf8_rpad(text, 6, padding="0"), 0, 6))


def _months(text: pa.StringArray) -> np.ndarray:
    names = pc.utf8_lower(pc.utf8_slice_codeunits(text, 0, 3))
    return pc.fill_null(pc.index_in(names, value_set=pa.array(MONTHS)), -1).to_numpy(zero_copy_only=False) + 1


def _starts_with_p(text: pa.StringArray) -> np.ndarray:
    return pc.starts_with(pc.utf8_lower(text), "p").to_numpy(zero_copy_only=False).astype(np.int64)


def _offsets(zones: pa.StringArray) -> np.ndarray:
    """Microseconds east of Greenwich."""
    encoded = zones.dictionary_encode()
    offsets = []
    for zone in encoded.dictionary.to_pylist():
        minutes = 0
        if zone[:1] in ("+", "-"):
            minutes = (int(zone[1:3]) * 60 + int(zone[-2:])) * (-1 if zone[0] == "-" else 1)
        offsets.append(minutes * 60_000_000)
    return np.array(offsets, np.int64)[encoded.indices.to_numpy(zero_copy_only=False)]
