"""How a column writes points in time."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from janus_core.tables.times import parse_times
from pipeline.commands.init.column_names import BIRTH_TOKENS, TIME_TOKENS
from pipeline.commands.init.number_forms import HEAD, MOST_ODD, is_missing
from pipeline.commands.init.profile import Profile

_DATES = ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
_SHORT_DATES = ("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_ZONES = ("", "%z", " %z")
_LIKE_A_DATE = r"^\s*(\d{4}-\d{2}|\d{1,4}[-/. ][0-9A-Za-z]{1,9}[-/. ]\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
ISO = "iso"
AMBIGUOUS = "day or month first"
_TIME_FORMS = (ISO, *(date + clock for date in (*_DATES, *_SHORT_DATES) for clock in _CLOCKS))
_ZONED_FORMS = tuple(f"{form}{zone}" for form in _TIME_FORMS[1:] if ":" in form for zone in _ZONES[1:])


@dataclass(frozen=True)
class TimeForm:
    """How a column writes points in time.

    Attributes:
        form: ISO, `epoch`, `yyyymmdd`, a format of strptime, or AMBIGUOUS.
        odd: the values that are no such times, with their rows.
    """

    form: str
    odd: dict[str, int] = field(default_factory=dict)

    @property
    def format(self) -> str | None:
        """The format of strptime; None for ISO."""
        return None if self.form == ISO else self.form


def time_form_of(column: Profile) -> TimeForm | None:
    """How the values are points in time; None where they are none, and for dates of birth."""
    tokens = set(column.tokens)
    if column.listed or not column.present or BIRTH_TOKENS & tokens:
        return None
    if column.kind == "bytes":
        return text_time_form(column)
    if not column.whole or not TIME_TOKENS & tokens:
        return None
    known = column.known
    least, greatest = float(known.min()), float(known.max())
    if any(lowest <= least and greatest <= 4.2 * lowest for lowest in (5e8, 5e11, 5e14, 5e17)):
        return TimeForm("epoch")
    if least >= 19000101 and greatest <= 21991231 and (known // 100 % 100 <= 12).all() and (known % 100 <= 31).all():
        return TimeForm("yyyymmdd")
    return None


def text_time_form(column: Profile) -> TimeForm | None:
    """The form that (nearly) all values of a column of text have; None if there is none."""
    values, counts = column.distinct
    rest = np.flatnonzero(~is_missing(values))
    if not len(rest):
        return None
    values, counts = values.take(pa.array(rest)), counts[rest]
    head = values.slice(0, HEAD)
    if pc.match_substring_regex(head, _LIKE_A_DATE).to_numpy(zero_copy_only=False).mean() < 0.5:
        return None
    shares = {form: float(_are_times(head, form).mean()) for form in (*_TIME_FORMS, *_ZONED_FORMS)}
    fit = [form for form, share in shares.items() if share >= 0.5 and share == max(shares.values())]
    fit = fit or [form for form, share in shares.items() if share >= 1 - MOST_ODD]
    valid = {form: _are_times(values, form) for form in fit}
    rows = {form: int(counts[valid[form]].sum()) for form in fit}
    best = max(rows, key=lambda form: rows[form], default=None)
    if best is None or rows[best] / counts.sum() < 1 - MOST_ODD:
        return None
    odd = {values[place].as_py(): int(counts[place]) for place in np.flatnonzero(~valid[best]).tolist()}
    return TimeForm(best if list(rows.values()).count(rows[best]) == 1 else AMBIGUOUS, odd)


def _are_times(values: pa.StringArray, form: str) -> np.ndarray:
    times = parse_times(values, None if form == ISO else form)
    # Times with and without a zone do not compare.
    return times.valid & (times.zoned | ~times.zoned.any())
