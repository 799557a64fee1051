"""Cron expressions in the form of Kubeflow Pipelines: six fields, seconds first."""

import re
from dataclasses import dataclass

from janus_core.errors import ConfigError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
DAYS_OF_MONTH = dict(enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), start=1))

_PART = re.compile(r"^(?P<first>\*|\?|\w+)(-(?P<last>\w+))?(/(?P<step>\w+))?$", re.ASCII)


@dataclass(frozen=True)
class _Field:
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("day of week", 0, 6, WEEKDAYS),
)


def six_fields(cron: str) -> str:
    """The expression with seconds; one with the usual five fields starts at second 0.

    KFP would read the first of five fields as seconds, and start a run in every minute of the hour.

    Raises:
        ConfigError: a field or the number of fields is wrong, or the time never comes.
    """
    fields = cron.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise ConfigError(
            f"cron '{cron}' has {len(fields)} fields: give five (minute, hour, day of month, month, day of week), or "
            "six with the second before them"
        )
    values = {field.name: _values(cron, field, text) for field, text in zip(_FIELDS, fields, strict=True)}
    days, months = values["day of month"], values["month"]
    # With a day of the week as well, a day that fits either counts.
    if fields[5] in ("*", "?") and not any(day <= DAYS_OF_MONTH[month] for day in days for month in months):
        raise ConfigError(f"cron '{cron}': the day of month '{fields[3]}' never comes in the month '{fields[4]}'")
    return " ".join(fields)


def _values(cron: str, field: _Field, text: str) -> set[int]:
    """All values that match a field."""
    values: set[int] = set()
    for part in text.split(","):
        match = _PART.match(part)
        if match is None:
            raise _wrong(cron, field, f"'{part}' is no value, range or step")
        if match["first"] in ("*", "?"):
            if match["last"]:
                raise _wrong(cron, field, f"'{part}' is no range")
            first, last = field.least, field.most
        else:
            first = _number(cron, field, match["first"])
            last = _number(cron, field, match["last"]) if match["last"] else field.most if match["step"] else first
        step = match["step"] or "1"
        if not step.isdecimal() or int(step) == 0:
            raise _wrong(cron, field, f"'{step}' is no step")
        if first > last:
            raise _wrong(cron, field, f"'{part}' ends before it begins")
        values.update(range(first, last + 1, int(step)))
    return values


def _number(cron: str, field: _Field, text: str) -> int:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.least
    if not text.isdecimal() or not field.least <= int(text) <= field.most:
        hint = "; Sunday is 0" if field.names == WEEKDAYS and text == "7" else ""
        raise _wrong(cron, field, f"'{text}' is not in {field.least}-{field.most}{hint}")
    return int(text)


def _wrong(cron: str, field: _Field, what: str) -> ConfigError:
    return ConfigError(f"cron '{cron}': {field.name}: {what}")
